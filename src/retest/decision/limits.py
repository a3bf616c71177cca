"""Absolute limits of the gate, judged on a mean with its interval, and the exit code of a run on its own."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Literal

from retest.domain.figures import split_name
from retest.domain.pairwise import PairwiseResult
from retest.domain.suite import GatePolicy
from retest.domain.summary import ArmSummary, LimitResult, MetricSummary, RunSummary
from retest.errors import ExitCode, worst_exit_code
from retest.stats.intervals import Interval
from retest.stats.threshold import ThresholdVerdict, judge_maximum, judge_minimum

Judgement = Literal["pass", "fail", "inconclusive"]


def judge_limits(arms: Sequence[ArmSummary], gate: GatePolicy) -> tuple[LimitResult, ...]:
    """Judge every absolute limit of the gate on every arm: on a metric's mean, or on one of its figures."""
    return tuple(result for arm in arms for metric in arm.metrics for result in _metric_limits(arm, metric, gate))


def _metric_limits(arm: ArmSummary, metric: MetricSummary, gate: GatePolicy) -> Iterator[LimitResult]:
    names = [each.name for each in arm.metrics]
    for name, limits in gate.metrics.items():
        judged = _judged(name, metric, names)
        for kind, value in (("min", limits.min), ("max", limits.max)):
            if value is not None and judged is not None:
                yield LimitResult(
                    arm=arm.name,
                    metric=name,
                    limit=kind,
                    value=value,
                    mean=judged.mean,
                    low=judged.low,
                    high=judged.high,
                    judgement=judge_limit(kind, value, judged),
                    subject="mean" if name == metric.name else "figure",
                )


def _judged(name: str, metric: MetricSummary, names: Collection[str]) -> Interval | None:
    """Return what a limit of this name judges of a metric; None where it is about another metric.

    A figure that could not be computed has no value: its limit is still there, and is not kept.
    """
    if name in names:
        return _mean(metric) if name == metric.name else None
    split = split_name(name, names)
    if split is None or split[0] != metric.name:
        return None
    figure = None if metric.figures is None else metric.figures.get(split[1])
    if figure is None:
        return Interval(mean=None, low=None, high=None, n_cases=0)
    return Interval(mean=figure.value, low=figure.low, high=figure.high, n_cases=metric.n_cases)


def _mean(metric: MetricSummary) -> Interval:
    return Interval(mean=metric.mean, low=metric.low, high=metric.high, n_cases=metric.n_cases)


def judge_limit(kind: str, value: float, judged: Interval | MetricSummary) -> Judgement:
    """Return whether a mean keeps a limit: surely beyond it fails, surely within it passes, else inconclusive."""
    if judged.mean is None:
        return "inconclusive"
    interval = Interval(mean=judged.mean, low=judged.low, high=judged.high, n_cases=judged.n_cases)
    if kind == "min":
        return _MINIMUM[judge_minimum(interval, value)]
    return _MAXIMUM[judge_maximum(interval, value)]


_MINIMUM: dict[ThresholdVerdict, Judgement] = {"above": "pass", "below": "fail", "inconclusive": "inconclusive"}
_MAXIMUM: dict[ThresholdVerdict, Judgement] = {"below": "pass", "above": "fail", "inconclusive": "inconclusive"}


def run_exit_code(summary: RunSummary, gate: GatePolicy, planned: int) -> ExitCode:
    """Return the code of a run that was not cut short, before any comparison.

    Args:
        summary: of all arms, its limits already judged.
        gate: the suite's policy.
        planned: samples the plan held; fewer stored ones are an incomplete run.
    """
    codes = [_arm_code(arm, gate) for arm in summary.arms]
    if sum(arm.samples for arm in summary.arms) < planned:
        codes.append(ExitCode.INCOMPLETE)
    codes.extend(_limit_code(result, gate) for result in summary.limits)
    codes.extend(_pairwise_code(result, gate) for result in summary.pairwise)
    if not any(arm.metrics for arm in summary.arms) and not summary.pairwise:
        codes.append(ExitCode.NOTHING_TO_JUDGE)
    return worst_exit_code(*codes)


def _arm_code(arm: ArmSummary, gate: GatePolicy) -> ExitCode:
    if arm.samples and arm.errors / arm.samples > gate.max_error_rate:
        return ExitCode.INCOMPLETE
    if arm.samples == 0 or arm.cases < gate.min_cases:
        return ExitCode.NOTHING_TO_JUDGE
    if any(_fails_too_often(metric, gate.max_error_rate) for metric in arm.metrics):
        return ExitCode.INCOMPLETE
    # An arm without metrics of its own has pairwise ones only, which are judged where two arms meet.
    if arm.metrics and not any(metric.n_cases for metric in arm.metrics):
        return ExitCode.NOTHING_TO_JUDGE
    return ExitCode.PASSED


def _pairwise_code(result: PairwiseResult, gate: GatePolicy) -> ExitCode:
    tried = result.n_pairs + result.missing
    if tried and result.missing / tried > gate.max_error_rate:
        return ExitCode.INCOMPLETE
    return ExitCode.PASSED if result.n_pairs else ExitCode.NOTHING_TO_JUDGE


def _fails_too_often(metric: MetricSummary, limit: float) -> bool:
    tried = metric.n_samples + metric.failures
    return tried > 0 and metric.failures / tried > limit


def _limit_code(result: LimitResult, gate: GatePolicy) -> ExitCode:
    if result.judgement == "fail":
        return ExitCode.GATE_FAILED
    if result.mean is None:  # nothing was tested, which is no pass whatever the policy
        return ExitCode.NOTHING_TO_JUDGE
    if result.judgement == "inconclusive" and gate.block == "unproven":
        return ExitCode.INCONCLUSIVE
    return ExitCode.PASSED
