"""A suite, checked and built: everything a run needs, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from retest.domain.calibration import JudgeDemand
from retest.domain.case import CaseSource
from retest.domain.json_value import JsonValue
from retest.domain.judge import JudgeSpec, Judging
from retest.domain.prompt import Prompt
from retest.domain.target import TargetSpec as TargetSpec  # noqa: PLC0414 - it is part of a suite, whoever reads one
from retest.errors import Location

Block = Literal["regression", "unproven"]
Direction = Literal["higher", "lower"]
SameKey = Literal["model", "params"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One prompt with one target and parameter set; `name` is ``prompt/target`` (``prompt/target:set`` in a matrix).

    `model` and `params` are the effective ones: front matter < target < matrix set < ``--set``.
    """

    name: str
    prompt: Prompt
    target: TargetSpec
    model: str | None
    params: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassIf:
    """A sample passes where ``min <= value <= max`` (either may be absent)."""

    min: float | None = None
    max: float | None = None

    def accepts(self, value: float) -> bool:
        """Return whether the value lies within the limits, limits included."""
        return (self.min is None or value >= self.min) and (self.max is None or value <= self.max)


@dataclass(frozen=True, slots=True, kw_only=True)
class CasePasses:
    """How many of a case's samples must pass for the case to pass: `rule`, or `at_least` k of them."""

    rule: Literal["all", "any", "majority", "at_least"] = "majority"
    at_least: int | None = None

    def accepts(self, passed: int, samples: int) -> bool:
        """Return whether a case with `passed` of `samples` passes; a case without samples never does."""
        if samples == 0:
            return False
        if self.rule == "all":
            return passed == samples
        if self.rule == "any":
            return passed > 0
        if self.rule == "majority":
            return 2 * passed > samples
        return passed >= (self.at_least or 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSpec:
    """One metric of a suite.

    Attributes:
        name: the column's name, unique in the suite.
        metric: the registered metric's name.
        options: validated options of that metric.
        aggregate: samples within a case to one number: mean, min, max, any, all, majority, pass@k, pass^k.
        direction: overrides the metric's own direction where set.
        judging: what a metric that asks a model judges with; None for the others.
        within: folders that files named inside its files must lie below; none: anywhere.
    """

    name: str
    metric: str
    options: Mapping[str, JsonValue] = field(default_factory=dict)
    pass_if: PassIf | None = None
    aggregate: str = "mean"
    case_passes: CasePasses | None = None
    direction: Direction | None = None
    judging: Judging | None = None
    within: tuple[Path, ...] = ()
    base_dir: Path = Path()
    where: Location | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricGate:
    """Policy for one metric: a margin for the comparison, absolute limits for the mean."""

    margin: float | None = None
    min: float | None = None
    max: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePolicy:
    """When a run passes; see docs/suite-format.md for each key.

    `judges` is by the name of a judging metric, or of a judge for all metrics that ask it.
    """

    block: Block = "regression"
    alpha: float = 0.05
    case_share: float = 0.2
    metrics: Mapping[str, MetricGate] = field(default_factory=dict)
    require_same: tuple[SameKey, ...] = ()
    min_cases: int = 1
    max_error_rate: float = 0.05
    max_cost_usd: float | None = None
    max_latency_ms: float | None = None
    never_fail: tuple[str, ...] = ()
    judge_again: bool = True
    judges: Mapping[str, JudgeDemand] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redaction:
    """Text to remove before anything is stored: a regular expression, or a dotted field of the case's variables."""

    pattern: str | None = None
    field: str | None = None
    replace_with: str = "[redacted]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A suite after every check that needs no call.

    Attributes:
        name: hierarchical, such as ``support/ja/intent``.
        path: of the YAML file as the user would type it.
        arms: at least one, names unique.
        judges: models that metrics may ask, by the names that metrics use.
        fingerprint: hash of all that can change a sample or a score: arms, dataset, metrics, samples left out.
        source: the YAML text.
    """

    name: str
    path: str
    arms: tuple[Arm, ...]
    cases: CaseSource
    metrics: tuple[MetricSpec, ...]
    samples: int = 1
    description: str = ""
    tags: tuple[str, ...] = ()
    gate: GatePolicy = field(default_factory=GatePolicy)
    case_passes: CasePasses = field(default_factory=CasePasses)
    redact: tuple[Redaction, ...] = ()
    judges: tuple[JudgeSpec, ...] = ()
    fingerprint: str = ""
    source: str = ""
    metadata: Mapping[str, JsonValue] = field(default_factory=dict)
