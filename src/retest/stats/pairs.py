"""Paired scores as flat arrays: for each case its samples of the first run and of the second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retest.stats.intervals import LARGEST, Floats
from retest.stats.sample_weights import compared_samples, sample_weights

Ints: TypeAlias = NDArray[np.int64]
Cases: TypeAlias = Sequence[ArrayLike] | Floats
"""Samples of each case: a sequence of sequences, or a matrix where all have equally many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunScores:
    """One run's samples.

    Attributes:
        values: case after case, ascending within each case, so that the order of samples has no effect.
        counts: samples per case, each at least 1.
    """

    values: Floats
    counts: Ints

    @property
    def case_index(self) -> Ints:
        """Return for each value the position of its case."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    @property
    def means(self) -> Floats:
        """Return the mean of each case."""
        starts = np.cumsum(self.counts) - self.counts
        sums: Floats = np.add.reduceat(self.values, starts)
        return sums / self.counts

    @property
    def lowest(self) -> Floats:
        """Return the lowest sample of each case."""
        lowest: Floats = self.values[np.cumsum(self.counts) - self.counts]
        return lowest

    @property
    def highest(self) -> Floats:
        """Return the highest sample of each case."""
        highest: Floats = self.values[np.cumsum(self.counts) - 1]
        return highest

    def within_variance(self) -> float | None:
        """Return the within-case variance pooled over cases; None where no case has a repeat."""
        degrees = int((self.counts - 1).sum())
        if degrees == 0:
            return None
        if (self.lowest == self.highest).all():
            return 0.0  # exactly, whatever rounding the means carry
        return float(np.square(self.values - np.repeat(self.means, self.counts)).sum()) / degrees

    def rows(self, cases: NDArray[np.intp]) -> Floats:
        """Return the samples of these cases, which have equally many, as a matrix."""
        starts = (np.cumsum(self.counts) - self.counts)[cases]
        matrix: Floats = self.values[starts[:, None] + np.arange(self.counts[cases[0]])]
        return matrix

    def fingerprint(self) -> bytes:
        """Return bytes that are equal for equal scores, to order two runs by content."""
        return self.counts.tobytes() + self.values.tobytes()


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedScores:
    """Two runs over the same cases in the same order; delta = second - first, higher is better.

    `aggregate` says what a case's samples come to; see `sample_weights`.
    """

    first: RunScores
    second: RunScores
    aggregate: str = "mean"

    @property
    def n_cases(self) -> int:
        """Return the number of paired cases."""
        return len(self.first.counts)

    @property
    def deltas(self) -> Floats:
        """Return the change of each case."""
        first, second = self.case_values
        return second - first

    @property
    def case_values(self) -> tuple[Floats, Floats]:
        """Return what each case's samples come to on both sides, for equally many samples."""
        if self.aggregate == "mean":
            return self.first.means, self.second.means
        counts = np.stack([self.first.counts, self.second.counts], axis=1)
        shapes, inverse = np.unique(counts, axis=0, return_inverse=True)
        first, second = np.empty(self.n_cases), np.empty(self.n_cases)
        for number, (n_first, n_second) in enumerate(shapes.tolist()):
            cases = np.flatnonzero(inverse.ravel() == number)
            size = compared_samples(self.aggregate, n_first, n_second)
            first[cases] = self.first.rows(cases) @ sample_weights(self.aggregate, n_first, size)
            second[cases] = self.second.rows(cases) @ sample_weights(self.aggregate, n_second, size)
        return first, second

    @property
    def varying(self) -> NDArray[np.bool_]:
        """Return for each case whether its samples, of both runs, differ at all."""
        lowest = np.minimum(self.first.lowest, self.second.lowest)
        highest = np.maximum(self.first.highest, self.second.highest)
        differs: NDArray[np.bool_] = lowest < highest
        return differs

    def in_canonical_order(self) -> tuple[PairedScores, bool]:
        """Return the pair ordered by content, and whether that swapped the runs.

        Random draws made on the canonical pair are the same whichever run is called the baseline; so swapping the
        runs exchanges the two p-values exactly.
        """
        if self.first.fingerprint() <= self.second.fingerprint():
            return self, False
        return self.swapped(), True

    def swapped(self) -> PairedScores:
        """Return the pair with the runs exchanged: what got worse is what got better."""
        return replace(self, first=self.second, second=self.first)


def paired_scores(first: Cases, second: Cases, aggregate: str = "mean") -> PairedScores:
    """Return paired scores from two sequences of samples per case, in the same order of cases.

    Raises:
        ValueError: where the lengths differ, a case has no sample, or a score is NaN, infinite or past 1e100.
    """
    if len(first) != len(second):
        raise ValueError(f"both runs need the same cases: {len(first)} against {len(second)}")
    return PairedScores(first=run_scores(first), second=run_scores(second), aggregate=aggregate)


def run_scores(cases: Cases) -> RunScores:
    """Return one run's samples per case as flat arrays.

    Raises:
        ValueError: where a case has no sample, or a score is NaN, infinite or past 1e100.
    """
    if isinstance(cases, np.ndarray):
        values = np.asarray(cases, dtype=np.float64)
        counts = np.full(values.shape[0], values.shape[1] if values.ndim > 1 else 1, dtype=np.int64)
        flat = values.ravel()
    else:
        arrays = [np.asarray(case, dtype=np.float64).ravel() for case in cases]
        counts = np.array([len(array) for array in arrays], dtype=np.int64)
        flat = np.concatenate(arrays) if arrays else np.empty(0)
    if counts.size and counts.min() < 1:
        raise ValueError(f"case {int(np.argmin(counts))} has no sample: leave it out")
    _refuse_missing(flat, counts)
    order = np.lexsort((flat, np.repeat(np.arange(len(counts)), counts)))
    return RunScores(values=flat[order] + 0.0, counts=counts)  # + 0.0 makes -0.0 the same bytes as 0.0


def _refuse_missing(values: Floats, counts: Ints) -> None:
    bad = np.flatnonzero(~(np.abs(values) <= LARGEST))
    if bad.size:
        case = int(np.searchsorted(np.cumsum(counts), bad[0], side="right"))
        raise ValueError(
            f"case {case} has a score of {values[bad[0]]}: leave a missing one out; magnitudes end at 1e100"
        )
