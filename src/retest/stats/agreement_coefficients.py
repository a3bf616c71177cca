"""Coefficients of agreement for weighted items: every function takes weights (draws x items), one value a draw.

Sources: Cohen 1960 and 1968 (kappa, weighted kappa); Krippendorff 2004, Content Analysis, 11.3 (alpha and its
difference functions; the ordinal one is the squared difference of mid-ranks); Spearman 1904 with mid-ranks for ties.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from retest.stats.intervals import Floats

Codes: TypeAlias = NDArray[np.intp]
Weighting: TypeAlias = Literal["linear", "quadratic"]
Level: TypeAlias = Literal["nominal", "ordinal", "interval"]

MISSING = -1
_NOTHING = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    """Items x raters: the code of each rating, `MISSING` where there is none.

    `values` are the numbers that the codes stand for, in rising order; of labels they are 0, 1, 2, and mean nothing.
    """

    codes: Codes
    values: Floats

    @property
    def n_items(self) -> int:
        """Return the number of items."""
        return len(self.codes)

    def with_dissent(self) -> Rated:
        """Return the items and one imaginary one on which the raters are as far apart as any rating goes."""
        ends = np.where(np.arange(self.codes.shape[1]) % 2 == 0, 0, len(self.values) - 1)
        return Rated(codes=np.vstack([self.codes, ends]), values=self.values)

    def with_assent(self) -> Rated:
        """Return the items and one imaginary one that all raters rate alike."""
        return Rated(codes=np.vstack([self.codes, np.zeros_like(self.codes[:1])]), values=self.values)

    def as_equal_or_not(self) -> Rated:
        """Return for each item of two raters 0 and 0 where they agree, 0 and 1 where they do not."""
        unequal = (self.codes[:, 0] != self.codes[:, 1]).astype(self.codes.dtype)
        return Rated(codes=np.column_stack([np.zeros_like(unequal), unequal]), values=np.array([0.0, 1.0]))


def exact_agreement(rated: Rated, weights: Floats) -> Floats:
    """Return the share of items that two raters give the same rating."""
    equal = rated.codes[:, 0] == rated.codes[:, 1]
    found: Floats = weights @ equal / weights.sum(axis=1)
    return found


def mean_difference(rated: Rated, weights: Floats) -> Floats:
    """Return how much higher the first rater rates than the second, on average."""
    first, second = _pair_values(rated)
    found: Floats = weights @ (first - second) / weights.sum(axis=1)
    return found


def kappa(rated: Rated, weights: Floats) -> Floats:
    """Return Cohen's kappa of two raters; NaN where both use one and the same rating throughout."""
    first, second = (_shares(rated.codes[:, i], weights, len(rated.values)) for i in (0, 1))
    expected = 1 - (first * second).sum(axis=1)
    return _one_minus(1 - exact_agreement(rated, weights), expected)


def weighted_kappa(rated: Rated, weights: Floats, weighting: Weighting) -> Floats:
    """Return Cohen's weighted kappa; the disagreement is the distance of the numbers themselves, or its square."""
    first, second = _pair_values(rated)
    totals = weights.sum(axis=1)
    if weighting == "quadratic":
        observed = weights @ (first - second) ** 2 / totals
        means = weights @ first / totals, weights @ second / totals
        squares = weights @ (first**2 + second**2) / totals
        return _one_minus(observed, squares - 2 * means[0] * means[1])
    observed = weights @ np.abs(first - second) / totals
    below = [np.cumsum(_shares(rated.codes[:, i], weights, len(rated.values)), axis=1)[:, :-1] for i in (0, 1)]
    crossing = below[0] * (1 - below[1]) + below[1] * (1 - below[0])
    return _one_minus(observed, crossing @ np.diff(rated.values))


def spearman(rated: Rated, weights: Floats) -> Floats:
    """Return Spearman's rank correlation of two raters; NaN where one of them never varies."""
    ranks = [_mid_ranks(rated.codes[:, i], weights, len(rated.values)) for i in (0, 1)]
    return _correlation(ranks[0], ranks[1], weights)


