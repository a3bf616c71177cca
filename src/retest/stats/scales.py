"""Scores on the scale they are compared on: higher is better, and ratios as logarithms."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Literal

Run = Mapping[Any, Sequence[float | None]]
Direction = Literal["higher", "lower"]


def oriented(run: Run, direction: Direction) -> dict[Hashable, list[float | None]]:
    """Return the scores with higher as better: the sign is flipped where lower is better."""
    sign = 1.0 if direction == "higher" else -1.0
    return {case: [None if score is None else sign * score for score in samples] for case, samples in run.items()}


def log_scores(run: Run, *, floor: float) -> dict[Hashable, list[float | None]]:
    """Return natural logarithms, for ratio-like metrics (latency, cost, length); values below the floor count as it.

    Raises:
        ValueError: where a score is negative, or the floor is not positive.
    """
    if not floor > 0:
        raise ValueError(f"the floor of a log scale must be positive, not {floor}")
    return {
        case: [None if score is None else _log(score, floor, case) for score in samples]
        for case, samples in run.items()
    }


def log_floor(*runs: Run) -> float:
    """Return half the least positive score of the runs to be compared, which stands in for zeros; 1 without any."""
    positive = (score for run in runs for samples in run.values() for score in samples if score is not None)
    return min((score for score in positive if score > 0), default=2.0) / 2


def _log(score: float, floor: float, case: Hashable) -> float:
    if score < 0:
        raise ValueError(f"case {case!r} scores {score}, but a log scale has no negative values")
    return math.log(max(score, floor))


def log_margin(share: float) -> float:
    """Return a relative margin on the log scale: .10 (a tenth more) is log(1.10).

    Raises:
        ValueError: where the share is -1 or less.
    """
    if not share > -1:
        raise ValueError(f"a relative margin must be above -1, not {share}")
    return math.log1p(share)


def relative_change(log_delta: float) -> float:
    """Return a difference of logarithms as a relative change: .0953 is a tenth more, .10."""
    return math.expm1(log_delta) + 0.0  # no -0.0
