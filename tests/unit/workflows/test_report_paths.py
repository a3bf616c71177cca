"""Paths of reports as seen from the root of a real repository."""

from __future__ import annotations

from pathlib import Path

from retest.workflows.report_paths import below_root
from support import gate_reports as made
from support.repository import git


def test_reports_know_the_folder_that_the_gate_ran_in(tmp_path: Path) -> None:
    """At the root there is none."""
    git(tmp_path, "init", "-q")
    inner = tmp_path / "services" / "ボット"
    inner.mkdir(parents=True)
    assert [report.folder for report in below_root([made.passed()], inner)] == ["services/ボット/"]
    assert [report.folder for report in below_root([made.passed()], tmp_path)] == [""]


def test_without_a_repository_paths_stay_as_they_are(tmp_path: Path) -> None:
    """Reports are for other servers too."""
    assert below_root([made.passed()], tmp_path) == [made.passed()]
