from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from scipy.stats import spearmanr

from retest.stats.agreement import Estimate, agree, agree_in_group, krippendorff_alpha

# Four observers, twelve units (Krippendorff 2011, Computing Krippendorff's Alpha-Reliability, part C).
KRIPPENDORFF: list[list[float | None]] = [
    [1, 1, None, 1],
    [2, 2, 3, 2],
    [3, 3, 3, 3],
    [3, 3, 3, 3],
    [2, 2, 2, 2],
    [1, 2, 3, 4],
    [4, 4, 4, 4],
    [1, 1, 2, 1],
    [2, 2, 2, 2],
    [None, 5, 5, 5],
    [None, None, 1, 1],
    [None, None, 3, None],
]


def _ratings(table: list[list[int]], labels: list[float]) -> tuple[list[float], list[float]]:
    cells = [(labels[i], labels[j]) for i, row in enumerate(table) for j, count in enumerate(row) for _ in range(count)]
    return [one for one, _ in cells], [two for _, two in cells]


def _graded(n: int, seed: int = 1) -> tuple[list[float], list[float]]:
    rng = np.random.default_rng(seed)
    first = rng.integers(1, 6, n)
    second = np.clip(first + rng.integers(-1, 2, n), 1, 5)
    return first.astype(float).tolist(), second.astype(float).tolist()


