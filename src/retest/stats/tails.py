"""Both one-sided p-values of a statistic whose reference distribution is drawn (Besag & Clifford 1991)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, repeat

import numpy as np

from retest.stats.intervals import Floats

N_DRAWS = 9_999
STOP_HITS = 200
_TIE = 1e-9
_CHUNKS = (512, 2048)
"""Sizes of the first chunks of draws, within which most unchanged runs stop; then 8,192 each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tails:
    """One-sided p-values: `low` that the statistic is as low by chance, `high` that it is as high."""

    low: float
    high: float

    def swapped(self) -> Tails:
        """Return the tails of the negated statistic."""
        return Tails(low=self.high, high=self.low)


class _Tail:
    """Counts the hits of one tail until there are enough of them."""

    def __init__(self) -> None:
        self.hits = 0
        self.draws = 0
        self.p: float | None = None

    def add(self, hits: np.ndarray[tuple[int], np.dtype[np.bool_]], stop_hits: int) -> None:
        if self.p is not None:
            return
        places = np.flatnonzero(hits)
        if self.hits + len(places) >= stop_hits:
            last = int(places[stop_hits - self.hits - 1])
            self.p = stop_hits / (self.draws + last + 1)
            return
        self.hits += len(places)
        self.draws += len(hits)

    def result(self) -> float:
        # The observed labelling is one of the equally likely ones, hence + 1 in both parts: p is never 0.
        return self.p if self.p is not None else (1 + self.hits) / (self.draws + 1)


def drawn_tails(
    observed: float,
    draw: Callable[[int], Floats],
    *,
    n_draws: int = N_DRAWS,
    stop_hits: int = STOP_HITS,
) -> Tails:
    """Return both p-values of the observed statistic.

    Draws stop early once each tail has `stop_hits` hits; a tail's p is then hits / draws at that hit, else
    (1 + hits) / (draws + 1). Values within 1e-9 of the observed one (relatively, for values past 1) are hits.

    Args:
        observed: the statistic; may be infinite.
        draw: returns so many independent values of the statistic under the null hypothesis.
        n_draws: most draws.
        stop_hits: hits in both tails that end the drawing.
    """
    slack = _TIE * max(1.0, abs(observed)) if np.isfinite(observed) else 0.0
    low, high = _Tail(), _Tail()
    done = 0
    for size in chain(_CHUNKS, repeat(8192)):
        values = draw(min(size, n_draws - done))
        done += len(values)
        low.add(values <= observed + slack, stop_hits)
        high.add(values >= observed - slack, stop_hits)
        if done >= n_draws or (low.p is not None and high.p is not None):
            return Tails(low=low.result(), high=high.result())
    raise AssertionError("unreachable: the chunks never end")
