"""The tests by relabelling, against listing every relabelling of small data."""

from __future__ import annotations

import math
from itertools import combinations, product

import numpy as np
import pytest

from retest.stats.deals import MAX_ENUMERATED, Dealer, pool_shapes
from retest.stats.pairs import PairedScores, paired_scores
from retest.stats.single_cases import can_reject, single_case_test
from retest.stats.suite_test import relabelling_test, sign_flip_test

Cases = list[list[float]]


def _all_deltas(first: list[float], second: list[float]) -> list[float]:
    pool, k_second = first + second, len(second)
    deltas = []
    for chosen in combinations(range(len(pool)), k_second):
        dealt = sum(pool[place] for place in chosen)
        deltas.append(dealt / k_second - (sum(pool) - dealt) / len(first))
    return deltas


def _statistic(deltas: tuple[float, ...]) -> float:
    mean, spread = float(np.mean(deltas)), float(np.std(deltas, ddof=1))
    if spread < 1e-12:
        return math.copysign(math.inf, mean) if abs(mean) > 1e-12 else 0.0
    return mean / (spread / math.sqrt(len(deltas)))


def _listed_p(first: Cases, second: Cases) -> float:
    observed = _statistic(tuple(float(np.mean(b) - np.mean(a)) for a, b in zip(first, second, strict=True)))
    every = list(product(*(_all_deltas(a, b) for a, b in zip(first, second, strict=True))))
    return sum(_statistic(deltas) <= observed + 1e-9 for deltas in every) / len(every)


