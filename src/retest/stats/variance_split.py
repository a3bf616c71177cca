"""Splits the variance of repeated judgments: between cases, between samples of a case, between judgments of a sample.

The model is nested and random: score = level + case + sample within case + judgment within sample. The parts are
estimated by the analysis of variance for unequal numbers (Searle, Casella & McCulloch 1992, Variance Components, 3.6,
Henderson's first method); a negative estimate is reported as 0. The models of a jury are a fixed set, not draws:
how far their levels lie apart is said beside the parts and does not enter them.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from retest.stats.agreement import Estimate
from retest.stats.intervals import Floats, finite_array
from retest.stats.resampling import resample_weights

Case = TypeVar("Case", bound=Hashable)
Sample = TypeVar("Sample", bound=Hashable)
_RESAMPLES_LEAST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class VarianceSplit:
    """The parts as variances; None where the design cannot tell (no repeats of that kind).

    Attributes:
        judge: between judgments of one sample: the judge's own noise.
        sample: between samples of one case, the judge's noise taken out: the target's noise.
        case: between cases, both taken out. Where a case has one sample only, it holds the sample's part as well.
        judge_sd: the square root of `judge` with its 95% interval, bootstrapped over cases; likewise the others.
        mean: of the cases' means.
        n_cases, n_samples, n_votes: what it stands on.
        levels: judge -> mean distance of its ratings from the other judges' of the same samples.
    """

    judge: float | None
    sample: float | None
    case: float | None
    mean: float | None
    n_cases: int
    n_samples: int
    n_votes: int
    judge_sd: Estimate = field(default=Estimate(value=None))
    sample_sd: Estimate = field(default=Estimate(value=None))
    case_sd: Estimate = field(default=Estimate(value=None))
    levels: Mapping[str, float] = field(default_factory=dict)

    def variance_of_mean(self, *, samples: int, votes: int) -> float:
        """Return the noise in a case's mean over so many samples with so many judgments each, as a variance."""
        return (self.sample or 0.0) / samples + (self.judge or 0.0) / (samples * votes)

    @property
    def judge_share(self) -> float | None:
        """Return the judge's part of the variance of one judgment of one sample, None where it is unknown."""
        known = [part for part in (self.judge, self.sample, self.case) if part is not None]
        return None if self.judge is None or math.fsum(known) == 0 else self.judge / math.fsum(known)


def split_variance(cases: Sequence[Sequence[Sequence[float]]], *, seed: int = 0) -> VarianceSplit:
    """Return the parts of the variance of judgments.

    Args:
        cases: for each case, for each of its samples, the judgments; missing ones left out.
        seed: of the intervals.

    Raises:
        ValueError: a judgment that is NaN or infinite.
    """
    table = [
        [finite_array(votes, f"case {i}, sample {j}") for j, votes in enumerate(case)] for i, case in enumerate(cases)
    ]
    sums = np.array([_case_sums(case) for case in table if any(len(votes) for votes in case)]).reshape(-1, _N_SUMS)
    parts = _parts(sums.sum(axis=0)[None, :], _squared_case_means(sums, np.ones((1, len(sums)))))
    if len(sums) == 0:
        return VarianceSplit(judge=None, sample=None, case=None, mean=None, n_cases=0, n_samples=0, n_votes=0)
    found = VarianceSplit(
        judge=_known(parts[0]),
        sample=_known(parts[1]),
        case=_known(parts[2]),
        mean=float((sums[:, _TOTAL] / sums[:, _VOTES]).mean()),
        n_cases=len(sums),
        n_samples=int(sums[:, _SAMPLES].sum()),
        n_votes=int(sums[:, _VOTES].sum()),
    )
    return _with_intervals(found, sums, seed)


def split_jury(ratings: Mapping[str, Mapping[tuple[Case, Sample], float]], *, seed: int = 0) -> VarianceSplit:
    """Return the parts for a jury: each judge's own level is taken out of its ratings first, and reported.

    Args:
        ratings: judge -> (case, sample) -> rating.
        seed: of the intervals.
    """
    levels = _judge_levels(ratings)
    cases: dict[Case, dict[Sample, list[float]]] = {}
    for judge, rated in ratings.items():
        for (case, sample), value in rated.items():
            cases.setdefault(case, {}).setdefault(sample, []).append(value - levels.get(judge, 0.0))
    split = split_variance([list(samples.values()) for samples in cases.values()], seed=seed)
    return replace(split, levels=levels)


