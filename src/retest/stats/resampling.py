"""Bootstrap over units: how often each unit is drawn, in blocks that bound the memory; seeded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from retest.stats.intervals import Clusters, Floats, cluster_index

Statistic: TypeAlias = Callable[[Floats], Floats]
"""Weights of the items (draws x items) to one value a draw; NaN where a draw says nothing."""

N_RESAMPLES = 1_999
_CELLS_AT_ONCE = 2_000_000
_LEAST_KNOWN = 0.5  # an interval needs that share of draws in which the statistic exists
_LEAST_UNITS = 3  # two units have three distinct resamples


def resample_weights(
    n_items: int, *, clusters: Clusters | None = None, seed: int = 0, draws: int = N_RESAMPLES
) -> Iterator[Floats]:
    """Yield how often each item is drawn, draws x items in blocks; the items of a cluster are drawn together."""
    index = None if clusters is None else cluster_index(clusters, n_items)
    n_units = n_items if index is None else int(index.max()) + 1
    rng = np.random.default_rng(seed)
    block = max(1, _CELLS_AT_ONCE // max(1, n_items))
    for start in range(0, draws, block):
        weights = _draw(rng, min(block, draws - start), n_units)
        yield weights if index is None else weights[:, index]


def _draw(rng: np.random.Generator, draws: int, n_units: int) -> Floats:
    chosen = rng.integers(n_units, size=(draws, n_units))
    flat = (chosen + n_units * np.arange(draws)[:, None]).ravel()
    return np.bincount(flat, minlength=draws * n_units).reshape(draws, n_units).astype(np.float64)


def percentile_bounds(
    statistic: Statistic,
    n_items: int,
    *,
    clusters: Clusters | None = None,
    seed: int = 0,
    confidence: float = 0.95,
) -> tuple[float | None, float | None]:
    """Return the percentile bootstrap interval of a statistic (Efron 1979).

    None for both where there are fewer than 3 units, or where half of the draws leave the statistic undefined.

    Args:
        statistic: weights to values.
        n_items: how many items the weights are for.
        clusters: one label an item; None where each stands for itself.
        seed: of the draws.
        confidence: two-sided.
    """
    n_units = n_items if clusters is None else len(set(clusters))
    if n_units < _LEAST_UNITS:
        return None, None
    values = np.concatenate([statistic(weights) for weights in resample_weights(n_items, clusters=clusters, seed=seed)])
    known: NDArray[np.float64] = values[~np.isnan(values)]
    if len(known) < _LEAST_KNOWN * len(values):
        return None, None
    tail = (1 - confidence) / 2
    low, high = np.quantile(known, (tail, 1 - tail))
    return float(low), float(high)
