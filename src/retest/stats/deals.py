"""Within-case relabelling: what a case's delta can be when its samples are dealt again between the two runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import combinations
from math import comb
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from retest.stats.intervals import Floats
from retest.stats.pairs import Ints, PairedScores
from retest.stats.sample_weights import compared_samples, sample_weights

MAX_ENUMERATED = 5005
"""Up to so many deals per case are listed; a case of 10 + 5 samples has 3,003, one of 10 + 10 has 184,756."""
_MAX_LISTED = 8_000_000
"""Listed deltas kept at once, over all cases of one shape."""
_SAME = 1e-12
"""Deltas of passes this close are the same number, rounded differently."""
_BLOCK = 2_000_000
"""Numbers held at once while drawing."""
_COUNT_FROM = 8
"""Equal pools of two values, per sample of the second run, from which drawing how many get each delta is faster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolShape:
    """All cases with these two numbers of samples; equal pools are held once.

    Attributes:
        k_first, k_second: samples dealt to the first and to the second run.
        pools: one row for each different pool, ascending.
        repeats: how many cases have that pool.
        members: for each row the positions of its cases.
        aggregate: what samples come to within a case; see `sample_weights`.
    """

    k_first: int
    k_second: int
    pools: Floats
    repeats: Ints
    members: tuple[Ints, ...]
    aggregate: str = "mean"

    @property
    def n_deals(self) -> int:
        """Return in how many ways the pool can be dealt."""
        return comb(self.k_first + self.k_second, self.k_second)

    @property
    def enumerable(self) -> bool:
        """Return whether all deals are listed."""
        return self.n_deals <= MAX_ENUMERATED

    def all_deltas(self, rows: slice | Ints) -> Floats:
        """Return the delta of every deal, equally likely, one row for each pool; only where enumerable."""
        pools = self.pools[rows]
        centred = pools - pools.mean(axis=1, keepdims=True)  # constant offsets only cost precision
        if self.aggregate != "mean":
            weighted: Floats = centred @ _deal_weights(self.k_first + self.k_second, self.k_second, self.aggregate)
            return weighted
        second = centred @ _deal_masks(self.k_first + self.k_second, self.k_second)
        deltas: Floats = second / self.k_second - (centred.sum(axis=1, keepdims=True) - second) / self.k_first
        return deltas


@lru_cache(maxsize=64)
def _deal_masks(n_pool: int, n_second: int) -> Floats:
    """Return a column of zeros and ones for each deal: which samples go to the second run."""
    chosen = np.array(list(combinations(range(n_pool), n_second)), dtype=np.intp)
    masks = np.zeros((n_pool, len(chosen)))
    masks[chosen.T, np.arange(len(chosen))] = 1.0
    return masks


@lru_cache(maxsize=64)
def _deal_weights(n_pool: int, n_second: int, aggregate: str) -> Floats:
    """Return a column for each deal: what each sample of the ascending pool counts for in the delta."""
    first, second = _side_weights(aggregate, n_pool - n_second, n_second)
    dealt = _deal_masks(n_pool, n_second) > 0
    # Within either side the samples of an ascending pool stay in order, and the n-th of them has the n-th weight.
    in_second = second[np.maximum(np.cumsum(dealt, axis=0) - 1, 0)]
    in_first = first[np.maximum(np.cumsum(~dealt, axis=0) - 1, 0)]
    weights: Floats = np.where(dealt, in_second, -in_first)
    return weights


def _side_weights(aggregate: str, k_first: int, k_second: int) -> tuple[Floats, Floats]:
    size = compared_samples(aggregate, k_first, k_second)
    return sample_weights(aggregate, k_first, size), sample_weights(aggregate, k_second, size)


