"""Provenance from real git repositories."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from retest.revisions.provenance import GitState, read_git_state


def git(folder: Path, *args: str) -> str:
    settings = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *settings, *args], cwd=folder, capture_output=True, check=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    (tmp_path / "a.txt").write_text("a")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


def test_a_clean_tree(repository: Path) -> None:
    """Commit and branch are there, nothing is dirty; a folder inside says the same."""
    commit = git(repository, "rev-parse", "HEAD")
    (repository / "inner").mkdir()
    assert read_git_state(repository / "inner") == GitState(commit=commit, branch="main", dirty=False)


def test_a_changed_or_new_file_makes_it_dirty(repository: Path) -> None:
    """A prompt that git does not know yet is a difference too."""
    (repository / "new prompt.md").write_text("新しい")
    assert read_git_state(repository).dirty is True


def test_a_detached_head_has_no_branch(repository: Path) -> None:
    """CI checks out commits, not branches."""
    git(repository, "checkout", "-q", "--detach")
    state = read_git_state(repository)
    assert (state.branch, state.dirty) == (None, False)
    assert state.commit == git(repository, "rev-parse", "HEAD")


def test_a_shallow_clone_works(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A clone of depth one knows its commit."""
    clone = tmp_path_factory.mktemp("clone") / "c"
    git(repository, "clone", "-q", "--depth", "1", repository.as_uri(), str(clone))
    assert read_git_state(clone).commit == git(repository, "rev-parse", "HEAD")


def test_outside_git_and_before_the_first_commit(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What cannot be known is None, not an error."""
    assert read_git_state(tmp_path) == GitState()
    empty = tmp_path_factory.mktemp("empty")
    git(empty, "init", "-q")
    assert read_git_state(empty) == GitState(commit=None, branch="main", dirty=False)
