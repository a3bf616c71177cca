"""Copies of revisions, from real repositories."""

from __future__ import annotations

from pathlib import Path

import pytest

from retest.errors import UsageError
from retest.revisions.git import find_repository
from retest.revisions.snapshot import open_snapshot
from support.repository import commit_all, git


def files(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir())


def test_contents_are_those_of_the_commit_byte_for_byte(tmp_path: Path) -> None:
    """Line endings are not converted, export rules do not apply, later edits do not show."""
    (tmp_path / "a.txt").write_bytes(b"one\r\ntwo\n\x00\xff")
    (tmp_path / ".gitattributes").write_text("*.md export-ignore\n")
    (tmp_path / "質問 文.md").write_text("問い", encoding="utf-8")
    commit = commit_all(tmp_path)
    git(tmp_path, "config", "core.autocrlf", "true")
    (tmp_path / "a.txt").write_text("edited")
    with open_snapshot(find_repository(tmp_path), commit) as snapshot:
        assert files(snapshot.root) == [".gitattributes", "a.txt", "質問 文.md"]
        assert (snapshot.root / "a.txt").read_bytes() == b"one\r\ntwo\n\x00\xff"
        assert (snapshot.root / "質問 文.md").read_text("utf-8") == "問い"


def test_the_copy_goes_away_and_the_repository_stays(tmp_path: Path) -> None:
    """Nothing is left behind, also after an error; index and working tree are as before, byte for byte."""
    (tmp_path / "a.txt").write_text("a")
    commit = commit_all(tmp_path)
    (tmp_path / "a.txt").write_text("dirty")
    (tmp_path / "new.txt").write_text("untracked")
    git(tmp_path, "status")
    before = (tmp_path / ".git" / "index").read_bytes(), git(tmp_path, "status", "--porcelain=v2")

    def fail_inside() -> Path:
        with open_snapshot(find_repository(tmp_path), commit) as snapshot:
            seen.append(snapshot.root)
            raise KeyError

    seen: list[Path] = []
    with pytest.raises(KeyError):
        fail_inside()
    assert not seen[0].exists()
    assert ((tmp_path / ".git" / "index").read_bytes(), git(tmp_path, "status", "--porcelain=v2")) == before


def test_links_are_kept_only_where_they_stay_inside(tmp_path: Path) -> None:
    """A link to a file of the revision works; one that leads out, at once or by way of another, is left out."""
    root = tmp_path / "inner"
    root.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    (root / "a.txt").write_text("a")
    for name, leads_to in {
        "good": "a.txt",
        "absolute": "/etc/hostname",
        "up": "../secret.txt",
        "here": ".",
        "through": "here/../secret.txt",
        "circle": "circle",
        "nowhere": "none",
    }.items():
        (root / name).symlink_to(leads_to)
    commit = commit_all(root)
    with open_snapshot(find_repository(root), commit) as snapshot:
        links = {path.name for path in snapshot.root.iterdir() if path.is_symlink()}
        assert links == {"good", "here"}
        assert (snapshot.root / "good").read_text() == "a"


def test_a_submodule_is_left_out(tmp_path: Path) -> None:
    """Its files belong to another repository, which may not even be here."""
    other, own = tmp_path / "other", tmp_path / "own"
    for folder in (other, own):
        folder.mkdir()
        (folder / "a.txt").write_text("a")
        commit_all(folder)
    git(own, "submodule", "add", "-q", str(other), "sub")
    commit = commit_all(own)
    with open_snapshot(find_repository(own), commit) as snapshot:
        assert files(snapshot.root) == [".gitmodules", "a.txt"]


def test_the_folder_of_the_command_is_there_even_where_the_revision_lacks_it(tmp_path: Path) -> None:
    """The command runs in the same place of the copy."""
    (tmp_path / "a.txt").write_text("a")
    commit = commit_all(tmp_path)
    (tmp_path / "later").mkdir()
    with open_snapshot(find_repository(tmp_path / "later"), commit) as snapshot:
        assert snapshot.cwd == snapshot.root / "later"
        assert snapshot.cwd.is_dir()


def test_an_object_that_is_not_here_is_said_so(tmp_path: Path) -> None:
    """A damaged or partial clone ends in a message, not in an empty prompt."""
    (tmp_path / "a.txt").write_text("a")
    commit = commit_all(tmp_path)
    blob = git(tmp_path, "rev-parse", "HEAD:a.txt")
    (tmp_path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(UsageError), open_snapshot(find_repository(tmp_path), commit):
        pass
