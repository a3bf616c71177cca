"""A run as a comparison reads it: scores by arm, metric and case, and what tells whether two runs are comparable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, TypeAlias

from retest.domain.run import RunArm, RunMetric

CaseScores: TypeAlias = Mapping[str, Sequence[float | None]]
"""Case id -> scores of its samples; None is a sample without a score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredCase:
    """What identifies a case: two runs pair it where `content_hash` is equal; `expected_hash` is of the reference."""

    content_hash: str
    expected_hash: str
    cluster: str | None = None
    tags: tuple[str, ...] = ()


class CallFigures(NamedTuple):
    """What one answer took; None where it is not known."""

    latency_ms: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmCalls:
    """The calls of one arm.

    Attributes:
        answers: case id -> figures of each answer.
        errors: case id -> samples without an answer, where there are any.
        models, fingerprints: as the provider returned them.
        oldest, newest: when the answers came in; None where there is none.
        identical_repeats: cases were repeated, and no answer ever differs from the first of its case.
    """

    answers: Mapping[str, Sequence[CallFigures]] = field(default_factory=dict)
    errors: Mapping[str, int] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    fingerprints: tuple[str, ...] = ()
    oldest: datetime | None = None
    newest: datetime | None = None
    identical_repeats: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunScores:
    """All scores of one run, wherever they were read from: the store, a baseline file, another revision.

    Attributes:
        label: what a person calls it: a run id, a file, a revision.
        scores: arm -> metric -> case id -> scores.
        calls: by arm.
        status: of the run; one that did not complete holds fewer samples than planned.
        revision: the git commit it was made at, where known.
    """

    label: str
    suite: str
    suite_path: str
    fingerprint: str
    dataset_fingerprint: str
    draw: int
    samples_per_case: int
    started_at: datetime
    arms: tuple[RunArm, ...]
    metrics: tuple[RunMetric, ...]
    cases: Mapping[str, ScoredCase]
    scores: Mapping[str, Mapping[str, CaseScores]]
    calls: Mapping[str, ArmCalls]
    status: str = "complete"
    revision: str | None = None

    def metric(self, name: str) -> RunMetric | None:
        """Return a metric by name, None where the run has none of that name."""
        return next((metric for metric in self.metrics if metric.name == name), None)

    def arm(self, name: str) -> RunArm | None:
        """Return an arm by name, None where the run has none of that name."""
        return next((arm for arm in self.arms if arm.name == name), None)

    def clusters(self) -> dict[str, str] | None:
        """Return case id -> cluster, None where no case has one."""
        known = {case_id: case.cluster for case_id, case in self.cases.items() if case.cluster is not None}
        return known or None
