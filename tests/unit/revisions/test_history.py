"""What the names of a command mean, on a real repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from retest.revisions.git import find_repository
from retest.revisions.history import WORKTREE, expand_names
from support.repository import commit_all, git


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a repository whose branches main and topic parted at the tag base."""
    (tmp_path / "a.txt").write_text("a")
    commit_all(tmp_path)
    git(tmp_path, "tag", "base")
    (tmp_path / "main.txt").write_text("m")
    commit_all(tmp_path)
    git(tmp_path, "checkout", "-q", "-b", "topic", "base")
    (tmp_path / "topic.txt").write_text("t")
    commit_all(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("names", "meant"),
    [
        (["main", "topic"], ["main", "topic"]),
        (["main...topic"], ["base", "topic"]),
        (["main..topic"], ["main", "topic"]),
        (["main..."], ["base", "topic"]),  # a side left out is HEAD
        (["...main"], ["base", "main"]),
        (["main...WORKTREE"], ["base", None]),  # the working tree belongs to HEAD
        (["base", WORKTREE, "main"], ["base", None, "main"]),
    ],
)
def test_names_become_commits(folder: Path, names: list[str], meant: list[str | None]) -> None:
    """Two dots are both ends, three dots where the lines parted and the second end."""
    found = [None if revision is None else revision.commit for revision in expand_names(find_repository(folder), names)]
    assert found == [None if name is None else git(folder, "rev-parse", name) for name in meant]
