"""What git says of a folder: commit, branch, whether it is dirty. Works detached, shallow, and outside git."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class GitState:
    """The state of a working tree; None where there is no git or no commit."""

    commit: str | None = None
    branch: str | None = None
    dirty: bool | None = None


def read_git_state(folder: Path) -> GitState:
    """Return the state of the working tree that holds `folder`, in one git call."""
    command = ["git", "-C", str(folder), "status", "--porcelain=v2", "--branch", "--untracked-files=normal"]
    try:
        # git is looked up on PATH on purpose: it is the user's own.
        done = subprocess.run(command, capture_output=True, check=False, timeout=20)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return GitState()
    if done.returncode != 0:
        return GitState()
    return parse_status(done.stdout.decode("utf-8", "replace"))


def parse_status(text: str) -> GitState:
    """Return the state that ``git status --porcelain=v2 --branch`` prints."""
    headers = dict(line[2:].split(" ", 1) for line in text.splitlines() if line.startswith("# ") and " " in line[2:])
    commit = headers.get("branch.oid")
    branch = headers.get("branch.head")
    return GitState(
        commit=None if commit == "(initial)" else commit,
        branch=None if branch == "(detached)" else branch,
        dirty=any(line and not line.startswith("#") for line in text.splitlines()),
    )
