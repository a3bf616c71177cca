"""How often a suite's gate alarms where nothing changed, by dealing the same samples at random into two sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from retest.decision.decide import MetricScores, Policy, Scores, compare_metrics
from retest.decision.gate import comparison_reasons
from retest.domain.comparison import ArmComparison, ComparedRun, MetricComparison, RunComparison
from retest.domain.self_test import AlarmRate
from retest.domain.suite import GatePolicy
from retest.stats.rates import rate_interval

_NOBODY = ComparedRun(label="", suite="", started_at=datetime(1970, 1, 1, tzinfo=UTC), status="complete")


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitDesign:
    """Samples per case of either side, and how often the cards are dealt."""

    samples: tuple[int, int]
    splits: int


def split_alarms(
    arms: Mapping[str, Sequence[MetricScores]], policy: Policy, gate: GatePolicy, design: SplitDesign
) -> AlarmRate:
    """Deal each case's samples into two sides, judge them by the gate, and count the alarms.

    The dealing is what the suite's test supposes where nothing changed; a drift between runs is not in it, for the
    samples of all runs are dealt alike. The samples of one answer stay together over the metrics.

    Args:
        arms: arm -> its metrics, all samples in `baseline`; a case with fewer than two is left out.
        policy: of the statistics; its seed also deals.
        gate: of the suite.
        design: how to deal.
    """
    rng = np.random.default_rng(policy.seed)
    alarms = unproven = 0
    for number in range(design.splits):
        own = replace(policy, seed=policy.seed + number)
        dealt = {
            arm: compare_metrics(_dealt(metrics, design.samples, rng), own) for arm, metrics in arms.items() if metrics
        }
        alarm, open_question = gate_alarms(dealt, gate)
        alarms += alarm
        unproven += open_question and not alarm
    low, high = rate_interval(alarms, design.splits)
    return AlarmRate(alarms=alarms, unproven=unproven, trials=design.splits, samples=design.samples, low=low, high=high)


def gate_alarms(arms: Mapping[str, Sequence[MetricComparison]], gate: GatePolicy) -> tuple[bool, bool]:
    """Return whether a gate fails these comparisons for a regression, and whether it asks for proof in vain."""
    compared = tuple(
        ArmComparison(
            baseline=arm,
            candidate=arm,
            metrics=tuple(metrics),
            n_cases=max((metric.n_cases for metric in metrics), default=0),
        )
        for arm, metrics in arms.items()
    )
    return alarms_of(RunComparison(baseline=_NOBODY, candidate=_NOBODY, arms=compared), gate)


def alarms_of(comparison: RunComparison, gate: GatePolicy) -> tuple[bool, bool]:
    """Return the same of a whole comparison; limits and cases that must never fail have no part in it."""
    kinds = {reason.kind for reason in comparison_reasons(comparison, gate) if reason.blocking}
    return "regressed" in kinds, "unproven" in kinds


def _dealt(metrics: Sequence[MetricScores], samples: tuple[int, int], rng: np.random.Generator) -> list[MetricScores]:
    """Return the metrics with the samples of each case on two sides, one shuffle for all metrics of an answer."""
    orders: dict[tuple[str, int], list[int]] = {}
    dealt = []
    for metric in metrics:
        first: dict[str, list[float | None]] = {}
        second: dict[str, list[float | None]] = {}
        for case_id, values in metric.baseline.items():
            count = len(values)
            if count < 2:  # noqa: PLR2004 - one sample cannot be on both sides
                continue
            key = (case_id, count)
            if key not in orders:
                orders[key] = rng.permutation(count).tolist()
            mixed = [values[place] for place in orders[key]]
            at = _cut(count, samples)
            first[case_id], second[case_id] = mixed[:at], mixed[at : at + samples[1]]
        dealt.append(replace(metric, baseline=first, candidate=second))
    return dealt


def _cut(count: int, samples: tuple[int, int]) -> int:
    """Return how many of a case's samples go to the first side: as planned, else its half."""
    return samples[0] if count >= sum(samples) else count // 2


def split_sizes(pooled: int, per_run: int) -> tuple[int, int] | None:
    """Return the samples of either side: as many as a run has, else halves; None where one sample is all."""
    if pooled >= 2 * per_run:
        return per_run, per_run
    return None if pooled < 2 else (pooled // 2, pooled - pooled // 2)  # noqa: PLR2004 - a side needs one


def pooled_scores(runs: Sequence[Scores]) -> dict[str, list[float | None]]:
    """Return case id -> the samples of all runs, in the order of the runs, for the cases that every run has."""
    common = [case_id for case_id in runs[0] if all(case_id in run for run in runs[1:])] if runs else []
    return {case_id: [value for run in runs for value in run[case_id]] for case_id in common}
