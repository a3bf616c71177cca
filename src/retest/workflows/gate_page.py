"""Adds cases and answers to a gate's reports, for the report that shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from retest.domain.gate import GateReport
from retest.domain.pages import ReportPage
from retest.errors import RetestError
from retest.workflows.diff import DiffOptions
from retest.workflows.find_runs import find_run
from retest.workflows.find_sides import find_sides
from retest.workflows.report_page import Around, comparison_page, run_page
from retest.workflows.workspace import Workspace

if TYPE_CHECKING:
    from retest.store.database import Store


def with_pages(reports: Sequence[GateReport], workspace: Workspace) -> list[GateReport]:
    """Return the reports with a page each; one whose run or baseline cannot be read again keeps none."""
    if not any(report.run is not None for report in reports):
        return list(reports)
    with workspace.open_store(read_only=True) as store:
        return [replace(report, page=_page(store, report, workspace)) for report in reports]


def _page(store: Store, report: GateReport, workspace: Workspace) -> ReportPage | None:
    if report.run is None:
        return None
    around = Around(cwd=workspace.cwd, now=workspace.clock())
    try:
        if report.comparison is None or report.baseline_label is None:
            page = run_page(store, find_run(store, report.run.run_id), around)
        else:
            sides = find_sides(store, report.baseline_label, report.run.run_id, workspace.cwd)
            page = comparison_page(
                sides.baseline, sides.candidate, DiffOptions(run_code=workspace.untrusted is None), around
            )
    except RetestError:
        return None  # what was decided stands in the report all the same
    details = tuple(page.details())  # the store is closed when the report is written
    return replace(page, details=lambda: iter(details))
