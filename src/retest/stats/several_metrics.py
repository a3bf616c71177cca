"""Several metrics, several cases: corrections for looking more than once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from retest.stats.intervals import Floats, finite_array


def holm(p_values: ArrayLike, alpha: float = 0.05) -> Floats:
    """Return Holm's adjusted p-values, in the order given; reject where one is at most alpha (Holm 1979).

    The chance of any false rejection stays at most alpha, however the metrics depend on each other.

    Args:
        p_values: one per metric.
        alpha: the level they will be compared with; adjusted p-values do not depend on it, it is only checked.

    Raises:
        ValueError: where a p-value or alpha is no probability.
    """
    check_alpha(alpha)
    return _step_down(p_values)[0]


def holm_factors(p_values: ArrayLike) -> Floats:
    """Return for each p-value what Holm multiplies it with: the number of p-values not smaller than it.

    A further p-value of the same metric (its single-case channel) is multiplied with the same factor.
    """
    return _step_down(p_values)[1]


def benjamini_hochberg(p_values: ArrayLike) -> Floats:
    """Return adjusted p-values that keep the expected false share of a list at their level (Benjamini & Hochberg)."""
    values = _probabilities(p_values)
    if len(values) == 0:
        return values
    order = np.argsort(values, kind="stable")
    scaled = values[order] * len(values) / np.arange(1, len(values) + 1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return adjusted


def check_alpha(alpha: float) -> None:
    """Refuse an error rate that is none.

    Raises:
        ValueError: where alpha lies outside (0, 1).
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, not {alpha}")


def _step_down(p_values: ArrayLike) -> tuple[Floats, Floats]:
    values = _probabilities(p_values)
    order = np.argsort(values, kind="stable")
    factors, adjusted = np.empty_like(values), np.empty_like(values)
    factors[order] = np.arange(len(values), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate((values * factors)[order]))
    return adjusted, factors


def _probabilities(p_values: ArrayLike) -> Floats:
    values = finite_array(p_values, "p_values")
    if values.size and (values.min() < 0 or values.max() > 1):
        raise ValueError("p-values must lie between 0 and 1")
    return values
