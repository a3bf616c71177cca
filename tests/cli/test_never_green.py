"""The holes through which other runners pass green: in none of them may the exit code be 0."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys

import pytest

from support.openai_server import OpenAIServer, Received, Reply, error, huge, ok, unauthorized
from support.project import Project
from support.waiting import wait_until


def echo(request: Received) -> Reply:
    return ok(request.last_user)


def test_a_missing_dataset_is_a_usage_error(project: Project) -> None:
    """A dataset path that leads nowhere is found before the first call."""
    project.write_suite()
    done = project.run("run")
    assert done.code == 2
    assert "qa.jsonl" in done.err
    assert "evals/qa.yaml:" in done.err


def test_an_empty_csv_is_an_error(project: Project) -> None:
    """A CSV with nothing but its header holds no cases."""
    project.write("datasets/qa.csv", "question,expected\n")
    project.write_suite(dataset={"path": "../datasets/qa.csv"})
    assert project.run("run").code in {2, 5}


def test_a_filter_that_matches_nothing_is_an_error(project: Project) -> None:
    """A filter without a match never becomes a run of nothing."""
    project.write_cases(3)
    project.write_suite(dataset={"path": "../datasets/qa.jsonl", "where": {"id": "nobody"}})
    assert project.run("run").code in {2, 5}


def test_a_tag_that_selects_nothing_is_an_error(project: Project) -> None:
    """A flag that selects no case exits 5."""
    project.write_cases(3)
    project.write_suite()
    assert project.run("run", "--tag", "nobody").code == 5


def test_an_unknown_case_is_an_error(project: Project) -> None:
    """A mistyped case id is found before the first call."""
    project.write_cases(3)
    project.write_suite()
    done = project.run("run", "--cases", "c99")
    assert done.code == 2
    assert "c99" in done.err


def test_a_mistyped_key_is_an_error(project: Project) -> None:
    """`metrcs:` is refused with a suggestion, not ignored."""
    project.write_cases(3)
    project.write_suite(metrics=None, metrcs=["exact_match"])
    done = project.run("run")
    assert done.code == 2
    assert "did you mean 'metrics'" in done.err


def test_a_mistyped_metric_is_an_error(project: Project) -> None:
    """An unknown metric is refused with a suggestion."""
    project.write_cases(3)
    project.write_suite(metrics=["exact_mach"])
    done = project.run("run")
    assert done.code == 2
    assert "did you mean 'exact_match'" in done.err


def test_an_undefined_variable_is_an_error(project: Project) -> None:
    """A template variable that rows lack is found offline."""
    project.write_cases(3)
    project.write_suite(prompts=[{"text": "{{ qestion }}", "name": "ask"}])
    done = project.run("run")
    assert done.code == 2
    assert "qestion" in done.err


def test_a_suite_that_does_not_exist_is_an_error(project: Project) -> None:
    """A selector without a match never becomes an empty success."""
    assert project.run("run", "evals/nothing.yaml").code == 2
    assert project.run("run").code == 2


def test_a_key_refused_at_once_stops_the_run(project: Project) -> None:
    """Every request answered 401: exit 4, one clear message, hardly any calls."""
    project.write_cases(200)
    with OpenAIServer(lambda _: unauthorized()) as server:
        project.write_suite(server.base_url)
        done = project.run("run", "--concurrency", "4")
    assert done.code == 4
    assert done.err.count("refuses every call") == 1
    assert server.count < 20


def test_a_key_refused_midway_stops_the_run(project: Project) -> None:
    """A 401 at the 20th request is no success of nineteen."""
    project.write_cases(200)
    with OpenAIServer(lambda r: unauthorized() if r.index >= 19 else echo(r)) as server:
        project.write_suite(server.base_url)
        done = project.run("run", "--concurrency", "4", "--json")
    assert done.code == 4
    assert done.json["exit_code"] == 4
    assert server.count < 40


def test_too_many_errors_make_the_run_incomplete(project: Project) -> None:
    """One call in four fails for good: the mean of the rest is not the suite's result."""
    project.write_cases(40)
    with OpenAIServer(lambda r: Reply(status=400) if r.last_user in BROKEN else echo(r)) as server:
        project.write_suite(server.base_url)
        done = project.run("run", "--json")
    assert done.code == 4
    assert done.json["errors"] == 10
    assert done.json["metrics"]["exact_match"]["mean"] == 1.0
    assert "10 of 40 samples have no answer" in done.err


def test_a_run_without_any_answer_is_incomplete_and_says_why(project: Project) -> None:
    """Every call fails: exit 4, with the endpoint's own words."""
    project.write_cases(3)
    with OpenAIServer(lambda _: error(400, "unknown parameter 'tempreature'")) as server:
        project.write_suite(server.base_url)
        done = project.run("run")
    assert done.code == 4
    assert "3 of 3 samples have no answer (bad_request)" in " ".join(done.out.split())
    assert "tempreature" in done.out


BROKEN = {f"q{i}" for i in range(0, 40, 4)}


def test_ctrl_c_exits_130_and_says_how_to_resume(project: Project) -> None:
    """An interrupted run is neither passed nor failed, and the same command finishes it."""
    project.write_cases(60)
    with OpenAIServer(lambda r: Reply(message={"content": r.last_user}, delay_s=0.1)) as server:
        project.write_suite(server.base_url)
        process = project.start("run", "--concurrency", "2")
        wait_until(lambda: server.count >= 6)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 130
        assert "resume with: retest run" in err.decode()
        finished = project.run("run", "--concurrency", "8", "--json")
        assert finished.code == 0
        assert finished.json["samples"] == 60
        assert server.count == 60


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
def test_a_disk_that_fills_up_leaves_an_incomplete_run(project: Project) -> None:
    """Exit 4, not 2: the command was right, and typed again it goes on."""
    project.write_cases(20)
    with OpenAIServer(lambda _: huge(300_000)) as server:
        project.write_suite(server.base_url)
        limited = f"ulimit -f 2000; exec {shlex.join(project.command('run', '--json'))}"
        done = subprocess.run(
            ["bash", "-c", limited], cwd=project.root, env=project.env(), capture_output=True, timeout=60, check=False
        )
    assert done.returncode == 4
    assert json.loads(done.stdout)["problems"][0]["slug"].startswith("store-")
