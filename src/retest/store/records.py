"""What is asked of a store and what it answers; importing this loads no database library."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple, TypeAlias

from retest.domain.case import Case
from retest.domain.sample import CallOutcome, Response, ScoreOutcome
from retest.errors import Problem, UsageError

Comparator = Literal[">=", "<=", "!=", "=", ">", "<"]

_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    "=": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_CONDITION = re.compile(rf"\s*(?P<metric>[^<>=!]+?)\s*(?P<comparator>>=|<=|!=|==|=|>|<)\s*(?P<value>{_NUMBER})\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricCondition:
    """A condition on a metric's value, such as ``exact_match>=0.8``."""

    metric: str
    comparator: Comparator
    value: float

    def accepts(self, value: float) -> bool:
        """Return whether a value fulfils the condition."""
        return _COMPARE[self.comparator](value, self.value)


def parse_metric_condition(text: str) -> MetricCondition:
    """Return the condition that a user typed.

    Raises:
        UsageError: it is not of the form ``METRIC>=NUMBER``.
    """
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise UsageError(
            Problem(
                slug="bad-metric-condition",
                message=f"'{text}' is no condition on a metric",
                details=("expected a metric's name, one of >= <= > < = !=, and a number",),
                fix="write for example 'exact_match>=0.8' (in quotes, for the shell takes > as its own)",
            )
        )
    comparator: Comparator = "=" if match["comparator"] == "==" else match["comparator"]  # type: ignore[assignment] # the pattern allows no other
    return MetricCondition(metric=match["metric"], comparator=comparator, value=float(match["value"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs to list; every condition given must hold.

    Attributes:
        suite: the beginning of the suite's name.
        prompt: a prompt's name or path, or the beginning of its hash.
        commit: the beginning of the git commit.
        metadata: equal to the stored value, or to its text.
        metrics: on the mean in the run's summary; with several arms it is enough that one arm fulfils it.
        since: started then or later.
        label: some prompt of the run carried it.
        text: contained in the id, the suite, an arm, a model, the commit, branch or user, a tag or a note.
        limit: so many at most, the newest; None for all.
    """

    suite: str | None = None
    prompt: str | None = None
    commit: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[MetricCondition, ...] = ()
    statuses: tuple[str, ...] = ()
    since: datetime | None = None
    label: str | None = None
    text: str | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSample:
    """One sample with all that is known of it; `created_at` is when the answer (or the error) came in."""

    case: Case
    case_index: int
    arm: str
    arm_index: int
    sample_index: int
    outcome: CallOutcome
    scores: Mapping[str, ScoreOutcome]
    key: str | None
    messages_hash: str | None
    ledger_hit: bool
    created_at: datetime

    @property
    def case_id(self) -> str:
        """Return the case's id."""
        return self.case.case_id

    @property
    def latency_ms(self) -> float | None:
        """Return how long the answer took; None for an error, or where it is not known."""
        return self.outcome.latency_ms if isinstance(self.outcome, Response) else None


class SampleCall(NamedTuple):
    """One call without its text; `error_kind` is None where there is an answer, figures are None where unknown.

    `created_us` is when the answer (or the error) came in, microseconds since 1970.
    """

    case_index: int
    sample_index: int
    error_kind: str | None
    latency_ms: float | None
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    model: str | None
    fingerprint: str | None
    created_us: int


SampleOrder: TypeAlias = Literal["case", "arm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleFilter:
    """Which samples of a run to read.

    Attributes:
        order: ``case`` keeps the samples of one case together over all arms, ``arm`` those of one arm.
    """

    arm: str | None = None
    case_id: str | None = None
    only_errors: bool = False
    order: SampleOrder = "case"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchFilter:
    """Where to search; `metric` is on the sample's own score, the rest as in `RunFilter`."""

    run_id: str | None = None
    suite: str | None = None
    prompt: str | None = None
    tags: tuple[str, ...] = ()
    metric: MetricCondition | None = None
    limit: int | None = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHit:
    """One sample whose text contains what was searched for."""

    run_id: str
    suite: str
    started_at: datetime
    arm: str
    case_id: str
    sample_index: int
    found_in: Literal["output", "error"]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanupReport:
    """What `gc` dropped, or would drop; `kept_for` names the unfinished runs that held responses back.

    `claims` of processes that are gone are counted only where they were dropped, not in a dry run.
    """

    responses: int = 0
    blobs: int = 0
    claims: int = 0
    bytes: int = 0
    kept_responses: int = 0
    kept_for: tuple[str, ...] = ()
    dry_run: bool = False
