"""What missing samples could hide: bounds of the delta that count each of them as worst and as best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


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
) -> DeltaBounds | None:
    """Return bounds of the mean change over all cases that both runs planned; None is a missing sample.

    Unlike the tests, which leave a case without samples out, these bounds count every planned case: a run whose hard
    cases all failed to answer does not look good here.

    Args:
        baseline: case id -> score of each planned sample.
        candidate: the same for the candidate.
        low: least possible score.
        high: greatest possible score.

    Returns:
        None where no case was planned by both.

    Raises:
        ValueError: where low is above high.
    """
    if not low <= high:
        raise ValueError(f"the scale must not end before it starts: {low} .. {high}")
    shared = sorted((case for case in baseline if case in candidate and baseline[case] and candidate[case]), key=str)
    if not shared:
        return None
    ends = [
        (
            _mean(candidate[case], low) - _mean(baseline[case], high),
            _mean(candidate[case], high) - _mean(baseline[case], low),
        )
        for case in shared
    ]
    worst, best = np.mean(ends, axis=0)
    return DeltaBounds(worst=float(worst), best=float(best))


def _mean(samples: Sequence[float | None], fill: float) -> float:
    return sum(fill if score is None else score for score in samples) / len(samples)
