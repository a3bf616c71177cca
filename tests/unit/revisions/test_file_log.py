"""The commits that changed one file."""

from __future__ import annotations

from pathlib import Path

from retest.revisions.file_log import file_log
from retest.revisions.git import find_repository
from support.repository import commit_all, git


def write(folder: Path, path: str, text: str) -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(text, encoding="utf-8")


def test_a_file_is_followed_through_its_names(tmp_path: Path) -> None:
    """The newest first, each under the name that it had; names with blanks, quotes and Japanese too."""
    write(tmp_path, 'prompts/旧 "名".md', "line one\nline two\nline three\n")
    first = commit_all(tmp_path, "最初の版\n\nwith a reason\nin two lines")
    git(tmp_path, "mv", 'prompts/旧 "名".md', "prompts/new.md")
    second = commit_all(tmp_path, "renamed")
    write(tmp_path, "other.md", "x")
    commit_all(tmp_path, "something else")
    write(tmp_path, "prompts/new.md", "line one\nline two\nline 3\n")
    third = commit_all(tmp_path, "changed")
    found = file_log(find_repository(tmp_path), "prompts/new.md")
    assert [commit.commit for commit in found] == [third, second, first]
    assert [commit.path for commit in found] == ["prompts/new.md", "prompts/new.md", 'prompts/旧 "名".md']
    assert [commit.renamed_from for commit in found] == [None, 'prompts/旧 "名".md', None]
    assert found[2].message == "最初の版\n\nwith a reason\nin two lines"
    assert (found[2].subject, found[2].author) == ("最初の版", "t")


def test_a_file_that_was_taken_away_and_came_back_has_its_versions(tmp_path: Path) -> None:
    """The commit that took it away is none of them."""
    for text in ("one", None, "two"):
        if text is None:
            (tmp_path / "a.md").unlink()
        else:
            write(tmp_path, "a.md", text)
        commit_all(tmp_path, text or "gone")
    assert [commit.message for commit in file_log(find_repository(tmp_path), "a.md")] == ["two", "one"]


def test_without_a_commit_there_is_no_log(tmp_path: Path) -> None:
    """Neither in a new repository nor for a file that git does not know."""
    git(tmp_path, "init", "-q")
    assert file_log(find_repository(tmp_path), "a.md") == []
    write(tmp_path, "b.md", "x")
    commit_all(tmp_path)
    assert file_log(find_repository(tmp_path), "a.md") == []
    assert file_log(find_repository(tmp_path), ":(glob)*.md") == []
