"""The smallest drop that a comparison could have seen, from the spread of its own data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from retest.stats.intervals import UnitTotals
from retest.stats.pairs import PairedScores, RunScores
from retest.stats.power import mde
from retest.stats.special import stdtrit
from retest.stats.suite_test import dealt_variance

_POWER = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class VisibleDrops:
    """The smallest drops found in 80 of 100 runs, in the metric's own units; None where one unit or fewer is there."""

    spread: float | None
    concentrated: float | None


def visible_drops(pairs: PairedScores, units: UnitTotals, *, width: float | None, alpha: float) -> VisibleDrops:
    """Return the smallest drop of the mean that the suite's test finds at this alpha.

    On an unbounded scale it is q standard errors of the change, for only the spread of the changes is known there.
    """
    if len(units.totals) < 2:  # noqa: PLR2004 - one unit has no spread
        return VisibleDrops(spread=None, concentrated=None)
    if width is None:
        drop = _by_spread(units, alpha)
        return VisibleDrops(spread=drop, concentrated=drop)
    return VisibleDrops(
        spread=_by_formula(pairs, units, (width, alpha), spread=True),
        concentrated=_by_formula(pairs, units, (width, alpha), spread=False),
    )


def _by_spread(units: UnitTotals, alpha: float) -> float | None:
    degrees, error = len(units.totals) - 1, units.standard_error()
    if error == 0:
        return None  # all changed alike, or not at all: that says nothing of the next run
    return float(stdtrit(degrees, 1 - alpha) + stdtrit(degrees, _POWER)) * error


def _by_formula(pairs: PairedScores, units: UnitTotals, scale: tuple[float, float], *, spread: bool) -> float:
    width, alpha = scale
    variance_a, variance_b = _variances(pairs)
    found = mde(
        pairs.n_cases,
        _typical_count(pairs.first),
        _typical_count(pairs.second),
        variance_a / width**2,
        variance_b / width**2,
        alpha=alpha,
        power=_POWER,
        spread=spread,
        design_effect=_design_effect(pairs, units),
    )
    return found * width


def _variances(pairs: PairedScores) -> tuple[float, float]:
    """Return both within-case variances; a run without repeats borrows the other's, else all of its own variance."""
    if pairs.aggregate != "mean":
        dealt = dealt_variance(pairs) / 2
        return dealt * _typical_count(pairs.first), dealt * _typical_count(pairs.second)
    first, second = pairs.first.within_variance(), pairs.second.within_variance()
    if first is None:
        first = second if second is not None else float(pairs.first.values.var())
    return first, first if second is None else second


def _typical_count(run: RunScores) -> float:
    """Return the harmonic mean of the numbers of samples, which is what the variance of a mean over cases sees."""
    return float(len(run.counts) / (1 / run.counts).sum())


def _design_effect(pairs: PairedScores, units: UnitTotals) -> float:
    """Return how much clusters inflate the variance of the mean change: at least 1, at most down to two units."""
    deltas = pairs.deltas
    plain = UnitTotals(totals=deltas, sizes=np.ones_like(deltas)).standard_error()
    inflation = (units.standard_error() / plain) ** 2 if plain > 0 else 1.0
    return min(max(1.0, inflation), pairs.n_cases / 2)
