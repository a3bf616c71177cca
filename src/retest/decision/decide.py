"""One verdict per metric, with Holm's correction over the metrics that are judged together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from retest.domain.catalog import Scale
from retest.domain.comparison import MetricComparison, Verdict
from retest.domain.suite import Direction
from retest.stats.compare import compare
from retest.stats.result import PairedComparison
from retest.stats.scales import log_floor, log_margin, log_scores, oriented, relative_change
from retest.stats.several_metrics import holm, holm_factors
from retest.stats.verdict import Evidence, decide, join_channels

Scores = Mapping[str, Sequence[float | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricScores:
    """One metric on both sides: case id -> scores of its samples, in the metric's own units."""

    metric: str
    baseline: Scores
    candidate: Scores
    direction: Direction = "higher"
    scale: Scale = "linear"
    low: float | None = 0.0
    high: float | None = 1.0
    margin: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How metrics are judged: `seed` is of the random draws, so that equal runs give equal verdicts."""

    alpha: float = 0.05
    case_share: float = 0.2
    seed: int = 0
    clusters: Mapping[str, str] | None = None


def compare_metrics(metrics: Sequence[MetricScores], policy: Policy) -> tuple[MetricComparison, ...]:
    """Compare every metric and judge all together: the chance of any false `regressed` stays at most alpha.

    Metrics without a common case are not comparable, and count for nothing in the correction.
    """
    pairs = [_compare(scores, policy) for scores in metrics]
    comparable = [i for i, pair in enumerate(pairs) if pair.verdict != "not_comparable"]
    p_values = [pairs[i].p for i in comparable]
    adjusted = dict(zip(comparable, (float(p) for p in holm(p_values, policy.alpha)), strict=True))
    factors = dict(zip(comparable, (float(f) for f in holm_factors(p_values)), strict=True))
    return tuple(
        _judged(scores, pair, adjusted.get(i, 1.0), factors.get(i, 1.0), policy)
        for i, (scores, pair) in enumerate(zip(metrics, pairs, strict=True))
    )


def _compare(scores: MetricScores, policy: Policy) -> PairedComparison:
    baseline, candidate, margin, width = scores.baseline, scores.candidate, scores.margin, _width(scores)
    if scores.scale == "log":
        floor = log_floor(baseline, candidate)
        baseline, candidate = log_scores(baseline, floor=floor), log_scores(candidate, floor=floor)  # type: ignore[assignment] # keys stay texts
        margin = None if margin is None else log_margin(margin)
    return compare(
        oriented(baseline, scores.direction),
        oriented(candidate, scores.direction),
        margin=margin,
        alpha=policy.alpha,
        width=width,
        clusters=policy.clusters,
        seed=policy.seed,
        case_share=policy.case_share,
    )


def _width(scores: MetricScores) -> float | None:
    if scores.scale == "log" or scores.low is None or scores.high is None or scores.high <= scores.low:
        return None
    return scores.high - scores.low


def _judged(
    scores: MetricScores, pair: PairedComparison, adjusted: float, factor: float, policy: Policy
) -> MetricComparison:
    verdict: Verdict = pair.verdict
    if verdict != "not_comparable":
        _, single = join_channels(pair.p_worse, pair.p_cases, policy.case_share if pair.uses_cases else 0.0)
        evidence = Evidence(
            p=adjusted,
            p_single=min(1.0, single * factor),
            p_better=pair.p_better,
            lower=pair.lower,
            upper=pair.upper,
        )
        verdict = decide(evidence, margin=pair.margin, alpha=policy.alpha)
    delta, low, high = _in_own_units(scores, pair.delta, pair.low, pair.high)
    return MetricComparison(
        metric=scores.metric,
        verdict=verdict,
        direction=scores.direction,
        scale=scores.scale,
        baseline_mean=_mean(scores.baseline),
        candidate_mean=_mean(scores.candidate),
        delta=delta,
        low=low,
        high=high,
        p=pair.p,
        p_adjusted=adjusted,
        p_worse=pair.p_worse,
        p_better=pair.p_better,
        p_cases=pair.p_cases,
        mde=pair.mde if pair.mde is None or scores.scale == "linear" else relative_change(pair.mde),
        margin=scores.margin,
        n_cases=pair.n_cases,
        range_low=scores.low,
        range_high=scores.high,
    )


def _in_own_units(
    scores: MetricScores, delta: float | None, low: float | None, high: float | None
) -> tuple[float | None, float | None, float | None]:
    """Return the change as a person reads it: the sign flipped back, logarithms as relative changes."""
    if scores.direction == "lower":
        delta, low, high = _negated(delta), _negated(high), _negated(low)
    if scores.scale == "log":
        return _relative(delta), _relative(low), _relative(high)
    return delta, low, high


def _negated(value: float | None) -> float | None:
    return None if value is None else -value


def _relative(value: float | None) -> float | None:
    return None if value is None else relative_change(value)


def _mean(scores: Scores) -> float | None:
    """Return the mean over cases of the mean over samples; missing samples are left out."""
    cases = [[score for score in samples if score is not None] for samples in scores.values()]
    means = [sum(samples) / len(samples) for samples in cases if samples]
    return sum(means) / len(means) if means else None
