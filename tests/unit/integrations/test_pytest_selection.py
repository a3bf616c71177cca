"""The pytest plugin with odd suites, selections, live targets and every way that xdist deals items out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

from retest.integrations.pytest_names import item_names
from support.openai_server import OpenAIServer, Received
from support.project import Project

ODD = ["注文/一", "a[b]", "c::d", "gate", "bell\x07", "x" * 300, "x" * 299 + "y", "-k", "two\nlines"]


def run_pytest(project: Project, *args: str, autoload: bool = False) -> tuple[int, str]:
    plugins = [] if autoload else ["-p", "xdist", "-p", "retest.integrations.pytest_plugin"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, "-p", "no:cacheprovider", "--rootdir", ".", *args],
        cwd=project.root,
        env=project.env(PYTEST_DISABLE_PLUGIN_AUTOLOAD="" if autoload else "1"),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Give a project whose suite has odd case ids, broken names beside it, and is its own baseline."""
    project = Project(tmp_path_factory.mktemp("odd"))
    rows = [{"id": name, "question": f"q{i}", "expected": f"q{i}"} for i, name in enumerate(ODD)]
    project.write_rows("datasets/qa.jsonl", rows)
    project.write_suite(
        targets=[{"name": "rec", "provider": "replay", "path": "../datasets/rec.jsonl"}],
        gate={"never_fail": ["a[b]"]},
        samples=5,
    )
    record(project, wrong=())
    assert project.run("run").code == 0
    assert project.run("baseline", "set").code == 0
    record(project, wrong=("注文/一", "a[b]"))
    return project


def record(project: Project, wrong: tuple[str, ...]) -> None:
    rows = [
        {"case_id": name, "sample_index": k, "output": "?" if name in wrong else f"q{i}"}
        for i, name in enumerate(ODD)
        for k in range(5)
    ]
    project.write_rows("datasets/rec.jsonl", rows)


@pytest.fixture(scope="module")
def failed(odd: Project) -> tuple[int, str, ET.Element]:
    """Give the exit code, output and JUnit file of a run in which two cases fail, found through the entry point."""
    code, out = run_pytest(odd, "evals", "--retest", "-v", "--junitxml", "out.xml", "-p", "no:xdist", autoload=True)
    return code, out, ET.parse(odd.root / "out.xml").getroot()  # noqa: S314 - written by the run above


def test_names_of_items_are_on_one_line_and_distinct() -> None:
    """Whatever a case is called, its item can be named on a command line."""
    names = [name for name, _ in item_names([*ODD, "", "two\nlines"])]
    assert len(set(names)) == len(ODD) + 2
    assert "gate" not in names
    assert all(name.isprintable() and "::" not in name and 0 < len(name) <= 125 for name in names)


def test_the_name_of_a_long_case_does_not_depend_on_its_neighbours() -> None:
    """A server that shows a test's history keeps it when another case is added before it."""
    assert dict(item_names(ODD[5:])) == {name: case for name, case in item_names(ODD) if case in ODD[5:]}


def test_the_entry_point_adds_the_plugin(failed: tuple[int, str, ET.Element]) -> None:
    """An installed retest is enough: no `-p`, no conftest."""
    assert "evals/qa.yaml::gate" in failed[1]


def test_a_newly_failing_case_and_a_broken_never_fail_rule_fail_their_items(
    failed: tuple[int, str, ET.Element],
) -> None:
    """Each fails for its own reason, and the others pass."""
    code, out, _ = failed
    assert code == 1
    assert "evals/qa.yaml::注文/一 FAILED" in out
    assert "newly failing" in out
    assert "evals/qa.yaml::a[b] FAILED" in out
    assert "E   exact_match: " in out
    assert f"{len(ODD) - 2} passed" in out


def test_the_junit_file_has_an_entry_for_each_case_with_its_reason(failed: tuple[int, str, ET.Element]) -> None:
    """Names are the items' own, and the failure's text tells input and answers."""
    cases = {case.get("name", ""): case for case in failed[2].iter("testcase")}
    assert set(cases) == {name for name, _ in item_names(ODD)} | {"gate"}
    failure = cases["注文/一"].find("failure")
    assert failure is not None
    assert "newly failing" in str(failure.get("message"))
    assert "before" in str(failure.text)


@pytest.mark.parametrize("dist", ["loadfile", "worksteal"])
def test_every_way_of_dealing_items_out_judges_alike(odd: Project, dist: str, failed: object) -> None:
    """The controller decides, whichever worker reports."""
    assert failed
    code, out = run_pytest(odd, "evals", "--retest", "-n", "2", "--dist", dist, "-q")
    assert code == 1
    assert f"3 failed, {len(ODD) - 2} passed" in out


def test_odd_cases_can_be_named(odd: Project, failed: object) -> None:
    """The name that the report shows selects the item, and the output says that no gate ran."""
    assert failed
    code, out = run_pytest(odd, "evals/qa.yaml::注文/一", "evals/qa.yaml::a[b]", "--retest", "-q")
    assert code == 1
    assert "2 failed" in out
    assert "retest: the gate of evals/qa.yaml did not run (not selected)" in out


