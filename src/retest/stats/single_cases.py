"""The test of single cases: a suite's mean hides one dead case among twenty (Westfall & Young 1993, minP)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from retest.stats.deals import PoolShape, outcomes, pass_outcomes, pool_shapes, two_valued, weighted_deltas
from retest.stats.intervals import Floats
from retest.stats.pairs import Ints, PairedScores

_TIE = 1e-9
_MAX_SPLIT_POOL = 32
"""Pools up to this size are counted exactly, by halves of at most 2^16 subsets each."""
_N_DRAWS = 9_999
_BLOCK = 4_000_000
"""Listed deltas held at once."""


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
    shapes = pool_shapes(pairs)
    case_p = _case_p(pairs, shapes, seed)
    if not shapes:
        return SingleCases(p=1.0, case_p=case_p)
    smallest = float(case_p.min())
    log_none = 0.0  # of P(no case has a p-value as small)
    for shape in shapes:
        with np.errstate(divide="ignore"):  # log(0): some case is sure to have one
            log_none += float((shape.repeats * np.log1p(-_reachable(shape, smallest))).sum())
    return SingleCases(p=float(-np.expm1(log_none)), case_p=case_p)


def single_case_p(pairs: PairedScores, *, seed: int = 0) -> Floats:
    """Return each case's own p-value as `single_case_test` does, without the test of their minimum."""
    return _case_p(pairs, pool_shapes(pairs), seed)


def _case_p(pairs: PairedScores, shapes: list[PoolShape], seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    deltas = pairs.deltas
    case_p = np.ones(pairs.n_cases)
    for shape in shapes:
        for members, p_values in _shape_p(shape, deltas, rng):
            case_p[members] = p_values
    return case_p


def can_reject(pairs: PairedScores, level: float) -> bool:
    """Return whether any case has samples enough to reach a p-value of at most this level."""
    sizes = {(int(a), int(b)) for a, b in zip(pairs.first.counts, pairs.second.counts, strict=True)}
    return any(smallest_p(k_first, k_second, pairs.aggregate) <= level for k_first, k_second in sizes)


def smallest_p(k_baseline: int, k_candidate: int, aggregate: str = "mean") -> float:
    """Return the smallest p-value that one case with these numbers of samples can reach."""
    n_pool = k_baseline + k_candidate
    if aggregate == "mean":
        return 1 / math.comb(n_pool, k_candidate)
    return min(float(pass_outcomes(ones, k_baseline, k_candidate, aggregate)[1][0]) for ones in range(1, n_pool))


def _shape_p(shape: PoolShape, deltas: Floats, rng: np.random.Generator) -> Iterator[tuple[Ints, Floats]]:
    """Yield positions of cases and their P(delta of a random deal <= delta seen), block by block."""
    few = two_valued(shape.pools)
    for row in np.flatnonzero(few | (not shape.enumerable)):
        members = shape.members[row]
        yield members, _pool_p(shape, shape.pools[row], deltas[members], rng)
    if shape.enumerable:
        for rows in _blocks(np.flatnonzero(~few), shape.n_deals):
            members = np.concatenate([shape.members[row] for row in rows])
            tables = np.repeat(shape.all_deltas(rows), shape.repeats[rows], axis=0)
            limits = deltas[members] + np.repeat(_slack(shape.pools[rows]), shape.repeats[rows])
            yield members, (tables <= limits[:, None]).mean(axis=1)


def _blocks(rows: Ints, row_size: int) -> Iterator[Ints]:
    """Yield the rows in parts that stay within the memory for one block."""
    size = max(1, _BLOCK // row_size)
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _slack(pools: Floats) -> Floats:
    slack: Floats = _TIE * (pools[:, -1] - pools[:, 0])
    return slack


def _pool_p(shape: PoolShape, pool: Floats, deltas: Floats, rng: np.random.Generator) -> Floats:
    """Return P(delta of a random deal <= delta) for cases that share one pool, of two values or very large."""
    slack = _TIE * float(pool[-1] - pool[0])
    if two_valued(pool[None])[0]:
        values, chances = outcomes(pool, shape)
        return np.minimum(1.0, np.cumsum(chances)[np.searchsorted(values, deltas + slack, side="right") - 1])
    return np.array([_large_pool_p(shape, pool, delta + slack, rng) for delta in deltas])


def _large_pool_p(shape: PoolShape, pool: Floats, delta: float, rng: np.random.Generator) -> float:
    """Return P(delta of a random deal <= delta) for a pool with too many deals to list."""
    centred = pool - pool.mean()
    if shape.aggregate != "mean":
        dealt = weighted_deltas(rng.permuted(np.broadcast_to(centred, (_N_DRAWS, len(pool))), axis=1), shape)
        return (1 + int((dealt <= delta).sum())) / (_N_DRAWS + 1)
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


def _reachable(shape: PoolShape, level: float) -> Floats:
    """Return for each pool the largest p-value it can have that is at most the level; 0 where there is none."""
    limit = level * (1 + _TIE)
    few = two_valued(shape.pools)
    reachable = np.full(len(shape.pools), min(level, 1.0))  # with very many deals every level is nearly met
    for row in np.flatnonzero(few):
        p_values = np.minimum(1.0, np.cumsum(outcomes(shape.pools[row], shape)[1]))
        reachable[row] = p_values[p_values <= limit].max(initial=0.0)
    if shape.enumerable:
        for rows in _blocks(np.flatnonzero(~few), shape.n_deals):
            reachable[rows] = _reachable_of_listed(shape, rows, limit)
    return reachable


def _reachable_of_listed(shape: PoolShape, rows: Ints, limit: float) -> Floats:
    """Return the same for pools whose deals are listed: the last rank within the limit that is no tie with the next."""
    tables, n_deals = shape.all_deltas(rows), shape.n_deals
    rank = min(n_deals, math.floor(limit * n_deals))
    if rank < n_deals:
        tables = np.partition(tables, rank, axis=1)[:, : rank + 1]
    low = np.sort(tables, axis=1)
    steps_up = np.diff(low, axis=1, append=np.inf) > _slack(shape.pools[rows])[:, None]
    last = np.where(steps_up[:, :rank], np.arange(1, rank + 1), 0).max(axis=1, initial=0)
    return np.asarray(last / n_deals)
