"""Intervals of a mean over cases: Student's t, clustered where cases share a source, guarded at the ends of the scale.

The guard: before a bound is computed, one imaginary unit at that end of the scale joins the data. Without it twenty
perfect cases would claim to be perfect for certain (compare Agresti & Min 2005 for pseudo-cases).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retest.stats.special import stdtrit

Floats: TypeAlias = NDArray[np.float64]
Clusters: TypeAlias = Sequence[Hashable]
Ends: TypeAlias = tuple[float | None, float | None]

LARGEST = 1e100
"""Greatest magnitude of a score: squares of larger ones leave the range of floating point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A mean over cases with its two-sided interval; None is what the data cannot say.

    Attributes:
        mean: None where there is no case.
        low, high: None where there is no case, or one unit alone at an end where the scale is unbounded.
        n_cases: the cases it stands on.
    """

    mean: float | None
    low: float | None
    high: float | None
    n_cases: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitTotals:
    """The units of analysis: the sum over each unit's cases, and how many cases that are."""

    totals: Floats
    sizes: Floats

    @property
    def mean(self) -> float:
        """Return the mean over cases."""
        return math.fsum(self.totals) / float(self.sizes.sum())

    def with_imaginary(self, value: float) -> UnitTotals:
        """Return the units and one more, of average size, whose cases all have this value."""
        size = self.sizes.mean()
        return UnitTotals(totals=np.append(self.totals, size * value), sizes=np.append(self.sizes, size))

    def standard_error(self) -> float:
        """Return the CR1 standard error of the mean over cases; for units of one case that is sd/sqrt(n)."""
        n_units = len(self.totals)
        residuals = self.totals - self.sizes * self.mean
        variance = n_units / (n_units - 1) * math.fsum(np.square(residuals))
        return math.sqrt(variance) / float(self.sizes.sum())

    def t_bound(self, level: float) -> float:
        """Return the one-sided t bound at this level: below the mean for a level under one half."""
        quantile = float(stdtrit(len(self.totals) - 1, level))
        return self.mean + quantile * self.standard_error()


def unit_totals(values: Floats, clusters: Clusters | None = None) -> UnitTotals:
    """Return the sums per unit: per case, or per cluster where clusters are given (one label a case)."""
    if clusters is None:
        return UnitTotals(totals=values, sizes=np.ones_like(values))
    index = cluster_index(clusters, len(values))
    order = np.argsort(values, kind="stable")  # sums that do not depend on the order of the cases, to the last bit
    totals = np.zeros(index.max() + 1)
    np.add.at(totals, index[order], values[order])
    return UnitTotals(totals=totals, sizes=np.bincount(index).astype(np.float64))


def cluster_index(clusters: Clusters, n_cases: int) -> NDArray[np.intp]:
    """Return 0..G-1 per case, numbered as the labels first appear.

    Raises:
        ValueError: where there is not one label for each case.
    """
    if len(clusters) != n_cases:
        raise ValueError(f"clusters must have one label for each case: {len(clusters)} labels, {n_cases} cases")
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(label, len(numbers)) for label in clusters], dtype=np.intp)


def finite_array(values: ArrayLike, name: str) -> Floats:
    """Return the values as a one-dimensional float array.

    Raises:
        ValueError: where they are not a flat sequence, or one is NaN, infinite or past 1e100.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name} must be a flat sequence of numbers, not of shape {array.shape}")
    bad = np.flatnonzero(~(np.abs(array) <= LARGEST))
    if bad.size:
        raise ValueError(f"{name}[{bad[0]}] is {array[bad[0]]}: leave a missing value out; magnitudes end at 1e100")
    return array


def mean_interval(
    case_means: ArrayLike,
    *,
    clusters: Clusters | None = None,
    low: float | None = 0.0,
    high: float | None = 1.0,
    confidence: float = 0.95,
) -> Interval:
    """Return the mean over cases and a two-sided interval for the mean over cases like these.

    The unit is the case, or the cluster; G units give Student's t with G degrees of freedom after the guard, which
    stands at each end of the scale. Where an end is None the scale is unbounded: plain t with G - 1 degrees, cut at
    the end that is known. One unit alone says nothing beyond the scale itself: its interval is the whole scale, with
    None for an end that is unbounded. Values past an end of the scale stretch it.

    Args:
        case_means: one value a case, its samples averaged already; cases without a sample are left out.
        clusters: one label a case, in the same order.
        low: least possible value, None where unbounded.
        high: greatest possible value, None where unbounded.
        confidence: two-sided level, between 0 and 1.

    Raises:
        ValueError: for NaN or infinite values, unequal lengths, or a level outside (0, 1).
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}")
    values = finite_array(case_means, "case_means")
    if len(values) == 0:
        return Interval(mean=None, low=None, high=None, n_cases=0)
    ends = (
        None if low is None else min(low, float(values.min())),
        None if high is None else max(high, float(values.max())),
    )
    units = unit_totals(values, clusters)
    lower, upper = t_interval(units, ends, (1 - confidence) / 2)
    mean = units.mean
    return Interval(
        mean=mean,
        low=None if lower is None else min(lower, mean),  # rounding may put a bound a hair past the mean
        high=None if upper is None else max(upper, mean),
        n_cases=len(values),
    )


def t_interval(units: UnitTotals, ends: Ends, tail: float) -> Ends:
    """Return both t bounds with this probability beyond each, guarded and cut at the ends of the scale.

    One unit alone gives the ends themselves; None stands for an end that is unbounded.
    """
    low, high = ends
    if len(units.totals) == 1:
        return ends
    if low is None or high is None:
        lower, upper = units.t_bound(tail), units.t_bound(1 - tail)
    else:
        lower, upper = units.with_imaginary(low).t_bound(tail), units.with_imaginary(high).t_bound(1 - tail)
    return (lower if low is None else max(lower, low)), (upper if high is None else min(upper, high))
