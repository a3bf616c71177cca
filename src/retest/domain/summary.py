"""What a run adds up to: numbers for reports, computed once in `workflows`, never in a reporter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from retest.domain.figures import MetricFigures
from retest.domain.json_value import JsonValue
from retest.domain.suite import Direction

if TYPE_CHECKING:  # most runs have one arm, and nothing to compare
    from retest.domain.comparison import ArmComparison
    from retest.domain.pairwise import PairwiseRanking, PairwiseResult


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeSpread:
    """What several votes on each answer say of the judges; standard deviations in the metric's unit, None if unknown.

    Attributes:
        votes: on each answer.
        agreement: share of pairs of votes on one answer that are equal.
        judge_sd: of one vote around the mean of all votes on the same answer: the judge's own noise.
        judge_low, judge_high: its 95% interval.
        sample_sd: between samples of a case, the judge's noise taken out: the target's noise.
        case_sd: between cases, both taken out.
        levels: of a jury: how far each judge's votes lie from the jury's mean.
    """

    votes: int
    agreement: float
    judge_sd: float | None
    judge_low: float | None = None
    judge_high: float | None = None
    sample_sd: float | None = None
    case_sd: float | None = None
    levels: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSummary:
    """One metric over one arm: samples within a case first, then over cases.

    Attributes:
        mean: over cases; None where no case could be scored.
        low, high: two-sided 95% interval of the mean, clustered by case (or declared cluster).
        median, p10, p90, sd: of the case values.
        within_sd: pooled standard deviation of samples within a case; None without repeats.
        pass_rate: share of cases that pass by the case rule; None where nothing says what passes.
        sample_pass_rate: share of samples that pass.
        n_cases, n_samples: that have a score.
        failures: samples that the metric could not score (`not_applicable` is counted apart).
        histogram: counts of case values in equal bins from `histogram_low` to `histogram_high`.
        judges: what votes say of the judges, where answers were judged more than once.
        figures: what the samples come to besides their mean, where the metric has such.
    """

    name: str
    metric: str
    signature: str = ""
    direction: Direction = "higher"
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    median: float | None = None
    p10: float | None = None
    p90: float | None = None
    sd: float | None = None
    within_sd: float | None = None
    pass_rate: float | None = None
    sample_pass_rate: float | None = None
    n_cases: int = 0
    n_samples: int = 0
    failures: int = 0
    not_applicable: int = 0
    range_low: float | None = 0.0
    range_high: float | None = 1.0
    histogram: tuple[int, ...] = ()
    histogram_low: float = 0.0
    histogram_high: float = 1.0
    judges: JudgeSpread | None = None
    figures: MetricFigures | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceSummary:
    """One metric's mean on the cases of one tag or cluster."""

    kind: str
    name: str
    metric: str
    mean: float
    low: float | None
    high: float | None
    n_cases: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseSummary:
    """One case of one arm: its value per metric and whether it passes; `spread` is max - min over its samples."""

    case_id: str
    values: Mapping[str, float | None] = field(default_factory=dict)
    passed: Mapping[str, bool | None] = field(default_factory=dict)
    spread: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstCase:
    """A case worth looking at first, with one of its answers."""

    arm: str
    case_id: str
    metric: str
    value: float
    expected: str | None
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSummary:
    """One arm: metrics, errors by kind, latency (ms), tokens and cost over its samples."""

    name: str
    metrics: tuple[MetricSummary, ...] = ()
    slices: tuple[SliceSummary, ...] = ()
    cases: int = 0
    samples: int = 0
    errors: int = 0
    errors_by_kind: Mapping[str, int] = field(default_factory=dict)
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    identical_repeats: bool = False
    models: tuple[str, ...] = ()
    pareto: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitResult:
    """An absolute limit of the gate judged on a mean with its interval, or on a figure of the whole arm.

    `metric` names the figure too, as ``intent.f1_macro``; `mean` is then the figure's value.
    """

    arm: str
    metric: str
    limit: str
    value: float
    mean: float | None
    low: float | None
    high: float | None
    judgement: str  # "pass", "fail", "inconclusive"
    subject: str = "mean"  # or "figure"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A whole run, as reports show it.

    `pairwise` is of every two arms that a pairwise judge compared, `rankings` of more than two.
    """

    arms: tuple[ArmSummary, ...] = ()
    limits: tuple[LimitResult, ...] = ()
    worst: tuple[WorstCase, ...] = ()
    comparisons: tuple[ArmComparison, ...] = ()
    notes: tuple[str, ...] = ()
    pairwise: tuple[PairwiseResult, ...] = ()
    rankings: tuple[PairwiseRanking, ...] = ()
    extra: Mapping[str, JsonValue] = field(default_factory=dict)
