"""The pytest plugin, in real pytest runs on recordings."""

from __future__ import annotations

import subprocess
import sys

import pytest

from support.project import Project


@pytest.fixture
def project(project: Project) -> Project:
    """Give a project whose suite answers right and is its own baseline."""
    rows = [{"id": f"注文{i}", "question": f"q{i}", "expected": f"q{i}"} for i in range(8)]
    project.write_rows("datasets/qa.jsonl", rows)
    project.write_suite(targets=[{"name": "rec", "provider": "replay", "path": "../datasets/rec.jsonl"}])
    record(project, 8)
    assert project.run("run").code == 0
    assert project.run("baseline", "set").code == 0
    return project


def record(project: Project, right: int) -> None:
    """Write recordings of so many cases."""
    project.write_rows("datasets/rec.jsonl", [{"case_id": f"注文{i}", "output": f"q{i}"} for i in range(right)])


def run_pytest(project: Project, *args: str) -> tuple[int, str]:
    plugins = ["-p", "xdist", "-p", "retest.integrations.pytest_plugin"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, "--rootdir", ".", "evals", *args],
        cwd=project.root,
        env=project.env(PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    return done.returncode, done.stdout


def test_an_unchanged_suite_passes(project: Project) -> None:
    """One item for each case and one for the gate."""
    code, out = run_pytest(project, "--retest", "-v")
    assert code == 0, out
    assert "evals/qa.yaml::注文0 PASSED" in out
    assert "9 passed" in out


def test_a_case_without_an_answer_fails_in_every_worker_alike_and_the_suite_runs_once(project: Project) -> None:
    """Under xdist the controller runs the suite; the failure tells input, expected answer and why."""
    record(project, 7)
    before = len(project.run("runs", "--json").json["runs"])
    code, out = run_pytest(project, "--retest", "-n", "2")
    assert code == 1, out
    assert "E   no answer: missing_recording" in out
    assert "2 failed, 7 passed" in out
    assert len(project.run("runs", "--json").json["runs"]) == before + 1


def test_a_suite_without_a_baseline_fails_its_gate(project: Project) -> None:
    """Nothing is run; cases alone, all skipped, do not exit 0 either."""
    assert project.run("baseline", "clear", "--suite", "qa").code == 0
    code, out = run_pytest(project, "--retest")
    assert code == 1
    assert "nothing to judge (exit 5): suite qa has no baseline" in out
    assert run_pytest(project, "--retest", "-k", "注文1")[0] == 5


def test_a_mistake_is_a_collection_error_with_its_place(project: Project) -> None:
    """The suite's own line is named."""
    project.write_suite(metrics=["exact_mach"])
    code, out = run_pytest(project, "--retest")
    assert code == 2
    assert "evals/qa.yaml:" in out


def test_without_the_flag_nothing_is_collected(project: Project) -> None:
    """Suites are none of pytest's business then."""
    assert run_pytest(project)[0] == 5