REAL = ([[0.1, 0.9, 0.4], [0.3, 0.2], [0.8, 0.5]], [[0.2, 0.1], [0.1], [0.7, 0.3, 0.6]])
BINARY = ([[1.0, 1.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [[0.0, 1.0], [0.0], [1.0, 0.0, 1.0]])
RATINGS = ([[5.0, 4.0], [3.0, 3.0], [5.0, 5.0], [2.0, 4.0]], [[4.0, 4.0], [3.0, 1.0], [5.0, 4.0], [2.0, 1.0]])


@pytest.mark.parametrize(("first", "second"), [REAL, BINARY, RATINGS])
def test_the_suite_test_agrees_with_listing_all_deals(first: Cases, second: Cases) -> None:
    """Drawn p-values lie within the noise of 9,999 draws from the exact one."""
    drawn = relabelling_test(paired_scores(first, second)).low
    assert drawn == pytest.approx(_listed_p(first, second), abs=0.03)


def _listed_min_p(first: Cases, second: Cases) -> float:
    """Refer the smallest p-value to its distribution over every relabelling of all cases."""
    tables = [_all_deltas(a, b) for a, b in zip(first, second, strict=True)]

    def p_of(case: int, delta: float) -> float:
        return sum(other <= delta + 1e-9 for other in tables[case]) / len(tables[case])

    observed = min(
        p_of(case, float(np.mean(b) - np.mean(a))) for case, (a, b) in enumerate(zip(first, second, strict=True))
    )
    p_tables = [[p_of(case, delta) for delta in table] for case, table in enumerate(tables)]
    every = list(product(*p_tables))
    return sum(min(p_values) <= observed + 1e-9 for p_values in every) / len(every)


@pytest.mark.parametrize(("first", "second"), [REAL, BINARY, RATINGS])
def test_single_cases_agree_with_listing_all_deals(first: Cases, second: Cases) -> None:
    """The closed form of the minimum's distribution is the listed one."""
    assert single_case_test(paired_scores(first, second)).p == pytest.approx(_listed_min_p(first, second), abs=1e-12)


def test_large_pools_are_counted_exactly() -> None:
    """11 + 11 real-valued samples, completely separated: one deal of 705,432."""
    rng = np.random.default_rng(0)
    pairs = paired_scores([rng.normal(10, 1, 11)], [rng.normal(0, 1, 11)])
    assert single_case_test(pairs).case_p[0] == pytest.approx(1 / math.comb(22, 11))


def test_counted_pools_agree_with_listed_ones() -> None:
    """9 + 7 samples (11,440 deals) are counted by halves; listing them gives the same."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=9).round(1), rng.normal(-0.5, size=7).round(1)
    listed = np.array(_all_deltas(first.tolist(), second.tolist()))
    observed = second.mean() - first.mean()
    assert len(listed) > MAX_ENUMERATED
    counted = single_case_test(paired_scores([first], [second])).case_p[0]
    assert counted == pytest.approx((listed <= observed + 1e-9).mean(), abs=1e-12)


def test_huge_pools_are_drawn() -> None:
    """40 + 40 samples cannot be counted; a drawn p is never 0."""
    rng = np.random.default_rng(0)
    pairs = paired_scores([rng.normal(3, 1, 40)], [rng.normal(0, 1, 40)])
    assert single_case_test(pairs).case_p[0] == pytest.approx(1e-4)


def test_a_case_that_never_varies_costs_nothing() -> None:
    """A hundred constant cases leave the one that moved its own p."""
    first, second = [[1.0] * 5] * 101, [[1.0] * 5] * 100 + [[0.0] * 5]
    assert single_case_test(paired_scores(first, second)).p == pytest.approx(1 / 252)


@pytest.mark.parametrize(
    ("k_first", "k_second", "possible"),
    [(3, 3, False), (5, 5, True), (10, 3, True), (4, 4, False), (10, 1, False), (100, 1, True)],
)
def test_single_cases_need_samples(k_first: int, k_second: int, possible: bool) -> None:  # noqa: FBT001 - a table's column
    """At .01 a case needs about 5 + 5 samples."""
    pairs = paired_scores([[1.0] * k_first], [[1.0] * k_second])
    assert can_reject(pairs, 0.01) is possible


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([[0.1, 0.9, 0.4]] * 3, [[0.2, 0.1]] * 3),  # listed
        ([[1.0] * 5] * 90, [[0.0] * 3 + [1.0] * 2] * 90),  # counted by outcome
        ([[1.0] * 10] * 3, [[0.0] * 5 + [1.0] * 5] * 3),  # binary, too many deals to list
        ([list(np.linspace(0, 1, 10))] * 2, [list(np.linspace(0, 2, 9))] * 2),  # shuffled
    ],
)
def test_dealing_has_the_right_moments(first: Cases, second: Cases) -> None:
    """Sum and sum of squares have the mean and variance of sampling without replacement, however the deal is made."""
    pairs = paired_scores(first, second)
    tally = Dealer(pool_shapes(pairs)).draw(np.random.default_rng(0), 20_000)
    variance = sum(
        np.var(a + b, ddof=1) * (1 / len(a) + 1 / len(b))
        for a, b in zip(map(list, first), map(list, second), strict=True)
    )
    error = math.sqrt(variance / 20_000)
    assert tally.sums.mean() == pytest.approx(0, abs=4 * error)
    assert tally.sums.var() == pytest.approx(variance, rel=0.05)
    assert tally.squares.mean() == pytest.approx(variance, rel=0.05)


def test_sign_flips_agree_with_listing_them() -> None:
    """Whole clusters flip; the p-value is the share of flips with a mean over its CR1 error as low."""
    rng = np.random.default_rng(1)
    cluster = np.array([0, 0, 0, 1, 1, 2, 3, 3, 4, 5, 5, 5])
    deltas = rng.normal(-0.4, 1, 12)
    pairs = paired_scores([[0.0]] * 12, [[delta] for delta in deltas])
    totals, sizes = np.bincount(cluster, weights=deltas), np.bincount(cluster)

    def statistic(signs: tuple[int, ...]) -> float:
        mean = float(np.dot(signs, totals)) / 12
        return mean / (math.sqrt(6 / 5 * float(np.square(np.array(signs) * totals - sizes * mean).sum())) / 12)

    listed = [statistic(signs) for signs in product((1, -1), repeat=6)]
    exact = sum(value <= statistic((1,) * 6) + 1e-9 for value in listed) / 64
    assert sign_flip_test(pairs, cluster).low == pytest.approx(exact, abs=0.02)


def test_no_spread_is_an_infinite_statistic() -> None:
    """All cases falling alike is extreme, and ties with every deal in which they fall alike."""
    pairs = paired_scores([[1.0] * 5] * 4, [[0.0] * 5] * 4)
    chance = sum((ways / 252) ** 4 for ways in (1, 25, 100))
    assert relabelling_test(pairs).low == pytest.approx(chance, abs=0.005)


def _pairs(first: Cases, second: Cases) -> PairedScores:
    return paired_scores(first, second)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ([[1.0]], [], "same cases"),
        ([[1.0], []], [[1.0], [1.0]], "case 1 has no sample"),
        ([[math.nan]], [[1.0]], "case 0 has a score of nan"),
    ],
)
def test_broken_pairs_are_refused(first: Cases, second: Cases, message: str) -> None:
    """What cannot be paired is an error."""
    with pytest.raises(ValueError, match=message):
        _pairs(first, second)
