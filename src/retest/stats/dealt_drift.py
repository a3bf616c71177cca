"""Sampling error of run means whose cases are no plain means of their samples: by dealing the pooled samples again."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from retest.stats.drift import Drift, estimate_drift
from retest.stats.intervals import Floats
from retest.stats.sample_weights import compared_samples, sample_weights

_DEALS = 200


def dealt_drift(cases: Sequence[Sequence[Sequence[float]]], aggregate: str, *, seed: int = 0) -> Drift | None:
    """Return the drift between runs of one version; None where no sample could have been another run's.

    Without drift the samples of a case are the runs' in any order: so they are dealt to the runs again and again, and
    the variance of the run means over the deals is what sampling explains.

    Args:
        cases: for each case the samples of each run; every run has as many as the aggregate takes.
        aggregate: of a case's samples; see `sample_weights`.
        seed: of the deals.

    Raises:
        ValueError: for fewer than 3 runs.
    """
    shapes: defaultdict[tuple[int, ...], list[list[float]]] = defaultdict(list)
    for runs in cases:
        shapes[tuple(len(samples) for samples in runs)].append([value for samples in runs for value in samples])
    dealers = [_Dealer(counts, np.array(pooled), aggregate) for counts, pooled in shapes.items()]
    if all(dealer.is_constant for dealer in dealers):
        return None
    observed = sum(dealer.totals(dealer.pooled) for dealer in dealers) / len(cases)
    rng = np.random.default_rng(seed)
    dealt = [float(np.var(sum(dealer.deal(rng) for dealer in dealers) / len(cases), ddof=1)) for _ in range(_DEALS)]
    means = np.asarray(observed).tolist()
    return estimate_drift(means, [math.sqrt(float(np.mean(dealt)))] * len(means))


class _Dealer:
    """Cases of equal numbers of samples in each run."""

    def __init__(self, counts: tuple[int, ...], pooled: Floats, aggregate: str) -> None:
        self.pooled = pooled
        self._ends = np.cumsum(counts).tolist()
        size = compared_samples(aggregate, min(counts), min(counts))
        self._weights = [sample_weights(aggregate, count, size) for count in counts]

    @property
    def is_constant(self) -> bool:
        """Return whether no case has two different samples."""
        return bool((self.pooled.min(axis=1) == self.pooled.max(axis=1)).all())

    def totals(self, pooled: Floats) -> Floats:
        """Return for each run the sum of what its cases come to."""
        starts = [0, *self._ends[:-1]]
        sums = [
            float((np.sort(pooled[:, start:end], axis=1) @ weights).sum())
            for start, end, weights in zip(starts, self._ends, self._weights, strict=True)
        ]
        return np.array(sums)

    def deal(self, rng: np.random.Generator) -> Floats:
        """Return the same after the samples of each case were dealt anew."""
        return self.totals(rng.permuted(self.pooled, axis=1))
