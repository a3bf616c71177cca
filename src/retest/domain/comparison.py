"""What two arms, or two runs, come to when compared: verdicts, what changed, and what could not be compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from retest.domain.catalog import Scale
from retest.domain.figures import FigureChange
from retest.domain.pairwise import PairwiseResult
from retest.domain.suite import Direction

Verdict = Literal["regressed", "improved", "unchanged", "not_worse", "inconclusive", "not_comparable"]
CaseLabel = Literal["newly_failing", "newly_passing", "worse", "better", "suspect"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricComparison:
    """One metric, candidate against baseline, over the cases that both have.

    Differences are in the metric's own units and direction (a latency that falls has a negative delta); on a log scale
    they are relative changes (0.1 is a tenth more).

    Attributes:
        delta: mean over cases of the change; None where nothing could be paired.
        low, high: two-sided 95% interval of delta for new cases like these.
        p: that nothing got worse, both channels joined, before any correction.
        p_adjusted: after Holm's correction over the metrics compared together.
        p_worse, p_better: the suite's test alone. p_cases: the single-case channel alone.
        mde: smallest drop, spread over the suite, that would have been found in 80 of 100 runs like these.
        mde_concentrated: the same for a drop that hits few cases.
        note: why it is not comparable, or which side was scored anew.
        missing_low, missing_high: delta with every missing sample counted as worst and as best; None where none is
            missing or the scale is unbounded.
        drift_limit: how far the mean must move to say more than the drift that `retest aa` measured between equal runs;
            None where none was measured, or none was found.
        within_drift: it regressed, and its mean did not move that far.
        level: of a run that was sampled until decided: the nominal p at which its last look could reject. All p-values
            but `p_cases` are those of the whole design then, and compare with alpha as always.
    """

    metric: str
    verdict: Verdict
    direction: Direction
    scale: Scale
    baseline_mean: float | None
    candidate_mean: float | None
    delta: float | None
    low: float | None
    high: float | None
    p: float
    p_adjusted: float
    p_worse: float
    p_better: float
    p_cases: float
    mde: float | None
    margin: float | None
    n_cases: int
    range_low: float | None = 0.0
    range_high: float | None = 1.0
    mde_concentrated: float | None = None
    note: str | None = None
    missing_low: float | None = None
    missing_high: float | None = None
    drift_limit: float | None = None
    within_drift: bool = False
    level: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What differs between the two sides besides their scores; a blocking one forbids the comparison."""

    what: str
    before: str
    after: str
    blocking: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceComparison:
    """One metric on the paired cases of one tag or cluster; no verdict, for so many looks would need correcting."""

    kind: str
    name: str
    metric: str
    n_cases: int
    baseline_mean: float
    candidate_mean: float
    delta: float
    low: float | None
    high: float | None
    range_low: float | None = 0.0
    range_high: float | None = 1.0
    scale: Scale = "linear"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseChange:
    """One case on one metric.

    Attributes:
        label: ``suspect`` where chance alone may explain it.
        certainty: posterior probability of the change for passes, else 1 - p after correction over the cases.
        passed_before, passed_after: samples that pass, of `samples_before` and `samples_after`; None where nothing says
            what passes.
    """

    metric: str
    label: CaseLabel
    baseline_mean: float
    candidate_mean: float
    certainty: float
    samples_before: int
    samples_after: int
    passed_before: int | None = None
    passed_after: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer of a changed case; `error` stands in the place of an output that never came."""

    sample_index: int
    output: str | None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedCase:
    """A case that changed on one metric or several, with an answer of each side that shows it."""

    case_id: str
    changes: tuple[CaseChange, ...]
    before: Answer | None = None
    after: Answer | None = None

    @property
    def is_worse(self) -> bool:
        """Return whether the first, the weightiest, of its changes is for the worse."""
        return self.changes[0].label in {"newly_failing", "worse", "suspect"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the answers to the paired cases took, on average per answer; None where it is not known.

    Attributes:
        answers, errors: samples with and without an answer.
    """

    answers: int = 0
    errors: int = 0
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    input_tokens: float | None = None
    output_tokens: float | None = None
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpairedCase:
    """A case that was left out, and why."""

    case_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmComparison:
    """Two arms, compared metric by metric; all but `metrics` stays empty where arms of one run are compared.

    Attributes:
        differences: between the arms: prompt, model, parameters, what answered.
        changed: the worst first; at most as many as were asked for, of `n_worse` and `n_better`.
        flaky: cases that pass in some samples and fail in others, on both sides alike.
        pairwise: what is behind the verdicts of metrics that compare two answers.
        figures: of metrics that have such, before and after; no verdict is given on them.
    """

    baseline: str
    candidate: str
    metrics: tuple[MetricComparison, ...] = field(default_factory=tuple)
    differences: tuple[Difference, ...] = ()
    slices: tuple[SliceComparison, ...] = ()
    changed: tuple[ChangedCase, ...] = ()
    n_worse: int = 0
    n_better: int = 0
    flaky: tuple[str, ...] = ()
    baseline_usage: Usage | None = None
    candidate_usage: Usage | None = None
    n_cases: int = 0
    unpaired: tuple[UnpairedCase, ...] = ()
    notes: tuple[str, ...] = ()
    pairwise: tuple[PairwiseResult, ...] = ()
    figures: tuple[FigureChange, ...] = ()

    @property
    def is_comparable(self) -> bool:
        """Return whether anything could be judged."""
        return any(metric.verdict != "not_comparable" for metric in self.metrics)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRun:
    """One side: what it is called, when it was made, how old its answers are."""

    label: str
    suite: str
    started_at: datetime
    status: str
    revision: str | None = None
    oldest_answer: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptChange:
    """A prompt whose text differs: the whole text before and after."""

    name: str
    before: str
    after: str
    before_path: str | None = None
    after_path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunComparison:
    """Two runs compared, arm by arm.

    Attributes:
        differences: between the runs as wholes: suite, dataset, samples, metrics.
        unpaired_arms: arms that only one side has, each with the reason.
        age_days: of the baseline's oldest answer, when compared; None where it has none.
        warnings: what a reader must know before believing the verdicts.
    """

    baseline: ComparedRun
    candidate: ComparedRun
    arms: tuple[ArmComparison, ...] = ()
    differences: tuple[Difference, ...] = ()
    prompts: tuple[PromptChange, ...] = ()
    unpaired_arms: tuple[str, ...] = ()
    age_days: float | None = None
    warnings: tuple[str, ...] = ()

    @property
    def is_comparable(self) -> bool:
        """Return whether any metric of any arm could be judged."""
        return any(arm.is_comparable for arm in self.arms)
