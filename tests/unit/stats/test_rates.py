"""The exact interval of a rate."""

from __future__ import annotations

import pytest

from retest.stats.rates import rate_interval


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [
        (0, 10, 0.0, 0.3085),  # 1 - .025 ** (1 / 10)
        (10, 10, 0.6915, 1.0),
        (5, 100, 0.0164, 0.1128),  # the textbook's
        (0, 0, 0.0, 1.0),  # nothing was tried, anything may be
    ],
)
def test_the_interval_is_exact(hits: int, trials: int, low: float, high: float) -> None:
    """Clopper and Pearson's, closed at the ends that the data cannot leave."""
    assert rate_interval(hits, trials) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("hits", "trials", "level"), [(2, 1, 0.95), (-1, 1, 0.95), (0, 1, 1.0)])
def test_what_is_no_rate_is_refused(hits: int, trials: int, level: float) -> None:
    """More hits than trials, or a level that is none."""
    with pytest.raises(ValueError, match="must lie between"):
        rate_interval(hits, trials, level=level)
