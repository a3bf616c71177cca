"""Judged pairs: flips are ties, errors are missing, the case is the unit."""

from __future__ import annotations

import pytest

from retest.decision.decide import Policy, compare_metrics
from retest.decision.pairwise import JudgedArms, pairwise_scores, rank_arms, sum_up
from retest.domain.pairwise import JudgedPair, OrderVerdict, PairVote, PairwiseResult, Place


def vote(one: Place | None, two: Place | None) -> PairVote:
    """Return a vote: which place won with the baseline shown first, and with the candidate shown first."""
    return PairVote(
        judge="grader",
        vote=0,
        baseline_first=None if one is None else OrderVerdict(place=one),
        candidate_first=None if two is None else OrderVerdict(place=two),
        failure="prose" if None in {one, two} else None,
    )


WIN, LOSS, TIE = vote("second", "first"), vote("first", "second"), vote("tie", "tie")
FLIP, MISSING = vote("first", "first"), vote("first", None)


def judged(*cases: list[PairVote], baseline: str = "old", candidate: str = "new") -> PairwiseResult:
    """Return what comes of cases whose samples have one vote each."""
    pairs = [
        JudgedPair(case_id=f"c{i}", sample_index=k, votes=(one,))
        for i, votes in enumerate(cases)
        for k, one in enumerate(votes)
    ]
    return sum_up(
        JudgedArms(
            metric="pair",
            baseline=baseline,
            candidate=candidate,
            definition="pairwise@1:abc",
            judges=("m",),
            pairs=tuple(pairs),
        )
    )


@pytest.mark.parametrize(
    ("one", "two", "score"),
    [
        ("second", "first", 1.0),  # the candidate in both orders
        ("first", "second", 0.0),  # the baseline in both
        ("tie", "tie", 0.5),
        ("first", "first", 0.5),  # a flip: whatever stands first
        ("second", "second", 0.5),
        ("tie", "first", 0.5),  # a tie in one order only
        ("first", None, None),  # an error is no tie
        (None, None, None),
    ],
)
def test_both_orders_make_one_score(one: Place | None, two: Place | None, score: float | None) -> None:
    """Only an answer that wins in both orders wins."""
    assert vote(one, two).score == score


def test_shares_are_averaged_within_a_case_first() -> None:
    """A case with many samples weighs no more than one with few."""
    result = judged([WIN], [LOSS, LOSS, LOSS, LOSS])
    assert (result.win.value, result.loss.value) == (0.5, 0.5)


def test_flips_are_counted_and_count_as_ties() -> None:
    """Half of the pairs flip: a tie rate and a flip rate of one half."""
    result = judged([WIN], [FLIP], [WIN], [FLIP])
    assert (result.tie.value, result.flip_rate.value) == (0.5, 0.5)
    assert result.first_share.value == 0.75


def test_a_missing_verdict_is_no_tie() -> None:
    """Cases without a verdict in both orders are left out, counted, and said."""
    result = judged([WIN], [MISSING])
    assert (result.n_pairs, result.missing, result.tie.value) == (1, 1, 0.0)
    assert result.failures == ("prose",)
    assert set(result.cases) == {"c0"}


def test_the_same_answer_is_a_tie() -> None:
    """One and the same answer on both sides is no evidence of position, and no win."""
    arms = JudgedArms(
        metric="pair",
        baseline="old",
        candidate="new",
        definition="d",
        judges=("m",),
        pairs=(JudgedPair(case_id="c", sample_index=0, same=True),),
    )
    result = sum_up(arms)
    assert (result.same, result.cases, result.flip_rate.value) == (1, {"c": 0.5}, None)


def test_steady_wins_are_improved() -> None:
    """Fourteen wins, two losses: improved, by the share of wins less losses."""
    result = judged(*[[WIN]] * 14, *[[LOSS]] * 2)
    (found,) = compare_metrics([pairwise_scores(result, margin=None)], Policy())
    assert found.verdict == "improved"
    assert found.delta == pytest.approx(12 / 16)
    assert found.baseline_mean == pytest.approx(2 / 16)
    assert found.candidate_mean == pytest.approx(14 / 16)


def test_steady_losses_are_regressed() -> None:
    """The same the other way round."""
    result = judged(*[[LOSS]] * 14, *[[WIN]] * 2)
    (found,) = compare_metrics([pairwise_scores(result, margin=None)], Policy())
    assert found.verdict == "regressed"


def test_flips_alone_decide_nothing() -> None:
    """A judge that only looks at the place finds no winner."""
    (found,) = compare_metrics([pairwise_scores(judged(*[[FLIP]] * 30), margin=None)], Policy())
    assert found.verdict == "inconclusive"
    assert found.delta == 0


def test_ten_samples_of_one_case_are_one_unit() -> None:
    """Ten wins within each of three cases prove no more than three cases can: p is at least 1/8."""
    (found,) = compare_metrics([pairwise_scores(judged(*[[LOSS] * 10] * 3), margin=None)], Policy())
    assert found.p_worse >= 0.12
    assert found.verdict == "inconclusive"


def test_nothing_judged_is_not_comparable() -> None:
    """Where every verdict is missing there is no verdict on the versions either, and the reason is quoted."""
    (found,) = compare_metrics([pairwise_scores(judged([MISSING], [MISSING]), margin=None)], Policy())
    assert found.verdict == "not_comparable"
    assert found.note is not None
    assert "prose" in found.note


def test_ranking_of_three() -> None:
    """The version that beats both comes first; one that never loses has no upper end."""
    results = [
        judged(*[[WIN]] * 10, baseline="a", candidate="b"),
        judged(*[[WIN]] * 8, *[[LOSS]] * 2, baseline="a", candidate="c"),
        judged(*[[LOSS]] * 10, baseline="b", candidate="c"),
    ]
    ranking = rank_arms("pair", "target", results, seed=0)
    assert [one.version for one in ranking.versions] == ["b", "c", "a"]
    assert ranking.versions[0].open_ended
    assert ranking.versions[0].high == 1.0
    assert ranking.connected
