"""Guarded one-sided bounds of a change, and what a margin needs before it can be proved."""

from __future__ import annotations

from dataclasses import dataclass

from retest.stats.intervals import UnitTotals
from retest.stats.special import stdtrit

MIN_UNITS = 5
"""Fewer units give no bound worth the name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """One-sided bounds of a mean change, each at its own level; None where fewer than 5 units."""

    lower: float | None
    upper: float | None


def guarded_bounds(units: UnitTotals, *, level: float = 0.95, width: float | None = 1.0) -> Bounds:
    """Return the t bounds of the mean change after one imaginary worst unit joined.

    It changed by -width for the lower bound and by +width for the upper one, where width is the width of the metric's
    scale; with n units that leaves n degrees of freedom. Plain t bounds where the scale is unbounded. Without the
    guard, bounds near a perfect score claim "not worse" falsely in up to a third of the runs at the margin.

    Args:
        units: changes per case, or cluster totals.
        level: one-sided.
        width: None where unbounded.
    """
    if len(units.totals) < MIN_UNITS:
        return Bounds(lower=None, upper=None)
    if width is None:
        return Bounds(lower=units.t_bound(1 - level), upper=units.t_bound(level))
    return Bounds(
        lower=units.with_imaginary(-width).t_bound(1 - level),
        upper=units.with_imaginary(width).t_bound(level),
    )


def steady_bound(n_units: int, *, width: float = 1.0, level: float = 0.95) -> float:
    """Return how far the guarded lower bound lies below 0 when no unit changed at all: the best that n units can do."""
    return width * (1 + float(stdtrit(n_units, level))) / (n_units + 1)


def units_to_prove(margin: float, *, width: float = 1.0, level: float = 0.95) -> int:
    """Return the fewest units with which an all-perfect suite proves "not worse" by this margin.

    Raises:
        ValueError: where the margin is not positive.
    """
    if not margin > 0:
        raise ValueError(f"a margin of {margin} cannot be proved by any number of cases")
    n_units, step = MIN_UNITS, 1
    while steady_bound(n_units + step, width=width, level=level) >= margin:  # doubling, then halving: margins are tiny
        n_units, step = n_units + step, step * 2
    if n_units == MIN_UNITS and steady_bound(n_units, width=width, level=level) < margin:
        return n_units
    while step > 0:
        if steady_bound(n_units + step, width=width, level=level) >= margin:
            n_units += step
        else:
            step //= 2
    return n_units + 1
