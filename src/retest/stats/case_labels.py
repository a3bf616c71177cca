"""Which cases changed: empirical Bayes over pass counts, with a bound on the share of false names in the list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retest.stats.intervals import Floats
from retest.stats.special import gammaln, xlog1py, xlogy

Label: TypeAlias = Literal["newly_failing", "newly_passing", "flaky", "stable"]
Flags: TypeAlias = NDArray[np.bool_]

MAX_FALSE_SHARE = 0.1
_GRID = np.linspace(0.005, 0.995, 15)
_SHARE_PRIOR = (1.0, 9.0)
_GRID_PRIOR = 60.0
"""Pseudo-cases, four to each point of the grid: without them a few broken cases make every difference look likely."""
_FLAKY_RANGE = (0.1, 0.9)
_FLAKY_FROM = 0.8
_ROUNDS = 200
_DONE = 1e-6


class CaseLabels(NamedTuple):
    """For each case the posterior of having got worse and of having got better, and its label."""

    worse: Floats
    better: Floats
    labels: list[Label]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    """G over the grid, and the share of changed cases."""

    weights: Floats
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Posterior:
    """By case and point of the grid: p where unchanged, and each side's p where changed: jointly, and given that."""

    unchanged: Floats
    changed_a: Floats
    changed_b: Floats
    given_a: Floats
    given_b: Floats


def label_cases(
    passes_a: ArrayLike,
    samples_a: ArrayLike,
    passes_b: ArrayLike,
    samples_b: ArrayLike,
    *,
    max_false_share: float = MAX_FALSE_SHARE,
) -> CaseLabels:
    """Name the cases that changed between baseline a and candidate b, from passes out of samples.

    Two groups: unchanged, one pass probability p ~ G on both sides; or changed, two independent ones from G. G on a
    grid of 15 points and the share of changed cases are estimated by EM, with weak priors (Beta(1, 9) on the share).
    The longest list whose mean posterior error is at most `max_false_share` is named newly_failing or newly_passing;
    of the others those are flaky whose p lies between .1 and .9 with posterior probability above .8.
    Scores that are no passes need a threshold first (or per-case p-values with `benjamini_hochberg`).

    Args:
        passes_a: passed samples per case of the baseline.
        samples_a: samples per case of the baseline; 0 where there is none.
        passes_b: the same of the candidate.
        samples_b: the same of the candidate.
        max_false_share: expected share of wrong names in the list.

    Raises:
        ValueError: where the four have different lengths, or more passes than samples.
    """
    counts_a, counts_b = _checked_counts(passes_a, samples_a), _checked_counts(passes_b, samples_b)
    if counts_a.shape != counts_b.shape:
        raise ValueError(f"both runs need the same cases: {len(counts_a)} against {len(counts_b)}")
    if len(counts_a) == 0:
        return CaseLabels(worse=np.empty(0), better=np.empty(0), labels=[])
    # Cases with equal counts are all alike: thousands of cases are some dozens of kinds.
    kinds, kind_of, n_alike = np.unique(
        np.hstack([counts_a, counts_b]), axis=0, return_inverse=True, return_counts=True
    )
    like_a, like_b = _likelihood(kinds[:, :2]), _likelihood(kinds[:, 2:])
    model = _fit(like_a, like_b, n_alike)
    posterior = _posterior(model, like_a, like_b)
    worse = (posterior.changed_a * _below(posterior.given_b)).sum(axis=1)
    better = (posterior.changed_b * _below(posterior.given_a)).sum(axis=1)
    flaky = (posterior.unchanged + posterior.changed_b)[:, _inside_flaky_range()].sum(axis=1) > _FLAKY_FROM
    alike = kind_of.ravel()  # one NumPy release returns a column here
    worse, better, flaky = worse[alike], better[alike], flaky[alike]
    return CaseLabels(worse=worse, better=better, labels=_labels(worse, better, flaky, max_false_share))


def _below(chances: Floats) -> Floats:
    """Return at each point of the grid the probability of lying at a lower one."""
    return np.cumsum(chances, axis=1) - chances


