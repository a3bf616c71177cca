"""Commands that are forks: a test sees of them what it sees of processes that start anew."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.fork_server import _code_of
from support.forked import is_for_a_process, run_forked
from support.project import Project
from support.waiting import wait_until

TARGET = """\
import os, signal, sys, time
from pathlib import Path
from typing import Any

def tell(prompt):
    facts = (
        os.getcwd(), sys.path[0], sys.argv, os.environb, sys.modules["__main__"].__spec__.name, sys.flags,
        os.getpgid(0), os.getsid(0), os.umask(0o22),
        [str(signal.getsignal(number)).partition(" at ")[0] for number in range(1, 32)],
        [(stream.encoding, stream.errors, stream.line_buffering) for stream in (sys.stdin, sys.stdout, sys.stderr)],
        time.tzname,
    )
    Path("facts.txt").write_text(repr(facts))
    Path("hash.txt").write_text(str(hash("字")))
    return "q0"

def sleep(prompt):
    time.sleep(600)
"""


@pytest.fixture
def project(project: Project) -> Project:
    """Give a project whose target tells about its process."""
    project.write_cases(1)
    project.write("target.py", TARGET)
    project.write_suite(targets=[{"name": "own", "provider": "python", "path": "../target.py:tell"}])
    return project


def anew(project: Project, *args: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    """Return what a process of its own comes to."""
    return subprocess.run(
        project.command(*args), cwd=project.root, env=project.env(**env), capture_output=True, check=False
    )


def forked(project: Project, *args: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    """Return what a fork comes to."""
    return run_forked(args, cwd=project.root, env=project.env(**env), timeout_s=60)


@pytest.mark.parametrize("args", [["check", "--json"], ["chekc"], ["show", "--help"]], ids=lambda args: args[0])
def test_a_fork_says_what_a_process_says(project: Project, args: list[str]) -> None:
    """Exit code, output and error output."""
    theirs, ours = anew(project, *args), forked(project, *args)
    assert (ours.returncode, ours.stdout, ours.stderr) == (theirs.returncode, theirs.stdout, theirs.stderr)


def test_a_fork_finds_what_a_process_finds(project: Project) -> None:
    """Folder, arguments, environment, process group, signals and streams, as the user's own code sees them."""
    anew(project, "run", "--fresh", OUR_KEY="a b", RETEST_名="値")
    theirs = (project.root / "facts.txt").rename(project.root / "theirs.txt").read_text("utf-8")
    forked(project, "run", "--fresh", OUR_KEY="a b", RETEST_名="値")
    assert (project.root / "facts.txt").read_text("utf-8") == theirs


def test_strings_hash_otherwise_in_the_next_command(project: Project) -> None:
    """Output that hangs on the order of a set would differ, as it does between any two processes."""
    hashes = set()
    for _ in range(2):
        forked(project, "run", "--fresh")
        hashes.add((project.root / "hash.txt").read_text())
    assert len(hashes) == 2


@pytest.mark.parametrize(
    ("env", "fact"),
    [({"PYTHONHASHSEED": "0"}, "hash_randomization=0"), ({"TZ": "Asia/Tokyo"}, "('JST', 'JST')")],
    ids=["hash", "TZ"],
)
def test_what_is_read_before_a_command_runs_is_obeyed(project: Project, env: dict[str, Any], fact: str) -> None:
    """By the interpreter at its start or by a library on import: no fork could do so any more."""
    project.run("run", **env)
    assert fact in (project.root / "facts.txt").read_text("utf-8")


@pytest.mark.parametrize(
    ("end", "code", "said"), [("駄目", 1, "駄目\n"), (7, 7, ""), (None, 0, "")], ids=["text", "number", "none"]
)
def test_a_fork_ends_as_a_process_ends(
    end: str | int | None, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A text instead of an exit code is said, and is a failure."""
    assert (_code_of(SystemExit(end)), capsys.readouterr().err) == (code, said)


def test_a_few_commands_are_no_forks() -> None:
    """The same ones in every run of the tests, and so few that they cost little."""
    picked = [number for number in range(5_000) if is_for_a_process(["run", f"{number}.yaml"], f"test {number}")]
    assert 50 < len(picked) < 150
    assert all(is_for_a_process(["run", "elsewhere"], f"test {number}") for number in picked)


def test_a_command_that_takes_too_long_is_ended(project: Project) -> None:
    """It does not go on behind the tests' back."""
    project.write_suite(targets=[{"name": "own", "provider": "python", "path": "../target.py:sleep"}])
    with pytest.raises(subprocess.TimeoutExpired):
        run_forked(["run"], cwd=project.root, env=project.env(), timeout_s=0.5)
    wait_until(lambda: not any(is_in(project.root, process) for process in Path("/proc").glob("[0-9]*")))


def is_in(folder: Path, process: Path) -> bool:
    """Return whether a process works in a folder."""
    try:
        return (process / "cwd").readlink() == folder
    except OSError:  # it is gone, or somebody else's
        return False
