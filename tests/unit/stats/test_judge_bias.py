from __future__ import annotations

import numpy as np
import pytest

from retest.stats.agreement import Estimate
from retest.stats.judge_bias import is_flip, length_bias, longer_wins, position_bias


@pytest.mark.parametrize(
    ("as_given", "swapped", "flip"),
    [
        ("first", "second", False),  # the same answer both times
        ("second", "first", False),
        ("tie", "tie", False),
        ("first", "first", True),  # whatever stood first
        ("second", "second", True),
        ("first", "tie", True),
    ],
)
def test_a_flip_is_two_orders_with_two_results(as_given: str, swapped: str, flip: bool) -> None:  # noqa: FBT001 - a table's column
    """Only the same winner (or a tie) in both orders is no flip."""
    assert is_flip(as_given, swapped) is flip  # type: ignore[arg-type] # a table's columns


def test_a_judge_that_takes_the_first_is_found_out() -> None:
    """Always the first place: every pair flips, and the share is 1."""
    found = position_bias(["first"] * 20, ["first"] * 20)
    assert found.first_share.value == found.flip_rate.value == 1
    assert found.first_twice == 20
    assert found.p < 1e-4


def test_a_steady_judge_has_no_position() -> None:
    """The same answer in both orders: the share is one half, nothing flips."""
    found = position_bias(["first", "second"] * 10, ["second", "first"] * 10)
    assert found.first_share.value == 0.5
    assert found.flip_rate.value == 0
    assert found.p == 1


def test_a_missing_judgment_is_no_flip() -> None:
    """A pair that lacks one order is left out and counted."""
    found = position_bias(["first", None, "first"], ["second", "first", None])
    assert (found.n_pairs, found.n_missing) == (1, 2)
    assert found.flip_rate.value == 0


def test_orders_of_unequal_number_are_refused() -> None:
    """Each pair has both orders."""
    with pytest.raises(ValueError, match="both orders"):
        position_bias(["first"], [])


def test_length_that_pays_with_the_judge_alone_is_found() -> None:
    """People rate at random, the judge by length: the difference goes with length."""
    rng = np.random.default_rng(2)
    lengths = rng.integers(10, 500, 200)
    people = rng.integers(1, 6, 200)
    found = length_bias(lengths.tolist(), (lengths / 100).tolist(), people.tolist())
    assert found.judge.value == pytest.approx(1.0)
    assert found.people.value == pytest.approx(0, abs=0.15)
    assert found.difference.low is not None
    assert found.difference.low > 0.3


def test_length_that_people_value_too_is_no_bias() -> None:
    """Where judge and people rate alike, length explains nothing of their difference."""
    lengths = list(range(30))
    found = length_bias(lengths, lengths, lengths)
    assert found.difference == Estimate(value=None)


def test_one_length_says_nothing() -> None:
    """Without different lengths there is no correlation."""
    assert length_bias([5, 5, 5], [1, 2, 3], [1, 2, 3]).judge == Estimate(value=None)


def test_longer_answer_wins_too_often() -> None:
    """The judge takes the longer of each pair, people half of them: half too many."""
    lengths = [(10.0, 90.0), (90.0, 10.0)] * 20
    found = longer_wins(lengths, [0.0, 1.0] * 20, [0.0, 0.0] * 20)
    assert found.judge.value == 1
    assert found.people.value == 0.5
    assert found.difference.value == 0.5
    assert found.difference.low is not None
    assert found.difference.low > 0.2


def test_pairs_of_equal_length_do_not_count() -> None:
    """Nobody can prefer the longer of two equally long answers."""
    assert longer_wins([(5, 5)], [1.0], [0.0]).n_pairs == 0
