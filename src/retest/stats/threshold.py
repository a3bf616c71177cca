"""An absolute threshold on a mean, judged with its interval."""

from __future__ import annotations

from typing import Literal, TypeAlias

from retest.stats.intervals import Interval

ThresholdVerdict: TypeAlias = Literal["above", "below", "inconclusive"]


def judge_minimum(interval: Interval, minimum: float) -> ThresholdVerdict:
    """Return ``above`` where the whole interval is at or above the minimum, ``below`` where all of it is below.

    The scale itself decides what no data need to: nothing lies below a minimum at the scale's own lower end. With a
    two-sided 95% interval either claim is wrong in at most 2.5% of runs. An end that is None decides nothing.
    """
    if interval.low is not None and interval.low >= minimum:
        return "above"
    if interval.high is not None and interval.high < minimum:
        return "below"
    return "inconclusive"


def judge_maximum(interval: Interval, maximum: float) -> ThresholdVerdict:
    """Return ``below`` where the whole interval is at or below the maximum, ``above`` where all of it is above."""
    if interval.high is not None and interval.high <= maximum:
        return "below"
    if interval.low is not None and interval.low > maximum:
        return "above"
    return "inconclusive"
