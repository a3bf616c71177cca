"""Spread within cases and over them. Pure functions on arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from retest.stats.intervals import finite_array


def pooled_variance(cases: Sequence[ArrayLike]) -> float | None:
    """Return the within-case variance, pooled over the cases by degrees of freedom; None where no case has a repeat."""
    squares, degrees = 0.0, 0
    for number, samples in enumerate(cases):
        values = finite_array(samples, f"case {number}: sample")
        if len(values) > 1:
            squares += float(np.square(values - values.mean()).sum())
            degrees += len(values) - 1
    return squares / degrees if degrees else None


def pooled_sd(cases: Sequence[ArrayLike]) -> float | None:
    """Return the within-case standard deviation, pooled over the cases; None where no case has a repeat."""
    variance = pooled_variance(cases)
    return None if variance is None else math.sqrt(variance)


def looks_cached(cases: Sequence[ArrayLike]) -> bool:
    """Return True where cases have repeats and no repeat of any case ever differs.

    At a temperature above 0 that means copies of one answer, which hold no more information than one sample.
    """
    return pooled_variance(cases) == 0


def quantiles(values: ArrayLike, levels: Sequence[float] = (0.1, 0.5, 0.9)) -> tuple[float, ...]:
    """Return quantiles by linear interpolation (Hyndman & Fan's type 7).

    Raises:
        ValueError: where there is no value, or one is not finite.
    """
    array = finite_array(values, "values")
    if len(array) == 0:
        raise ValueError("no value has no quantiles")
    return tuple(float(value) for value in np.quantile(array, levels))
