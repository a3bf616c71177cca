"""A folder seen through a few replaced files."""

from __future__ import annotations

from pathlib import Path

import pytest

from retest.revisions.overlay import open_overlay


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder with prompts, a dataset and a repository's folder."""
    for path, text in {
        "prompts/ja/返品.md": "今",
        "prompts/en.md": "now",
        "datasets/qa.jsonl": "{}\n",
        ".git/config": "x",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    return tmp_path


def test_replaced_files_are_as_given_and_all_others_as_they_are(root: Path) -> None:
    """Also deep down, and with line ends and characters that a text file would lose."""
    with open_overlay(root, {"prompts/ja/返品.md": "前\r\n\ud800"}) as folder:
        assert (folder / "prompts/ja/返品.md").read_bytes() == "前\r\n\ud800".encode("utf-8", "surrogatepass")
        assert (folder / "prompts/en.md").read_text("utf-8") == "now"
        assert (folder / "datasets/qa.jsonl").read_text("utf-8") == "{}\n"
    assert (root / "prompts/ja/返品.md").read_text("utf-8") == "今"


def test_what_is_not_replaced_is_not_copied(root: Path) -> None:
    """A large dataset costs nothing."""
    with open_overlay(root, {"prompts/en.md": "then"}) as folder:
        assert (folder / "datasets").is_symlink()
        assert (folder / "prompts/ja").is_symlink()
        assert not (folder / "prompts").is_symlink()


def test_files_that_are_no_longer_there_come_back(root: Path) -> None:
    """A prompt that was deleted since stands where it stood, in a folder of its own if need be."""
    with open_overlay(root, {"gone/deep/old.md": "old"}) as folder:
        assert (folder / "gone/deep/old.md").read_text("utf-8") == "old"
    assert not (root / "gone").exists()


def test_the_folder_is_a_root_of_its_own_without_the_repository(root: Path) -> None:
    """Settings are not looked for above it, and nobody can write into the real repository by way of it."""
    with open_overlay(root, {}) as folder:
        assert list((folder / ".git").iterdir()) == []
    assert (root / ".git/config").read_text("utf-8") == "x"


def test_it_goes_away_also_after_an_error(root: Path) -> None:
    """What it links to stays."""
    seen: list[Path] = []

    def fail_inside() -> None:
        with open_overlay(root, {"prompts/en.md": "then"}) as folder:
            seen.append(folder)
            raise KeyError

    with pytest.raises(KeyError):
        fail_inside()
    assert not seen[0].exists()
    assert (root / "datasets/qa.jsonl").exists()


@pytest.mark.parametrize("path", ["../x.md", "a/../../x.md", "/x.md", ""])
def test_a_path_that_leads_out_is_refused(root: Path, path: str) -> None:
    """Nothing is written outside the temporary folder."""
    with pytest.raises(ValueError, match="is not below"), open_overlay(root, {path: "x"}):
        pass
