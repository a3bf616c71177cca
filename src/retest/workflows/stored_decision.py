"""The decision that a run sampled until decided keeps: which comparison it is of, and its verdicts laid over that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from retest.decision.decide import JudgedMetric
from retest.domain.comparison import ArmComparison, MetricComparison
from retest.domain.json_value import JsonValue, content_hash
from retest.domain.run import RunMetric
from retest.domain.scores import RunScores
from retest.domain.sequential import ArmStand, MetricStand, SequentialDecision, read_decision
from retest.workflows.renewed_scores import SideLike
from retest.workflows.review_columns import REVIEW


def scores_digest(scores: RunScores) -> str:
    """Return what identifies the scores that a run was judged against; reviews, which come later, have no part."""
    names = [metric.name for metric in scores.metrics if metric.metric != REVIEW]
    document = {
        arm: {name: dict(by_metric[name]) for name in names if name in by_metric}
        for arm, by_metric in scores.scores.items()
    }
    cases = {case_id: case.content_hash for case_id, case in scores.cases.items()}
    return content_hash(cast("JsonValue", {"scores": document, "cases": cases}))[:16]


def judged_together(baseline: SideLike, candidate: SideLike) -> SequentialDecision | None:
    """Return the candidate's decision where it was taken against this very baseline, else None."""
    decision = None if candidate.run is None else read_decision(candidate.run.summary)
    if decision is None or not decision.digest:
        return None
    # A baseline that was cut short as well may have got its last answers after the last look.
    cut_short = decision.outcome == "undecided" and decision.against == baseline.scores.label
    return decision if cut_short or decision.digest == scores_digest(baseline.scores) else None


def keep_arm_verdicts(
    comparison: ArmComparison, decision: SequentialDecision | None, metrics: Sequence[RunMetric]
) -> ArmComparison:
    """Return two arms of one run with the verdicts of the last look, where the arms were watched."""
    if decision is None or decision.against or not decision.digest:
        return comparison
    stand, signatures = decision.arm(comparison.baseline, comparison.candidate), _signatures(metrics)
    laid = [_laid_over(metric, _metric_of(stand, metric.metric), signatures) for metric in comparison.metrics]
    return replace(comparison, metrics=tuple(laid))


def keep_verdicts(
    judged: Sequence[JudgedMetric],
    decision: SequentialDecision | None,
    arms: tuple[str, str],
    metrics: Sequence[RunMetric],
) -> Sequence[JudgedMetric]:
    """Return the metrics of two arms with the verdicts of the last look, where a decision holds any."""
    if decision is None:
        return judged
    return with_stand(judged, decision.arm(*arms), _signatures(metrics))


def _signatures(metrics: Sequence[RunMetric]) -> dict[str, str]:
    return {metric.name: metric.signature for metric in metrics if metric.metric != REVIEW}


def with_stand(
    judged: Sequence[JudgedMetric], stand: ArmStand | None, signatures: Mapping[str, str]
) -> list[JudgedMetric]:
    """Return the metrics with the verdicts of the last look: a test of fixed size would be one look more.

    Args:
        judged: as a test of fixed size judges them.
        stand: of the same arms; None where no look had come yet, which leaves everything open.
        signatures: metric -> of its definition now. One that the looks judged by another, or that is not named (people
            review answers later), is left as it is.
    """
    return [
        replace(
            metric, comparison=_laid_over(metric.comparison, _metric_of(stand, metric.comparison.metric), signatures)
        )
        for metric in judged
    ]


def _metric_of(stand: ArmStand | None, name: str) -> MetricStand | None:
    return None if stand is None else stand.metric(name)


def _laid_over(
    comparison: MetricComparison, stand: MetricStand | None, signatures: Mapping[str, str]
) -> MetricComparison:
    signature = signatures.get(comparison.metric)
    if comparison.verdict == "not_comparable" or signature is None:
        return comparison
    if stand is None:
        return replace(comparison, verdict="inconclusive", p=1.0, p_adjusted=1.0, mde=None, mde_concentrated=None)
    if stand.signature != signature:
        return comparison
    return replace(
        comparison,
        verdict=stand.verdict,
        p=stand.p,
        p_adjusted=stand.p_adjusted,
        p_worse=stand.p_worse,
        p_better=stand.p_better,
        p_cases=stand.p_cases,
        mde=stand.mde,
        mde_concentrated=stand.mde_concentrated,
        level=stand.level,
    )
