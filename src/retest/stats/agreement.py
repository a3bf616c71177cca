"""How far ratings of the same items agree: two raters (a judge and people), or many (a jury, reviewers).

Intervals are two-sided 95%: percentile bootstrap over items (over clusters where given), seeded. For the lower end one
imaginary item joins on which the raters are as far apart as can be, so that twenty equal ratings do not claim to be
equal for certain; for the upper end of exact agreement, one that they rate alike.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import combinations
from typing import TypeAlias, TypeVar

import numpy as np

from retest.stats import agreement_coefficients as coefficients
from retest.stats.agreement_coefficients import MISSING, Level, Rated
from retest.stats.intervals import Clusters, Floats, finite_array
from retest.stats.resampling import percentile_bounds

Rating: TypeAlias = str | float | bool
Coefficient: TypeAlias = Callable[[Rated, Floats], Floats]
Item = TypeVar("Item", bound=Hashable)
_PAIR = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A coefficient with its two-sided 95% interval; None is what the ratings cannot say."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """How often each rating of the first meets each rating of the second: `counts[i][j]` of labels i and j."""

    labels: tuple[Rating, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Two raters on the items that both rated.

    Attributes:
        n_items: rated by both; `n_missing` by one alone.
        exact: share of equal ratings.
        kappa: Cohen's; `kappa_linear` and `kappa_quadratic` weigh by the distance of numbers.
        alpha_nominal, alpha_ordinal, alpha_interval: Krippendorff's.
        spearman: rank correlation.
        difference: mean of first - second: how lenient the first is.
        confusion: rows are the first's ratings.
        numeric: whether the ratings are numbers; of labels only exact, kappa and nominal alpha are known.
    """

    n_items: int
    n_missing: int
    numeric: bool
    exact: Estimate
    kappa: Estimate
    alpha_nominal: Estimate
    kappa_linear: Estimate = field(default=Estimate(value=None))
    kappa_quadratic: Estimate = field(default=Estimate(value=None))
    alpha_ordinal: Estimate = field(default=Estimate(value=None))
    alpha_interval: Estimate = field(default=Estimate(value=None))
    spearman: Estimate = field(default=Estimate(value=None))
    difference: Estimate = field(default=Estimate(value=None))
    confusion: Confusion = field(default=Confusion(labels=(), counts=()))


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupAgreement:
    """Many raters together: Krippendorff's alpha, and each two of them; items that one alone rated say nothing."""

    raters: tuple[str, ...]
    n_items: int
    n_ratings: int
    numeric: bool
    alpha_nominal: Estimate
    alpha_ordinal: Estimate
    alpha_interval: Estimate
    pairs: Mapping[tuple[str, str], Agreement] = field(default_factory=dict)


def agree(
    first: Sequence[Rating | None],
    second: Sequence[Rating | None],
    *,
    clusters: Clusters | None = None,
    seed: int = 0,
) -> Agreement:
    """Return how far two raters agree; None is a missing rating.

    Numbers are compared as numbers (True is 1); where any rating is text, all are labels.

    Args:
        first: one rating an item, such as the judge's.
        second: of the same items in the same order, such as people's.
        clusters: one label an item, where items share a source.
        seed: of the intervals.

    Raises:
        ValueError: unequal lengths, or a rating that is NaN or infinite.
    """
    if len(first) != len(second):
        raise ValueError(f"both raters rate the same items: {len(first)} ratings, {len(second)} ratings")
    both = [i for i, pair in enumerate(zip(first, second, strict=True)) if None not in pair]
    one = sum((a is None) != (b is None) for a, b in zip(first, second, strict=True))
    labels, rated = _code([[first[i], second[i]] for i in both], n_raters=_PAIR)
    own = None if clusters is None else [clusters[i] for i in both]
    estimate = partial(_estimate, rated, clusters=own, seed=seed)
    numeric = not labels or not isinstance(labels[0], str)
    found = Agreement(
        n_items=len(both),
        n_missing=one,
        numeric=numeric,
        exact=_estimate_exact(rated, clusters=own, seed=seed),
        kappa=estimate(coefficients.kappa),
        alpha_nominal=estimate(partial(coefficients.alpha, level="nominal")),
        confusion=_confusion(labels, rated),
    )
    return _with_numbers(found, estimate) if numeric else found


def _with_numbers(found: Agreement, estimate: Callable[[Coefficient], Estimate]) -> Agreement:
    return Agreement(
        n_items=found.n_items,
        n_missing=found.n_missing,
        numeric=True,
        exact=found.exact,
        kappa=found.kappa,
        kappa_linear=estimate(partial(coefficients.weighted_kappa, weighting="linear")),
        kappa_quadratic=estimate(partial(coefficients.weighted_kappa, weighting="quadratic")),
        alpha_nominal=found.alpha_nominal,
        alpha_ordinal=estimate(partial(coefficients.alpha, level="ordinal")),
        alpha_interval=estimate(partial(coefficients.alpha, level="interval")),
        spearman=estimate(coefficients.spearman),
        difference=estimate(coefficients.mean_difference),
        confusion=found.confusion,
    )


