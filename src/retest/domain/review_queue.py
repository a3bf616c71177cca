"""Answers that are due for review, in the order in which to look at them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from retest.domain.case import Case
from retest.domain.json_value import JsonValue
from retest.domain.review import ReviewContent, ReviewSubject

QueueOrder = Literal["random", "worst", "disagreements", "changed"]
QUEUE_ORDERS: tuple[QueueOrder, ...] = ("random", "worst", "disagreements", "changed")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewItem:
    """One answer to review, or two beside one another.

    Attributes:
        case: as the run saw it; `prompt` is the last message that was sent.
        answer, other_answer: the texts; `other_answer` is None unless two are compared.
        code, other_code: what stands for the versions that wrote them, where those are hidden.
        why: what put it here; empty where that would tell the version.
        own: what this reviewer has said of it so far.
    """

    subject: ReviewSubject
    case: Case
    answer: str
    other_answer: str | None = None
    code: str | None = None
    other_code: str | None = None
    prompt: str = ""
    why: str = ""
    own: ReviewContent = field(default_factory=ReviewContent)

    @property
    def expected(self) -> JsonValue:
        """Return the reference answer, None where the case has none."""
        return self.case.expected
