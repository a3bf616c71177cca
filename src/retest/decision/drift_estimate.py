"""Drift between the runs of one version: per metric and arm, what the means do beyond sampling."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from retest.decision.decide import Scores
from retest.decision.false_alarms import pooled_scores
from retest.decision.metric_scores import metric_scores
from retest.domain.run import RunMetric
from retest.domain.scores import RunScores
from retest.domain.self_test import FEWEST_RUNS, MeasuredDrift, MetricDrift
from retest.stats.dealt_drift import dealt_drift
from retest.stats.drift import Drift, estimate_drift, sampling_error
from retest.stats.pairing import RunMapping
from retest.stats.pairs import run_scores
from retest.stats.sample_weights import compared_samples, needed_samples, sample_weights
from retest.stats.scales import log_floor, log_scores, relative_change


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftFound:
    """One metric of one arm: as it is shown, and as later comparisons use it (None where nothing could be told)."""

    shown: MetricDrift
    measured: MeasuredDrift | None = None


def measure_drifts(
    runs: Sequence[RunScores], frozen_arms: Mapping[str, str], measured_at: datetime
) -> tuple[DriftFound, ...]:
    """Return the drift of every metric of every arm over runs of one version.

    Args:
        runs: of the same suite, oldest first.
        frozen_arms: arm -> why its answers cannot differ from run to run.
        measured_at: is kept with what later comparisons use.
    """
    return tuple(
        _of_metric(runs, arm.name, metric, frozen_arms.get(arm.name), measured_at)
        for arm in runs[0].arms
        for metric in runs[0].metrics
    )


def _of_metric(
    runs: Sequence[RunScores], arm: str, metric: RunMetric, frozen: str | None, measured_at: datetime
) -> DriftFound:
    own = [metric_scores(metric, run.scores.get(arm, {}).get(metric.name, {}), {}) for run in runs]
    sides, aggregate = [scores.baseline for scores in own], own[0].aggregate
    fewest = needed_samples(aggregate)
    common = [case for case in pooled_scores(sides) if all(len(_known(side[case])) >= fewest for side in sides)]
    means = tuple(_mean_of_cases(side, common, aggregate) for side in sides) if common else ()
    note = _why_not(len(runs), common, frozen)
    found = None if note else _estimate(sides, common, metric, aggregate)
    if note is None and found is None:
        note = "every case has one sample in one run alone"
    tau = None if found is None else math.sqrt(found.tau2)
    is_ratio = metric.scale == "log"
    shown = MetricDrift(
        arm=arm,
        metric=metric.name,
        means=means,
        tau=None if tau is None else relative_change(tau) if is_ratio else tau,
        p=None if found is None else found.p,
        note=note,
        range_low=own[0].low,
        range_high=own[0].high,
        is_ratio=is_ratio,
    )
    if found is None:
        return DriftFound(shown=shown)
    measured = MeasuredDrift(
        arm=arm,
        metric=metric.name,
        signature=metric.signature,
        tau2=found.tau2,
        n_runs=found.n_runs,
        measured_at=measured_at,
    )
    return DriftFound(shown=shown, measured=measured)


def _why_not(n_runs: int, common: Sequence[str], frozen: str | None) -> str | None:
    if frozen is not None:
        return frozen
    if n_runs < FEWEST_RUNS:
        return f"drift needs {FEWEST_RUNS} runs"
    return None if common else "no case has a score in every run"


def _estimate(sides: Sequence[Scores], common: Sequence[str], metric: RunMetric, aggregate: str) -> Drift | None:
    """Return the drift on the scale of the test; None where nothing says how much sampling moves a mean."""
    tested = _on_scale(sides, metric)
    if tested is None:
        return None
    if aggregate != "mean":
        return dealt_drift([[_known(side[case]) for side in tested] for case in common], aggregate)
    own = [run_scores([_known(side[case]) for case in common]) for side in tested]
    errors = [sampling_error(run) for run in own]
    if any(error is None for error in errors):
        # One sample a case: the runs are each other's repeats. Drift is in that spread too, but a sliver of it.
        pooled = run_scores([[value for side in tested for value in _known(side[case])] for case in common])
        variance = pooled.within_variance()
        if variance is None:
            return None
        errors = [math.sqrt(variance * float((1 / run.counts).sum())) / len(run.counts) for run in own]
    known = [error for error in errors if error is not None]
    return estimate_drift([float(np.mean(run.means)) for run in own], known)


def _on_scale(sides: Sequence[Scores], metric: RunMetric) -> list[RunMapping] | None:
    """Return the sides on the scale of the test; None where a score is not on it."""
    if metric.scale == "linear":
        return list(sides)
    floor = log_floor(*sides)
    try:
        return [log_scores(side, floor=floor) for side in sides]
    except ValueError:
        return None


def _known(samples: Sequence[float | None]) -> list[float]:
    return [value for value in samples if value is not None]


def _mean_of_cases(side: Scores, common: Sequence[str], aggregate: str) -> float:
    samples = (sorted(_known(side[case])) for case in common)
    values = [_case_value(known, aggregate) for known in samples]
    return sum(values) / len(values)


def _case_value(known: Sequence[float], aggregate: str) -> float:
    size = compared_samples(aggregate, len(known), len(known))
    return float(sample_weights(aggregate, len(known), size) @ known)


def frozen_by_scores(runs: Sequence[RunScores]) -> Iterator[tuple[str, str]]:
    """Yield the arms whose scores are the same in every run, each with what that means."""
    for arm in runs[0].arms:
        first = runs[0].scores.get(arm.name, {})
        if len(runs) > 1 and all(run.scores.get(arm.name, {}) == first for run in runs[1:]):
            yield arm.name, "every run gave the same scores, as copies would: a cache, a fixed seed, temperature 0?"