def krippendorff_alpha(
    items: Sequence[Sequence[Rating | None]], level: Level, *, clusters: Clusters | None = None, seed: int = 0
) -> Estimate:
    """Return Krippendorff's alpha with its interval.

    Args:
        items: for each item one rating per rater, None where a rater gave none.
        level: what differences between ratings mean.
        clusters: one label an item.
        seed: of the interval.

    Raises:
        ValueError: items of unequal numbers of raters, NaN, or labels on an ordinal or interval level.
    """
    labels, rated = _code(items, n_raters=max((len(item) for item in items), default=0))
    if level != "nominal" and labels and isinstance(labels[0], str):
        raise ValueError(f"alpha on the {level} level needs numbers, not labels such as {labels[0]!r}")
    return _estimate(rated, partial(coefficients.alpha, level=level), clusters=clusters, seed=seed)


def agree_in_group(
    ratings: Mapping[str, Mapping[Item, Rating]],
    *,
    clusters: Mapping[Item, Hashable] | None = None,
    seed: int = 0,
) -> GroupAgreement:
    """Return how far several raters (a jury's models, reviewers) agree with one another.

    Args:
        ratings: rater -> item -> rating; an item that a rater did not rate is not there.
        clusters: item -> cluster; an item without one stands for itself.
        seed: of the intervals.
    """
    raters = sorted(ratings)
    items = list(dict.fromkeys(item for rater in raters for item in ratings[rater]))
    table = [[ratings[rater].get(item) for rater in raters] for item in items]
    shared = [i for i, row in enumerate(table) if sum(rating is not None for rating in row) > 1]
    rows = [table[i] for i in shared]
    own: Clusters | None = None if clusters is None else [clusters.get(items[i], ("item", items[i])) for i in shared]
    labels, rated = _code(rows, n_raters=len(raters))
    numeric = not labels or not isinstance(labels[0], str)

    def level(name: Level) -> Estimate:
        if name != "nominal" and not numeric:
            return Estimate(value=None)
        return _estimate(rated, partial(coefficients.alpha, level=name), clusters=own, seed=seed)

    return GroupAgreement(
        raters=tuple(raters),
        n_items=len(rows),
        n_ratings=sum(rating is not None for row in rows for rating in row),
        numeric=numeric,
        alpha_nominal=level("nominal"),
        alpha_ordinal=level("ordinal"),
        alpha_interval=level("interval"),
        pairs={
            (raters[i], raters[j]): agree([row[i] for row in rows], [row[j] for row in rows], clusters=own, seed=seed)
            for i, j in combinations(range(len(raters)), 2)
        },
    )


def _code(items: Sequence[Sequence[Rating | None]], n_raters: int) -> tuple[tuple[Rating, ...], Rated]:
    """Return the ratings that occur, in order, and each rating as its place among them."""
    if any(len(item) != n_raters for item in items):
        raise ValueError(f"every item needs {n_raters} ratings, None where one is missing")
    present = [rating for item in items for rating in item if rating is not None]
    as_text = any(isinstance(rating, str) for rating in present)
    table = [[_plain(rating, as_text=as_text) for rating in item] for item in items]
    labels = sorted({rating for row in table for rating in row if rating is not None})
    place = {label: code for code, label in enumerate(labels)}
    codes = [[MISSING if rating is None else place[rating] for rating in row] for row in table]
    values = np.arange(len(labels), dtype=np.float64) if as_text else finite_array(labels, "ratings")
    return tuple(labels), Rated(codes=np.array(codes, dtype=np.intp).reshape(len(items), n_raters), values=values)


def _plain(rating: Rating | None, *, as_text: bool) -> Rating | None:
    """Return all ratings as text, or all as numbers that differ by more than rounding."""
    if rating is None or as_text:
        return None if rating is None else str(rating)
    return round(float(rating), 9)


def _estimate(rated: Rated, coefficient: Coefficient, *, clusters: Clusters | None, seed: int) -> Estimate:
    if rated.n_items == 0:
        return Estimate(value=None)
    value = float(coefficient(rated, np.ones((1, rated.n_items)))[0])
    if np.isnan(value):
        return Estimate(value=None)
    # The mean difference has no worst item on one side only; an imaginary one would shift it.
    guarded = rated if coefficient is coefficients.mean_difference else rated.with_dissent()
    joined = clusters if clusters is None or guarded is rated else [*clusters, "an imaginary item"]
    low, _ = percentile_bounds(partial(coefficient, guarded), guarded.n_items, clusters=joined, seed=seed)
    plain_low, high = percentile_bounds(partial(coefficient, rated), rated.n_items, clusters=clusters, seed=seed)
    if low is None or high is None or plain_low is None:
        return Estimate(value=value)
    return Estimate(value=value, low=min(low, plain_low, value), high=max(high, value))


def _estimate_exact(rated: Rated, *, clusters: Clusters | None, seed: int) -> Estimate:
    """Return the share of equal ratings, guarded at both ends: none of eight alike does not show that none ever are."""
    if rated.n_items == 0:
        return Estimate(value=None)
    found = _estimate(rated.as_equal_or_not(), coefficients.exact_agreement, clusters=clusters, seed=seed)
    if found.high is None:
        return found
    assent = rated.as_equal_or_not().with_assent()
    joined = clusters if clusters is None else [*clusters, "an imaginary item"]
    share = partial(coefficients.exact_agreement, assent)
    _, high = percentile_bounds(share, assent.n_items, clusters=joined, seed=seed)
    return found if high is None else replace(found, high=max(found.high, high))


def _confusion(labels: tuple[Rating, ...], rated: Rated) -> Confusion:
    counts = np.zeros((len(labels), len(labels)), dtype=np.intp)
    np.add.at(counts, (rated.codes[:, 0], rated.codes[:, 1]), 1)
    return Confusion(labels=labels, counts=tuple(tuple(row) for row in counts.tolist()))
