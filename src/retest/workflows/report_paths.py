"""Where the files that reports name stand in the repository, for readers that look from its root."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from retest.domain.gate import GateReport
from retest.errors import UsageError


def below_root(reports: Sequence[GateReport], cwd: Path) -> list[GateReport]:
    """Return the reports with the folder that their paths start in; unchanged where there is no repository."""
    from retest.revisions.git import find_repository

    try:
        folder = find_repository(cwd).prefix
    except UsageError:
        return list(reports)
    return [replace(report, folder=folder) for report in reports]
