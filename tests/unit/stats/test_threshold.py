from __future__ import annotations

import pytest

from retest.stats.intervals import Interval
from retest.stats.threshold import ThresholdVerdict, judge_maximum, judge_minimum


@pytest.mark.parametrize(
    ("low", "high", "minimum", "maximum"),
    [
        (0.8, 0.9, "above", "above"),  # surely over .7
        (0.7, 0.9, "above", "inconclusive"),  # the limit itself is allowed
        (0.6, 0.8, "inconclusive", "inconclusive"),
        (0.5, 0.7, "inconclusive", "below"),
        (0.5, 0.6, "below", "below"),
        (None, None, "inconclusive", "inconclusive"),  # nothing known decides nothing
        (0.8, None, "above", "above"),
        (None, 0.6, "below", "below"),
    ],
)
def test_only_a_whole_interval_decides(
    low: float | None, high: float | None, minimum: ThresholdVerdict, maximum: ThresholdVerdict
) -> None:
    """A threshold inside the interval is inconclusive."""
    interval = Interval(mean=0.7, low=low, high=high, n_cases=10)
    assert (judge_minimum(interval, 0.7), judge_maximum(interval, 0.7)) == (minimum, maximum)
