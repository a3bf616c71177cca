"""What missing samples could hide: bounds of the delta that count each of them as worst and as best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from retest.stats.sample_weights import compared_samples, needed_samples, sample_weights


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaBounds:
    """The least and the greatest mean change that the missing samples leave possible; equal where none is missing."""

    worst: float
    best: float


def delta_bounds(
    baseline: Mapping[Any, Sequence[float | None]],
    candidate: Mapping[Any, Sequence[float | None]],
    *,
    low: float = 0.0,
    high: float = 1.0,
    aggregate: str = "mean",
) -> DeltaBounds | None:
    """Return bounds of the mean change over all cases that both runs planned; None is a missing sample.

    Unlike the tests, which leave a case without samples out, these bounds count every planned case: a run whose hard
    cases all failed to answer does not look good here.

    Args:
        baseline: case id -> score of each planned sample.
        candidate: the same for the candidate.
        low: least possible score.
        high: greatest possible score.
        aggregate: what a case's samples come to; see `sample_weights`.

    Returns:
        None where no case was planned by both.

    Raises:
        ValueError: where low is above high.
    """
    if not low <= high:
        raise ValueError(f"the scale must not end before it starts: {low} .. {high}")
    needed = needed_samples(aggregate)
    shared = sorted(
        (case for case in baseline if len(baseline[case]) >= needed and len(candidate.get(case, ())) >= needed), key=str
    )
    if not shared:
        return None
    ends = [_ends(baseline[case], candidate[case], (low, high), aggregate) for case in shared]
    worst, best = np.mean(ends, axis=0)
    return DeltaBounds(worst=float(worst), best=float(best))


def _ends(
    before: Sequence[float | None], after: Sequence[float | None], scale: tuple[float, float], aggregate: str
) -> tuple[float, float]:
    """Return the least and the greatest change of one case."""
    low, high = scale
    size = compared_samples(aggregate, len(before), len(after))

    def value(samples: Sequence[float | None], fill: float) -> float:
        filled = sorted(fill if score is None else score for score in samples)
        if aggregate == "mean":
            return sum(filled) / len(filled)
        return float(sample_weights(aggregate, len(filled), size) @ np.array(filled))

    return value(after, low) - value(before, high), value(after, high) - value(before, low)
