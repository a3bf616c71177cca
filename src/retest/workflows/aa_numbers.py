"""Puts together what the runs of one suite against itself say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from retest.decision.decide import MetricScores, Policy
from retest.decision.drift_estimate import frozen_by_scores, measure_drifts
from retest.decision.false_alarms import SplitDesign, alarms_of, pooled_scores, split_alarms, split_sizes
from retest.decision.metric_scores import metric_scores
from retest.decision.needs import PooledCases, Size, flaky_cases, metric_need
from retest.domain.json_value import content_hash
from retest.domain.run import Run, RunMetric
from retest.domain.scores import RunScores
from retest.domain.self_test import AlarmRate, MetricNeed, SelfTest
from retest.domain.suite import GatePolicy, Suite
from retest.stats.pairing import cluster_numbers
from retest.stats.sample_weights import needed_samples
from retest.workflows.diff import DiffOptions, Side, diff_runs
from retest.workflows.measured_drift import keep_drifts
from retest.workflows.read_scores import read_run_scores
from retest.workflows.workspace import Workspace

if TYPE_CHECKING:
    from retest.store.database import Store

_MOST_SPLITS, _FEWEST_SPLITS = 200, 40
_SCORES_DEALT = 2_000_000  # all splits together, which bounds the time

Pooled = Mapping[str, Mapping[str, PooledCases]]  # arm -> metric -> case -> the samples of all runs


def judge_runs(
    store: Store, suite: Suite, runs: Sequence[Run], *, splits: int | None, workspace: Workspace
) -> SelfTest:
    """Compare complete runs of one version with each other, and keep the drift that they show with the last one.

    Args:
        store: open for writing.
        suite: whose gate judges.
        runs: oldest first; one alone says nothing of drift.
        splits: how often the pooled samples are dealt; None for a number by the suite's size.
        workspace: for the time and the place.
    """
    scores = [read_run_scores(store, run) for run in runs]
    recorded = {arm.name for arm in suite.arms if arm.target.provider == "replay"}
    frozen = dict(frozen_by_scores(scores)) | dict.fromkeys(recorded, "a recording has no fresh draw")
    pooled = _pool(scores, frozen)
    now = workspace.clock()
    drifts = measure_drifts(scores, frozen, now)
    keep_drifts(store, runs[-1], [found.measured for found in drifts if found.measured is not None], now)
    live = [arm.name for arm in scores[0].arms if arm.name not in frozen]
    return SelfTest(
        suite=suite.name,
        path=suite.path,
        runs=tuple(run.run_id for run in runs),
        samples=runs[0].samples_per_case,
        cases=len(scores[0].cases),
        alpha=suite.gate.alpha,
        pairs=_judge_pairs(store, suite, runs, scores, workspace) if live and len(runs) > 1 else None,
        splits=_judge_splits(suite, scores, pooled, splits),
        drifts=tuple(found.shown for found in drifts),
        needs=tuple(_needs(suite, scores, pooled)),
        flaky=tuple((arm, cases) for arm in pooled if (cases := tuple(flaky_cases(scores[0].metrics, pooled[arm])))),
        notes=(*_notes(suite, scores, frozen), *_too_few(scores[0], _sizes(scores, pooled))),
    )


def _pool(scores: Sequence[RunScores], frozen: Mapping[str, str]) -> Pooled:
    """Return the samples of all runs; of an arm whose runs are copies of each other, those of one run."""
    found = {}
    for arm in scores[0].arms:
        runs = scores[:1] if arm.name in frozen else scores
        found[arm.name] = {
            metric.name: pooled_scores([run.scores.get(arm.name, {}).get(metric.name, {}) for run in runs])
            for metric in scores[0].metrics
        }
    return found


def _judge_pairs(
    store: Store, suite: Suite, runs: Sequence[Run], scores: Sequence[RunScores], workspace: Workspace
) -> AlarmRate:
    """Judge each run against each other one, both ways, as `retest gate` would."""
    sides = [Side(scores=one, store=store, run=run) for one, run in zip(scores, runs, strict=True)]
    wish = DiffOptions(gate=suite.gate, limit=0, run_code=workspace.untrusted is None)
    alarms = unproven = trials = 0
    for first in sides:
        for second in sides:
            if first is not second:
                comparison = diff_runs(first, second, wish, cwd=workspace.cwd, now=workspace.clock())
                alarm, open_question = alarms_of(comparison, suite.gate)
                alarms += alarm
                unproven += open_question and not alarm
                trials += 1
    samples = runs[0].samples_per_case
    return AlarmRate(alarms=alarms, unproven=unproven, trials=trials, samples=(samples, samples))


def _judge_splits(suite: Suite, scores: Sequence[RunScores], pooled: Pooled, splits: int | None) -> AlarmRate | None:
    metrics = {metric.name: metric for metric in scores[0].metrics}
    arms = {arm: [one_sided(metrics[name], suite.gate, cases) for name, cases in pooled[arm].items()] for arm in pooled}
    sizes = _sizes(scores, pooled)
    if sizes is None:
        return None
    by_size = max(_FEWEST_SPLITS, min(_MOST_SPLITS, _SCORES_DEALT // sum(_counts(pooled))))
    policy = Policy(
        alpha=suite.gate.alpha,
        case_share=suite.gate.case_share,
        seed=int(content_hash([run.label for run in scores])[:8], 16),
        clusters=scores[0].clusters(),
    )
    return split_alarms(arms, policy, suite.gate, SplitDesign(samples=sizes, splits=splits or by_size))


def _counts(pooled: Pooled) -> list[int]:
    return [len(samples) for metrics in pooled.values() for cases in metrics.values() for samples in cases.values()]


def _sizes(scores: Sequence[RunScores], pooled: Pooled) -> tuple[int, int] | None:
    """Return the samples a case of both sides that are dealt; None where nothing can be dealt."""
    return split_sizes(max(_counts(pooled), default=0), scores[0].samples_per_case)


def _too_few(scores: RunScores, sizes: tuple[int, int] | None) -> Iterator[str]:
    for metric in scores.metrics:
        needed = needed_samples(one_sided(metric, GatePolicy(), {}).aggregate)
        if sizes is not None and min(sizes) < needed:
            yield f"{metric.name}: {metric.aggregate} takes {needed} samples on each dealt side; it has no part in them"


def one_sided(metric: RunMetric, gate: GatePolicy, cases: PooledCases) -> MetricScores:
    """Return all samples as a baseline's, to be dealt into two sides and judged as the gate judges the metric."""
    own = gate.metrics.get(metric.name)
    return metric_scores(metric, cases, {}, margin=None if own is None else own.margin)


