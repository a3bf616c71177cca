"""The layer over git, on real repositories."""

from __future__ import annotations

from pathlib import Path

import pytest

from retest.errors import UsageError
from retest.revisions.git import find_repository
from support.repository import commit_all, git


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a repository with two commits."""
    (tmp_path / "a.txt").write_text("a")
    commit_all(tmp_path)
    (tmp_path / "b.txt").write_text("b")
    commit_all(tmp_path)
    return tmp_path


def refusal(folder: Path, name: str) -> str:
    with pytest.raises(UsageError) as caught:
        find_repository(folder).resolve(name)
    return caught.value.problems[0].slug


def test_branches_tags_hashes_and_expressions_are_revisions(folder: Path) -> None:
    """Whatever git takes for a commit is one; an annotated tag stands for its commit."""
    git(folder, "tag", "-a", "v1", "-m", "first", "HEAD~1")
    repository = find_repository(folder)
    first, last = git(folder, "rev-parse", "HEAD~1"), git(folder, "rev-parse", "HEAD")
    assert [repository.resolve(name).commit for name in ("v1", "HEAD^", first[:7])] == [first] * 3
    assert (repository.resolve("main").commit, repository.resolve("main").branch) == (last, "main")


def test_a_detached_head_has_no_branch(folder: Path) -> None:
    """CI checks out commits."""
    git(folder, "checkout", "-q", "--detach")
    assert find_repository(folder).resolve("HEAD").branch is None


@pytest.mark.parametrize("name", ["nope", "--help", "-n1", "", "a.txt", "main:a.txt", "HEAD\0", "\udc80", "x" * 5000])
def test_what_names_no_commit_is_refused(folder: Path, name: str) -> None:
    """Neither a flag, nor a file, nor garbage gets through to git as anything but a name."""
    assert refusal(folder, name) in {"revision-unknown", "revision-git-failed"}


def test_a_misspelt_branch_is_suggested(folder: Path) -> None:
    """The message names the branch that was probably meant."""
    git(folder, "branch", "feature/返金")
    with pytest.raises(UsageError, match="did you mean 'feature/返金'"):
        find_repository(folder).resolve("feature/返品")


def test_a_shallow_clone_says_to_fetch(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What was not fetched is no misspelling: the message says how to get it."""
    clone = tmp_path_factory.mktemp("clone") / "c"
    git(folder, "clone", "-q", "--depth", "1", folder.as_uri(), str(clone))
    with pytest.raises(UsageError) as caught:
        find_repository(clone).resolve("HEAD~1")
    fix = caught.value.problems[0].fix or ""
    assert "git fetch --unshallow" in fix
    assert "fetch-depth: 0" in fix


def test_no_repository_and_no_commit_are_told_apart(tmp_path: Path) -> None:
    """Outside git, and before the first commit, each has its own message."""
    with pytest.raises(UsageError) as caught:
        find_repository(tmp_path)
    assert caught.value.problems[0].slug == "revision-no-repository"
    git(tmp_path, "init", "-q")
    assert refusal(tmp_path, "HEAD") == "revision-no-commits"


def test_a_merge_base_is_where_two_branches_parted(folder: Path) -> None:
    """Commits made on main afterwards do not count."""
    parted = git(folder, "rev-parse", "HEAD")
    git(folder, "checkout", "-q", "-b", "topic")
    (folder / "c.txt").write_text("c")
    commit_all(folder)
    git(folder, "checkout", "-q", "main")
    (folder / "d.txt").write_text("d")
    commit_all(folder)
    repository = find_repository(folder)
    assert repository.merge_base(repository.resolve("main"), repository.resolve("topic")).commit == parted


def test_unrelated_histories_have_no_merge_base(folder: Path) -> None:
    """The message offers to compare the two as they are."""
    git(folder, "checkout", "-q", "--orphan", "other")
    commit_all(folder)
    repository = find_repository(folder)
    with pytest.raises(UsageError, match="no common ancestor"):
        repository.merge_base(repository.resolve("main"), repository.resolve("other"))


def test_names_come_as_they_are(tmp_path: Path) -> None:
    """Spaces, Japanese, quotes and line feeds in file names survive, whatever core.quotepath says."""
    names = ["プロンプト/質問 文.md", 'quo"te.md', "line\nfeed.md"]
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    commit = commit_all(tmp_path)
    git(tmp_path, "config", "core.quotepath", "true")
    assert sorted(entry.path for entry in find_repository(tmp_path).entries(commit)) == sorted(names)


def test_a_folder_inside_knows_its_place(folder: Path) -> None:
    """A command that runs in a folder below the root works there in the copy too; a worktree is its own root."""
    inner = folder / "内 側"
    inner.mkdir()
    assert find_repository(inner).prefix == "内 側/"
    git(folder, "worktree", "add", "-q", "--detach", str(folder / "tree"))
    assert find_repository(folder / "tree").root == folder / "tree"
