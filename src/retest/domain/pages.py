"""What a page shows of a run or of two runs compared: the same for the report file and for `retest view`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

from retest.domain.case import Case
from retest.domain.comparison import ArmComparison, CaseChange, MetricComparison, RunComparison
from retest.domain.pairwise import PairwiseRanking
from retest.domain.prompt import Message
from retest.domain.run import Run, RunArm
from retest.domain.sample import CallOutcome, ScoreOutcome
from retest.domain.suite import Direction
from retest.domain.summary import ArmSummary, LimitResult, MetricSummary

NOT_KEPT = "not_kept"
"""The kind of error in the place of an answer that a baseline file left out."""

CaseState: TypeAlias = Literal[
    "newly_failing",
    "worse",
    "suspect",
    "newly_passing",
    "better",
    "error",
    "failing",
    "mixed",
    "passing",
    "same",
    "scored",
]
"""One word for a case: how it changed where there is something to compare with, else whether it passes."""

STATES: tuple[CaseState, ...] = (
    "newly_failing",
    "worse",
    "suspect",
    "error",
    "failing",
    "mixed",
    "newly_passing",
    "better",
    "same",
    "scored",
    "passing",
)
"""In the order in which a person wants to see them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Counts of case values in equal bins; `before` is empty where there is nothing to compare with."""

    low: float
    high: float
    after: tuple[int, ...]
    before: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricPanel:
    """One metric of one pair of arms; what is not known is None."""

    name: str
    direction: Direction = "higher"
    range_low: float | None = 0.0
    range_high: float | None = 1.0
    summary: MetricSummary | None = None
    comparison: MetricComparison | None = None
    histogram: Histogram | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseEntry:
    """One case in the table of cases.

    Attributes:
        number: under which the page of the case is found; counted through all pairs.
        pair: place of the pair of arms that it belongs to.
        has_page: False where the page was left out.
        before, after: metric -> value of the case; `before` is empty where there is nothing to compare with.
        states: metric -> how it changed, where it did.
        differs: an answer, or a value, is not the same on both sides.
        preview, answer: the beginning of the input, and of the first answer.
    """

    number: int
    case_id: str
    state: CaseState
    pair: int = 0
    has_page: bool = True
    tags: tuple[str, ...] = ()
    cluster: str | None = None
    before: Mapping[str, float | None] = field(default_factory=dict)
    after: Mapping[str, float | None] = field(default_factory=dict)
    states: Mapping[str, CaseState] = field(default_factory=dict)
    differs: bool = False
    preview: str = ""
    answer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewNote:
    """What a person said of a sample; with `is_pair` of this one beside another."""

    reviewer: str
    created_at: datetime | None = None
    label: str | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    comment: str = ""
    correction: str | None = None
    is_pair: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSample:
    """One sample with all that a page shows of it."""

    sample_index: int
    outcome: CallOutcome
    scores: Mapping[str, ScoreOutcome] = field(default_factory=dict)
    created_at: datetime | None = None
    reviews: tuple[ReviewNote, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseSide:
    """What one side answered to a case; `messages` are None where they are not known."""

    label: str
    arm: str
    samples: tuple[ShownSample, ...] = ()
    messages: tuple[Message, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseDetail:
    """The page of one case; `before` is None where there is nothing to compare with."""

    entry: CaseEntry
    after: CaseSide
    before: CaseSide | None = None
    case: Case | None = None
    changes: tuple[CaseChange, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PairPage:
    """One arm, beside the one that it is compared with where there is one.

    Attributes:
        name, reference: names of the arms.
        n_cases: in all; `entries` may hold fewer.
    """

    name: str
    reference: str | None = None
    metrics: tuple[MetricPanel, ...] = ()
    summary: ArmSummary | None = None
    comparison: ArmComparison | None = None
    entries: Sequence[CaseEntry] = ()
    n_cases: int = 0


class CaseDetails(Protocol):
    """Gives the pages of cases one by one, so that no run must be held in memory."""

    def __call__(self) -> Iterator[CaseDetail]:
        """Yield the page of each entry of each pair, in that order."""
        ...


def no_details() -> Iterator[CaseDetail]:
    """Yield nothing: the pages of the cases are somewhere else."""
    return iter(())


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPage:
    """A run, or two compared.

    Attributes:
        run: the candidate, None where only its scores are known.
        arms: of the candidate.
        pairs: what is shown beside each other; the first is what most people look at.
        left_out: cases that have a row but no page, for the sake of the file's size.
        rankings: of more than two arms that a pairwise judge compared.
    """

    suite: str
    label: str
    generated_at: datetime
    run: Run | None = None
    arms: tuple[RunArm, ...] = ()
    comparison: RunComparison | None = None
    pairs: tuple[PairPage, ...] = ()
    limits: tuple[LimitResult, ...] = ()
    notes: tuple[str, ...] = ()
    details: CaseDetails = no_details
    left_out: int = 0
    rankings: tuple[PairwiseRanking, ...] = ()
