"""One verdict per metric, with Holm's correction over the metrics that are judged together."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from retest.domain.catalog import Scale
from retest.domain.comparison import MetricComparison
from retest.domain.suite import Direction
from retest.stats.compare import compare
from retest.stats.missing_samples import delta_bounds
from retest.stats.pairing import RunMapping
from retest.stats.pairs import paired_scores
from retest.stats.result import PairedComparison
from retest.stats.sample_weights import compared_samples, needed_samples, sample_weights
from retest.stats.scales import log_floor, log_margin, log_scores, oriented, relative_change
from retest.stats.together import JudgedTogether, judge_together

Scores = Mapping[str, Sequence[float | None]]
TestScores = Mapping[Hashable, Sequence[float | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricScores:
    """One metric on both sides: case id -> scores of its samples, in the metric's own units.

    `note` says why there is nothing to compare, or which side was scored anew. `aggregate` says what the samples of a
    case come to; of passes it takes 1 and 0 (`metric_scores` makes them).
    """

    metric: str
    baseline: Scores
    candidate: Scores
    direction: Direction = "higher"
    scale: Scale = "linear"
    low: float | None = 0.0
    high: float | None = 1.0
    margin: float | None = None
    note: str | None = None
    aggregate: str = "mean"

    @property
    def tested_aggregate(self) -> str:
        """Return the aggregate where higher is better: the lowest of flipped scores is the highest of these."""
        flipped = {"min": "max", "max": "min"}
        return flipped.get(self.aggregate, self.aggregate) if self.direction == "lower" else self.aggregate

    @property
    def width(self) -> float | None:
        """Return the width of the scale that differences are taken on; None where it is unbounded."""
        if self.scale == "log" or self.low is None or self.high is None or self.high <= self.low:
            return None
        return self.high - self.low


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How metrics are judged: `seed` is of the random draws, so that equal runs give equal verdicts."""

    alpha: float = 0.05
    case_share: float = 0.2
    seed: int = 0
    clusters: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedMetric:
    """A metric with its verdict, and the statistics behind it: in `pair` higher is better, ratios are logarithms."""

    scores: MetricScores
    pair: PairedComparison
    comparison: MetricComparison


def compare_metrics(metrics: Sequence[MetricScores], policy: Policy) -> tuple[MetricComparison, ...]:
    """Compare every metric and judge all together; see `judge_metrics`."""
    return tuple(judged.comparison for judged in judge_metrics(metrics, policy))


def judge_metrics(metrics: Sequence[MetricScores], policy: Policy) -> tuple[JudgedMetric, ...]:
    """Compare every metric and judge all together: the chance of any false `regressed` stays at most alpha.

    Metrics without a common case are not comparable, and count for nothing in the correction.
    """
    compared = [_compare(scores, policy) for scores in metrics]
    verdicts = judge_together([pair for _, pair in compared], alpha=policy.alpha)
    return tuple(
        JudgedMetric(scores=scores, pair=pair, comparison=_in_words(scores, pair, verdict))
        for (scores, pair), verdict in zip(compared, verdicts, strict=True)
    )


def _compare(scores: MetricScores, policy: Policy) -> tuple[MetricScores, PairedComparison]:
    """Return the comparison; scores that no scale takes (a negative latency) are not comparable, with the reason."""
    try:
        return scores, _compare_sides(scores, policy)
    except ValueError as error:
        nothing = replace(scores, baseline={}, candidate={}, note=str(error))
        return nothing, _compare_sides(nothing, policy)


def _compare_sides(scores: MetricScores, policy: Policy) -> PairedComparison:
    baseline, candidate = on_test_scale(scores)
    margin = scores.margin if scores.margin is None or scores.scale == "linear" else log_margin(scores.margin)
    return compare(
        baseline,
        candidate,
        margin=margin,
        alpha=policy.alpha,
        width=scores.width,
        clusters=policy.clusters,
        seed=policy.seed,
        case_share=policy.case_share,
        aggregate=scores.tested_aggregate,
    )


def on_test_scale(scores: MetricScores) -> tuple[TestScores, TestScores]:
    """Return both sides as they are tested: higher is better, ratios as logarithms.

    Raises:
        ValueError: where a score is negative on a log scale.
    """
    baseline: RunMapping = scores.baseline
    candidate: RunMapping = scores.candidate
    if scores.scale == "log":
        floor = log_floor(baseline, candidate)
        baseline, candidate = log_scores(baseline, floor=floor), log_scores(candidate, floor=floor)
    return oriented(baseline, scores.direction), oriented(candidate, scores.direction)


