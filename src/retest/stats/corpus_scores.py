"""BLEU, chrF and TER of a corpus from its sums, many corpora at once; equal to sacrebleu's corpus scores."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from retest.stats.jackknife import Sums

Floats: TypeAlias = NDArray[np.float64]
Smoothing: TypeAlias = Literal["exp", "floor", "add-k", "none"]

PERFECT = 100.0
_NOTHING = 1e-9  # what subtraction may leave of a count that is zero
_DEFAULTS: dict[str, float] = {"floor": 0.1, "add-k": 1.0}


def bleu_scores(sums: Sums, *, smoothing: Smoothing = "exp", smooth_value: float | None = None) -> Floats:
    """Return BLEU (Papineni et al. 2002) of each row, one column: NaN where there is no text at all.

    Args:
        sums: rows of answer tokens, reference tokens, then for each order the matches, then for each order the runs.
        smoothing: how an order without any match counts (Chen & Cherry 2014).
        smooth_value: of ``floor`` and ``add-k``.
    """
    order = (sums.shape[1] - 2) // 2
    answer, reference = sums[:, 0], sums[:, 1]
    matches, runs = sums[:, 2 : 2 + order].copy(), sums[:, 2 + order :].copy()
    matched = (matches > _NOTHING).any(axis=1)
    value = _DEFAULTS.get(smoothing, 0.0) if smooth_value is None else smooth_value
    if smoothing == "add-k":
        matches[:, 1:] += value
        runs[:, 1:] += value
    precisions = _precisions(matches, runs, smoothing, value)
    with np.errstate(divide="ignore"):
        geometric = np.exp(np.log(precisions).mean(axis=1))
    score = np.where(matched, _brevity(answer, reference) * geometric * PERFECT, 0.0)
    return _column(np.where((answer > _NOTHING) | (reference > _NOTHING), np.minimum(score, PERFECT), np.nan))


def _precisions(matches: Floats, runs: Floats, smoothing: Smoothing, value: float) -> Floats:
    """Return the precision of each order; 0 where there are no runs that long."""
    some = runs > _NOTHING
    missed = some & (matches <= _NOTHING)
    filled = np.where(missed, 0.0, matches)
    if smoothing == "exp":  # each further order without a match counts half as much
        filled = np.where(missed, 1 / np.exp2(np.cumsum(missed, axis=1)), filled)
    elif smoothing == "floor":
        filled = np.where(missed, value, filled)
    return np.divide(filled, runs, out=np.zeros_like(runs), where=some)


def _brevity(answer: Floats, reference: Floats) -> Floats:
    ratio = np.divide(reference, answer, out=np.full_like(answer, np.inf), where=answer > _NOTHING)
    return np.where(answer < reference - _NOTHING, np.exp(1 - ratio), 1.0)


def chrf_scores(sums: Sums, *, beta: float = 2.0) -> Floats:
    """Return chrF (Popović 2015) of each row, one column: NaN where no run of characters is there to compare.

    Args:
        sums: for each order the runs of the answers, of the references, and those in common.
        beta: how much more recall weighs than precision.
    """
    answer, reference, common = (sums[:, part::3] for part in range(3))
    counted = (answer > _NOTHING) & (reference > _NOTHING)
    orders = np.maximum(counted.sum(axis=1), 1)
    precision = np.divide(common, answer, out=np.zeros_like(common), where=counted).sum(axis=1) / orders
    recall = np.divide(common, reference, out=np.zeros_like(common), where=counted).sum(axis=1) / orders
    weight = beta**2
    below = weight * precision + recall
    score = np.divide((1 + weight) * precision * recall, below, out=np.zeros_like(below), where=below > 0)
    known = ((answer > _NOTHING) | (reference > _NOTHING)).any(axis=1)
    return _column(np.where(known, np.minimum(score * PERFECT, PERFECT), np.nan))


def ter_scores(sums: Sums) -> Floats:
    """Return TER (Snover et al. 2006) of each row of edits and reference words, one column."""
    edits, words = sums[:, 0], sums[:, 1]
    empty = np.where(edits > _NOTHING, 1.0, 0.0)  # no reference word: all wrong, or nothing to do
    return _column(PERFECT * np.divide(edits, words, out=empty, where=words > _NOTHING))


def _column(values: Floats) -> Floats:
    return values[:, None]
