"""Before paying: what a suite's next run costs, which drop it could see, and what would see more."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from retest.domain.design import (
    CheapestDesign,
    MarginNeed,
    MetricDesign,
    Price,
    SeenDrop,
    SuiteDesign,
    VarianceSource,
)
from retest.domain.scores import RunScores
from retest.domain.suite import Suite
from retest.errors import Problem, UsageError
from retest.metrics.base import Metric
from retest.runner.events import ignore_events
from retest.runner.plan import CaseSelection
from retest.runner.stopping import StopSignal
from retest.stats.bounds import units_to_prove
from retest.stats.pairing import cluster_numbers
from retest.stats.pairs import run_scores
from retest.stats.power import TYPICAL_VARIANCE, Design, Setting, cheapest_design, mde
from retest.store.base import Ledger
from retest.targets.registry import providers
from retest.workflows.baseline import SuitePlace, find_baseline
from retest.workflows.estimate import PlanEstimate, estimate_plan
from retest.workflows.judge_estimate import JudgingEstimate, estimate_judging
from retest.workflows.read_scores import read_run_scores
from retest.workflows.run import PreparedRun, RunOptions, SuiteRun
from retest.workflows.workspace import Workspace

if TYPE_CHECKING:
    from retest.store.database import Store

POWER = 0.8
MOST_SAMPLES = 50
_MOST_CASES = 1_000_000  # a suite that would need more is no design
_MORE_CASES = (1, 2, 4)
_MORE_SAMPLES = (1, 3, 5, 10)
_DROP = re.compile(r"(?P<number>\d+(?:\.\d+)?|\.\d+)\s*(?P<unit>pts?|points?|%)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignWish:
    """What a person asks: another number of samples or cases, and a drop (share of the scale) to be seen."""

    samples: int | None = None
    cases: int | None = None
    detect: float | None = None


def parse_drop(text: str) -> float:
    """Return a drop as a share of the scale: ``5pt``, ``5%`` and ``0.05`` are the same.

    Raises:
        UsageError: it is no such number, or not above 0 and at most the whole scale.
    """
    match = _DROP.fullmatch(text.strip())
    share = float(match["number"]) / (100 if match["unit"] else 1) if match else math.nan
    if 0 < share <= 1:
        return share
    raise UsageError(
        Problem(
            slug="plan-detect",
            message=f"--detect {text!r} is no drop",
            details=("expected: points or a share of the scale, above 0 and at most 100pt",),
            fix="write --detect 5pt, or --detect 0.05",
        )
    )


async def plan_design(suite: Suite, wish: DesignWish, workspace: Workspace) -> SuiteDesign:
    """Return what the suite's next run would cost and see; nothing is called and no run is stored.

    Raises:
        RetestError: whatever is wrong before the first call.
    """
    existing = len(suite.cases)
    limit = None if wish.cases is None or wish.cases >= existing else wish.cases
    options = RunOptions(samples=wish.samples, selection=CaseSelection(limit=limit), dry_run=True)
    stop = StopSignal()
    with workspace.open_store() as store:
        async with AsyncExitStack() as stack:
            prepared = await SuiteRun(suite, options, workspace, ignore_events).prepare(stack, store, stop)
            whole = await _estimate_anew(suite, prepared, workspace, stop)
            reference = _find_reference(store, suite, workspace)
            judging = estimate_judging(prepared.metrics, whole, workspace.prices())
            return _Planner(suite, wish, prepared, whole, reference).design(existing, judging)


class _NothingPaid:
    """Stands for a ledger that knows no answer."""

    async def known(self, _keys: Sequence[str]) -> frozenset[str]:
        return frozenset()


async def _estimate_anew(suite: Suite, prepared: PreparedRun, workspace: Workspace, stop: StopSignal) -> PlanEstimate:
    paid = [providers()[arm.target.provider].info.paid for arm in suite.arms]
    ledger = cast("Ledger", _NothingPaid())  # an estimate asks a ledger for nothing else
    return await estimate_plan(prepared.plan, ledger, workspace.prices(), paid, stop=stop)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reference:
    """Scores to learn variances from; those of a baseline are also what the next run is compared with."""

    scores: RunScores
    is_baseline: bool


def _find_reference(store: Store, suite: Suite, workspace: Workspace) -> _Reference | None:
    """Return the suite's baseline, else its latest run, else None."""
    from retest.store.records import RunFilter

    baseline = find_baseline(store, SuitePlace(suite=suite.name, path=suite.path, cwd=workspace.cwd))
    if baseline is not None and baseline.side.scores.suite == suite.name:
        return _Reference(scores=baseline.side.scores, is_baseline=True)
    runs = (run for run in store.list_runs(RunFilter(suite=suite.name)) if run.suite == suite.name)
    latest = next(runs, None)
    return None if latest is None else _Reference(scores=read_run_scores(store, latest), is_baseline=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spread:
    """Within-case variance on a scale of width 1, and where it is from; `samples` a case where it was looked at."""

    variance: float = TYPICAL_VARIANCE
    source: VarianceSource = "assumed"
    samples: float | None = None


class _Planner:
    """Puts together what is known of one suite."""

    def __init__(
        self, suite: Suite, wish: DesignWish, prepared: PreparedRun, whole: PlanEstimate, reference: _Reference | None
    ) -> None:
        self._suite, self._wish, self._prepared, self._whole = suite, wish, prepared, whole
        self._reference = reference
        self._samples = prepared.ready.samples
        self._cases = wish.cases or whole.cases
        self._look_at_cases()

    def _look_at_cases(self) -> None:
        """Count the cases that a comparison would have, and how many independent units they are."""
        selected = [case for _, case in self._prepared.plan.selection.select(iter(self._suite.cases))]
        known = self._reference.scores.cases if self._reference is not None and self._reference.is_baseline else None
        paired = [
            case
            for case in selected
            if known is None or (case.case_id in known and known[case.case_id].content_hash == case.content_hash)
        ]
        self._left_out = len(selected) - len(paired)
        self._compared = self._cases if self._wish.cases else len(paired)
        numbers = cluster_numbers([case.case_id for case in selected], {c.case_id: c.cluster for c in selected})
        self._clustered = numbers is not None
        self._deff = 1.0 if numbers is None else len(selected) / (int(numbers.max()) + 1)

    def design(self, existing: int, judging: JudgingEstimate) -> SuiteDesign:
        ready, estimate, suite = self._prepared.ready, self._prepared.estimate, self._suite
        extra = max(0, self._cases - self._whole.cases) * self._samples * len(suite.arms)
        metrics = tuple(self._metric_designs())
        return SuiteDesign(
            suite=suite.name,
            path=suite.path,
            cases=self._cases,
            existing_cases=existing,
            compared=self._compared,
            units=round(self._compared / self._deff, 6),
            samples=self._samples,
            arms=ready.arms,
            planned=ready.planned + extra,
            in_ledger=ready.in_ledger,
            now=self._price(estimate, extra),
            anew=self._price(self._whole, extra),
            reference=None if self._reference is None else self._reference.scores.label,
            baseline_samples=self._baseline_samples(metrics),
            alpha=suite.gate.alpha,
            power=POWER,
            metrics=metrics,
            notes=(*self._notes(metrics), *self._judging_notes(judging)),
            judging=self._judging(judging, extra),
        )

    def _judging(self, judging: JudgingEstimate, extra: int) -> Price | None:
        """Return what judging every planned sample takes at most, imagined cases like the others."""
        if not judging.calls:
            return None
        share = 1 + extra / max(self._whole.planned, 1)
        return Price(
            calls=round(judging.calls * share),
            tokens=round(judging.tokens * share),
            cost_usd=None if judging.cost_usd is None else judging.cost_usd * share,
        )

    def _judging_notes(self, judging: JudgingEstimate) -> Iterator[str]:
        if judging.calls and self._suite.gate.judge_again:
            yield "a gate has both sides judged again in one session: about as many calls of judges for each side more"

    def _price(self, estimate: PlanEstimate, extra: int) -> Price:
        """Return what an estimate takes, with `extra` calls like the average one of the whole plan."""
        whole = self._whole
        share = extra / whole.planned if whole.planned else 0.0
        known = estimate.cost_usd is not None and whole.cost_usd is not None
        return Price(
            calls=estimate.planned - estimate.in_ledger + extra,
            tokens=estimate.tokens + round(whole.tokens * share),
            cost_usd=(estimate.cost_usd or 0.0) + (whole.cost_usd or 0.0) * share if known else None,
        )

    def _baseline_samples(self, metrics: Sequence[MetricDesign]) -> float | None:
        if self._reference is None or not self._reference.is_baseline:
            return None
        counts = [self._spread(one.arm, one.metric, one.low, one.high).samples for one in metrics]
        return next((count for count in counts if count is not None), None)

    # -- one metric ------------------------------------------------------------------------------------------------

    def _metric_designs(self) -> Iterator[MetricDesign]:
        for arm in self._prepared.ready.arms:
            for name, metric in self._prepared.metrics.items():
                yield self._metric_design(arm, name, metric)

    def _metric_design(self, arm: str, name: str, metric: Metric[Any]) -> MetricDesign:
        low, high = metric.low, metric.high
        aggregate = next((spec.aggregate for spec in self._suite.metrics if spec.name == name), "mean")
        if aggregate != "mean":
            return self._unforeseen(arm, name, metric, aggregate)
        if metric.scale == "log" or low is None or high is None or high <= low:
            return MetricDesign(arm=arm, metric=name, low=low, high=high, width=None)
        width = high - low
        spread = self._spread(arm, name, low, high)
        return MetricDesign(
            arm=arm,
            metric=name,
            low=low,
            high=high,
            width=width,
            variance=spread.variance * width**2,
            source=spread.source,
            seen=self._seen(spread, width, self._compared, self._samples),
            grid=tuple(self._grid(spread, width)),
            cheapest=tuple(self._cheapest(spread, width)),
            margin=self._margin(name, width),
        )

    def _unforeseen(self, arm: str, name: str, metric: Metric[Any], aggregate: str) -> MetricDesign:
        """Return the design of a metric that is no mean: the formulas are of means, but for what a margin needs."""
        ends = (metric.low, metric.high) if aggregate in {"min", "max"} else (0.0, 1.0)
        margin = None if ends[0] is None or ends[1] is None else self._margin(name, ends[1] - ends[0])
        return MetricDesign(
            arm=arm, metric=name, low=ends[0], high=ends[1], width=None, aggregate=aggregate, margin=margin
        )

    def _spread(self, arm: str, name: str, low: float | None, high: float | None) -> _Spread:
        """Return the variance of repeats that the reference shows, for metrics that are scored as they were there."""
        if self._reference is None or low is None or high is None or high <= low:
            return _Spread()
        scores = self._reference.scores
        if len(scores.arms) == len(self._suite.arms) == 1:
            arm = scores.arms[0].name  # as comparisons pair them: one arm on each side, whatever the names
        then = scores.metric(name)
        found = scores.scores.get(arm, {}).get(name, {})
        known = [[score for score in samples if score is not None] for samples in found.values()]
        known = [samples for samples in known if samples]
        if then is None or then.signature != self._prepared.metrics[name].signature() or not known:
            return _Spread()
        return _measured([[(value - low) / (high - low) for value in samples] for samples in known])

    def _baseline_k(self, spread: _Spread, samples: int) -> float:
        """Return the baseline's samples a case; without a baseline it is to be made, with as many as the candidate."""
        stored = self._reference is not None and self._reference.is_baseline
        return spread.samples if stored and spread.samples is not None else samples

    def _alpha(self, k_baseline: float, samples: int) -> float:
        """Return the part of alpha that the suite's test has: all of it where no single case could be shown to fail."""
        gate = self._suite.gate
        least_p = 1 / math.comb(int(k_baseline) + samples, samples)
        cases_can = not self._clustered and least_p <= gate.alpha * gate.case_share
        return gate.alpha * (1 - gate.case_share) if cases_can else gate.alpha

    def _seen(self, spread: _Spread, width: float, cases: int, samples: int) -> SeenDrop:
        return SeenDrop(
            cases=cases,
            samples=samples,
            spread=self._drop(spread, width, cases, samples, even=True),
            concentrated=self._drop(spread, width, cases, samples, even=False),
        )

    def _drop(self, spread: _Spread, width: float, cases: int, samples: int, *, even: bool) -> float | None:
        if cases < 1:
            return None
        k_baseline = self._baseline_k(spread, samples)
        alpha = self._alpha(k_baseline, samples)
        found = mde(
            cases,
            k_baseline,
            samples,
            spread.variance,
            alpha=alpha,
            power=POWER,
            spread=even,
            design_effect=self._deff,
        )
        return found * width if found <= 1 else None

    def _grid(self, spread: _Spread, width: float) -> Iterator[SeenDrop]:
        base = self._compared or self._cases
        for times in _MORE_CASES:
            for samples in sorted({*_MORE_SAMPLES, self._samples}):
                yield self._seen(spread, width, base * times, samples)

    # -- the cheapest design ---------------------------------------------------------------------------------------

    def _cheapest(self, spread: _Spread, width: float) -> Iterator[CheapestDesign]:
        shapes: tuple[Literal["spread", "concentrated"], ...] = ("spread", "concentrated")
        for shape in shapes if self._wish.detect is not None else ():
            drop = cast("float", self._wish.detect)
            found = self._search(drop, spread, self._cases, even=shape == "spread")
            enough = found is not None
            found = found or self._search(drop, spread, _MOST_CASES, even=shape == "spread")
            yield CheapestDesign(
                drop=drop * width,
                shape=shape,
                cases=None if found is None else found.n_cases,
                samples=None if found is None else found.k_candidate,
                calls=None if found is None else found.calls,
                enough_cases=enough,
            )

    def _search(self, drop: float, spread: _Spread, max_cases: int, *, even: bool) -> Design | None:
        """Return the cheapest design: few samples with all of alpha, or more with what single cases leave of it."""
        has_baseline = self._reference is not None and self._reference.is_baseline and spread.samples is not None
        stored = max(1, int(spread.samples or 1)) if has_baseline else None
        alpha = self._suite.gate.alpha
        few = next((k for k in range(1, MOST_SAMPLES + 1) if self._alpha(stored or k, k) < alpha), MOST_SAMPLES + 1)
        found = []
        for most, level in ((few - 1, alpha), (MOST_SAMPLES, self._alpha(MOST_SAMPLES, MOST_SAMPLES))):
            setting = Setting(
                max_cases=max_cases,
                variance=spread.variance,
                k_stored=stored,
                alpha=level,
                power=POWER,
                spread=even,
                design_effect=self._deff,
            )
            found.append(cheapest_design(drop, setting, max_samples=most))
        designs = [design for design in found if design is not None]
        return min(designs, key=lambda design: (design.calls, -design.n_cases), default=None)

    def _margin(self, name: str, width: float) -> MarginNeed | None:
        gate = self._suite.gate
        margin = gate.metrics[name].margin if name in gate.metrics else None
        if margin is None or not margin > 0:
            return None
        needed = units_to_prove(margin, width=width, level=1 - gate.alpha)
        return MarginNeed(margin=margin, units_needed=needed, provable=round(self._compared / self._deff, 6) >= needed)

    # -- what must be said -----------------------------------------------------------------------------------------

    def _notes(self, metrics: Sequence[MetricDesign]) -> Iterator[str]:
        if self._reference is None:
            yield "no run of this suite yet: the spread of repeats is assumed as in a suite of mixed difficulty"
        elif not self._reference.is_baseline:
            yield "no baseline yet: both sides are planned with as many samples"
        if self._reference is not None and any(one.width is not None and one.source == "assumed" for one in metrics):
            yield "a metric or arm that the earlier run did not score alike: its spread is assumed"
        if any(one.source == "bound" for one in metrics):
            yield "no case was repeated: a spread can only be bounded by the mean, so drops are stated large"
        if any(one.source == "measured" and one.variance == 0 for one in metrics):
            yield "no repeat ever differed: right at temperature 0, but cached repeats would make drops look too small"
        if self._left_out:
            yield f"{self._left_out:,} of the cases are not in the baseline as they are now: they cannot be compared"
        if self._clustered:
            yield "cases of one cluster count as one unit here, the most cautious view: drops are stated large"
        if len(metrics) > 1:
            yield "every metric is planned as if judged alone; judged together, each needs a little more"


def _measured(cases: Sequence[Sequence[float]]) -> _Spread:
    """Return the variance of repeats; where there is none, the most that values from 0 to 1 with that mean can have."""
    runs = run_scores(cases)
    samples = round(float(len(runs.counts) / (1 / runs.counts).sum()), 6)  # 5 is 5, whatever the sum of fifths is
    variance = runs.within_variance()
    if variance is not None:
        return _Spread(variance=variance, source="measured", samples=samples)
    mean = min(max(float(runs.means.mean()), 0.0), 1.0)
    return _Spread(variance=mean * (1 - mean), source="bound", samples=samples)
