"""What two arms, or two runs, come to when compared: one verdict per metric."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from retest.domain.catalog import Scale
from retest.domain.suite import Direction

Verdict = Literal["regressed", "improved", "unchanged", "not_worse", "inconclusive", "not_comparable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricComparison:
    """One metric, candidate against baseline, over the cases that both have.

    Differences are in the metric's own units and direction (a latency that falls has a negative delta); on a log scale
    they are relative changes (0.1 is a tenth more).

    Attributes:
        delta: mean over cases of the change; None where nothing could be paired.
        low, high: two-sided 95% interval of delta for new cases like these.
        p: that nothing got worse, both channels joined, before any correction.
        p_adjusted: after Holm's correction over the metrics compared together.
        p_worse, p_better: the suite's test alone. p_cases: the single-case channel alone.
        mde: smallest drop that would have been found in 80 of 100 runs like these.
    """

    metric: str
    verdict: Verdict
    direction: Direction
    scale: Scale
    baseline_mean: float | None
    candidate_mean: float | None
    delta: float | None
    low: float | None
    high: float | None
    p: float
    p_adjusted: float
    p_worse: float
    p_better: float
    p_cases: float
    mde: float | None
    margin: float | None
    n_cases: int
    range_low: float | None = 0.0
    range_high: float | None = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmComparison:
    """Two arms of one run, compared metric by metric."""

    baseline: str
    candidate: str
    metrics: tuple[MetricComparison, ...] = field(default_factory=tuple)
