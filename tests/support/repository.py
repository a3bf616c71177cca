"""A real git repository for tests."""

from __future__ import annotations

import subprocess
from pathlib import Path

_SETTINGS = (
    "-c",
    "user.name=t",
    "-c",
    "user.email=t@example.org",
    "-c",
    "init.defaultBranch=main",
    "-c",
    "protocol.file.allow=always",
)


def git(folder: Path, *args: str) -> str:
    """Run git and return what it prints."""
    done = subprocess.run(["git", *_SETTINGS, *args], cwd=folder, capture_output=True, check=True)
    return done.stdout.decode("utf-8").strip()


def commit_all(folder: Path, message: str = "change") -> str:
    """Commit everything in the folder, making it a repository where it is none; return the commit."""
    if not (folder / ".git").exists():
        git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", message)
    return git(folder, "rev-parse", "HEAD")
