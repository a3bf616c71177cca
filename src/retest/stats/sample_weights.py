"""What a case's samples come to: every aggregate is a weighted sum of the samples in ascending order."""

from __future__ import annotations

import re
from functools import lru_cache
from math import comb

import numpy as np

from retest.stats.intervals import Floats

_AT_K = re.compile(r"pass[@^]([1-9]\d*)")
_HIGHEST = {"max", "any"}
_LOWEST = {"min", "all"}


def needed_samples(aggregate: str) -> int:
    """Return how many samples a case must have at least: k for ``pass@k`` and ``pass^k``, else 1.

    Raises:
        ValueError: there is no such aggregate.
    """
    at_k = _AT_K.fullmatch(aggregate)
    if at_k is not None:
        return int(at_k[1])
    if aggregate not in {"mean", "majority", *_HIGHEST, *_LOWEST}:
        raise ValueError(f"unknown aggregate {aggregate!r}")
    return 1


def compared_samples(aggregate: str, n_first: int, n_second: int) -> int:
    """Return of how many samples both sides' values are taken: the k of ``pass@k``, else as many as the smaller has.

    The best of ten samples lies above the best of three where nothing changed; so the best of three is compared with
    what three of the ten would come to on average.
    """
    at_k = _AT_K.fullmatch(aggregate)
    return min(n_first, n_second) if at_k is None else int(at_k[1])


@lru_cache(maxsize=4096)
def sample_weights(aggregate: str, n_samples: int, size: int) -> Floats:
    """Return the weights of n samples, ascending, whose sum is the expected aggregate of `size` of them.

    Args:
        aggregate: mean; min, max of scores; any, all, majority, pass@k, pass^k of passes, which are 1 and 0 (Chen et
            al. 2021, Yao et al. 2024). A majority is more than half.
        n_samples: of the case.
        size: of the random subset; n gives the aggregate of the samples themselves.

    Raises:
        ValueError: there is no such aggregate, or the case has fewer samples than `size`.
    """
    needed_samples(aggregate)
    if not 1 <= size <= n_samples:
        raise ValueError(f"{size} of {n_samples} samples")
    if aggregate == "mean":
        weights = np.full(n_samples, 1 / n_samples)
    elif aggregate == "majority":
        # With h passes the h last weights are summed: each is what one pass more adds.
        chances = [_majority_chance(passes, n_samples, size) for passes in range(n_samples + 1)]
        weights = np.diff(chances)[::-1].copy()
    else:
        total = comb(n_samples, size)
        weights = np.array([comb(place, size - 1) / total for place in range(n_samples)])  # of being the highest
        if aggregate in _LOWEST or aggregate.startswith("pass^"):
            weights = weights[::-1].copy()
    weights.flags.writeable = False  # the cache hands the same array to everybody
    return weights


def _majority_chance(passes: int, n_samples: int, size: int) -> float:
    """Return the chance that more than half of a random subset passes."""
    ways = sum(
        comb(passes, hits) * comb(n_samples - passes, size - hits)
        for hits in range(size // 2 + 1, min(passes, size) + 1)
    )
    return ways / comb(n_samples, size)
