"""Figures of classified samples, from sums: accuracy, F1, kappa, calibration; scikit-learn's where it has them.

All figures follow from sums over samples (of each label: how often expected, given, right; of each bin of confidence:
how many, their confidence, how many right), so that a case can be left out by subtraction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from retest.stats.jackknife import Sums, sample_weights

Codes: TypeAlias = NDArray[np.intp]
Floats: TypeAlias = NDArray[np.float64]

BINS = 10
_NOTHING = 1e-9  # what subtraction may leave of a weight that is zero


@dataclass(frozen=True, slots=True, kw_only=True)
class Classified:
    """Classified samples, one entry each.

    Attributes:
        expected: number of the label that is right.
        predicted: number of the label that was given, -1 where none was.
        confidence: stated for the label given, from 0 to 1; NaN where none is stated.
        n_labels: how many labels there are.
    """

    expected: Codes
    predicted: Codes
    confidence: Floats
    n_labels: int


def confusion_counts(samples: Classified) -> NDArray[np.intp]:
    """Return labels x (labels + 1) counts: rows are expected, columns given, the last column is no label."""
    size = samples.n_labels + 1
    given = np.where(samples.predicted < 0, samples.n_labels, samples.predicted)
    cells = np.bincount(samples.expected * size + given, minlength=samples.n_labels * size)
    return cells.reshape(samples.n_labels, size)


def classified_sums(samples: Classified, cases: Codes, n_cases: int) -> Sums:
    """Return one row of sums a case, which is what `classification_figures` takes; each case weighs alike.

    Args:
        samples: classified.
        cases: the number of each sample's case.
        n_cases: how many cases there are.
    """
    width = row_width(samples.n_labels)
    places, columns, values = _cells(samples)
    weights = sample_weights(cases, n_cases)
    flat = np.bincount(cases[places] * width + columns, weights=values * weights[places], minlength=n_cases * width)
    sums: Sums = flat.reshape(n_cases, width).astype(np.float64)
    return sums


def sample_sums(samples: Classified) -> Sums:
    """Return one row of sums a sample."""
    n = len(samples.expected)
    return classified_sums(samples, np.arange(n), n)


def row_width(n_labels: int) -> int:
    """Return how many sums a row has: three of each label, the samples, three of each bin, the Brier score."""
    return 3 * n_labels + 1 + 3 * BINS + 1


def _cells(samples: Classified) -> tuple[Codes, Codes, Floats]:
    """Return sample, column and value of every sum that is not zero: few of very many."""
    labels = samples.n_labels
    index = np.arange(len(samples.expected))
    right = samples.expected == samples.predicted
    given, hits = np.flatnonzero(samples.predicted >= 0), np.flatnonzero(right)
    stated = np.flatnonzero(~np.isnan(samples.confidence))
    confidence, hit = samples.confidence[stated], right[stated].astype(np.float64)
    first = 3 * labels + 1
    bins = first + _bins(confidence)
    last = np.full(len(stated), first + 3 * BINS)
    ones = [np.ones(len(part)) for part in (index, given, hits, index, stated)]
    return (
        np.concatenate([index, given, hits, index, stated, stated, stated, stated]),
        np.concatenate(
            [
                samples.expected,
                labels + samples.predicted[given],
                2 * labels + samples.expected[hits],
                np.full(len(index), first - 1),
                bins,
                bins + BINS,
                bins + 2 * BINS,
                last,
            ]
        ),
        np.concatenate([*ones, confidence, hit, np.square(confidence - hit)]),
    )


def _bins(confidence: Floats) -> Codes:
    """Return the bin of each confidence: (0, .1], (.1, .2] ...; 0 is in the first."""
    return np.clip(np.ceil(np.round(confidence * BINS, 9)).astype(np.intp) - 1, 0, BINS - 1)


def classification_figures(sums: Sums, n_labels: int) -> Floats:
    """Return rows of figures from rows of sums.

    The order is accuracy, balanced accuracy, then F1, precision and recall macro, the same micro, Cohen's kappa, ECE,
    Brier score, and of every label precision, then recall, then F1. NaN where a figure is not defined: a label's
    precision where it was never given, its recall where it is never expected, kappa where chance alone would always
    agree, calibration where no confidence is stated. Macro figures are means over the labels that are expected or
    given, and there an undefined precision or recall counts as 0, as in scikit-learn (`labels` those that occur,
    ``zero_division=0``). An answer without a label is none of the labels: it lowers recall and no label's precision.

    ECE: Guo et al. 2017, formula 3, over ten bins of equal width. Kappa: Cohen 1960. Brier 1950, of the label given.
    """
    expected, given, right = (sums[:, n_labels * i : n_labels * (i + 1)] for i in range(3))
    n = sums[:, 3 * n_labels]
    precision, recall, f1 = _ratio(right, given), _ratio(right, expected), _ratio(2 * right, expected + given)
    hits = right.sum(axis=1)
    occurs = (expected > _NOTHING) | (given > _NOTHING)
    chance = (expected * given).sum(axis=1)
    ece, brier = _calibration(sums[:, 3 * n_labels + 1 :])
    whole = [
        _ratio(hits, n),
        _mean_where(recall, expected > _NOTHING),
        *(_mean_where(np.nan_to_num(part), occurs) for part in (f1, precision, recall)),
        _ratio(2 * hits, n + given.sum(axis=1)),
        np.where(n > _NOTHING, np.nan_to_num(_ratio(hits, given.sum(axis=1))), np.nan),
        _ratio(hits, n),
        _ratio(n * hits - chance, n * n - chance),
        ece,
        brier,
    ]
    return np.concatenate([np.stack(whole, axis=1), precision, recall, f1], axis=1)


def _ratio(part: Floats, whole: Floats) -> Floats:
    """Return part / whole, NaN where the whole is nothing."""
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > _NOTHING)


def _mean_where(values: Floats, counts: NDArray[np.bool_]) -> Floats:
    """Return the mean of each row over the places that count, NaN where none does."""
    total = np.where(counts, values, 0.0).sum(axis=1)
    return _ratio(total, counts.sum(axis=1).astype(np.float64))


def _calibration(sums: Sums) -> tuple[Floats, Floats]:
    weights, confidence, right = (sums[:, BINS * i : BINS * (i + 1)] for i in range(3))
    n = weights.sum(axis=1)
    return _ratio(np.abs(right - confidence).sum(axis=1), n), _ratio(sums[:, -1], n)
