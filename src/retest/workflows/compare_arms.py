"""Compares the arms of one run: which prompt or target is better on which metric."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from retest.decision.decide import MetricScores, Policy, Scores, compare_metrics
from retest.domain.comparison import ArmComparison
from retest.domain.json_value import content_hash
from retest.domain.run import Run, RunMetric
from retest.domain.suite import GatePolicy
from retest.runner.table import MetricCells, RunTable
from retest.workflows.summarise import case_values, scale_end


def compare_arms(run: Run, table: RunTable, gate: GatePolicy) -> tuple[ArmComparison, ...]:
    """Return each arm against the first of its target, or against the first arm where there is one prompt."""
    return tuple(
        ArmComparison(
            baseline=run.arms[first].name,
            candidate=run.arms[second].name,
            metrics=compare_metrics(
                [_metric_scores(metric, table, first, second, gate) for metric in run.metrics],
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


def arm_pairs(run: Run) -> Iterator[tuple[int, int]]:
    """Yield (baseline, candidate) by index: prompts are compared on the same target, else targets on one prompt."""
    several_prompts = len({arm.prompt_name for arm in run.arms}) > 1
    first_of: dict[tuple[object, ...], int] = {}
    for index, arm in enumerate(run.arms):
        group = (arm.target_name, content_hash(dict(arm.params))) if several_prompts and _same_params(run) else ()
        first = first_of.setdefault(group, index)
        if first != index:
            yield first, index


def _same_params(run: Run) -> bool:
    """Return whether grouping by target and parameters leaves every group with more than one arm."""
    groups = [(arm.target_name, content_hash(dict(arm.params))) for arm in run.arms]
    return all(groups.count(group) > 1 for group in groups)


def _metric_scores(metric: RunMetric, table: RunTable, first: int, second: int, gate: GatePolicy) -> MetricScores:
    own = gate.metrics.get(metric.name)
    return MetricScores(
        metric=metric.name,
        baseline=_scores(metric, table.arms[first].metrics[metric.name], table),
        candidate=_scores(metric, table.arms[second].metrics[metric.name], table),
        direction=metric.direction,
        scale=metric.scale,
        low=scale_end(metric.low, metric),
        high=scale_end(metric.high, metric),
        margin=None if own is None else own.margin,
    )


def _scores(metric: RunMetric, cells: MetricCells, table: RunTable) -> Scores:
    """Return case id -> scores, those that are missing left out; a case without any is not there.

    A metric that adds its samples up otherwise than by their mean is compared by what they come to: one value a case.
    """
    values = case_values(metric, cells, table)
    rows = values.samples if metric.aggregate == "mean" else values.per_case[:, None]
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
