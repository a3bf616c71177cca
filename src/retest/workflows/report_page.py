"""Puts together what the page of a run, or of two runs compared, shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from retest.domain.comparison import ArmComparison, RunComparison
from retest.domain.pages import MetricPanel, PairPage, ReportPage
from retest.domain.run import Run
from retest.domain.summary import ArmSummary, RunSummary
from retest.workflows.diff import DiffOptions, Side, diff_runs, stored_side
from retest.workflows.page_pairs import Pair, PairDetails
from retest.workflows.page_values import arm_values, shared_histogram, value_range

if TYPE_CHECKING:
    from retest.store.database import Store

ALL_CASES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What is true of every page that is made at one time."""

    cwd: Path
    now: datetime


def run_page(store: Store, run: Run, around: Around) -> ReportPage:
    """Return the page of one stored run; of several arms, each is compared with the first."""
    from retest.workflows.inspect import load_view

    side = stored_side(store, run)
    view = load_view(store, run)
    if len(run.arms) > 1:
        page = compared_page(side, side, compare_own_arms(side, around), around)
    else:
        metrics = side.scores.metrics
        pairs = [
            Pair(side=side, arm=arm.name, own=arm_values(side.scores, arm.name, metrics), metrics=metrics)
            for arm in run.arms
        ]
        page = _page(side, pairs, None, around)
    summaries = {arm.name: arm for arm in view.summary.arms}
    return _with_summaries(page, view.summary, summaries)


def compare_own_arms(side: Side, around: Around) -> RunComparison:
    """Return the arms of one run compared, each with the first."""
    first, *others = side.scores.arms
    found = [
        diff_runs(
            side,
            side,
            DiffOptions(arms=(first.name, other.name), limit=ALL_CASES, answers=0),
            cwd=around.cwd,
            now=around.now,
        )
        for other in others
    ]
    return replace(
        found[0],
        arms=tuple(arm for comparison in found for arm in comparison.arms),
        prompts=tuple({(p.name, p.after): p for comparison in found for p in comparison.prompts}.values()),
        unpaired_arms=(),
    )


def _with_summaries(page: ReportPage, summary: RunSummary, arms: Mapping[str, ArmSummary]) -> ReportPage:
    pairs = tuple(
        replace(
            pair,
            summary=arms.get(pair.name),
            metrics=tuple(_with_summary(panel, arms.get(pair.name)) for panel in pair.metrics),
        )
        for pair in page.pairs
    )
    return replace(page, pairs=pairs, limits=summary.limits, notes=summary.notes, rankings=summary.rankings)


def _with_summary(panel: MetricPanel, arm: ArmSummary | None) -> MetricPanel:
    found = next((metric for metric in arm.metrics if metric.name == panel.name), None) if arm else None
    return replace(panel, summary=found)


def comparison_page(baseline: Side, candidate: Side, options: DiffOptions, around: Around) -> ReportPage:
    """Return the page of two runs compared.

    Raises:
        UsageError: an arm or metric that is asked for is in neither run.
    """
    wanted = replace(options, limit=ALL_CASES, answers=0)
    comparison = diff_runs(baseline, candidate, wanted, cwd=around.cwd, now=around.now)
    page = compared_page(baseline, candidate, comparison, around)
    if candidate.run is None or candidate.store is None:
        return page
    from retest.workflows.inspect import load_view

    summary = load_view(candidate.store, candidate.run).summary
    return _with_summaries(page, summary, {arm.name: arm for arm in summary.arms})


def compared_page(baseline: Side, candidate: Side, comparison: RunComparison, around: Around) -> ReportPage:
    """Return the page of a comparison that is there already; `comparison.arms` should name all changed cases."""
    return _page(candidate, [compared_pair(baseline, candidate, arm) for arm in comparison.arms], comparison, around)


def compared_pair(baseline: Side, candidate: Side, arm: ArmComparison) -> Pair:
    """Return two compared arms with the values of their cases."""
    names = {metric.metric for metric in arm.metrics}
    after = tuple(metric for metric in candidate.scores.metrics if metric.name in names)
    before = tuple(metric for metric in baseline.scores.metrics if metric.name in names)
    return Pair(
        side=candidate,
        arm=arm.candidate,
        own=arm_values(candidate.scores, arm.candidate, after),
        metrics=after,
        comparison=arm,
        before=Pair(
            side=baseline,
            arm=arm.baseline,
            own=arm_values(baseline.scores, arm.baseline, before),
            metrics=before,
        ),
    )


def _page(side: Side, pairs: Sequence[Pair], comparison: RunComparison | None, around: Around) -> ReportPage:
    scores = side.scores
    details = PairDetails(pairs)
    return ReportPage(
        suite=scores.suite,
        label=scores.label,
        generated_at=around.now,
        run=side.run,
        arms=scores.arms,
        comparison=comparison,
        pairs=tuple(_pair_page(pair) for pair in pairs),
        details=details,
        left_out=details.left_out,
    )


def _pair_page(pair: Pair) -> PairPage:
    compared = {} if pair.comparison is None else {metric.metric: metric for metric in pair.comparison.metrics}
    return PairPage(
        name=pair.arm,
        reference=None if pair.before is None else pair.before.arm,
        comparison=pair.comparison,
        n_cases=len(pair.side.scores.cases),
        metrics=tuple(
            MetricPanel(
                name=metric.name,
                direction=metric.direction,
                range_low=value_range(metric)[0],
                range_high=value_range(metric)[1],
                comparison=compared.get(metric.name),
                histogram=shared_histogram(metric, pair.own.values[metric.name], _before_values(pair, metric.name)),
            )
            for metric in pair.metrics
        ),
    )


def _before_values(pair: Pair, metric: str) -> Mapping[str, float] | None:
    return None if pair.before is None else pair.before.own.values.get(metric, {})
