"""Helper files of two revisions, imported one after the other in one process."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from retest.workflows.separate_imports import separate_imports

NAME = "helper_of_two_revisions"


def imported(folder: Path) -> object:
    with separate_imports(folder):
        sys.path.append(str(folder))
        return import_module(NAME)


def test_each_revision_gets_its_own_helper(tmp_path: Path) -> None:
    """The same module name gives the file of the folder in turn; nothing stays in Python's tables."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{NAME}.py").write_text(f"value = {name!r}\n")
    first, second = imported(tmp_path / "first"), imported(tmp_path / "second")
    assert [vars(first)["value"], vars(second)["value"]] == ["first", "second"]
    assert NAME not in sys.modules
    assert not any(str(tmp_path) in entry for entry in sys.path)


def test_what_python_finds_anyway_is_left_alone(tmp_path: Path) -> None:
    """A package of the project itself is imported once and stays: every revision sees the same one."""
    (tmp_path / f"{NAME}_kept.py").write_text("")
    sys.path.append(str(tmp_path))
    try:
        with separate_imports(tmp_path):
            module = import_module(f"{NAME}_kept")
        assert sys.modules[f"{NAME}_kept"] is module
        assert str(tmp_path) in sys.path
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop(f"{NAME}_kept", None)
