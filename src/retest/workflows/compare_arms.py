"""Compares the arms of one run: which prompt or target is better on which metric."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from retest.decision.decide import MetricScores, Policy, Scores, compare_metrics
from retest.decision.metric_scores import metric_scores
from retest.decision.pairwise import pairwise_scores
from retest.domain.comparison import ArmComparison
from retest.domain.json_value import content_hash
from retest.domain.pairwise import PAIRWISE, PairwiseResult
from retest.domain.run import Run, RunMetric
from retest.domain.sequential import SequentialDecision
from retest.domain.suite import GatePolicy
from retest.runner.table import MetricCells, RunTable
from retest.workflows.arm_groups import arm_pairs
from retest.workflows.stored_decision import keep_arm_verdicts
from retest.workflows.summarise import case_values


def compare_arms(
    run: Run,
    table: RunTable,
    gate: GatePolicy,
    pairwise: Sequence[PairwiseResult] = (),
    decision: SequentialDecision | None = None,
) -> tuple[ArmComparison, ...]:
    """Return each arm against the first of its target, or against the first arm where there is one prompt.

    Arms that were sampled until decided against each other keep the verdicts of that `decision`.
    """
    found = _compare_arms(run, table, gate, pairwise)
    return tuple(keep_arm_verdicts(comparison, decision, run.metrics) for comparison in found)


def _compare_arms(
    run: Run, table: RunTable, gate: GatePolicy, pairwise: Sequence[PairwiseResult]
) -> tuple[ArmComparison, ...]:
    judged = {(result.baseline, result.candidate, result.metric): result for result in pairwise}
    return tuple(
        ArmComparison(
            baseline=run.arms[first].name,
            candidate=run.arms[second].name,
            pairwise=tuple(
                judged[key] for metric in run.metrics if (key := _pair_key(run, first, second, metric)) in judged
            ),
            metrics=compare_metrics(
                [
                    _pair_scores(metric, judged.get(_pair_key(run, first, second, metric)), gate)
                    if metric.metric == PAIRWISE
                    else _metric_scores(metric, table, first, second, gate)
                    for metric in run.metrics
                ],
                Policy(
                    alpha=gate.alpha,
                    case_share=gate.case_share,
                    seed=_seed(run, first, second),
                    clusters=_clusters(table),
                ),
            ),
        )
        for first, second in arm_pairs(run)
    )


def _pair_key(run: Run, first: int, second: int, metric: RunMetric) -> tuple[str, str, str]:
    return (run.arms[first].name, run.arms[second].name, metric.name)


def _pair_scores(metric: RunMetric, result: PairwiseResult | None, gate: GatePolicy) -> MetricScores:
    if result is None:
        return MetricScores(metric=metric.name, baseline={}, candidate={}, note="no pair of answers was judged yet")
    own = gate.metrics.get(metric.name)
    return pairwise_scores(result, margin=None if own is None else own.margin)


def _metric_scores(metric: RunMetric, table: RunTable, first: int, second: int, gate: GatePolicy) -> MetricScores:
    own = gate.metrics.get(metric.name)
    return metric_scores(
        metric,
        _scores(metric, table.arms[first].metrics[metric.name], table),
        _scores(metric, table.arms[second].metrics[metric.name], table),
        margin=None if own is None else own.margin,
    )


def _scores(metric: RunMetric, cells: MetricCells, table: RunTable) -> Scores:
    """Return case id -> scores, those that are missing left out; a case without any is not there."""
    rows = case_values(metric, cells, table).samples
    present = ~np.isnan(rows)
    return {table.case_ids[i]: rows[i][present[i]].tolist() for i in range(len(table.case_ids)) if present[i].any()}


def _clusters(table: RunTable) -> dict[str, str] | None:
    known = {
        case_id: cluster for case_id, cluster in zip(table.case_ids, table.clusters, strict=True) if cluster is not None
    }
    return known or None


def _seed(run: Run, first: int, second: int) -> int:
    """Return a seed made from what is compared: the same two arms always give the same verdict."""
    prompts = sorted([run.arms[first].prompt_hash, run.arms[second].prompt_hash])
    return int(content_hash([run.fingerprint, run.draw, prompts])[:8], 16)
