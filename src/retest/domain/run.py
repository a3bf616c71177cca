"""A run: all samples and scores of one suite at one version, with its provenance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from retest.domain.catalog import Scale
from retest.domain.json_value import JsonValue
from retest.domain.sample import CallError, Response, ScoreOutcome
from retest.domain.suite import CasePasses, Direction, PassIf

RunStatus = Literal["running", "complete", "incomplete", "interrupted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a run comes from; None where it cannot be known (outside git, say)."""

    git_commit: str | None = None
    git_branch: str | None = None
    git_dirty: bool | None = None
    user: str | None = None
    host: str | None = None
    pid: int | None = None
    retest_version: str = ""
    python_version: str = ""
    library_versions: Mapping[str, str] = field(default_factory=dict)
    command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunArm:
    """An arm as it was run; `identity` is the target's identity without credentials."""

    name: str
    prompt_name: str
    prompt_path: str | None
    prompt_hash: str
    prompt_source: str
    target_name: str
    provider: str
    model: str | None
    identity: JsonValue
    params: Mapping[str, JsonValue] = field(default_factory=dict)
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMetric:
    """A metric as it was scored; `signature` pins what produced the values.

    `judging` is definition and judges of a metric that asks a model, as `Judging.document` writes them.
    """

    name: str
    metric: str
    signature: str
    options: Mapping[str, JsonValue] = field(default_factory=dict)
    low: float | None = 0.0
    high: float | None = 1.0
    direction: Direction = "higher"
    scale: Scale = "linear"
    binary: bool = False
    pass_if: PassIf | None = None
    aggregate: str = "mean"
    case_passes: CasePasses = field(default_factory=CasePasses)
    judging: Mapping[str, JsonValue] | None = None

    @property
    def decides_passing(self) -> bool:
        """Return whether anything says which values pass."""
        return self.binary or self.pass_if is not None

    def passes(self, value: float) -> bool | None:
        """Return whether a score passes; None where nothing says what passes."""
        if self.pass_if is not None:
            return self.pass_if.accepts(value)
        if self.binary:
            return value <= 0 if self.direction == "lower" else value >= 1
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeCounts:
    """What one judge did in a run, kept apart from what targets did; `failures` are judgments without a verdict.

    `cost_usd` is of the calls made by this run; None where a price is unknown. `failed_calls` brought no answer.
    """

    calls: int = 0
    ledger_hits: int = 0
    failures: int = 0
    cost_usd: float | None = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    failed_calls: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCounts:
    """What a run did, in all processes that worked on it.

    `calls` were made to targets by this run, and each that was answered counts once; `failed_calls` of them brought no
    answer (those of a process that was killed are not known). `ledger_hits` were paid for by others. `cost_usd` is of
    the calls made by this run; None where a price is unknown. `judges` have accounts of their own.
    """

    cases: int = 0
    samples: int = 0
    errors: int = 0
    calls: int = 0
    ledger_hits: int = 0
    cost_usd: float | None = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    unpriced_calls: int = 0
    failed_calls: int = 0
    judges: Mapping[str, JudgeCounts] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The header of a run; its samples are read from the store in a stream.

    Attributes:
        run_id: sorts by time, short enough to type a prefix of.
        config_hash: equal for two invocations that would take the same samples (suite, selection, samples per case);
            an unfinished run with the same hash is resumed.
        fingerprint: the suite's.
        draw: 0, or the number of the fresh draw.
        planned: samples the plan held.
        files: path -> content hash of suite, prompts, datasets, metric code.
        summary: aggregates as `report` shows them (JSON); empty until the run ends.
    """

    run_id: str
    suite: str
    suite_path: str
    suite_source: str
    fingerprint: str
    config_hash: str
    status: RunStatus
    draw: int
    samples_per_case: int
    planned: int
    started_at: datetime
    finished_at: datetime | None = None
    arms: tuple[RunArm, ...] = ()
    metrics: tuple[RunMetric, ...] = ()
    dataset_fingerprint: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    provenance: Provenance = field(default_factory=Provenance)
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, JsonValue] = field(default_factory=dict)
    counts: RunCounts = field(default_factory=RunCounts)
    summary: Mapping[str, JsonValue] = field(default_factory=dict)
    exit_code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRecord:
    """One sample as stored: cases and arms by their index in the run, the response by its ledger key.

    `outcome` is the response itself (written once, in the ledger) or the error in its place.
    `scores` is by metric name.
    """

    arm_index: int
    case_index: int
    sample_index: int
    key: str
    messages_hash: str
    outcome: Response | CallError
    scores: Mapping[str, ScoreOutcome] = field(default_factory=dict)
    ledger_hit: bool = False
