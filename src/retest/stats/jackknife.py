"""Intervals of figures that are functions of sums over cases: the delete-one jackknife.

For a figure theta of G independent units (cases, or clusters of cases) let theta_i be the figure without unit i, and m
their mean. The jackknife's standard error is sqrt((G - 1)/G * sum((theta_i - m)^2)) (Tukey 1958; Efron & Tibshirani
1993, An Introduction to the Bootstrap, formula 11.5). It is the standard error of a mean over the G values
v_i = theta + (G - 1)(m - theta_i), whose mean is theta itself; where the figure is a mean, they are the units' own
values. So the interval is that of a mean over the v_i: Student's t with the guard of `stats.intervals` at the ends of
the scale, and for a mean over cases it is exactly the same interval.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from retest.stats.intervals import Clusters, Ends, UnitTotals, cluster_index, t_interval

Sums: TypeAlias = NDArray[np.float64]
"""Rows of sums: of one unit each, or each of a whole set of samples."""
Figures: TypeAlias = Callable[[Sums], NDArray[np.float64]]
"""From rows of sums to rows of figures, NaN where a figure is not defined."""

_CELLS = 2_000_000  # held at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure with its two-sided interval; None is what the data cannot say."""

    value: float | None
    low: float | None
    high: float | None


def case_sums(rows: Sums, cases: NDArray[np.intp], n_cases: int) -> Sums:
    """Return one row of sums a case from one row a sample: each case weighs alike.

    Cases without a sample have zeros.
    """
    weighted = rows * sample_weights(cases, n_cases)[:, None]
    columns = [np.bincount(cases, weights=weighted[:, place], minlength=n_cases) for place in range(rows.shape[1])]
    return np.stack(columns, axis=1)


def sample_weights(cases: NDArray[np.intp], n_cases: int) -> NDArray[np.float64]:
    """Return what each sample weighs so that each case weighs alike.

    A case of k samples where cases have K on average weighs its samples by K/k: 1 where all have as many.
    """
    counts = np.bincount(cases, minlength=n_cases).astype(np.float64)
    average = counts.sum() / max(np.count_nonzero(counts), 1)
    weights: NDArray[np.float64] = average / counts[cases]
    return weights


def unit_sums(sums: Sums, clusters: Clusters | None) -> Sums:
    """Return the sums per unit of analysis: per case, or per cluster where there is one label a case."""
    if clusters is None:
        return sums
    index = cluster_index(clusters, len(sums))
    units = np.zeros((index.max(initial=-1) + 1, sums.shape[1]))
    np.add.at(units, index, sums)
    return units


def estimates(units: Sums, figures: Figures, ends: Sequence[Ends], *, confidence: float = 0.95) -> list[Estimate]:
    """Return every figure of all units together with its interval.

    Args:
        units: one row of sums a unit.
        figures: what is computed from sums.
        ends: of each figure's scale, in the order in which `figures` returns them.
        confidence: two-sided level.
    """
    if len(units) == 0:
        return [Estimate(value=None, low=None, high=None) for _ in ends]
    whole = figures(units.sum(axis=0, keepdims=True))[0]
    return _with_intervals(whole, _leave_one_out(units, figures), ends, confidence)


def paired_estimates(
    before: Sums, after: Sums, figures: Figures, ends: Sequence[Ends], *, confidence: float = 0.95
) -> list[Estimate]:
    """Return the change of every figure with its interval; the units are paired, each is left out on both sides.

    Args:
        before: one row of sums a unit.
        after: the same units in the same order.
        figures: what is computed from sums.
        ends: of each figure's scale.
        confidence: two-sided level.

    Raises:
        ValueError: the sides do not have the same units.
    """
    if before.shape != after.shape:
        raise ValueError(f"the sides differ in their units: {before.shape} and {after.shape}")
    if len(before) == 0:
        return [Estimate(value=None, low=None, high=None) for _ in ends]
    whole = figures(after.sum(axis=0, keepdims=True))[0] - figures(before.sum(axis=0, keepdims=True))[0]
    left = _leave_one_out(after, figures) - _leave_one_out(before, figures)
    return _with_intervals(whole, left, [_of_change(scale) for scale in ends], confidence)


def _of_change(ends: Ends) -> Ends:
    """Return the ends of the scale of a difference."""
    low, high = ends
    return (None, None) if low is None or high is None else (low - high, high - low)


def _leave_one_out(units: Sums, figures: Figures) -> NDArray[np.float64]:
    """Return the figures without each unit in turn, a row each."""
    total = units.sum(axis=0)
    step = max(1, _CELLS // max(units.shape[1], 1))
    parts = [figures(total - units[start : start + step]) for start in range(0, len(units), step)]
    return np.concatenate(parts)


def _with_intervals(
    whole: NDArray[np.float64], left: NDArray[np.float64], ends: Sequence[Ends], confidence: float
) -> list[Estimate]:
    tail = (1 - confidence) / 2
    return [_estimate(float(value), left[:, number], ends[number], tail) for number, value in enumerate(whole)]


def _estimate(value: float, left: NDArray[np.float64], ends: Ends, tail: float) -> Estimate:
    if not np.isfinite(value):
        return Estimate(value=None, low=None, high=None)
    if len(left) == 1:
        return Estimate(value=value, low=ends[0], high=ends[1])
    if not np.isfinite(left).all():  # a figure that one case alone defines: nothing is known of its spread
        return Estimate(value=value, low=None, high=None)
    values = value + (len(left) - 1) * (left.mean() - left)
    low, high = t_interval(UnitTotals(totals=values, sizes=np.ones_like(values)), ends, tail)
    return Estimate(
        value=value,
        low=None if low is None else min(low, value),  # rounding may put a bound a hair past the value
        high=None if high is None else max(high, value),
    )
