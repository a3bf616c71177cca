"""Scoring in processes of its own, as a user sees it: the same numbers, and nothing left behind."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from support.openai_server import OpenAIServer, Received, Reply, ok
from support.project import Project
from support.waiting import wait_until

WORKER = b"retest.runner.score_worker"


def workers_of(parent: int) -> list[int]:
    """Return the scoring processes that a process has started."""
    pids = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]
    child = b"\nPPid:\t%d\n" % parent
    return [pid for pid in pids if is_scoring(pid) and child in _read(Path(f"/proc/{pid}/status"))]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has ended meanwhile
        return b""


def is_scoring(pid: int) -> bool:
    """Return whether a scoring process of this number is there."""
    return WORKER in _read(Path(f"/proc/{pid}/cmdline"))


@pytest.fixture
def recorded(project: Project) -> Project:
    """Return a project of 40 recorded answers, English and Japanese."""
    project.write_cases(40)
    answers = [{"case_id": f"c{i}", "output": f"q{i % 7} 返品は昨日です"} for i in range(40)]
    project.write_rows("rec/a.jsonl", answers)
    target = {"name": "old", "provider": "replay", "path": "../rec/a.jsonl"}
    project.write_suite(targets=[target], metrics=["exact_match", "rouge"])
    return project


def test_runs_and_rescoring_have_the_same_numbers(recorded: Project) -> None:
    """In two processes and in one; nothing is said about either."""
    ran = recorded.run("run", "--json", "--quiet", "--score-processes", "2")
    done = recorded.run("rescore", "latest", "-m", "rouge", "--as", "again", "--score-processes", "1", "--json")
    assert done.json["runs"][0]["metrics"][0]["means"] == {"ask/old": ran.json["metrics"]["rouge"]["mean"]}
    assert (ran.err, done.err) == ("", "")


def test_a_number_that_is_none_is_refused(recorded: Project) -> None:
    """Before anything is run."""
    done = recorded.run("run", "--score-processes", "many")
    assert done.code == 2
    assert "expected: auto, or a whole number from 1 to 256" in done.err


def slow(request: Received) -> Reply:
    """Answer so slowly that the run is not over before it can be ended."""
    return ok(request.last_user, delay_s=0.05)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)], ids=["Ctrl-C", "kill -9"])
def test_no_process_outlives_a_run(project: Project, sent: signal.Signals, code: int) -> None:
    """However the run ends, and in the middle of its calls."""
    project.write_cases(2000)
    with OpenAIServer(slow) as server:
        project.write_suite(server.base_url, metrics=["exact_match", "rouge"])
        process = project.start("run", "--score-processes", "2", "--concurrency", "4")
        wait_until(lambda: len(workers_of(process.pid)) == 2, timeout_s=60)
        workers = workers_of(process.pid)
        process.send_signal(sent)
        process.communicate(timeout=60)
    assert process.returncode == code
    wait_until(lambda: not any(map(is_scoring, workers)), timeout_s=60)
