"""The suite file's form: one model per mapping, each key with its meaning.

These models are the single description of the format: they check a file, and docs/suite-format.md and the JSON Schema
for editors are made from them. What needs other files or the registries is checked in `build`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from retest.domain.calibration import COEFFICIENTS
from retest.domain.suite import CasePasses
from retest.suites.spec_base import (
    ONE_OR_MORE,
    Aggregate,
    CasePassesRule,
    Name,
    Names,
    Number,
    Pattern,
    SpecModel,
)

PRESETS = ("question-answering", "summarization", "classification", "extraction", "translation", "retrieval")


class PromptEntry(SpecModel):
    """One prompt; each is an arm of its own. A bare text is its path."""

    shorthand = "path"

    path: str | None = Field(default=None, min_length=1, description="the prompt file, relative to the suite's folder")
    text: str | None = Field(default=None, description="the prompt itself, in place of a file")
    name: Name | None = Field(
        default=None, description="name in the arm; by default the front matter's, else the file's stem, or `inline`"
    )

    @model_validator(mode="after")
    def _one_source(self) -> PromptEntry:
        if (self.path is None) == (self.text is None):
            raise ValueError("a prompt has either `path` or `text`")
        return self


class SubsetEntry(SpecModel):
    """A seeded random choice of cases. A bare number is its size."""

    shorthand = "size"
    shorthand_types: ClassVar[Mapping[type, str]] = {int: "integer"}

    size: int = Field(ge=1, description="how many cases to draw")
    seed: int = Field(default=0, description="another seed draws other cases")


class DatasetEntry(SpecModel):
    """Where the cases come from. A bare text is the path, a bare list the paths."""

    shorthand = "path"
    shorthand_types: ClassVar[Mapping[type, str]] = {str: "string", list: "array"}

    path: Annotated[list[str], ONE_OR_MORE] = Field(
        default_factory=list, description="a file or a list of files (JSONL, JSON, CSV, TSV, YAML; also .gz)"
    )
    cases: list[dict[str, Any]] | None = Field(default=None, description="the cases themselves, one mapping each")
    format: Literal["jsonl", "json", "csv", "tsv", "yaml"] | None = Field(
        default=None, description="the files' format, where the file name does not say"
    )
    encoding: str | None = Field(default=None, description="the files' encoding; by default UTF-8")
    columns: list[str] | None = Field(default=None, min_length=1, description="column names of a CSV without a header")
    delimiter: str | None = Field(default=None, min_length=1, max_length=1, description="what separates CSV columns")
    id: str | None = Field(default=None, description="field with the case's id; by default a hash of its content")
    expected: str | None = Field(
        default=None, description="field with the expected answer, or a list of accepted ones; by default `expected`"
    )
    vars: str | None = Field(
        default=None, description="field that holds the prompt's variables; by default the row's own fields"
    )
    cluster: str | None = Field(default=None, description="field naming the source that several cases share")
    tags: str | None = Field(default=None, description="field with the case's tags; by default `tags`")
    where: dict[str, Any] = Field(
        default_factory=dict, description="keep only rows with these values: field to value, or to a list of values"
    )
    limit: int | None = Field(default=None, ge=1, description="keep only so many cases, from the start")
    subset: SubsetEntry | None = Field(default=None, description="keep a seeded random choice of cases")

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, value: Any) -> Any:
        if isinstance(value, list):
            return {"path" if all(isinstance(item, str) for item in value) else "cases": value}
        return {"path": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_source(self) -> DatasetEntry:
        if bool(self.path) == (self.cases is not None):
            raise ValueError("a dataset has either `path` or `cases`")
        return self


class TargetEntry(SpecModel):
    """What answers: a provider with its options (see docs/targets.md), a model and parameters."""

    model_config = ConfigDict(extra="allow")

    name: Name | None = Field(default=None, description="name in the arm; by default the model, else the provider")
    provider: str | None = Field(
        default=None, description="openai, azure_openai, replay, python, command, http or local; has its own options"
    )
    model: str | None = Field(default=None, min_length=1, description="model; overrides the prompt's own")
    params: dict[str, Any] = Field(
        default_factory=dict, description="model parameters, passed through; override the prompt's own"
    )


class JudgeLimitsEntry(SpecModel):
    """What one judge may use in a run, beside the limits of the run as a whole."""

    concurrency: int | None = Field(
        default=None, ge=1, le=1000, description="calls at the same time; by default as many as targets may make"
    )
    max_calls: int | None = Field(default=None, ge=0, description="calls in one run; past it the run stops, resumable")
    max_cost_usd: Number | None = Field(default=None, ge=0, description="cost of this judge in one run, US dollars")


class JudgeEntry(SpecModel):
    """A model that metrics may ask: written like a target, with limits of its own (see docs/judges.md)."""

    model_config = ConfigDict(extra="allow")

    name: Name = Field(description="what metrics call it: `judge: NAME`")
    provider: str | None = Field(
        default=None, description="openai, azure_openai, replay, python, command, http or local; has its own options"
    )
    model: str | None = Field(
        default=None, min_length=1, description="the model that judges; never taken from elsewhere"
    )
    params: dict[str, Any] = Field(default_factory=dict, description="model parameters, passed through")
    limits: JudgeLimitsEntry | None = Field(default=None, description="what it may use in a run")
    structured: bool | None = Field(
        default=None,
        description="ask for JSON by schema; by default where the provider can (openai, azure_openai, local), and no "
        "more once the endpoint has refused it",
    )
    same_model: bool = Field(default=False, description="it may be the model under test, which is an error otherwise")


class PassIfEntry(SpecModel):
    """When a sample passes. A bare number is `min`."""

    shorthand = "min"
    shorthand_types: ClassVar[Mapping[type, str]] = {int: "number", float: "number"}

    min: Number | None = Field(default=None, description="the smallest value that passes")
    max: Number | None = Field(default=None, description="the largest value that passes")

    @model_validator(mode="after")
    def _ordered(self) -> PassIfEntry:
        _check_limits(self.min, self.max)
        return self


def _check_limits(low: float | None, high: float | None) -> None:
    if low is None and high is None:
        raise ValueError("expected `min`, `max` or both")
    if low is not None and high is not None and low > high:
        raise ValueError(f"min {low:g} is above max {high:g}, so nothing can pass")


class MetricEntry(SpecModel):
    """One metric with its own options (see docs/metrics.md). A bare text is the metric's name."""

    model_config = ConfigDict(extra="allow")
    shorthand = "metric"

    metric: str = Field(description="the metric, as `retest metrics` lists them")
    name: Name | None = Field(default=None, description="name of the column; by default the metric's own name")
    pass_if: PassIfEntry | None = Field(default=None, description="when a sample passes: {min, max}, or a number = min")
    aggregate: Aggregate | None = Field(
        default=None, description="how a case's samples become one number; by default mean"
    )
    case_passes: CasePassesRule | None = Field(
        default=None, description="how many samples must pass for the case to pass; by default the suite's rule"
    )
    direction: Literal["higher", "lower"] | None = Field(
        default=None, description="whether higher or lower is better, where it is not as the metric says"
    )


