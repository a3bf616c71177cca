"""What `retest view` shows of one run: from the stored summary, and page by page from the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from retest.domain.pages import CaseDetail, CaseEntry, CaseState, Histogram, MetricPanel, PairPage, ReportPage
from retest.domain.run import Run, RunMetric
from retest.domain.summary import ArmSummary, LimitResult, MetricSummary, SliceSummary
from retest.errors import Problem, UsageError
from retest.report.figure_documents import read_figures
from retest.workflows.page_details import PREVIEW, preview_case, stored_case_side
from retest.workflows.page_values import value_range

if TYPE_CHECKING:
    from retest.store.case_pages import CaseLine, CasePageFilter, PassRange, RunProgress
    from retest.store.database import Store

PAGE = 50  # cases on one page


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseWish:
    """Which cases a person wants to see; `page` counts from 1."""

    arm: int = 0
    metric: str = ""
    state: str = ""
    tag: str = ""
    text: str = ""
    sort: str = ""
    descending: bool = False
    differs: bool = False
    page: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPage:
    """One page of cases; `before` and `after` are the indices next to a case in the same order."""

    entries: Sequence[CaseEntry]
    total: int
    page: int

    @property
    def pages(self) -> int:
        """Return how many pages there are, at least one."""
        return max(1, -(-self.total // PAGE))


def run_overview(run: Run, now: datetime) -> ReportPage:
    """Return the page of a run from its stored summary; before its end there is none, and nothing is computed."""
    arms = read_arms(run)
    limits = cast("Sequence[Mapping[str, Any]]", run.summary.get("limits") or ())
    notes = cast("Sequence[str]", run.summary.get("notes") or ())
    return ReportPage(
        suite=run.suite,
        label=run.run_id,
        generated_at=now,
        run=run,
        arms=run.arms,
        pairs=tuple(_pair(run, arm) for arm in arms),
        limits=tuple(LimitResult(**limit) for limit in limits),
        notes=tuple(notes),
    )


def read_arms(run: Run) -> list[ArmSummary]:
    """Return the arms' summaries as they were stored; none before the end of the run."""
    stored = cast("Mapping[str, Mapping[str, Any]]", run.summary.get("arms") or {})
    return [_arm(name, values) for name, values in stored.items()]


def _arm(name: str, values: Mapping[str, Any]) -> ArmSummary:
    known = {part.name for part in fields(ArmSummary)} - {"name", "metrics", "slices", "models"}
    metrics = cast("Mapping[str, Mapping[str, Any]]", values.get("metrics") or {})
    return ArmSummary(
        name=name,
        metrics=tuple(_metric(metric, own) for metric, own in metrics.items()),
        slices=tuple(SliceSummary(**part) for part in values.get("slices") or ()),
        models=tuple(values.get("models") or ()),
        **{key: value for key, value in values.items() if key in known},
    )


def _metric(name: str, values: Mapping[str, Any]) -> MetricSummary:
    known = {part.name for part in fields(MetricSummary)} - {"name", "metric", "histogram", "figures"}
    figures = values.get("figures")
    return MetricSummary(
        name=name,
        metric=name,
        figures=None if figures is None else read_figures(figures),
        failures=values.get("metric_failures") or 0,
        **{key: value for key, value in values.items() if key in known},
    )


def _pair(run: Run, arm: ArmSummary) -> PairPage:
    histograms = cast("Mapping[str, Mapping[str, Any]]", run.summary.get("histograms") or {}).get(arm.name, {})
    summaries = {metric.name: metric for metric in arm.metrics}
    return PairPage(
        name=arm.name,
        summary=arm,
        n_cases=arm.cases,
        metrics=tuple(
            MetricPanel(
                name=metric.name,
                direction=metric.direction,
                range_low=value_range(metric)[0],
                range_high=value_range(metric)[1],
                summary=summaries.get(metric.name),
                histogram=_histogram(histograms.get(metric.name)),
            )
            for metric in run.metrics
        ),
    )


def _histogram(stored: Any) -> Histogram | None:
    if not stored or not stored[2]:
        return None
    return Histogram(low=stored[0], high=stored[1], after=tuple(stored[2]))


def read_progress(store: Store, run: Run) -> RunProgress:
    """Return how far a run is."""
    return store.case_pages(run.run_id).progress()


