"""What a metric is: a function of (case, response) with a range, a direction and a signature."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from retest.domain.case import Case
from retest.domain.catalog import MetricInfo
from retest.domain.judge import Judging
from retest.domain.sample import MetricFailure, Response, Score, ScoreOutcome


class MetricOptions(BaseModel):
    """Base of every metric's options: unknown keys are refused, values are frozen."""

    # Validators are built at first use: a module has several metrics, a suite names one of them.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


OptionsT = TypeVar("OptionsT", bound=MetricOptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricContext:
    """What a metric may know of its surroundings; relative paths in options start at `base_dir`.

    `judging` is what a metric that asks a model judges with. Files that its files refer to lie below one of the folders
    `within`; with none of those, anywhere.
    """

    name: str
    base_dir: Path = Path()
    judging: Judging | None = None
    within: tuple[Path, ...] = ()


class Metric(ABC, Generic[OptionsT]):
    """Base of every metric. Instances are built once per run and used from one scoring thread.

    A subclass sets `info` and `Options`, implements `score`, and imports heavy libraries inside methods.
    Raising from `score` is allowed: the runner turns it into a `MetricFailure` with the exception's name and place.
    """

    info: ClassVar[MetricInfo]
    Options: ClassVar[type[MetricOptions]] = MetricOptions

    def __init__(self, options: OptionsT, context: MetricContext) -> None:
        self.options = options
        self.context = context
        self.low = self.info.low
        self.high = self.info.high
        self.direction = self.info.direction
        self.scale = self.info.scale
        self.binary = self.info.binary

    @abstractmethod
    def score(self, case: Case, response: Response) -> ScoreOutcome | Awaitable[ScoreOutcome]:
        """Score one response; an awaitable is awaited by the runner."""

    def signature(self) -> str:
        """Return what pins the values: metric, options that differ from the default, library versions."""
        changed = self.options.model_dump(mode="json", exclude_defaults=True)
        options = "|".join(f"{key}:{value}" for key, value in sorted(changed.items()))
        return "|".join(part for part in (self.info.name, options, *self.signature_parts()) if part)

    def signature_parts(self) -> tuple[str, ...]:
        """Return further parts of the signature, such as ``sacrebleu:2.5.1``."""
        return ()

    def close(self) -> None:
        """Release worker processes and the like; may be called twice."""


def no_expected() -> MetricFailure:
    """Return the failure for a case without a reference answer."""
    return MetricFailure(kind="no_expected", message="the case has no expected answer")


def binary_score(passed: bool, reason: str | None = None) -> Score:  # noqa: FBT001 - a boolean is what it converts
    """Return 1.0 or 0.0 with a reason."""
    return Score(value=1.0 if passed else 0.0, reason=reason)
