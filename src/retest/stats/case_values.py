"""Samples to one value per case, for all cases at once. Missing samples are NaN and never count as anything."""

from __future__ import annotations

import math
import re
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Matrix: TypeAlias = NDArray[np.float64]  # cases x samples, NaN where there is no score
Vector: TypeAlias = NDArray[np.float64]  # one value per case, NaN where the case has no score

_AT_K = re.compile(r"pass(@|\^)(\d+)")


def aggregate_cases(values: Matrix, passed: Matrix, how: str) -> Vector:
    """Return one value per case.

    Args:
        values: scores.
        passed: 1 where the sample passes, 0 where it does not, NaN where there is no score or nothing says.
        how: mean, min, max of the scores; any, all, majority, pass@k, pass^k of what passed
            (Chen et al. 2021, Yao et al. 2024; unbiased for k up to the number of samples).

    Raises:
        ValueError: `how` is unknown.
    """
    present = ~np.isnan(values)
    counted = present.sum(axis=1)
    at_k = _AT_K.fullmatch(how)
    if at_k is not None:
        return _estimate_at_k(passed, int(at_k[2]), every=at_k[1] == "^")
    if how == "mean":
        return _divide(np.where(present, values, 0.0).sum(axis=1), counted)
    if how in {"min", "max"}:
        return _extreme(values, present, how)
    share = pass_shares(passed)
    if how == "any":
        return _where_known(share, share > 0)
    if how == "all":
        return _where_known(share, share == 1)
    if how == "majority":
        return _where_known(share, share > 0.5)  # noqa: PLR2004 - more than half; a tie is no majority
    raise ValueError(f"unknown aggregate {how!r}")


def pass_shares(passed: Matrix) -> Vector:
    """Return the share of each case's scored samples that pass."""
    known = ~np.isnan(passed)
    return _divide(np.where(known, passed, 0.0).sum(axis=1), known.sum(axis=1))


def pooled_within_sd(values: Matrix) -> float | None:
    """Return the standard deviation of samples within a case, pooled by degrees of freedom; None without repeats."""
    present = ~np.isnan(values)
    counts = present.sum(axis=1)
    repeated = counts > 1
    if not repeated.any():
        return None
    means = _divide(np.where(present, values, 0.0).sum(axis=1), counts)
    squares = np.where(present, (values - means[:, None]) ** 2, 0.0).sum(axis=1)
    return float(math.sqrt(squares[repeated].sum() / (counts[repeated] - 1).sum()))


def case_spreads(values: Matrix) -> Vector:
    """Return max - min over each case's samples; 0 where a case has one, NaN where it has none."""
    present = ~np.isnan(values)
    return _extreme(values, present, "max") - _extreme(values, present, "min")


def _extreme(values: Matrix, present: NDArray[np.bool_], how: str) -> Vector:
    filler = -np.inf if how == "max" else np.inf
    filled = np.where(present, values, filler)
    extreme = filled.max(axis=1, initial=-np.inf) if how == "max" else filled.min(axis=1, initial=np.inf)
    return np.where(present.any(axis=1), extreme, np.nan)


def _divide(totals: Vector, counts: NDArray[np.intp]) -> Vector:
    return np.where(counts > 0, totals / np.maximum(counts, 1), np.nan)


def _where_known(share: Vector, holds: NDArray[np.bool_]) -> Vector:
    return np.where(np.isnan(share), np.nan, holds.astype(np.float64))


def _estimate_at_k(passed: Matrix, k: int, *, every: bool) -> Vector:
    """Return the unbiased estimate per case; NaN where a case has fewer than k scored samples."""
    known = ~np.isnan(passed)
    counts = known.sum(axis=1)
    hits = np.where(known, passed, 0.0).sum(axis=1).astype(np.intp)
    table: dict[tuple[int, int], float] = {}
    for n, c in {(int(n), int(c)) for n, c in zip(counts, hits, strict=True)}:
        if k < 1 or n < k:
            table[n, c] = math.nan
        elif every:
            table[n, c] = math.comb(c, k) / math.comb(n, k)
        else:
            table[n, c] = 1.0 - math.comb(n - c, k) / math.comb(n, k)
    return np.array([table[int(n), int(c)] for n, c in zip(counts, hits, strict=True)], dtype=np.float64)
