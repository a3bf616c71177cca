"""Fixtures that many tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return an empty project on disk."""
    return Project(tmp_path)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their argument: compressed ones carry the time, and xdist wants the same names in every worker."""
    return argname if isinstance(val, bytes) else None
