from __future__ import annotations

import math

import numpy as np
import pytest

from retest.stats.bradley_terry import Duel, Strength, rank_by_duels

# Games won by the row's team over the column's, American League East 1987 (Agresti, Categorical Data Analysis).
TEAMS = ("Milwaukee", "Detroit", "Toronto", "New York", "Boston", "Cleveland", "Baltimore")
GAMES = [
    [0, 7, 9, 7, 7, 9, 11],
    [6, 0, 7, 5, 11, 9, 9],
    [4, 6, 0, 7, 7, 8, 12],
    [6, 8, 6, 0, 6, 7, 10],
    [6, 2, 6, 7, 0, 7, 12],
    [4, 4, 5, 6, 6, 0, 6],
    [2, 4, 1, 3, 1, 7, 0],
]


def _league() -> list[Duel]:
    return [
        Duel(case=f"{one}-{two}-{game}", first=one, second=two, share=1.0)
        for i, one in enumerate(TEAMS)
        for j, two in enumerate(TEAMS)
        for game in range(GAMES[i][j])
    ]


def _by_name(duels: list[Duel], seed: int = 0) -> dict[str, Strength]:
    return {one.version: one for one in rank_by_duels(duels, seed=seed).strengths}


def test_strengths_are_the_published_ones() -> None:
    """The league's strengths against Baltimore, as Agresti has them, but for the prior's one game in eighty."""
    found = _by_name(_league())
    against = {name: found[name].strength - found["Baltimore"].strength for name in TEAMS}
    published = (1.581, 1.436, 1.294, 1.248, 1.108, 0.684, 0.0)
    assert [against[name] for name in TEAMS] == pytest.approx(published, abs=0.05)


def test_order_is_by_strength() -> None:
    """The best comes first, with rank 1."""
    found = rank_by_duels(_league())
    assert [one.version for one in found.strengths] == list(TEAMS)
    assert [one.rank for one in found.strengths] == [1, 2, 3, 4, 5, 6, 7]


def test_score_equations_hold() -> None:
    """At the estimate each version's wins equal those expected, the imaginary drawn game with the average included."""
    found = _by_name(_league())
    centre = sum(one.strength for one in found.values())
    assert centre == pytest.approx(0, abs=1e-9)
    raw = _uncentred(found)
    for i, name in enumerate(TEAMS):
        expected = _chance(raw[name]) + sum(
            (GAMES[i][j] + GAMES[j][i]) * _chance(raw[name] - raw[other]) for j, other in enumerate(TEAMS) if j != i
        )
        assert expected == pytest.approx(sum(GAMES[i]) + 0.5, abs=1e-5)


def _uncentred(found: dict[str, Strength]) -> dict[str, float]:
    """Return the strengths moved so that the imaginary games balance over all versions."""
    shift, step = 0.0, 1.0
    while abs(step) > 1e-12:
        chances = [_chance(one.strength + shift) for one in found.values()]
        step = (len(found) / 2 - sum(chances)) / sum(chance * (1 - chance) for chance in chances)
        shift += step
    return {name: one.strength + shift for name, one in found.items()}


def _chance(difference: float) -> float:
    return 1 / (1 + math.exp(-difference))


def test_a_version_that_never_loses_has_no_upper_end() -> None:
    """Twenty wins of twenty: a finite strength, an open interval above, a lower end that is not certain either."""
    found = _by_name([Duel(case=i, first="new", second="old", share=1.0) for i in range(20)])
    new, old = found["new"], found["old"]
    assert new.never_loses
    assert (new.high, new.win_high) == (None, 1.0)
    assert (old.low, old.win_low) == (None, 0.0)
    assert new.win_low is not None
    assert 0.6 < new.win_low < 0.97
    assert math.isfinite(new.strength)


def test_ties_are_half_wins() -> None:
    """Ties alone leave both equal, with one rank."""
    found = rank_by_duels([Duel(case=i, first="a", second="b", share=0.5) for i in range(10)])
    assert [one.strength for one in found.strengths] == pytest.approx([0, 0])
    assert [one.rank for one in found.strengths] == [1, 1]
    assert [one.ties for one in found.strengths] == [10, 10]


def test_swapped_sides_change_nothing() -> None:
    """Who is named first in a duel is of no account."""
    turned = [Duel(case=d.case, first=d.second, second=d.first, share=1 - d.share) for d in _league()]
    here, there = _by_name(_league()), _by_name(turned)
    assert [here[name].strength for name in TEAMS] == pytest.approx([there[name].strength for name in TEAMS])


def test_groups_that_never_met_are_said() -> None:
    """A beat b and c beat d: nothing joins the two."""
    apart = [Duel(case=1, first="a", second="b", share=1.0), Duel(case=1, first="c", second="d", share=1.0)]
    assert not rank_by_duels(apart).connected
    assert rank_by_duels([*apart, Duel(case=2, first="b", second="c", share=0.5)]).connected


def test_few_cases_have_no_interval() -> None:
    """Two cases say nothing of others: no interval, any rank possible."""
    found = _by_name([Duel(case=i, first="a", second="b", share=1.0) for i in range(2)])
    assert (found["a"].low, found["a"].best_rank, found["a"].worst_rank) == (None, 1, 2)


def test_intervals_cover_the_truth() -> None:
    """Of 60 simulated suites of 40 cases and 3 versions, at most 9% of the intervals miss the true strength."""
    true = {"a": 0.7, "b": 0.0, "c": -0.7}
    rng = np.random.default_rng(5)
    missed = 0
    for seed in range(60):
        duels = [
            Duel(case=case, first=one, second=two, share=float(rng.random() < _chance(true[one] - true[two])))
            for case in range(40)
            for one, two in (("a", "b"), ("a", "c"), ("b", "c"))
        ]
        for name, one in _by_name(duels, seed).items():
            assert one.low is not None
            assert one.high is not None
            missed += not one.low <= true[name] <= one.high
    assert missed <= 0.09 * 180


def test_same_seed_same_ranking() -> None:
    """The same duels always give the same ranking."""
    assert rank_by_duels(_league(), seed=2) == rank_by_duels(_league(), seed=2)


def test_nothing_to_rank() -> None:
    """No duel, no version."""
    assert rank_by_duels([]).strengths == ()


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
def test_a_share_is_between_0_and_1(share: float) -> None:
    """Other numbers are refused."""
    with pytest.raises(ValueError, match="share"):
        rank_by_duels([Duel(case=1, first="a", second="b", share=share)])


def test_no_version_meets_itself() -> None:
    """A version against itself is a mistake."""
    with pytest.raises(ValueError, match="two versions"):
        rank_by_duels([Duel(case=1, first="a", second="a", share=1.0)])
