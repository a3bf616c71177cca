from __future__ import annotations

import math

import numpy as np
import pytest

from retest.stats.intervals import mean_interval


def test_perfect_cases_leave_room_below() -> None:
    """Twenty perfect cases reach down to the t bound of twenty ones and a zero."""
    interval = mean_interval([1.0] * 20)
    values = np.array([1.0] * 20 + [0.0])
    expected = values.mean() - 2.0859634 * values.std(ddof=1) / math.sqrt(21)
    assert (interval.mean, interval.high, interval.n_cases) == (1.0, 1.0, 20)
    assert interval.low == pytest.approx(expected, abs=1e-6)


def test_unbounded_is_plain_t() -> None:
    """Without ends of the scale the interval is Student's t."""
    interval = mean_interval([1.0, 2.0, 3.0, 4.0, 10.0], low=None, high=None)
    half = 2.7764451 * math.sqrt(12.5) / math.sqrt(5)
    assert interval.low == pytest.approx(4 - half, abs=1e-6)
    assert interval.high == pytest.approx(4 + half, abs=1e-6)


def test_a_known_end_cuts() -> None:
    """A latency's interval does not go below zero."""
    assert mean_interval([1.0, 2.0, 300.0], low=0.0, high=None).low == 0.0


def test_clusters_of_one_are_cases() -> None:
    """One cluster a case changes nothing."""
    values = [0.1, 0.4, 0.9, 0.8]
    assert mean_interval(values, clusters=list("abcd")) == mean_interval(values)


def test_clusters_widen() -> None:
    """Cases that move together with their cluster give a wider interval."""
    values = [0.0] * 20 + [1.0] * 20 + [0.2] * 20 + [0.9] * 20
    plain, clustered = mean_interval(values), mean_interval(values, clusters=[i // 20 for i in range(80)])
    assert clustered.mean == pytest.approx(plain.mean, abs=1e-12)
    assert clustered.low is not None
    assert plain.low is not None
    assert clustered.low < plain.low


def test_order_of_cases_has_no_effect() -> None:
    """Cases are a set."""
    values, labels = [0.5, 0.25, 1.0, 0.0], ["x", "x", "y", "z"]
    assert mean_interval(values, clusters=labels) == mean_interval(values[::-1], clusters=labels[::-1])


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, (0.0, 1.0)),  # nothing is known beyond the scale
        (1.0, 5.0, (1.0, 5.0)),
        (None, None, (None, None)),
        (0.0, None, (0.0, None)),
    ],
)
def test_one_case_says_nothing_beyond_the_scale(
    low: float | None, high: float | None, expected: tuple[float | None, float | None]
) -> None:
    """One case gives the whole scale."""
    interval = mean_interval([1.0], low=low, high=high)
    assert (interval.low, interval.high) == expected


def test_one_cluster_says_nothing_beyond_the_scale() -> None:
    """One cluster gives the whole scale, however many cases it has."""
    interval = mean_interval([1.0] * 50, clusters=["a"] * 50)
    assert (interval.low, interval.high) == (0.0, 1.0)


def test_no_case_has_no_mean() -> None:
    """No case gives no mean and no interval."""
    interval = mean_interval([])
    assert (interval.mean, interval.low, interval.high, interval.n_cases) == (None, None, None, 0)


def test_values_past_the_scale_stretch_it() -> None:
    """The interval always holds the mean, also where a metric leaves its declared range."""
    interval = mean_interval([1.5, 1.7, 1.6])
    assert interval.low is not None
    assert interval.high is not None
    assert interval.mean is not None
    assert interval.low <= interval.mean <= interval.high <= 1.7


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_missing_values_are_refused(bad: float) -> None:
    """NaN and infinity are refused, with their place."""
    with pytest.raises(ValueError, match=r"case_means\[1\]"):
        mean_interval([0.5, bad])


def test_one_label_a_case() -> None:
    """Clusters of another length are refused."""
    with pytest.raises(ValueError, match="2 labels, 3 cases"):
        mean_interval([0.1, 0.2, 0.3], clusters=["a", "b"])


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0])
def test_the_level_is_a_probability(confidence: float) -> None:
    """A level outside (0, 1) is refused."""
    with pytest.raises(ValueError, match="confidence"):
        mean_interval([0.1, 0.2], confidence=confidence)


def test_the_interval_covers() -> None:
    """Intervals of pass rates near 1 hold the true mean in at least 95 of 100 runs (fixed seed, 1,000 runs)."""
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(1000):
        interval = mean_interval(rng.binomial(5, 0.97, size=20) / 5)
        assert interval.low is not None
        assert interval.high is not None
        hits += interval.low <= 0.97 <= interval.high
    assert hits >= 950
