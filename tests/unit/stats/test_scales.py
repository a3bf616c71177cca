from __future__ import annotations

import math

import pytest

from retest.stats.scales import log_floor, log_margin, log_scores, oriented, relative_change


def test_lower_is_better_flips_the_sign() -> None:
    """Missing samples stay missing."""
    assert oriented({"a": [2.0, None]}, "lower") == {"a": [-2.0, None]}


def test_higher_is_better_stays() -> None:
    """The scores are taken as they are."""
    assert oriented({"a": [2.0]}, "higher") == {"a": [2.0]}


def test_zeros_stand_at_half_the_least_score() -> None:
    """A latency of 0 ms (a replayed answer) has a logarithm too."""
    run: dict[str, list[float | None]] = {"a": [0.0, 4.0, None], "b": [10.0]}
    floor = log_floor(run, {"a": [6.0]})
    assert floor == 2.0
    assert log_scores(run, floor=floor) == {"a": [math.log(2), math.log(4), None], "b": [math.log(10)]}


def test_nothing_positive_has_a_floor_too() -> None:
    """Scores that are all 0 are all alike."""
    assert log_scores({"a": [0.0]}, floor=log_floor({"a": [0.0]})) == {"a": [0.0]}


def test_negative_scores_are_refused() -> None:
    """A negative latency has no logarithm."""
    with pytest.raises(ValueError, match="case 'a' scores -1"):
        log_scores({"a": [-1.0]}, floor=1.0)


def test_a_floor_must_be_positive() -> None:
    """A floor of 0 would be minus infinity."""
    with pytest.raises(ValueError, match="floor"):
        log_scores({"a": [0.0]}, floor=0.0)


def test_margins_and_changes_are_inverse() -> None:
    """A tenth more is a tenth more again."""
    assert relative_change(log_margin(0.1)) == pytest.approx(0.1)


def test_a_margin_of_everything_is_refused() -> None:
    """Nothing falls by more than all of it."""
    with pytest.raises(ValueError, match="above -1"):
        log_margin(-1.0)