def alpha(rated: Rated, weights: Floats, level: Level) -> Floats:
    """Return Krippendorff's alpha of any number of raters; an item with fewer than two ratings counts for nothing."""
    present = rated.codes != MISSING
    raters = present.sum(axis=1)
    counted = weights * (raters > 1)
    per_item = np.divide(counted, raters - 1, out=np.zeros_like(counted), where=raters > 1)
    if level == "nominal":
        return _nominal_alpha(rated, counted, per_item)
    if level == "ordinal":
        scale = _pooled_mid_ranks(rated, counted)
    else:
        scale = np.broadcast_to(rated.values, (len(weights), len(rated.values)))
    ratings = np.where(present, scale[:, rated.codes], 0.0)  # draws x items x raters
    sums, squares = ratings.sum(axis=2), (ratings**2).sum(axis=2)
    observed = (per_item * 2 * (raters * squares - sums**2)).sum(axis=1)
    total = (counted * raters).sum(axis=1)
    expected = 2 * (total * (counted * squares).sum(axis=1) - (counted * sums).sum(axis=1) ** 2)
    return _one_minus(observed * (total - 1), expected)


def _nominal_alpha(rated: Rated, counted: Floats, per_item: Floats) -> Floats:
    counts = np.stack([(rated.codes == code).sum(axis=1) for code in range(len(rated.values))], axis=1)
    raters = counts.sum(axis=1)
    observed = per_item @ (raters**2 - (counts**2).sum(axis=1))
    margins = counted @ counts
    total = margins.sum(axis=1)
    return _one_minus(observed * (total - 1), total**2 - (margins**2).sum(axis=1))


def _pooled_mid_ranks(rated: Rated, counted: Floats) -> Floats:
    counts = np.stack([(rated.codes == code).sum(axis=1) for code in range(len(rated.values))], axis=1)
    margins = counted @ counts
    found: Floats = np.cumsum(margins, axis=1) - margins / 2
    return found


def correlation(first: Floats, second: Floats, weights: Floats) -> Floats:
    """Return Pearson's correlation of two rows of numbers; NaN where one of them never varies."""
    shape = weights.shape
    return _correlation(np.broadcast_to(first, shape), np.broadcast_to(second, shape), weights)


def _correlation(first: Floats, second: Floats, weights: Floats) -> Floats:
    totals = weights.sum(axis=1, keepdims=True)
    one = first - (weights * first).sum(axis=1, keepdims=True) / totals
    two = second - (weights * second).sum(axis=1, keepdims=True) / totals
    spread = (weights * one**2).sum(axis=1) * (weights * two**2).sum(axis=1)
    together = (weights * one * two).sum(axis=1)
    shares = np.divide(together, np.sqrt(spread), out=np.full(len(weights), np.nan), where=spread > _NOTHING)
    found: Floats = np.clip(shares, -1, 1)
    return found


def _pair_values(rated: Rated) -> tuple[Floats, Floats]:
    return rated.values[rated.codes[:, 0]], rated.values[rated.codes[:, 1]]


def _code_weights(codes: Codes, weights: Floats, n_codes: int) -> Floats:
    """Return the weight of each code, draws x codes."""
    order = np.argsort(codes, kind="stable")
    present, starts = np.unique(codes[order], return_index=True)
    found = np.zeros((len(weights), n_codes))
    found[:, present] = np.add.reduceat(weights[:, order], starts, axis=1)
    return found


def _shares(codes: Codes, weights: Floats, n_codes: int) -> Floats:
    found: Floats = _code_weights(codes, weights, n_codes) / weights.sum(axis=1, keepdims=True)
    return found


def _mid_ranks(codes: Codes, weights: Floats, n_codes: int) -> Floats:
    by_code = _code_weights(codes, weights, n_codes)
    return (np.cumsum(by_code, axis=1) - by_code / 2)[:, codes]


def _one_minus(observed: Floats, expected: Floats) -> Floats:
    """Return 1 - observed / expected disagreement; NaN where none could be expected."""
    known = expected > _NOTHING
    found: Floats = 1 - np.divide(observed, expected, out=np.full(len(observed), np.nan), where=known)
    return found