def pool_shapes(pairs: PairedScores) -> list[PoolShape]:
    """Return the pools of all cases that vary, grouped; cases whose samples are all equal have only one delta, 0."""
    counts = np.stack([pairs.first.counts, pairs.second.counts], axis=1)
    shapes, inverse = np.unique(counts, axis=0, return_inverse=True)
    return [
        shape
        for number, (k_first, k_second) in enumerate(shapes)
        if (shape := _pool_shape(pairs, np.flatnonzero(inverse.ravel() == number), (int(k_first), int(k_second))))
    ]


def _pool_shape(pairs: PairedScores, cases: Ints, sizes: tuple[int, int]) -> PoolShape | None:
    pools = np.concatenate([pairs.first.rows(cases), pairs.second.rows(cases)], axis=1)
    pools.sort(axis=1)
    varies = pools[:, 0] < pools[:, -1]
    if not varies.any():
        return None
    keys = np.ascontiguousarray(pools[varies]).view(np.dtype((np.void, pools.itemsize * pools.shape[1]))).ravel()
    _, where, inverse, repeats = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    by_row = np.split(np.argsort(inverse, kind="stable"), np.cumsum(repeats)[:-1])
    return PoolShape(
        k_first=sizes[0],
        k_second=sizes[1],
        pools=pools[varies][where],
        repeats=repeats.astype(np.int64),
        members=tuple(cases[varies][row] for row in by_row),
        aggregate=pairs.aggregate,
    )


def two_valued(pools: Floats) -> NDArray[np.bool_]:
    """Return for each ascending pool whether it holds two different values, such as 0 and 1."""
    either = (pools == pools[:, :1]) | (pools == pools[:, -1:])
    return np.asarray(either.all(axis=1))


def outcomes(pool: Floats, shape: PoolShape) -> tuple[Floats, Floats]:
    """Return the possible deltas of a pool of two values, ascending and all different, and their probabilities."""
    deltas, chances = pass_outcomes(int((pool == pool[-1]).sum()), shape.k_first, shape.k_second, shape.aggregate)
    return deltas * (pool[-1] - pool[0]), chances


@lru_cache(maxsize=4096)
def pass_outcomes(n_high: int, k_first: int, k_second: int, aggregate: str) -> tuple[Floats, Floats]:
    """Return the same for values 0 and 1: the number of ones dealt to the second run is hypergeometric."""
    n_low = k_first + k_second - n_high
    dealt = np.arange(max(0, k_second - n_low), min(n_high, k_second) + 1)
    total = comb(k_first + k_second, k_second)
    chances = np.array([comb(n_high, high) * comb(n_low, k_second - high) / total for high in dealt.tolist()])
    if aggregate == "mean":
        return dealt / k_second - (n_high - dealt) / k_first, chances / chances.sum()
    first, second = (_of_ones(weights) for weights in _side_weights(aggregate, k_first, k_second))
    deltas = second[dealt] - first[n_high - dealt]
    starts = np.flatnonzero(np.diff(deltas, prepend=-np.inf) > _SAME)  # never descending; equal ones are one outcome
    return deltas[starts], np.add.reduceat(chances, starts) / chances.sum()


def _of_ones(weights: Floats) -> Floats:
    """Return what samples of which 0, 1, 2... are one and the others zero come to."""
    return np.concatenate([[0.0], np.cumsum(weights[::-1])])


