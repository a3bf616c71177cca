"""A metric's scores as they are compared: in what direction, on what scale, and added up how within a case."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from retest.decision.decide import MetricScores, Scores
from retest.domain.comparison import UnpairedCase
from retest.domain.run import RunMetric
from retest.stats.sample_weights import needed_samples

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


def short_of_samples(metrics: Sequence[MetricScores]) -> Iterator[UnpairedCase]:
    """Yield the cases that a metric leaves out because ``pass@k`` or ``pass^k`` takes more samples than they have."""
    for metric in metrics:
        needed = needed_samples(metric.aggregate)
        for case_id, samples in metric.candidate.items() if needed > 1 else ():
            sides = {"baseline": metric.baseline.get(case_id, ()), "candidate": samples}
            counts = {side: sum(score is not None for score in own) for side, own in sides.items()}
            short = [side for side, count in counts.items() if count < needed]
            if short and all(counts.values()):  # a side without any sample has a reason of its own
                named = " and the ".join(short)
                yield UnpairedCase(
                    case_id=case_id, reason=f"fewer than {needed} samples in the {named}, for {metric.metric}"
                )


def _passes(metric: RunMetric, scores: Scores) -> dict[str, list[float | None]]:
    return {
        case_id: [None if score is None else float(metric.passes(score) is True) for score in samples]
        for case_id, samples in scores.items()
    }