def _inside_flaky_range() -> Flags:
    low, high = _FLAKY_RANGE
    inside: Flags = (low <= _GRID) & (high >= _GRID)
    return inside


def _checked_counts(passes: ArrayLike, samples: ArrayLike) -> Floats:
    """Return passes and samples side by side, one row a case."""
    hits, total = np.asarray(passes, dtype=np.float64), np.asarray(samples, dtype=np.float64)
    if hits.shape != total.shape or hits.ndim != 1:
        raise ValueError(f"passes and samples need one number per case: {hits.shape} against {total.shape}")
    if not ((hits >= 0) & (hits <= total) & np.isfinite(total)).all():
        raise ValueError("passes must lie between 0 and the number of samples")
    return np.column_stack([hits, total])


def _likelihood(counts: Floats) -> Floats:
    """Return the binomial likelihood of each kind of case at each point of the grid."""
    hits, total = counts[:, 0], counts[:, 1]
    ways = gammaln(total + 1) - gammaln(hits + 1) - gammaln(total - hits + 1)
    misses = total - hits
    log: Floats = ways[:, None] + xlogy(hits[:, None], _GRID) + xlog1py(misses[:, None], -_GRID)
    likelihood: Floats = np.exp(log)
    return likelihood


def _fit(like_a: Floats, like_b: Floats, n_alike: NDArray[np.intp]) -> _Model:
    """Return the model by EM; posterior modes under the weak priors. Each kind of case counts as often as it occurs."""
    n_cases, prior_changed = int(n_alike.sum()), _SHARE_PRIOR[0] - 1
    model = _Model(weights=np.full(len(_GRID), 1 / len(_GRID)), share=_SHARE_PRIOR[0] / sum(_SHARE_PRIOR))
    for _ in range(_ROUNDS):
        posterior = _posterior(model, like_a, like_b)
        used = n_alike @ (posterior.unchanged + posterior.changed_a + posterior.changed_b)
        used += _GRID_PRIOR / len(_GRID)
        changed = float((n_alike @ posterior.changed_a).sum())
        share = (changed + prior_changed) / (n_cases + sum(_SHARE_PRIOR) - 2)
        fitted = _Model(weights=used / used.sum(), share=share)
        moved = max(abs(fitted.share - model.share), float(np.abs(fitted.weights - model.weights).max()))
        model = fitted
        if moved < _DONE:
            break
    return model


def _posterior(model: _Model, like_a: Floats, like_b: Floats) -> _Posterior:
    side_a, side_b, both = model.weights * like_a, model.weights * like_b, model.weights * like_a * like_b
    mass_a, mass_b, mass_both = (side.sum(axis=1, keepdims=True) for side in (side_a, side_b, both))
    changed = model.share * mass_a * mass_b
    chance = changed / (changed + (1 - model.share) * mass_both)
    given_a, given_b = side_a / mass_a, side_b / mass_b  # independent where the case changed
    return _Posterior(
        unchanged=(1 - chance) * both / mass_both,
        changed_a=chance * given_a,
        changed_b=chance * given_b,
        given_a=given_a,
        given_b=given_b,
    )


def _labels(worse: Floats, better: Floats, flaky: Flags, max_false_share: float) -> list[Label]:
    """Return the labels; each list keeps its own share of errors, lest sure failures carry doubtful improvements."""
    labels = np.where(flaky, "flaky", "stable").astype(object)
    labels[_longest_list(worse, max_false_share)] = "newly_failing"
    labels[_longest_list(better, max_false_share)] = "newly_passing"
    named: list[Label] = labels.tolist()
    return named


def _longest_list(posterior: Floats, max_false_share: float) -> Flags:
    """Return the flags of the largest set whose mean posterior error is at most the given share."""
    order = np.argsort(-posterior, kind="stable")
    mean_error = np.cumsum(1 - posterior[order]) / np.arange(1, len(order) + 1)
    n_flagged = int(np.searchsorted(mean_error, max_false_share + 1e-12, side="right"))  # the mean error only rises
    flags = np.zeros(len(order), dtype=np.bool_)
    flags[order[:n_flagged]] = True
    return flags
