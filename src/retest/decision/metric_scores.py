"""A metric's scores as they are compared: in what direction, on what scale, and added up how within a case."""

from __future__ import annotations

from retest.decision.decide import MetricScores, Scores
from retest.domain.run import RunMetric

_OF_SCORES = frozenset({"mean", "min", "max"})


def metric_scores(
    metric: RunMetric, baseline: Scores, candidate: Scores, *, margin: float | None = None, note: str | None = None
) -> MetricScores:
    """Return both sides' scores ready to be judged by the metric's own aggregate.

    What aggregates passes (any, all, majority, pass@k, pass^k) is compared as 1 and 0, where a pass is always better.
    """
    if metric.aggregate in _OF_SCORES or not metric.decides_passing:
        return MetricScores(
            metric=metric.name,
            baseline=baseline,
            candidate=candidate,
            direction=metric.direction,
            scale=metric.scale,
            low=metric.low,
            high=metric.high,
            margin=margin,
            note=note,
            aggregate=metric.aggregate if metric.aggregate in _OF_SCORES else "mean",
        )
    return MetricScores(
        metric=metric.name,
        baseline=_passes(metric, baseline),
        candidate=_passes(metric, candidate),
        margin=margin,
        note=note,
        aggregate=metric.aggregate,
    )


def _passes(metric: RunMetric, scores: Scores) -> dict[str, list[float | None]]:
    return {
        case_id: [None if score is None else float(metric.passes(score) is True) for score in samples]
        for case_id, samples in scores.items()
    }
