"""The test of single cases: a suite's mean hides one dead case among twenty (Westfall & Young 1993, minP)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from retest.stats.deals import PoolShape, outcomes, pool_shapes, two_valued
from retest.stats.intervals import Floats
from retest.stats.pairs import Ints, PairedScores

_TIE = 1e-9
_MAX_SPLIT_POOL = 32
"""Pools up to this size are counted exactly, by halves of at most 2^16 subsets each."""
_N_DRAWS = 9_999


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleCases:
    """What the single-case channel says.

    Attributes:
        p: the smallest p-value over the cases, referred to the distribution of that minimum.
        case_p: for each case P(delta as low as seen) when its samples are dealt again; 1 where it never varies.
    """

    p: float
    case_p: Floats


def single_case_test(pairs: PairedScores, *, seed: int = 0) -> SingleCases:
    """Return p that no case got worse, and each case's own one-sided p-value by relabelling its samples.

    The distribution of the minimum needs no draws: the cases are independent under relabelling, so
    P(min <= x) = 1 - prod(1 - F_i(x)) with F_i(x) the largest p-value up to x that case i can have at all. Exact for
    pools of up to 32 samples and for scores of two values; else a case's p-value is drawn 9,999 times.
    """
    rng = np.random.default_rng(seed)
    deltas = pairs.deltas
    case_p = np.ones(pairs.n_cases)
    shapes = pool_shapes(pairs)
    for shape in shapes:
        for row, members in enumerate(shape.members):
            case_p[members] = _pool_p(shape, row, deltas[members], rng)
    smallest = float(case_p.min())
    log_none = sum(
        repeats * np.log1p(-min(reachable, 1.0)) if reachable < 1 else -np.inf
        for shape in shapes
        for reachable, repeats in _reachable(shape, smallest)
    )
    return SingleCases(p=float(-np.expm1(log_none)) if shapes else 1.0, case_p=case_p)


def can_reject(pairs: PairedScores, level: float) -> bool:
    """Return whether any case has samples enough to reach a p-value of at most this level."""
    sizes = {(int(a), int(b)) for a, b in zip(pairs.first.counts, pairs.second.counts, strict=True)}
    return any(smallest_p(k_first, k_second) <= level for k_first, k_second in sizes)


def smallest_p(k_baseline: int, k_candidate: int) -> float:
    """Return the smallest p-value that one case with these numbers of samples can reach."""
    return 1 / comb(k_baseline + k_candidate, k_candidate)


def _pool_p(shape: PoolShape, row: int, deltas: Floats, rng: np.random.Generator) -> Floats:
    """Return P(delta of a random deal <= delta) for cases that share one pool."""
    pool = shape.pools[row]
    slack = _TIE * float(pool[-1] - pool[0])
    if two_valued(pool):
        values, chances = outcomes(pool, shape.k_first, shape.k_second)
        return np.minimum(1.0, np.cumsum(chances)[np.searchsorted(values, deltas + slack, side="right") - 1])
    if shape.enumerable:
        table = np.sort(shape.all_deltas(slice(row, row + 1))[0])
        return np.searchsorted(table, deltas + slack, side="right") / len(table)
    return np.array([_large_pool_p(shape, pool, delta + slack, rng) for delta in deltas])


def _large_pool_p(shape: PoolShape, pool: Floats, delta: float, rng: np.random.Generator) -> float:
    """Return P(delta of a random deal <= delta) for a pool with too many deals to list."""
    centred = pool - pool.mean()
    # delta = sum/k2 - (total - sum)/k1, solved for the sum of the second run's samples
    limit = (delta + centred.sum() / shape.k_first) / (1 / shape.k_first + 1 / shape.k_second)
    if len(pool) <= _MAX_SPLIT_POOL:
        return _count_low_subsets(centred, shape.k_second, limit) / shape.n_deals
    shuffled = rng.permuted(np.broadcast_to(centred, (_N_DRAWS, len(pool))), axis=1)
    hits = int((shuffled[:, : shape.k_second].sum(axis=1) <= limit).sum())
    return (1 + hits) / (_N_DRAWS + 1)


def _count_low_subsets(pool: Floats, size: int, limit: float) -> int:
    """Count the subsets of this size whose sum is at most the limit, pairing the subsets of two halves."""
    half = len(pool) // 2
    left, right = pool[:half], pool[half:]
    total = 0
    for from_left in range(max(0, size - len(right)), min(size, half) + 1):
        sums = np.sort(_subset_sums(right, size - from_left))
        room = limit - _subset_sums(left, from_left)
        total += int(np.searchsorted(sums, room, side="right").sum())
    return total


def _subset_sums(values: Floats, size: int) -> Floats:
    if size == 0:
        return np.zeros(1)
    chosen = np.fromiter(combinations(range(len(values)), size), dtype=np.dtype((np.intp, size)))
    sums: Floats = values[chosen].sum(axis=1)
    return sums


def _reachable(shape: PoolShape, level: float) -> Iterator[tuple[float, int]]:
    """Yield for each pool the largest p-value it can have that is at most the level, and how many cases have it."""
    limit = level * (1 + _TIE)
    for row, (pool, repeats) in enumerate(zip(shape.pools, shape.repeats.tolist(), strict=True)):
        if two_valued(pool):
            reachable = np.minimum(1.0, np.cumsum(outcomes(pool, shape.k_first, shape.k_second)[1]))
        elif shape.enumerable:
            reachable = _lowest_p(shape, row, limit)
        else:
            reachable = np.array([min(level, 1.0)])  # so many deals that every level is nearly met
        yield float(reachable[reachable <= limit].max(initial=0.0)), repeats


def _lowest_p(shape: PoolShape, row: int, limit: float) -> Floats:
    """Return the p-values up to the limit that a listed pool can have; ties share the highest rank."""
    table = shape.all_deltas(slice(row, row + 1))[0]
    rank = min(len(table), int(limit * len(table)) + 1)
    low = np.sort(table) if rank == len(table) else np.sort(np.partition(table, rank)[: rank + 1])
    slack = _TIE * float(shape.pools[row][-1] - shape.pools[row][0])
    last_of_ties: Ints = np.append(np.flatnonzero(np.diff(low) > slack), [] if rank < len(table) else [rank - 1])
    return (last_of_ties.astype(np.int64) + 1) / len(table)
