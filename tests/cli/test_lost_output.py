"""What is printed meets a full disk or a reader that has gone: the exit code stays what the command came to."""

from __future__ import annotations

import os
import shlex
import subprocess

import pytest

from support.project import Project
from support.versions import right_answers, run_version

ROWS = [{"id": f"c{i}", "q": "q", "expected": "yes", "tags": []} for i in range(20)]
GATE = ("gate", "evals/teams.yaml", "--offline")


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Give a project whose gate fails."""
    project = Project(tmp_path_factory.mktemp("failing"))
    gate = {"block": "regression"}
    run_version(project, right_answers(ROWS, 2), ROWS, gate=gate)
    assert project.run("baseline", "set").code == 0
    wrong = {str(row["id"]): ["no", "no"] for row in ROWS}
    run_version(project, wrong, ROWS, gate=gate, prompt="Which team, now?\n{{ q }}\n")
    assert project.run(*GATE).code == 1
    return project


def into(project: Project, output: int, *command: str) -> tuple[int, str]:
    """Return exit code and stderr of a command that prints into a file descriptor."""
    done = subprocess.run(
        project.command(*command),
        cwd=project.root,
        env=project.env(),
        stdout=output,
        stderr=subprocess.PIPE,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stderr.decode()


@pytest.fixture
def gone() -> int:
    """Give a pipe that nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.fixture
def full() -> int:
    """Give a file that never has room."""
    return os.open("/dev/full", os.O_WRONLY)


@pytest.mark.parametrize("flags", [pytest.param((), marks=pytest.mark.slow), ("--json",)], ids=["text", "JSON"])
def test_a_gate_that_fails_fails_whoever_reads_it(failing: Project, gone: int, flags: tuple[str, ...]) -> None:
    """`retest gate --json | head -1` is no way to pass."""
    code, err = into(failing, gone, *GATE, *flags)
    assert (code, "Traceback" in err) == (1, False)


def test_a_gate_that_fails_fails_on_a_full_disk(failing: Project, full: int) -> None:
    """The verdict comes before what could not be said of it."""
    code, err = into(failing, full, *GATE)
    assert (code, "Traceback" in err) == (1, False)


def test_output_that_is_lost_is_no_success(failing: Project, full: int) -> None:
    """Half an export must not look like a whole one."""
    code, err = into(failing, full, "export", "latest", "--to", "jsonl")
    assert (code, "[file-unwritable]" in err, "Traceback" in err) == (4, True, False)


def test_a_reader_that_has_seen_enough_is_no_failure(failing: Project, gone: int) -> None:
    """`retest export | head` ends well."""
    code, err = into(failing, gone, "export", "latest", "--to", "jsonl")
    assert (code, err) == (0, "")


def test_progress_that_cannot_be_shown_changes_nothing(failing: Project) -> None:
    """A full disk behind standard error leaves the verdict and standard output alone."""
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        done = subprocess.run(
            failing.command(*GATE, "--json"),
            cwd=failing.root,
            env=failing.env(),
            stdout=subprocess.PIPE,
            stderr=full,
            timeout=120,
            check=False,
        )
    assert (done.returncode, done.stdout[:1]) == (1, b"{")


def with_closed(project: Project, stream: int, *command: str) -> tuple[int, bytes, bytes]:
    """Return exit code, stdout and stderr of a command that starts without one of its three streams."""
    done = subprocess.run(
        ["sh", "-c", f"{shlex.join(project.command(*command))} {stream}>&-"],
        cwd=project.root,
        env=project.env(),
        capture_output=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("stream", [0, 1, 2], ids=["stdin", "stdout", "stderr"])
def test_a_gate_that_fails_fails_with_a_closed_stream(failing: Project, stream: int) -> None:
    """`retest gate --json >&-` keeps its verdict, and no file of the store is taken for the missing stream."""
    code, out, err = with_closed(failing, stream, *GATE, "--json")
    assert (code, out[:1], b"Traceback" in err) == (1, b"" if stream == 1 else b"{", False)
    assert failing.run("verify").code == 0


def test_what_nobody_wants_to_read_is_not_lost(failing: Project) -> None:
    """A closed stream is asked for, other than a full disk: `retest schema >&-` ends well."""
    assert with_closed(failing, 1, "schema") == (0, b"", b"")
