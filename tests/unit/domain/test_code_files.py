"""A Python file's hash changes with it and with the project's files that it imports, and with nothing else."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from retest.domain.code_files import code_hash

MAIN = """\
import json
import yaml
import retest
from shared import answer
from parts.deep import inner

def score(output):
    import lazily
    return answer(output)
"""
FILES = {
    "shared.py": "from another import x\n",
    "another.py": "import shared\nx = 1\n",
    "lazily.py": "",
    "parts/__init__.py": "from . import sibling\n",
    "parts/sibling.py": "",
    "parts/deep/__init__.py": "from .inner import f\nfrom ..cousin import g\n",
    "parts/deep/inner.py": "f = 1\n",
    "parts/cousin.py": "g = 1\n",
}


@pytest.fixture
def main(tmp_path: Path) -> Path:
    """Return a file with imports of every kind."""
    for name, text in {**FILES, "main.py": MAIN}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return tmp_path / "main.py"


@pytest.mark.parametrize("name", FILES)
def test_what_is_imported_counts(main: Path, name: str) -> None:
    """Directly or not, in a function, from a package, relative to one."""
    before = code_hash(main)
    path = main.parent / name
    path.write_text(path.read_text("utf-8") + "# 変更\n", "utf-8")
    assert code_hash(main) != before


def test_what_is_not_imported_does_not_count(main: Path) -> None:
    """Neither a file that stands beside it, nor a library, nor the folder it is in."""
    before = code_hash(main)
    (main.parent / "unrelated.py").write_text("x = 2\n", "utf-8")
    assert code_hash(main) == before
    moved = main.parent.rename(main.parent.with_name("elsewhere"))
    assert code_hash(moved / "main.py") == before


def test_a_module_that_disappears_counts(main: Path) -> None:
    """The import would fail, or find another."""
    before = code_hash(main)
    (main.parent / "lazily.py").unlink()
    assert code_hash(main) != before


ALONE = ["", "import json\n", "def broken(:\n", "\0", "\xff\xfe", "from . import x\n"]


@pytest.mark.parametrize("text", ALONE, ids=["empty", "library", "broken", "nul", "no text", "relative"])
def test_a_file_on_its_own_has_the_hash_of_its_bytes(tmp_path: Path, text: str) -> None:
    """So that what was recorded before stays known; what is no Python imports nothing."""
    content = text.encode("latin-1")
    (tmp_path / "alone.py").write_bytes(content)
    assert code_hash(tmp_path / "alone.py") == hashlib.sha256(content).hexdigest()


def test_the_search_path_of_the_project_is_followed(
    tmp_path: Path, main: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package in `src` that Python finds is the project's; one in site-packages is a library."""
    for folder, counts in (("src", True), ("venv/site-packages", False)):
        package = tmp_path / folder / "app.py"
        package.parent.mkdir(parents=True)
        package.write_text("x = 1\n", "utf-8")
        monkeypatch.syspath_prepend(str(package.parent))
        (tmp_path / "uses.py").write_text("import app\n", "utf-8")
        before = code_hash(tmp_path / "uses.py")
        package.write_text("x = 2\n", "utf-8")
        assert (code_hash(tmp_path / "uses.py") != before) is counts
        package.unlink()
