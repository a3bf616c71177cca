from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from retest.stats.boundaries import boundaries


def test_one_look_is_the_fixed_test() -> None:
    """A single look at full information spends all of alpha."""
    assert boundaries([1.0], alpha=0.05).tolist() == pytest.approx([0.05])


def test_no_looks_no_boundaries() -> None:
    """No look, no level."""
    assert boundaries([]).tolist() == []


def test_a_look_without_news_rejects_nothing() -> None:
    """The same information twice spends nothing the second time."""
    assert boundaries([0.5, 0.5, 1.0])[1] == 0.0


@pytest.mark.parametrize(
    "times", [[0.2, 0.4, 0.6, 0.8, 1.0], [0.197, 0.394, 0.510, 0.722, 0.839, 1.0], [0.5, 0.501, 1.0], [0.01, 1.0]]
)
def test_all_looks_together_err_at_alpha(times: list[float]) -> None:
    """A Brownian motion without drift crosses in 5% of 400,000 paths, also where looks follow closely."""
    rng = np.random.default_rng(0)
    steps = np.sqrt(np.diff([0.0, *times]))
    scores = np.cumsum(rng.normal(size=(400_000, len(times))) * steps, axis=1)
    crossed = (scores / np.sqrt(times) >= -ndtri(boundaries(times))).any(axis=1)
    assert crossed.mean() == pytest.approx(0.05, abs=0.0012)


@pytest.mark.parametrize("times", [[0.5, 0.4], [0.0, 1.0], [0.5, 1.2], [float("nan")], [-0.1]])
def test_times_must_rise(times: list[float]) -> None:
    """Information never falls and ends at 1."""
    with pytest.raises(ValueError, match=r"information.times"):
        boundaries(times)
