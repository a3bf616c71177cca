"""Fixtures for the tests of suites."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.suite_folder import SuiteFolder


@pytest.fixture
def folder(tmp_path: Path) -> SuiteFolder:
    """Return a project with one prompt, two cases and no suite yet."""
    return SuiteFolder(tmp_path)
