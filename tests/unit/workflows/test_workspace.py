"""What a run records of its origin, and what it takes to find out."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from retest.workflows.settings import Settings
from retest.workflows.workspace import Workspace, library_version


@pytest.mark.parametrize("name", ["pydantic", "numpy", "rouge-score", "sqlalchemy", "retest"])
def test_versions_are_those_that_the_packages_declare(name: str) -> None:
    """As Python's own reader of packages says, in a tenth of its time."""
    assert library_version(name) == metadata.version(name)


def test_a_package_that_is_not_installed_has_no_version() -> None:
    """It is recorded as missing, with an empty text."""
    assert library_version("no-such-package") == ""


def test_git_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One process tells commit, branch and whether anything is changed."""
    asked = tmp_path / "asked"
    git = tmp_path / "bin" / "git"
    git.parent.mkdir()
    git.write_text(f'#!/bin/sh\necho "$@" >> {asked}\necho "# branch.oid 0123"\necho "# branch.head main"\n')
    git.chmod(0o755)
    monkeypatch.setenv("PATH", str(git.parent), prepend=":")
    provenance = Workspace(cwd=tmp_path, settings=Settings(root=tmp_path)).provenance()
    assert (provenance.git_commit, provenance.git_branch, provenance.git_dirty) == ("0123", "main", False)
    assert len(asked.read_text().splitlines()) == 1
