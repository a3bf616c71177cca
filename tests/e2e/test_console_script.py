"""The installed `retest` script, each command a process that starts with nothing imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.project import Project

SCRIPT = Path(sys.executable).with_name("retest")


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return what `retest init` writes, run twice, with a baseline."""
    project = Project(tmp_path_factory.mktemp("started"))
    (project.root / "retest.toml").unlink()
    for command in (["init"], ["run"], ["baseline", "set"], ["run", "--fresh"]):
        done = project.run(*command)
        assert done.code == 0, done.err
    return project


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("--version", "retest 0."),
        ("--help", "Usage: retest"),
        ("init another", "retest run"),
        ("check", "support"),
        ("plan", "12"),
        ("run --fresh", "exact_match"),
        ("gate --until-decided", "exact_match"),
        ("aa", "exact_match"),
        ("diff --json", "exact_match"),
        ("show", "exact_match"),
        ("render evals/support.yaml", "user"),
        ("rescore", "exact_match"),
        ("report --baseline", "report.html"),
        ("export", "exact_match"),
        ("judge list", "toxicity"),
        ("verify", "everything is whole"),
    ],
)
def test_a_command_finds_what_it_needs(started: Project, command: str, said: str) -> None:
    """Whatever others have imported before it in a process is not there."""
    done = subprocess.run(
        [SCRIPT, *command.split()], cwd=started.root, env=started.env(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