class DefaultsEntry(SpecModel):
    """What several targets or metrics share; an entry's own keys win."""

    target: dict[str, Any] = Field(
        default_factory=dict, description="keys for every target: provider, model, options; `params` are merged"
    )
    metrics: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="metric to the keys that each entry of this metric starts from"
    )


class ParamSetEntry(SpecModel):
    """One set of parameters: every key but `name` and `model` is a parameter."""

    model_config = ConfigDict(extra="allow")

    name: Name = Field(description="name of the set; the arm is called prompt/target:name")
    model: str | None = Field(default=None, min_length=1, description="model for this set")


class MatrixEntry(SpecModel):
    """More arms: every prompt with every target with every parameter set."""

    params: list[ParamSetEntry] = Field(min_length=1, description="parameter sets; they override the target's params")


class RedactEntry(SpecModel):
    """What must not be stored. A bare text is a pattern."""

    shorthand = "pattern"

    pattern: Pattern | None = Field(default=None, min_length=1, description="regular expression; matches are replaced")
    field: str | None = Field(default=None, min_length=1, description="dotted field of the case's variables")
    replace_with: str = Field(default="[redacted]", description="what stands in its place")

    @model_validator(mode="after")
    def _one_kind(self) -> RedactEntry:
        if (self.pattern is None) == (self.field is None):
            raise ValueError("a redaction has either `pattern` or `field`")
        return self


class MetricGateEntry(SpecModel):
    """Policy for one metric."""

    margin: Number | None = Field(
        default=None, gt=0, description="a drop smaller than this does not matter, in the metric's unit"
    )
    min: Number | None = Field(default=None, description="the mean must be at least this, judged with its interval")
    max: Number | None = Field(default=None, description="the mean must be at most this, judged with its interval")

    @model_validator(mode="after")
    def _ordered(self) -> MetricGateEntry:
        if self.min is not None and self.max is not None:
            _check_limits(self.min, self.max)
        return self