def _judge_levels(ratings: Mapping[str, Mapping[tuple[Case, Sample], float]]) -> dict[str, float]:
    """Return each judge's mean distance from the mean of all judges, over what all of them rated."""
    if not ratings:
        return {}
    shared = set.intersection(*(set(rated) for rated in ratings.values()))
    if len(ratings) == 1 or not shared:
        return dict.fromkeys(ratings, 0.0)
    means = {judge: math.fsum(rated[item] for item in shared) / len(shared) for judge, rated in ratings.items()}
    middle = math.fsum(means.values()) / len(means)
    return {judge: mean - middle for judge, mean in means.items()}


# Per case: votes, samples, total, squares within samples, squares between samples, sum n_ij^2 / n_i.
_VOTES, _SAMPLES, _TOTAL, _WITHIN, _BETWEEN, _WEIGHT, _N_SUMS = 0, 1, 2, 3, 4, 5, 6


def _case_sums(case: Sequence[Floats]) -> list[float]:
    samples = [votes for votes in case if len(votes)]
    counts = np.array([len(votes) for votes in samples], dtype=np.float64)
    totals = np.array([votes.sum() for votes in samples])
    means = totals / counts
    within = math.fsum(float(np.square(votes - mean).sum()) for votes, mean in zip(samples, means, strict=True))
    votes, total = counts.sum(), totals.sum()
    between = float((counts * (means - total / votes) ** 2).sum())
    return [votes, len(samples), total, within, between, float((counts**2).sum() / votes)]


def _squared_case_means(sums: Floats, weights: Floats) -> Floats:
    """Return, for each draw, the sum of squares between cases, votes squared, and case sizes; draws x 4."""
    votes, total = sums[:, _VOTES], sums[:, _TOTAL]
    all_votes = weights @ votes
    mean = np.divide(weights @ total, all_votes, out=np.zeros_like(all_votes), where=all_votes > 0)
    between = (weights * (votes * (total / votes - mean[:, None]) ** 2)).sum(axis=1)
    pairs = sums[:, _WEIGHT] * votes  # sum over samples of n_ij squared
    return np.stack([between, weights @ votes**2, weights @ pairs, weights.sum(axis=1)], axis=1)


def _parts(sums: Floats, cases: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the three parts for each draw, NaN where a draw has no repeats of that kind."""
    votes, samples, weight = sums[:, _VOTES], sums[:, _SAMPLES], sums[:, _WEIGHT]
    between_cases, votes_squared, pairs, n_cases = cases.T
    judge = _ratio(sums[:, _WITHIN], votes - samples)
    noise = np.where(np.isnan(judge), 0.0, judge)  # one judgment each: the target's part holds the judge's
    sample = np.maximum(0, _ratio(sums[:, _BETWEEN] - (samples - n_cases) * noise, votes - weight))
    own = np.where(np.isnan(sample), 0.0, sample)
    per_vote = np.divide(1.0, votes, out=np.zeros_like(votes), where=votes > 0)
    explained = (n_cases - 1) * noise + (weight - pairs * per_vote) * own
    case = np.maximum(0, _ratio(between_cases - explained, votes - votes_squared * per_vote))
    return judge, sample, case


def _ratio(above: Floats, below: Floats) -> Floats:
    found: Floats = np.divide(above, below, out=np.full(len(above), np.nan), where=below > 1e-9)  # noqa: PLR2004 - rounding
    return found


def _known(values: NDArray[np.float64]) -> float | None:
    return None if np.isnan(values[0]) else float(values[0])


def _with_intervals(found: VarianceSplit, sums: Floats, seed: int) -> VarianceSplit:
    values = [[], [], []]  # type: list[list[Floats]]
    for weights in resample_weights(len(sums), seed=seed):
        for place, part in enumerate(_parts(weights @ sums, _squared_case_means(sums, weights))):
            values[place].append(part)
    parts = (found.judge, found.sample, found.case)
    sds = [_sd(part, np.concatenate(drawn), len(sums)) for part, drawn in zip(parts, values, strict=True)]
    return replace(found, judge_sd=sds[0], sample_sd=sds[1], case_sd=sds[2])


def _sd(part: float | None, drawn: Floats, n_cases: int) -> Estimate:
    known = drawn[~np.isnan(drawn)]
    if part is None or n_cases < _RESAMPLES_LEAST or len(known) * 2 < len(drawn):
        return Estimate(value=None if part is None else math.sqrt(part))
    low, high = np.sqrt(np.quantile(known, (0.025, 0.975)))
    value = math.sqrt(part)
    return Estimate(value=value, low=min(float(low), value), high=max(float(high), value))
