"""Several versions of one prompt in order of one metric."""

from __future__ import annotations

from dataclasses import dataclass

from retest.domain.catalog import Scale
from retest.domain.comparison import Verdict
from retest.domain.suite import Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedVersion:
    """One version on one metric.

    Attributes:
        rank: from 1; versions that the data cannot tell from the best of their group share one.
        mean, low, high: of this version, with its two-sided 95% interval.
        delta, verdict: against the first version named; None for that one itself.
    """

    rank: int
    label: str
    mean: float | None
    low: float | None
    high: float | None
    delta: float | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """All versions on one metric of one arm, the best first; `baseline` is the version that the others are against."""

    arm: str
    metric: str
    baseline: str
    direction: Direction
    versions: tuple[RankedVersion, ...]
    range_low: float | None = 0.0
    range_high: float | None = 1.0
    scale: Scale = "linear"