class JudgeDemandEntry(SpecModel):
    """What is demanded of a judge before it may gate. A bare number is `min_agreement`."""

    shorthand = "min_agreement"
    shorthand_types: ClassVar[Mapping[type, str]] = {int: "number", float: "number"}

    min_agreement: Number = Field(
        ge=-1, le=1, description="the interval of its agreement with people must lie above this"
    )
    coefficient: Literal[COEFFICIENTS] | None = Field(  # type: ignore[valid-type]  # the tuple is the one list of them
        default=None,
        description="which one counts; by default weighted kappa of grades, kappa of choices, else alpha",
    )
    min_items: int = Field(default=20, ge=1, description="labelled cases that it must stand on")


class GateEntry(SpecModel):
    """When a run passes."""

    block: Literal["regression", "unproven"] = Field(
        default="regression",
        description="regression: fail where a metric surely regressed; unproven: pass only where none did for sure",
    )
    alpha: Number = Field(default=0.05, gt=0, lt=0.5, description="accepted rate of false alarms")
    case_share: Number = Field(default=0.2, gt=0, lt=1, description="share of alpha spent on single broken cases")
    metrics: dict[str, MetricGateEntry] = Field(default_factory=dict, description="metric name to its policy")
    require_same: Annotated[list[Literal["model", "params"]], ONE_OR_MORE] = Field(
        default_factory=list, description="refuse to compare where these differ between baseline and candidate"
    )
    min_cases: int = Field(default=1, ge=1, description="fewer cases than this in common cannot be judged")
    max_error_rate: Number = Field(default=0.05, ge=0, le=1, description="largest share of samples without an answer")
    max_cost_usd: Number | None = Field(default=None, ge=0, description="largest cost of the run in US dollars")
    max_latency_ms: Number | None = Field(default=None, gt=0, description="largest mean latency in milliseconds")
    never_fail: Annotated[list[str], ONE_OR_MORE] = Field(
        default_factory=list, description="case ids and tags whose cases must pass in every sample"
    )
    judges: dict[str, JudgeDemandEntry] = Field(
        default_factory=dict,
        description="judging metric (or judge, for all that ask it) to the agreement with people that it must have "
        "shown, by `retest judge calibrate`",
    )
    judge_again: bool = Field(
        default=True,
        description="where a model scored the answers: have both sides judged again in one session, so that a judge's "
        "drift is no regression",
    )


class SuiteSpec(SpecModel):
    """A suite file: prompts x dataset x targets, metrics, gate."""

    name: Name | None = Field(default=None, description="name of the suite; by default the file's stem")
    description: str = Field(default="", description="one line for reports")
    prompts: Annotated[list[PromptEntry], ONE_OR_MORE] | None = Field(
        default=None, min_length=1, description="the prompts; each is an arm. `prompt:` says the same for one"
    )
    prompt: PromptEntry | None = Field(default=None, description="the prompt, where there is one")
    dataset: DatasetEntry | None = Field(default=None, description="the cases")
    targets: Annotated[list[TargetEntry], ONE_OR_MORE] | None = Field(
        default=None, min_length=1, description="what answers. `target:` says the same for one"
    )
    target: TargetEntry | None = Field(default=None, description="what answers, where there is one")
    judges: Annotated[list[JudgeEntry], ONE_OR_MORE] = Field(
        default_factory=list, description="models that metrics ask about answers"
    )
    samples: int = Field(default=1, ge=1, le=100_000, description="how often each case is asked")
    preset: Literal[PRESETS] | None = Field(  # type: ignore[valid-type]  # the tuple is the one list of presets
        default=None, description="metrics for a kind of task; the suite's own add to them or replace them by name"
    )
    metrics: Annotated[list[MetricEntry], ONE_OR_MORE] | None = Field(
        default=None, min_length=1, description="how answers are scored: names or mappings"
    )
    case_passes: CasePassesRule = Field(
        default=CasePasses(),
        description="how many of a case's samples must pass: all, any, majority (default), a number, or '3 of 5'",
    )
    defaults: DefaultsEntry | None = Field(default=None, description="what targets or metrics share")
    matrix: MatrixEntry | None = Field(default=None, description="parameter sets that multiply the arms")
    gate: GateEntry | None = Field(default=None, description="when a run passes")
    redact: Annotated[list[RedactEntry], ONE_OR_MORE] = Field(
        default_factory=list, description="what is removed before anything is stored"
    )
    tags: Names = Field(default_factory=list, description="for choosing suites and finding runs")
    metadata: dict[str, Any] = Field(default_factory=dict, description="free data kept with each run")

    @field_validator("tags", mode="after")
    @classmethod
    def _distinct(cls, tags: list[str]) -> list[str]:
        return list(dict.fromkeys(tags))


def option_keys(entry: BaseModel) -> Mapping[str, Any]:
    """Return what an entry says beside the keys that every entry has."""
    return entry.model_extra or {}