def _needs(suite: Suite, scores: Sequence[RunScores], pooled: Pooled) -> Iterator[MetricNeed]:
    cases = scores[0].cases
    numbers = cluster_numbers(list(cases), scores[0].clusters())
    units = len(cases) if numbers is None else int(numbers.max()) + 1
    size = Size(cases=len(cases), units=units, samples=scores[0].samples_per_case)
    for arm, metrics in pooled.items():
        for metric in scores[0].metrics:
            need = metric_need(arm, metric, metrics[metric.name], size, suite.gate)
            if need is not None:
                yield need


def _notes(suite: Suite, scores: Sequence[RunScores], frozen: Mapping[str, str]) -> Iterator[str]:
    recorded = [arm.name for arm in suite.arms if arm.target.provider == "replay"]
    if recorded:
        named = (
            "all targets are recordings" if len(recorded) == len(suite.arms) else f"{', '.join(recorded)}: a recording"
        )
        yield f"{named}: there are no fresh draws, so no drift between runs can be seen"
        if scores[0].samples_per_case == 1:
            yield "and with one sample a case nothing can be dealt into two sides: record more, and give --samples"
    for metric in scores[0].metrics:
        if metric.aggregate != "mean":
            yield f"{metric.name}: which drop {metric.aggregate} of the samples would see is not foretold"
    for arm, why in frozen.items():
        if arm not in recorded:
            yield f"{arm}: {why}; its drift cannot be told"
    for run in scores:
        errors = sum(sum(calls.errors.values()) for calls in run.calls.values())
        if errors:
            yield f"{run.label}: {errors:,} samples have no answer and are left out"
