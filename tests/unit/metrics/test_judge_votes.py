"""Votes become one score; what they disagree on stays visible."""

from __future__ import annotations

from typing import cast

import pytest

from retest.domain.judge import Combine
from retest.metrics.judge.verdict import Verdict
from retest.metrics.judge.votes import Vote, agreement, combine_values, score_votes
from retest.metrics.judge.votes import cast as as_vote


@pytest.mark.parametrize(
    ("values", "combine", "expected", "tied"),
    [
        ([1, 2, 6], "mean", 3.0, False),
        ([1, 2, 6], "median", 2.0, False),
        ([1, 2], "median", 1.5, False),
        ([1, 1, 0], "majority", 1.0, False),
        ([0.4, 0.4, 1, 0], "majority", 0.4, False),
        ([1, 0], "majority", 0.5, True),  # neither a pass nor a fail
        ([1, 0.6, 0], "majority", pytest.approx(1.6 / 3), True),
        ([4], "majority", 4.0, False),
    ],
)
def test_votes_are_joined(values: list[float], combine: Combine, expected: float, *, tied: bool) -> None:
    """By mean, median or majority; where nothing has the most votes, it is a tie."""
    assert combine_values(values, combine) == (expected, tied)


@pytest.mark.parametrize(("values", "expected"), [([1, 1, 1], 1.0), ([1, 1, 0], 1 / 3), ([1, 0], 0.0)])
def test_agreement_is_the_share_of_equal_pairs(values: list[float], expected: float) -> None:
    """1 where all agree."""
    assert agreement(values) == pytest.approx(expected)


def vote(judge: str, value: float, justification: str) -> Vote:
    made = as_vote(judge, 0, Verdict(value=value, justification=justification, details={"more": 1}))
    assert made is not None
    return made


def test_each_vote_is_kept() -> None:
    """With its judge, value and justification; the reason is that of the vote closest to the score."""
    score = score_votes([vote("a", 1, "poor"), vote("b", 3, "middling"), vote("c", 4, "good")], "median")
    assert score.value == 3
    assert score.reason == "3 votes (1, 3, 4): middling"
    assert score.details is not None
    votes = cast("list[dict[str, object]]", score.details["votes"])
    assert [kept["judge"] for kept in votes] == ["a", "b", "c"]
    assert votes[0] == {"judge": "a", "vote": 0, "value": 1, "justification": "poor", "more": 1}
    assert score.details["agreement"] == 0.0


def test_one_vote_speaks_for_itself() -> None:
    """Without talk of votes."""
    score = score_votes([vote("a", 2, "so so")], "mean")
    assert score.reason == "so so"
    assert score.details is not None
    assert "agreement" not in score.details


def test_nothing_to_judge_is_no_vote() -> None:
    """A verdict without a value casts none."""
    assert as_vote("a", 0, Verdict(value=None, justification="no claims")) is None
