"""Fixtures that many tests share."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from support.project import Project

# Whoever's pull request the tests run for, what they do with suites of their own is trusted.
for _name in ("GITHUB_ACTIONS", "GITHUB_EVENT_PATH", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "RETEST_UNTRUSTED"):
    os.environ.pop(_name, None)

# Stores wait for the disk at every commit, thousands of times; here only kills are survived, no power cuts.
_MEMORY, _ENOUGH = Path("/dev/shm"), 4 * 2**30  # noqa: S108 - pytest makes a folder of its own in it
if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ENOUGH:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return an empty project on disk."""
    return Project(tmp_path)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their argument: compressed ones carry the time, and xdist wants the same names in every worker."""
    return argname if isinstance(val, bytes) else None