@pytest.mark.parametrize(("level", "published"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_is_the_published_one(level: str, published: float) -> None:
    """Krippendorff's own example with missing ratings gives his three values."""
    assert krippendorff_alpha(KRIPPENDORFF, level).value == pytest.approx(published, abs=5e-4)  # type: ignore[arg-type] # a table's column


def test_kappa_is_the_published_one() -> None:
    """The 3 x 3 table of Fleiss, Cohen & Everitt 1969 gives their kappa of .429."""
    first, second = _ratings([[53, 5, 2], [11, 14, 5], [1, 6, 3]], [1, 2, 3])
    found = agree(first, second)
    assert found.kappa.value == pytest.approx(0.429, abs=5e-4)
    assert found.exact.value == pytest.approx(0.70)


@pytest.mark.parametrize(("weighting", "power"), [("kappa_linear", 1), ("kappa_quadratic", 2)])
def test_weighted_kappa_follows_its_definition(weighting: str, power: int) -> None:
    """1 - observed over expected distance, summed cell by cell, on a scale with a gap in it."""
    first, second = _ratings([[10, 3, 1], [2, 8, 4], [0, 5, 9]], [1, 2, 5])
    n = len(first)
    observed = sum(abs(a - b) ** power for a, b in zip(first, second, strict=True)) / n
    expected = sum(abs(a - b) ** power for a, b in product(first, second)) / n**2
    assert getattr(agree(first, second), weighting).value == pytest.approx(1 - observed / expected)


def test_spearman_is_scipys() -> None:
    """Mid-ranks for ties, as in SciPy."""
    first, second = _graded(200)
    assert agree(first, second).spearman.value == pytest.approx(spearmanr(first, second).statistic)


def test_two_values_leave_one_kappa() -> None:
    """With two ratings linear and quadratic weights are no weights at all."""
    first, second = [1.0, 0, 1, 1, 0, 0, 1], [1.0, 0, 0, 1, 0, 1, 1]
    found = agree(first, second)
    assert found.kappa.value == pytest.approx(found.kappa_linear.value)
    assert found.kappa.value == pytest.approx(found.kappa_quadratic.value)


def test_labels_have_no_distances() -> None:
    """Text is compared for equality only, Japanese too."""
    found = agree(["良い", "悪い", "良い", "良い"], ["良い", "悪い", "悪い", "良い"])
    assert not found.numeric
    assert found.exact.value == pytest.approx(0.75)
    assert found.kappa_linear == found.alpha_interval == found.spearman == Estimate(value=None)


def test_confusion_counts_first_by_row() -> None:
    """Rows are the first rater's ratings, columns the second's."""
    found = agree(["a", "a", "b"], ["a", "b", "b"]).confusion
    assert found.labels == ("a", "b")
    assert found.counts == ((1, 1), (0, 1))


def test_missing_ratings_are_left_out_and_counted() -> None:
    """A missing rating is no disagreement."""
    found = agree([1, None, 3, None], [1, 2, 3, None])
    assert (found.n_items, found.n_missing) == (2, 1)
    assert found.exact.value == 1


def test_equal_ratings_are_not_certain() -> None:
    """Twenty equal ratings leave room for disagreement in the interval."""
    found = agree([1, 0] * 10, [1, 0] * 10)
    assert found.kappa.value == found.kappa.high == 1
    assert found.kappa.low is not None
    assert 0.6 < found.kappa.low < 0.95


def test_no_equal_rating_is_not_certain_either() -> None:
    """Eight unequal ratings leave room for agreement in the interval."""
    found = agree([1.0] * 8, [0.0] * 8).exact
    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high is not None
    assert 0.2 < found.high < 0.5


def test_one_rating_throughout_may_still_differ_another_time() -> None:
    """Ten times the same from both: the share is 1, and its lower end is not."""
    found = agree([1.0] * 10, [1.0] * 10).exact
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low is not None
    assert 0.6 < found.low < 0.95


def test_one_rating_throughout_has_no_kappa() -> None:
    """Where both always say the same, nothing tells agreement from chance: unknown, not 0 and not 1."""
    found = agree([1.0] * 10, [1.0] * 10)
    assert found.kappa == found.alpha_nominal == found.spearman == Estimate(value=None)
    assert found.exact.value == 1


def test_nothing_rated_says_nothing() -> None:
    """No item in common: every coefficient is unknown."""
    found = agree([], [])
    assert found.n_items == 0
    assert found.exact == Estimate(value=None)


def test_two_items_have_no_interval() -> None:
    """Resampling two items says nothing; the value alone stands."""
    found = agree([1, 2], [1, 3])
    assert found.exact == Estimate(value=0.5, low=None, high=None) or found.exact.low is None


def test_same_seed_same_interval() -> None:
    """The interval depends on the ratings and the seed only."""
    first, second = _graded(40)
    assert agree(first, second, seed=7) == agree(first, second, seed=7)


def test_clusters_widen_the_interval() -> None:
    """Ten copies of the same ten items hold ten items' worth of knowledge."""
    first, second = _graded(10)
    clusters = list(range(10)) * 10
    alone = agree(first * 10, second * 10)
    together = agree(first * 10, second * 10, clusters=clusters)
    assert _width(together.kappa) > 2 * _width(alone.kappa)


def _width(estimate: Estimate) -> float:
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.high - estimate.low


def test_difference_is_first_minus_second() -> None:
    """A judge that always gives one point more is one point lenient."""
    found = agree([2.0, 3, 4, 5], [1.0, 2, 3, 4])
    assert found.difference == Estimate(value=1.0, low=1.0, high=1.0)


def test_rounding_is_no_disagreement() -> None:
    """Numbers that differ in the last bit are equal."""
    assert agree([0.1 + 0.2, 1.0], [0.3, 1.0]).exact.value == 1


def test_booleans_are_numbers() -> None:
    """True is 1, so that a person's tick agrees with a judge's 1."""
    assert agree([True, False], [1.0, 0.0]).exact.value == 1


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_no_number_is_refused(bad: float) -> None:
    """NaN and infinity are no ratings."""
    with pytest.raises(ValueError, match="ratings"):
        agree([1.0, bad], [1.0, 2.0])


def test_unequal_lengths_are_refused() -> None:
    """Both raters rate the same items."""
    with pytest.raises(ValueError, match="same items"):
        agree([1], [1, 2])


def test_labels_have_no_interval_alpha() -> None:
    """Asking for distances of labels is a mistake, and says so."""
    with pytest.raises(ValueError, match="needs numbers"):
        krippendorff_alpha([["a", "b"]], "interval")


def test_group_alpha_equals_alpha_of_the_table() -> None:
    """Raters by name give the same alpha as the table of items."""
    raters = {
        name: {i: rating for i, row in enumerate(KRIPPENDORFF) if (rating := row[k]) is not None}
        for k, name in enumerate("ABCD")
    }
    found = agree_in_group(raters)
    assert found.alpha_interval.value == pytest.approx(0.849, abs=5e-4)
    assert (found.n_items, found.n_ratings) == (11, 40)


def test_group_gives_every_pair() -> None:
    """Each two raters are compared on what both rated."""
    found = agree_in_group({"x": {1: 1, 2: 2}, "y": {2: 2, 3: 1}, "z": {1: 2, 2: 2}})
    assert found.pairs["x", "z"].n_items == 2
    assert found.pairs["x", "y"].exact.value == 1


def test_one_rater_alone_agrees_with_nobody() -> None:
    """A single reviewer has no agreement, and that is no error."""
    found = agree_in_group({"x": {1: 1, 2: 2}})
    assert found.alpha_nominal == Estimate(value=None)
    assert found.n_items == 0


def test_interval_covers_the_true_kappa() -> None:
    """Of 150 samples of 60 items from a population with kappa .7, at most 8% of the intervals miss it."""
    rng = np.random.default_rng(11)
    missed = 0
    for seed in range(150):
        first = rng.integers(0, 2, 60)
        second = np.where(rng.random(60) < 0.3, rng.integers(0, 2, 60), first)
        found = agree(first.astype(str).tolist(), second.astype(str).tolist(), seed=seed).kappa
        assert found.low is not None
        assert found.high is not None
        missed += not found.low <= 0.7 <= found.high
    assert missed <= 12
