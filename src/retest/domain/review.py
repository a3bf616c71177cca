"""Reviews: what people say of answers: scores on their own scales, a label, tags, free text, a corrected answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from retest.domain.suite import Direction

SampleLabel = Literal["good", "bad"]
PairLabel = Literal["first", "second", "tie"]

SAMPLE_LABELS: tuple[str, ...] = ("good", "bad")
PAIR_LABELS: tuple[str, ...] = ("first", "second", "tie")

LABEL = "label"
"""The dimension that a label stands for among scores: good is 1, bad is 0."""
PREFERENCE = "preference"
"""The dimension that comparisons stand for: 1 where the answer was preferred, a half for a tie."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class SampleRef:
    """One answer, by the place where a person saw it."""

    run_id: str
    arm: str
    case_id: str
    sample_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewScale:
    """A dimension's scale; a higher score is better unless `direction` says otherwise."""

    dimension: str
    low: float
    high: float
    direction: Direction = "higher"

    def __str__(self) -> str:
        """Return ``1-5`` (``-2..2`` where an end is negative)."""
        separator = ".." if self.low < 0 or self.high < 0 else "-"
        return f"{self.low:g}{separator}{self.high:g}"

    def accepts(self, value: float) -> bool:
        """Return whether the value lies on the scale, ends included."""
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewScore:
    """A score with the ends of the scale that it was given on, which another may have replaced since."""

    value: float
    low: float
    high: float

    def on(self, scale: ReviewScale) -> float:
        """Return the value moved linearly onto another scale."""
        if (self.low, self.high) == (scale.low, scale.high):
            return self.value
        return scale.low + (self.value - self.low) / (self.high - self.low) * (scale.high - scale.low)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewContent:
    """What one review says.

    Attributes:
        scores: by dimension.
        label: ``good`` or ``bad`` of a sample; ``first``, ``second`` or ``tie`` of a pair.
        text: free text.
        correction: what the answer should have been.
    """

    scores: Mapping[str, ReviewScore] = field(default_factory=dict)
    label: str | None = None
    tags: tuple[str, ...] = ()
    text: str = ""
    correction: str | None = None

    @property
    def is_empty(self) -> bool:
        """Return whether it says nothing at all."""
        return not (self.scores or self.label or self.tags or self.text or self.correction is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRevision:
    """One state of a review; revisions are added, never changed.

    Attributes:
        number: from 1.
        author: who wrote this revision, the reviewer or somebody else.
        withdrawn: from here on the review does not count.
        blind: it was given without knowing which version wrote the answer.
    """

    number: int
    content: ReviewContent
    author: str
    at: datetime
    withdrawn: bool = False
    blind: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewSubject:
    """What is reviewed: a sample, or two samples beside one another."""

    sample: SampleRef
    other: SampleRef | None = None

    @property
    def is_pair(self) -> bool:
        """Return whether two samples are compared."""
        return self.other is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One person's review of a sample or a pair, with all its revisions, the newest last.

    It belongs to the answer: a later run that holds the same answer (from the ledger) has the review too.
    """

    review_id: str
    suite: str
    subject: ReviewSubject
    reviewer: str
    revisions: tuple[ReviewRevision, ...]

    @property
    def current(self) -> ReviewRevision:
        """Return the newest revision."""
        return self.revisions[-1]

    @property
    def content(self) -> ReviewContent:
        """Return what the review says now."""
        return self.current.content

    @property
    def is_withdrawn(self) -> bool:
        """Return whether it no longer counts."""
        return self.current.withdrawn


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReview:
    """A review to keep; `at` is None for now. `base` is the revision that it was written on, where that matters."""

    subject: ReviewSubject
    reviewer: str
    content: ReviewContent
    author: str | None = None
    at: datetime | None = None
    blind: bool = False
    withdrawn: bool = False
    base: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedReview:
    """A review at the places of one run that hold its answer: (arm index, case index, sample index).

    `side` says which of the pair the place is: 0 the first (or the only one), 1 the second.
    """

    place: tuple[int, int, int]
    review: Review
    side: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindCode:
    """What stands for an arm of a run where nobody may know which version it is."""

    code: str
    run_id: str
    arm: str
