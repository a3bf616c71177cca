"""The gate's report as one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata

from retest.domain.gate import GateReport
from retest.domain.pages import MetricPanel, PairPage, ReportPage
from retest.report.html.document import Making, Section, report_document

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class HtmlReporter:
    """One file for all suites of a gate; where a report carries no page of its own, it shows what was decided."""

    name = "html"

    def render(self, reports: Sequence[GateReport]) -> str:
        """Return the whole file."""
        sections = [Section(page=report.page or _plain_page(report), gate=report) for report in reports]
        made_at = max((section.page.generated_at for section in sections), default=_EPOCH)
        return report_document(sections, Making(made_at=made_at, version=metadata.version("retest")))


def _plain_page(report: GateReport) -> ReportPage:
    """Return what a report tells by itself: verdicts and means, no answers."""
    run, arms = report.run, () if report.summary is None else report.summary.arms
    compared = {} if report.comparison is None else {arm.candidate: arm for arm in report.comparison.arms}
    return ReportPage(
        suite=report.suite,
        label="" if run is None else run.run_id,
        generated_at=_EPOCH if run is None else run.started_at,
        run=run,
        arms=() if run is None else run.arms,
        comparison=report.comparison,
        limits=() if report.summary is None else report.summary.limits,
        notes=() if report.summary is None else report.summary.notes,
        pairs=tuple(
            PairPage(
                name=arm.name,
                summary=arm,
                comparison=compared.get(arm.name),
                n_cases=arm.cases,
                metrics=tuple(
                    MetricPanel(
                        name=metric.name,
                        direction=metric.direction,
                        range_low=metric.range_low,
                        range_high=metric.range_high,
                        summary=metric,
                        comparison=next((m for m in compared[arm.name].metrics if m.metric == metric.name), None)
                        if arm.name in compared
                        else None,
                    )
                    for metric in arm.metrics
                ),
            )
            for arm in arms
        ),
    )
