"""What came of scoring stored answers after the fact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from retest.domain.run import Run, RunMetric

Means: TypeAlias = Mapping[str, float | None]
"""Arm -> mean over cases; None where no case has a score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RescoredMetric:
    """One metric of one run, scored after the fact.

    Attributes:
        before: the definition that was current, None where the run had no such metric.
        scored: samples scored now; `kept` had a score by this very definition.
        failures: samples without a score, by kind; `first_failure` is the first one's message.
        means_before, means: arm -> mean over cases, by the definition before and by this one.
    """

    metric: RunMetric
    before: RunMetric | None = None
    scored: int = 0
    kept: int = 0
    not_applicable: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)
    first_failure: str = ""
    means_before: Means = field(default_factory=dict)
    means: Means = field(default_factory=dict)

    @property
    def is_changed(self) -> bool:
        """Return whether the run had the metric by another definition."""
        return self.before is not None and self.before.signature != self.metric.signature


@dataclass(frozen=True, slots=True, kw_only=True)
class RescoredRun:
    """One run, scored after the fact; `role` says why: it was asked for, or it is the baseline of the one that was."""

    run: Run
    role: str
    metrics: tuple[RescoredMetric, ...]
    without_answer: int = 0