def test_a_gate_that_was_not_reached_is_pointed_out(odd: Project, failed: object) -> None:
    """With -x, a case that fails ends the session before the gate."""
    assert failed
    out = run_pytest(odd, "evals", "--retest", "-x", "-q")[1]
    assert "retest: the gate of evals/qa.yaml did not run (not reached)" in out


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str]:
    """Give what pytest says of a folder of suites of which only one is sound."""
    project = Project(tmp_path_factory.mktemp("broken"))
    project.write_cases(2)
    text = project.write_suite().read_text("utf-8")
    project.write("evals/twin.yaml", text)
    project.write("evals/misspelt.yaml", "nmae: qa\npromts: [x]\n")
    project.write("evals/nested/torn.yml", "<<<<<<< ours\nname: qa\n")
    project.write("evals/data.yaml", "colours: [red]\n")
    project.write("evals/_aside.yaml", "promts: [x]\n")
    project.write("other/compose.yaml", "services: {web: {image: x}}\n")
    project.write("other/suite.yaml", "promts: [x]\ndatset: y\n")
    project.write("other/flow.yaml", '{"prompts": ["x"], "metrics": ["exact_mach"]}')
    return run_pytest(project, ".", "--retest", "-q")


@pytest.mark.parametrize(
    "file", ["evals/misspelt.yaml", "evals/nested/torn.yml", "other/suite.yaml", "other/flow.yaml"]
)
def test_a_broken_suite_in_a_folder_is_an_error(broken: tuple[int, str], file: str) -> None:
    """A suite never drops out of a session because it cannot be read."""
    assert broken[0] == 2
    assert f"ERROR {file}" in broken[1]


@pytest.mark.parametrize("file", ["_aside.yaml", "compose.yaml"])
def test_what_is_no_suite_or_put_aside_is_passed_over(broken: tuple[int, str], file: str) -> None:
    """Other YAML of a project is none of our business."""
    assert file not in broken[1]


def test_other_yaml_among_suites_is_pointed_out(broken: tuple[int, str]) -> None:
    """It is passed over as `retest check` does, but not silently."""
    assert "evals/data.yaml is no suite" in broken[1]


def test_two_suites_of_one_name_are_an_error(broken: tuple[int, str]) -> None:
    """Their runs would mix, as `retest check` says of them."""
    assert "ERROR evals/twin.yaml" in broken[1]
    assert "two suites are called 'qa', and their runs would mix: see evals/qa.yaml" in broken[1]


def answer(request: Received) -> str:
    return request.last_user.removeprefix("new ")


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, OpenAIServer]]:
    """Give a suite of eight cases whose prompt has changed since its baseline, and the endpoint it asks."""
    with OpenAIServer(answer) as server:
        project = Project(tmp_path_factory.mktemp("live"))
        project.write_cases(8)
        path = project.write_suite(server.base_url, samples=2)
        assert project.run("run").code == 0
        assert project.run("baseline", "set").code == 0
        suite = yaml.safe_load(path.read_text("utf-8"))
        suite["prompts"] = [{"text": "new {{ question }}", "name": "ask"}]
        path.write_text(yaml.safe_dump(suite), encoding="utf-8")
        yield project, server


@pytest.mark.parametrize("flags", [["-k", "c1"], ["-k", "c2", "-n", "2"]], ids=["alone", "workers"])
def test_only_what_is_selected_is_called(live: tuple[Project, OpenAIServer], flags: list[str]) -> None:
    """Without the gate a case costs its own samples, and the output says so."""
    project, server = live
    before = server.count
    code, out = run_pytest(project, "evals", "--retest", "--retest-live", "-q", *flags)
    assert code == 0, out
    assert server.count - before == 2
    assert "the gate of evals/qa.yaml did not run (not selected); only the selected cases were run" in out


def test_the_gate_runs_all_cases_whatever_else_is_selected(live: tuple[Project, OpenAIServer]) -> None:
    """Eight cases of two samples, after the baseline's; what was paid for before is not paid for again."""
    project, server = live
    code, out = run_pytest(project, "evals", "--retest", "--retest-live", "-k", "c1 or gate", "-q")
    assert code == 0, out
    assert server.count == 2 * 16
    assert "did not run" not in out


@pytest.mark.parametrize("options", [["--retest-live"], ["--retest-baseline", "latest"]])
def test_an_option_without_the_flag_is_refused(tmp_path: Path, options: list[str]) -> None:
    """Whoever asks for live suites and forgets the flag must not see a green session of other tests."""
    code, out = run_pytest(Project(tmp_path), *options)
    assert code == 4
    assert "--retest-live and --retest-baseline need --retest" in out


def test_a_wrong_setting_is_a_usage_error(tmp_path: Path) -> None:
    """No traceback of ours for a mistake of theirs."""
    project = Project(tmp_path)
    project.write("retest.toml", "colour = 1\n")
    code, out = run_pytest(project, "--retest")
    assert code == 4
    assert "unknown setting 'colour'" in out
    assert "Traceback" not in out
