"""Spread and aggregates: samples within a case first, then cases. Pure functions on arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from retest.stats.intervals import finite_array

Aggregate: TypeAlias = Literal["mean", "min", "max", "any", "all", "majority"]


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


def pass_at_k(n_samples: int, n_passed: int, k: int) -> float:
    """Return the chance that at least one of k fresh samples passes (Chen et al. 2021, unbiased for k <= n_samples).

    Raises:
        ValueError: where k or n_passed does not fit n_samples.
    """
    _check_counts(n_samples, n_passed, k)
    return 1.0 - math.comb(n_samples - n_passed, k) / math.comb(n_samples, k)


def pass_hat_k(n_samples: int, n_passed: int, k: int) -> float:
    """Return the chance that all of k fresh samples pass, pass^k (Yao et al. 2024, unbiased for k <= n_samples).

    Raises:
        ValueError: where k or n_passed does not fit n_samples.
    """
    _check_counts(n_samples, n_passed, k)
    return math.comb(n_passed, k) / math.comb(n_samples, k)


def _check_counts(n_samples: int, n_passed: int, k: int) -> None:
    if not 0 <= n_passed <= n_samples:
        raise ValueError(f"{n_passed} of {n_samples} samples cannot have passed")
    if not 1 <= k <= n_samples:
        raise ValueError(f"k must lie between 1 and the number of samples ({n_samples}), not {k}")


def aggregate_case(samples: ArrayLike, how: Aggregate = "mean") -> float:
    """Return one value for a case; `any`, `all` and `majority` count a sample as passed where it is not 0.

    A tie is no majority.

    Raises:
        ValueError: where the case has no sample (it is missing, not 0), or a value is not finite.
    """
    values = finite_array(samples, "samples")
    if len(values) == 0:
        raise ValueError("a case without a sample has no value: leave it out")
    if how == "mean":
        return float(values.mean())
    if how in {"min", "max"}:
        return float(values.min() if how == "min" else values.max())
    share = float(np.count_nonzero(values)) / len(values)
    return float({"any": share > 0, "all": share == 1, "majority": share > 0.5}[how])  # noqa: PLR2004 - more than half
