"""What moves a judge besides quality: where an answer stands, and how long it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeAlias

import numpy as np

from retest.stats.agreement import Estimate
from retest.stats.agreement_coefficients import correlation
from retest.stats.intervals import Clusters, Floats, finite_array, mean_interval
from retest.stats.resampling import percentile_bounds

Winner: TypeAlias = Literal["first", "second", "tie"]
_SHOWN_FIRST = {"first": 1.0, "second": 0.0, "tie": 0.5}


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionBias:
    """A pairwise judge that saw each pair in both orders.

    Attributes:
        first_share: share of judgments won by the answer shown first, a tie counting half; .5 without a bias.
        flip_rate: share of pairs in which the two orders do not name the same winner.
        n_pairs: with a judgment in both orders. `n_missing` lack one.
        first_twice, second_twice: pairs in which whatever was shown first (second) won both times.
        p: that flips fall on either place alike (exact sign test, two-sided).
    """

    first_share: Estimate
    flip_rate: Estimate
    n_pairs: int
    n_missing: int
    first_twice: int
    second_twice: int
    p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthBias:
    """How the length of an answer goes with its ratings.

    Attributes:
        judge: rank correlation of length with the judge's ratings.
        people: the same with people's.
        difference: rank correlation of length with judge - people: above 0, length pays with the judge beyond what it
            is worth to people.
    """

    judge: Estimate
    people: Estimate
    difference: Estimate
    n_items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LongerWins:
    """How often the longer of two answers wins, a tie counting half.

    Attributes:
        judge, people: shares. `difference` is judge - people, with the pairs as units.
        n_pairs: pairs of unequal length that both rated.
    """

    judge: Estimate
    people: Estimate
    difference: Estimate
    n_pairs: int


def position_bias(
    as_given: Sequence[Winner | None], swapped: Sequence[Winner | None], *, clusters: Clusters | None = None
) -> PositionBias:
    """Return how much the place of an answer counts.

    Args:
        as_given: for each pair which place won, the answers in their own order; None where the judge failed.
        swapped: which place won when the other answer stood first.
        clusters: one label a pair.

    Raises:
        ValueError: unequal lengths.
    """
    if len(as_given) != len(swapped):
        raise ValueError(f"each pair is judged in both orders: {len(as_given)} and {len(swapped)} judgments")
    both = [
        (i, one, two)
        for i, (one, two) in enumerate(zip(as_given, swapped, strict=True))
        if one is not None and two is not None
    ]
    own = None if clusters is None else [clusters[i] for i, _, _ in both]
    first_twice = sum(one == two == "first" for _, one, two in both)
    second_twice = sum(one == two == "second" for _, one, two in both)
    return PositionBias(
        first_share=_mean([(_SHOWN_FIRST[one] + _SHOWN_FIRST[two]) / 2 for _, one, two in both], own),
        flip_rate=_mean([float(is_flip(one, two)) for _, one, two in both], own),
        n_pairs=len(both),
        n_missing=len(as_given) - len(both),
        first_twice=first_twice,
        second_twice=second_twice,
        p=_sign_test(first_twice, second_twice),
    )


def is_flip(as_given: Winner, swapped: Winner) -> bool:
    """Return whether the two orders name different winners: the same place twice, or a tie in one order alone."""
    return _SHOWN_FIRST[as_given] != 1 - _SHOWN_FIRST[swapped]


def length_bias(
    lengths: Sequence[float],
    judge: Sequence[float],
    people: Sequence[float],
    *,
    clusters: Clusters | None = None,
    seed: int = 0,
) -> LengthBias:
    """Return how length goes with ratings of single answers; one number of each kind an item.

    Raises:
        ValueError: unequal lengths of the lists, NaN or infinite values.
    """
    columns = [
        finite_array(values, name) for values, name in ((lengths, "lengths"), (judge, "judge"), (people, "people"))
    ]
    if len({len(column) for column in columns}) > 1:
        raise ValueError("lengths, judge and people have one number for each item")
    length, judged, rated = columns
    estimate = partial(_rank_correlation, length, clusters=clusters, seed=seed)
    return LengthBias(
        judge=estimate(judged), people=estimate(rated), difference=estimate(judged - rated), n_items=len(length)
    )


def longer_wins(
    lengths: Sequence[tuple[float, float]],
    judge: Sequence[float],
    people: Sequence[float],
    *,
    clusters: Clusters | None = None,
) -> LongerWins:
    """Return how often the longer answer of a pair wins with the judge and with people.

    Args:
        lengths: of the first and of the second answer.
        judge: 1 where the first answer won, 0 where the second did, .5 for a tie; `people` likewise.
        people: as `judge`.
        clusters: one label a pair.
    """
    unequal = [i for i, (one, two) in enumerate(lengths) if one != two]
    own = None if clusters is None else [clusters[i] for i in unequal]
    shares = [
        [value[i] if lengths[i][0] > lengths[i][1] else 1 - value[i] for i in unequal] for value in (judge, people)
    ]
    apart = [one - two for one, two in zip(*shares, strict=True)]
    return LongerWins(
        judge=_mean(shares[0], own),
        people=_mean(shares[1], own),
        difference=_mean(apart, own, low=-1.0),
        n_pairs=len(unequal),
    )


def _mean(values: Sequence[float], clusters: Clusters | None, low: float = 0.0) -> Estimate:
    found = mean_interval(values, clusters=clusters, low=low, high=1.0)
    return Estimate(value=found.mean, low=found.low, high=found.high)


def _sign_test(one: int, two: int) -> float:
    if one + two == 0:
        return 1.0
    from scipy.stats import binomtest

    return float(binomtest(one, one + two).pvalue)


def _rank_correlation(length: Floats, ratings: Floats, *, clusters: Clusters | None, seed: int) -> Estimate:
    """Return Spearman's correlation; the ranks are of the whole sample, the interval resamples its items."""
    if len(length) == 0:
        return Estimate(value=None)
    from scipy.stats import rankdata

    statistic = partial(correlation, rankdata(length), rankdata(np.round(ratings, 9)))
    value = float(statistic(np.ones((1, len(length))))[0])
    if np.isnan(value):
        return Estimate(value=None)
    low, high = percentile_bounds(statistic, len(length), clusters=clusters, seed=seed)
    return Estimate(value=value, low=low, high=high)
