"""What pages show of each case: its values, its state, and how the values are distributed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from retest.domain.comparison import ArmComparison, CaseChange
from retest.domain.pages import STATES, CaseState, Histogram
from retest.domain.run import RunMetric
from retest.domain.scores import CaseScores, RunScores
from retest.stats.case_values import aggregate_cases

_BINS = 20
_UNIT_BINS = 10  # on a scale from 0 to 1: five samples a case give six values, ten give eleven

Values = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmValues:
    """The values of one arm: metric -> case -> value; and of the cases that something says pass, how many samples."""

    values: Mapping[str, Values] = field(default_factory=dict)
    passes: Mapping[str, Mapping[str, tuple[int, int]]] = field(default_factory=dict)
    errors: Mapping[str, int] = field(default_factory=dict)


def arm_values(scores: RunScores, arm: str, metrics: Sequence[RunMetric]) -> ArmValues:
    """Return the values of an arm on these metrics: of a case what the metric's `aggregate` makes of its samples."""
    own = scores.scores.get(arm, {})
    calls = scores.calls.get(arm)
    return ArmValues(
        values={metric.name: case_values(metric, own.get(metric.name, {})) for metric in metrics},
        passes={metric.name: _passes(metric, own.get(metric.name, {})) for metric in metrics if metric.decides_passing},
        errors={} if calls is None else calls.errors,
    )


def case_values(metric: RunMetric, scores: CaseScores) -> Values:
    """Return one value for each case that has one."""
    if not scores:
        return {}
    width = max(len(samples) for samples in scores.values())
    matrix = np.full((len(scores), max(width, 1)), math.nan)
    for row, samples in enumerate(scores.values()):
        matrix[row, : len(samples)] = [math.nan if value is None else value for value in samples]
    passed = np.full_like(matrix, math.nan)
    if metric.decides_passing:
        for place in zip(*np.nonzero(~np.isnan(matrix)), strict=True):
            passed[place] = float(bool(metric.passes(float(matrix[place]))))
    found = aggregate_cases(matrix, passed, metric.aggregate).tolist()
    return {case_id: value for case_id, value in zip(scores, found, strict=True) if not math.isnan(value)}


def _passes(metric: RunMetric, scores: CaseScores) -> Mapping[str, tuple[int, int]]:
    """Return case -> samples that pass, samples with a score."""
    found = {}
    for case_id, samples in scores.items():
        known = [value for value in samples if value is not None]
        found[case_id] = (sum(metric.passes(value) is True for value in known), len(known))
    return found


def plain_state(case_id: str, own: ArmValues, metrics: Sequence[RunMetric]) -> CaseState:
    """Return the state of a case that is compared with nothing: by the first metric that says what passes."""
    if own.errors.get(case_id):
        return "error"
    for metric in metrics:
        passed, samples = own.passes.get(metric.name, {}).get(case_id, (0, 0))
        if samples:
            return _passing(metric, passed, samples)
    return "scored"


def _passing(metric: RunMetric, passed: int, samples: int) -> CaseState:
    if 0 < passed < samples:
        return "mixed"
    return "passing" if metric.case_passes.accepts(passed, samples) else "failing"


def changed_states(comparison: ArmComparison) -> Mapping[str, tuple[CaseChange, ...]]:
    """Return case -> its changes, for the cases that changed."""
    return {case.case_id: case.changes for case in comparison.changed}


def compared_state(case_id: str, own: ArmValues, changes: Sequence[CaseChange]) -> CaseState:
    """Return the state of a case that is compared: the most urgent of its changes."""
    if own.errors.get(case_id):
        return "error"
    return min((change.label for change in changes), key=STATES.index, default="same")


def value_range(metric: RunMetric) -> tuple[float | None, float | None]:
    """Return the scale of the case values: what passes is 0 or 1, whatever the scores' own scale."""
    return (metric.low, metric.high) if metric.aggregate in {"mean", "min", "max"} else (0.0, 1.0)


def shared_histogram(metric: RunMetric, after: Values, before: Values | None) -> Histogram | None:
    """Return the counts of both sides in the same bins; None where there is no value."""
    everything = [*after.values(), *(before or {}).values()]
    if not everything:
        return None
    ends = value_range(metric)
    bounded = None not in ends
    low = min(everything) if not bounded or ends[0] is None else min(ends[0], *everything)
    high = max(everything) if not bounded or ends[1] is None else max(ends[1], *everything)
    if high <= low:
        high = low + 1.0
    bins = _UNIT_BINS if (low, high) == (0.0, 1.0) else _BINS
    return Histogram(
        low=float(low),
        high=float(high),
        after=_counts(after, bins, (low, high)),
        before=() if before is None else _counts(before, bins, (low, high)),
    )


def _counts(values: Values, bins: int, ends: tuple[float, float]) -> tuple[int, ...]:
    counts, _ = np.histogram(list(values.values()), bins=bins, range=ends)
    return tuple(int(count) for count in counts)