class Dealer:
    """Deals all cases again and again, independently; what does not vary adds nothing and costs nothing."""

    def __init__(self, shapes: list[PoolShape]) -> None:
        self._pools = [pool for shape in shapes for pool in _pool_dealers(shape)]

    def draw(self, rng: np.random.Generator, n_draws: int) -> Tally:
        """Return for each of n_draws deals the sum of the deltas over cases, and the sum of their squares."""
        tally = Tally(sums=np.zeros(n_draws), squares=np.zeros(n_draws))
        for pool in self._pools:
            pool(rng, tally)
        return tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Sum of the deltas and of their squares, for each deal; filled in place."""

    sums: Floats
    squares: Floats

    def add(self, deltas: Floats) -> None:
        """Add deltas, one row a case and one column a deal."""
        if len(deltas) == 1:  # the usual shape of real-valued scores, at half of the time
            np.add(self.sums, deltas[0], out=self.sums)
            np.add(self.squares, np.square(deltas[0]), out=self.squares)
            return
        self.sums[:] += deltas.sum(axis=0)
        self.squares[:] += np.einsum("ij,ij->j", deltas, deltas)


PoolDealer: TypeAlias = Callable[[np.random.Generator, Tally], None]


def _pool_dealers(shape: PoolShape) -> Iterator[PoolDealer]:
    """Yield for each different pool the cheapest way to deal its cases."""
    listed = shape.enumerable and len(shape.pools) * shape.n_deals <= _MAX_LISTED
    tables = shape.all_deltas(slice(None)) if listed else None
    rows = zip(shape.pools, shape.repeats.tolist(), two_valued(shape.pools).tolist(), strict=True)
    for row, (pool, repeats, few_outcomes) in enumerate(rows):
        if few_outcomes and (not shape.enumerable or repeats >= _COUNT_FROM * shape.k_second):
            yield partial(_deal_counts, repeats, *outcomes(pool, shape))
        elif tables is not None:
            yield partial(_deal_listed, repeats, tables[row])
        elif shape.enumerable:
            yield partial(_deal_listed_again, shape, row)
        else:
            yield partial(_deal_shuffled, shape, row)


def _deal_counts(repeats: int, deltas: Floats, chances: Floats, rng: np.random.Generator, tally: Tally) -> None:
    """Draw how many of the equal pools get each delta."""
    counts = rng.multinomial(repeats, chances, size=len(tally.sums))
    tally.sums[:] += counts @ deltas
    tally.squares[:] += counts @ np.square(deltas)


def _deal_listed(repeats: int, table: Floats, rng: np.random.Generator, tally: Tally) -> None:
    """Pick one of the listed deals for each of the equal pools."""
    n_draws = len(tally.sums)
    for rows in _blocks(repeats, n_draws):
        # 16 bits hold every number of listed deals, and NumPy draws them faster than 8 or 64 bits.
        tally.add(table.take(rng.integers(0, len(table), size=(rows, n_draws), dtype=np.uint16)))


def _deal_listed_again(shape: PoolShape, row: int, rng: np.random.Generator, tally: Tally) -> None:
    """List the deals only while they are drawn, where all lists at once would fill the memory."""
    table = shape.all_deltas(slice(row, row + 1))[0]
    _deal_listed(int(shape.repeats[row]), table, rng, tally)


def _deal_shuffled(shape: PoolShape, row: int, rng: np.random.Generator, tally: Tally) -> None:
    """Shuffle the pool itself, where there are too many deals to list."""
    pool = shape.pools[row] - shape.pools[row].mean()
    total, n_draws = pool.sum(), len(tally.sums)
    for rows in _blocks(int(shape.repeats[row]), n_draws * len(pool)):
        shuffled = rng.permuted(np.broadcast_to(pool, (rows, n_draws, len(pool))), axis=2)
        if shape.aggregate != "mean":
            tally.add(weighted_deltas(shuffled, shape))
            continue
        second = shuffled[:, :, : shape.k_second].sum(axis=2)
        tally.add(second / shape.k_second - (total - second) / shape.k_first)


def weighted_deltas(shuffled: Floats, shape: PoolShape) -> Floats:
    """Return the delta of each dealt pool along the last axis: the second run's samples come first."""
    first, second = _side_weights(shape.aggregate, shape.k_first, shape.k_second)
    dealt = np.sort(shuffled[..., : shape.k_second], axis=-1), np.sort(shuffled[..., shape.k_second :], axis=-1)
    deltas: Floats = dealt[0] @ second - dealt[1] @ first
    return deltas


def _blocks(n_rows: int, row_size: int) -> Iterator[int]:
    """Yield numbers of rows that add up to n_rows and stay within the memory for one block."""
    size = max(1, _BLOCK // row_size)
    for start in range(0, n_rows, size):
        yield min(size, n_rows - start)
