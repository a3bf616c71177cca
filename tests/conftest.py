"""Fixtures that many tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return an empty project on disk."""
    return Project(tmp_path)