def _in_words(scores: MetricScores, pair: PairedComparison, judged: JudgedTogether) -> MetricComparison:
    delta, low, high = in_own_units(scores, pair.delta, pair.low, pair.high)
    missing_low, missing_high = _missing_bounds(scores)
    before, after = case_values(scores, pair.deltas)
    return MetricComparison(
        metric=scores.metric,
        verdict=judged.verdict,
        direction=scores.direction,
        scale=scores.scale,
        baseline_mean=_mean(before),
        candidate_mean=_mean(after),
        delta=delta,
        low=low,
        high=high,
        p=pair.p,
        p_adjusted=judged.p_adjusted,
        p_worse=pair.p_worse,
        p_better=pair.p_better,
        p_cases=pair.p_cases,
        mde=in_drop_units(scores, pair.mde),
        mde_concentrated=in_drop_units(scores, pair.mde_concentrated),
        margin=scores.margin,
        n_cases=pair.n_cases,
        range_low=scores.low,
        range_high=scores.high,
        note=scores.note,
        missing_low=missing_low,
        missing_high=missing_high,
    )


def in_drop_units(scores: MetricScores, drop: float | None) -> float | None:
    """Return a drop as a person reads it: on a log scale the share lost, or gained where lower is better."""
    if drop is None or scores.scale == "linear":
        return drop
    return relative_change(drop) if scores.direction == "lower" else -relative_change(-drop)


def in_own_units(
    scores: MetricScores, delta: float | None, low: float | None, high: float | None
) -> tuple[float | None, float | None, float | None]:
    """Return a change as a person reads it: the sign flipped back, logarithms as relative changes."""
    if scores.direction == "lower":
        delta, low, high = _negated(delta), _negated(high), _negated(low)
    if scores.scale == "log":
        return _relative(delta), _relative(low), _relative(high)
    return delta, low, high


def _negated(value: float | None) -> float | None:
    return None if value is None else -value


def _relative(value: float | None) -> float | None:
    return None if value is None else relative_change(value)


def _missing_bounds(scores: MetricScores) -> tuple[float | None, float | None]:
    """Return the mean change with missing samples counted as worst and as best; None where none is missing."""
    if scores.width is None or scores.low is None or scores.high is None:
        return None, None
    if not any(None in samples for side in (scores.baseline, scores.candidate) for samples in side.values()):
        return None, None
    bounds = delta_bounds(
        scores.baseline, scores.candidate, low=scores.low, high=scores.high, aggregate=scores.aggregate
    )
    return (None, None) if bounds is None else (bounds.worst, bounds.best)


def case_values(scores: MetricScores, paired: Iterable[object]) -> tuple[dict[str, float], dict[str, float]]:
    """Return what the samples of each paired case come to on both sides, in the metric's own units.

    Without a pair, as for a metric that only one side has: every case of either side by its own samples.
    """
    ids = [str(case_id) for case_id in paired]
    if ids:
        pairs = paired_scores(
            [_known(scores.baseline[case_id]) for case_id in ids],
            [_known(scores.candidate[case_id]) for case_id in ids],
            scores.aggregate,
        )
        first, second = pairs.case_values
        return dict(zip(ids, first.tolist(), strict=True)), dict(zip(ids, second.tolist(), strict=True))
    return _own_values(scores.baseline, scores.aggregate), _own_values(scores.candidate, scores.aggregate)


def _own_values(side: Scores, aggregate: str) -> dict[str, float]:
    known = {case_id: _known(samples) for case_id, samples in side.items()}
    enough = {case_id: kept for case_id, kept in known.items() if len(kept) >= needed_samples(aggregate)}
    values = {}
    for case_id, kept in enough.items():
        weights = sample_weights(aggregate, len(kept), compared_samples(aggregate, len(kept), len(kept)))
        values[case_id] = float(weights @ sorted(kept))
    return values


def _known(samples: Sequence[float | None]) -> list[float]:
    return [score for score in samples if score is not None]


def _mean(values: Mapping[str, float]) -> float | None:
    return sum(values.values()) / len(values) if values else None
