from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from retest.stats.intervals import Floats
from retest.stats.tails import drawn_tails


def _always(value: float) -> Callable[[int], Floats]:
    return lambda size: np.full(size, value)


def test_p_is_never_zero() -> None:
    """The observed labelling is one of those that could have been drawn."""
    assert drawn_tails(-5.0, _always(0.0)).low == 1 / 10_000


def test_ties_are_hits_of_both_tails() -> None:
    """Values as extreme as the observed one count on both sides, rounding apart."""
    tails = drawn_tails(1.0, _always(1.0 + 1e-12))
    assert (tails.low, tails.high) == (1.0, 1.0)


@pytest.mark.parametrize(("value", "low", "high"), [(-np.inf, 1.0, 1.0), (0.0, 1e-4, 1.0), (np.inf, 1e-4, 1.0)])
def test_infinite_statistics_are_ordered(value: float, low: float, high: float) -> None:
    """An infinite statistic ties only with itself."""
    tails = drawn_tails(-np.inf, _always(value))
    assert (tails.low, tails.high) == (low, high)


def test_drawing_stops_at_the_hit_that_is_enough() -> None:
    """A tail's p is hits over draws at its 200th hit, not at the end of a chunk."""
    values = iter([np.tile([-1.0, 1.0], 256)])
    tails = drawn_tails(0.0, lambda size: next(values)[:size])
    assert (tails.low, tails.high) == (200 / 399, 200 / 400)


def test_all_draws_are_made_where_one_tail_stays_short() -> None:
    """Early stopping needs both tails; 9,999 draws are the end."""
    sizes: list[int] = []

    def draw(size: int) -> Floats:
        sizes.append(size)
        return np.zeros(size)

    drawn_tails(-1.0, draw)
    assert sum(sizes) == 9_999