def list_entries(store: Store, run: Run, wish: CaseWish) -> EntryPage:
    """Return one page of cases.

    Raises:
        UsageError: the run has no such arm.
    """
    check_arm(run, wish.arm)
    pages = store.case_pages(run.run_id)
    found = pages.find(case_filter(run, wish))
    start = (max(1, wish.page) - 1) * PAGE
    lines = pages.read(wish.arm, found[start : start + PAGE])
    entries = [_entry(run, line) for line in lines if not wish.tag or wish.tag in line.case.tags]
    return EntryPage(entries=entries, total=len(found), page=max(1, wish.page))


def check_arm(run: Run, arm: int) -> None:
    """Raise UsageError where a run has no arm of that index."""
    if not 0 <= arm < max(1, len(run.arms)):
        raise UsageError(Problem(slug="arm-unknown", message=f"the run has no arm number {arm}"))


def find_neighbours(store: Store, run: Run, wish: CaseWish, case_index: int) -> tuple[int | None, int | None]:
    """Return the cases before and after one, in the order of the list that it was opened from."""
    return beside(store.case_pages(run.run_id).find(case_filter(run, wish)), case_index)


def beside(order: Sequence[int], number: int) -> tuple[int | None, int | None]:
    """Return what stands before and after a number in a list; None at its ends, or where it is not in it."""
    if number not in order:
        return None, None
    place = order.index(number)
    return (order[place - 1] if place else None), (order[place + 1] if place + 1 < len(order) else None)


def case_filter(run: Run, wish: CaseWish) -> CasePageFilter:
    """Return the store's filter for what a person asked for."""
    from retest.store.case_pages import CasePageFilter

    sorted_by = _metric_named(run, wish.sort)
    judged_by = _metric_named(run, wish.metric) or _deciding(run)
    outcome = wish.state if wish.state in {"passing", "failing", "mixed", "error"} else None
    return CasePageFilter(
        arm=wish.arm,
        metric=None if judged_by is None else judged_by.name,
        passes=pass_range(judged_by),
        outcome=cast("Any", outcome),
        sort=None if sorted_by is None else sorted_by.name,
        descending=wish.descending,
        text=wish.text,
        tag=wish.tag or None,
    )


def _metric_named(run: Run, name: str) -> RunMetric | None:
    return next((metric for metric in run.metrics if metric.name == name), None)


def _deciding(run: Run) -> RunMetric | None:
    return next((metric for metric in run.metrics if metric.decides_passing), None)


def pass_range(metric: RunMetric | None) -> PassRange:
    """Return which values of a metric pass; all of them where nothing says."""
    from retest.store.case_pages import PassRange

    if metric is None:
        return PassRange()
    if metric.pass_if is not None:
        return PassRange(low=metric.pass_if.min, high=metric.pass_if.max)
    if metric.binary:
        return PassRange(high=0.0) if metric.direction == "lower" else PassRange(low=1.0)
    return PassRange()


def _entry(run: Run, line: CaseLine) -> CaseEntry:
    states = dict(_states(run, line))
    first: CaseState = next(iter(states.values()), "scored")
    return CaseEntry(
        number=line.case_index,
        case_id=line.case.case_id,
        state="error" if line.errors else first,
        tags=tuple(line.case.tags),
        cluster=line.case.cluster,
        after={name: figures.mean for name, figures in line.values.items()},
        states=states,
        preview=preview_case(line.case),
        answer=line.answer[:PREVIEW],
    )


def _states(run: Run, line: CaseLine) -> Iterator[tuple[str, CaseState]]:
    for metric in run.metrics:
        figures = line.values.get(metric.name)
        if not metric.decides_passing or figures is None or figures.low is None or figures.high is None:
            continue
        ends = {metric.passes(figures.low), metric.passes(figures.high)}
        yield metric.name, "mixed" if len(ends) > 1 else "passing" if True in ends else "failing"


def read_case_page(store: Store, run: Run, arm: int, case_index: int) -> CaseDetail:
    """Return the page of one case of one arm.

    Raises:
        UsageError: the run has no such arm or case.
    """
    from retest.store.records import SampleFilter

    check_arm(run, arm)
    lines = store.case_pages(run.run_id).read(arm, [case_index])
    if not lines:
        raise UsageError(Problem(slug="case-not-in-run", message=f"the run has no case number {case_index}"))
    name = run.arms[arm].name
    case = lines[0].case
    samples = list(store.iter_samples(run.run_id, SampleFilter(arm=name, case_id=case.case_id)))
    side = stored_case_side(store, samples, run.run_id, name)
    return CaseDetail(entry=_entry(run, lines[0]), after=side, case=case)
