"""What a suite sees as it is, and how many samples or cases would let it see what its margins ask for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from retest.domain.run import RunMetric
from retest.domain.self_test import MetricNeed
from retest.domain.suite import GatePolicy
from retest.stats.bounds import units_to_prove
from retest.stats.case_labels import label_cases
from retest.stats.pairs import run_scores
from retest.stats.power import Setting

MOST_SAMPLES = 50
_MOST_CASES = 100_000
_DEFAULT_SHARE = 0.05  # of the scale, where no margin says what matters


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A suite's size: `units` are clusters where some are declared."""

    cases: int
    units: int
    samples: int


PooledCases = Mapping[str, Sequence[float | None]]


def metric_need(arm: str, metric: RunMetric, pooled: PooledCases, size: Size, gate: GatePolicy) -> MetricNeed | None:
    """Return what a metric of one arm needs; None where its scale has no width, nothing was repeated, or it is no mean.

    Args:
        arm: its name.
        metric: as it was scored.
        pooled: the samples of all runs.
        size: of one run.
        gate: for margins and alpha.
    """
    if metric.scale == "log" or metric.low is None or metric.high is None or metric.high <= metric.low:
        return None
    if metric.aggregate != "mean":
        return None  # the formula is of means
    width = metric.high - metric.low
    known = [values for values in (_known(samples) for samples in pooled.values()) if values]
    variance = run_scores(known).within_variance() if known else None
    if variance is None:
        return None
    own = gate.metrics.get(metric.name)
    margin = None if own is None or not own.margin else own.margin
    drop = _DEFAULT_SHARE * width if margin is None else margin
    search = _Search(variance=variance / width**2, size=size, gate=gate)
    seen = search.seen(size.cases, size.samples)
    return MetricNeed(
        arm=arm,
        metric=metric.name,
        repeat_sd=math.sqrt(variance),
        seen=seen * width if seen <= 1 else None,
        drop=drop,
        is_margin=margin is not None,
        samples=search.samples(drop / width),
        cases=search.cases(drop / width),
        cases_to_prove=None if margin is None else units_to_prove(margin, width=width, level=1 - gate.alpha),
        range_low=metric.low,
        range_high=metric.high,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    """Looks for designs with as many samples on both sides."""

    variance: float
    size: Size
    gate: GatePolicy

    def seen(self, cases: int, samples: int) -> float:
        """Return the smallest drop, spread over the suite, on a scale of width 1."""
        setting = Setting(
            max_cases=cases,
            variance=self.variance,
            alpha=self._alpha(samples),
            design_effect=self.size.cases / self.size.units,
        )
        return setting.design(cases, samples).mde

    def _alpha(self, samples: int) -> float:
        """Return the suite test's part of alpha: all of it where no single case could be shown to fail."""
        gate = self.gate
        least_p = 1 / math.comb(2 * samples, samples)
        cases_can = self.size.units == self.size.cases and least_p <= gate.alpha * gate.case_share
        return gate.alpha * (1 - gate.case_share) if cases_can else gate.alpha

    def samples(self, drop: float) -> int | None:
        return next((k for k in range(1, MOST_SAMPLES + 1) if self.seen(self.size.cases, k) <= drop), None)

    def cases(self, drop: float) -> int | None:
        """Return the fewest cases with as many samples as now; more cases always see more."""
        if self.seen(_MOST_CASES, self.size.samples) > drop:
            return None
        low, high = 1, _MOST_CASES
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self.seen(middle, self.size.samples) <= drop else (middle + 1, high)
        return low


def flaky_cases(metrics: Sequence[RunMetric], pooled: Mapping[str, PooledCases]) -> Iterator[str]:
    """Yield the cases that pass in some samples and fail in others, by any metric that says what passes.

    Args:
        metrics: of the suite.
        pooled: metric -> case -> the samples of all runs.
    """
    found: dict[str, None] = {}
    for metric in metrics:
        cases = {case: _known(samples) for case, samples in pooled.get(metric.name, {}).items()}
        ids = [case for case, values in cases.items() if values]
        if not metric.decides_passing or not ids:
            continue
        totals = [len(cases[case]) for case in ids]
        passes = [sum(metric.passes(value) is True for value in cases[case]) for case in ids]
        nothing = [0] * len(ids)  # no other side to compare with
        labels = label_cases(passes, totals, nothing, nothing).labels
        for case, label, passed, total in zip(ids, labels, passes, totals, strict=True):
            if label == "flaky" and 0 < passed < total:
                found[case] = None
    yield from found


def _known(samples: Sequence[float | None]) -> list[float]:
    return [value for value in samples if value is not None]
