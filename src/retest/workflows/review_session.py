"""One reviewer at the keyboard: each key changes the review in view and is saved at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from retest.domain.review import ReviewContent, ReviewScale
from retest.domain.review_queue import ReviewItem
from retest.workflows.review_edit import ContentChange, add_review, edit_review

if TYPE_CHECKING:
    from retest.store.database import Store

Wanted = Literal["text", "tags", "correction"]
Outcome = Literal["saved", "moved", "unknown", "help", "quit"]

_SAMPLE_KEYS = {"g": "good", "b": "bad"}
_PAIR_KEYS = {"1": "first", "2": "second", "t": "tie"}
_QUESTIONS: dict[str, Wanted] = {"c": "text", "#": "tags", "e": "correction"}
_NEXT = frozenset({"n", " ", "\r", "\n"})


@dataclass(slots=True, kw_only=True)
class ReviewSession:
    """Goes through a queue.

    Attributes:
        scale: the dimension that digits score, None where there is none.
        ask: asks for a line of text; an empty one leaves things as they are.
        place: of the item in view; past the last one all is done.
    """

    store: Store
    items: Sequence[ReviewItem]
    reviewer: str
    ask: Callable[[Wanted], str]
    scale: ReviewScale | None = None
    blind: bool = False
    place: int = 0
    saved: int = 0
    _said: dict[int, ReviewContent] = field(default_factory=dict)

    @property
    def item(self) -> ReviewItem | None:
        """Return what is in view, None when all is done."""
        return self.items[self.place] if self.place < len(self.items) else None

    @property
    def said(self) -> ReviewContent:
        """Return what has been said of the item in view."""
        item = self.item
        return ReviewContent() if item is None else self._said.get(self.place, item.own)

    def press(self, key: str) -> Outcome:
        """Do what a key stands for.

        Raises:
            UsageError: the review cannot be kept.
        """
        item = self.item
        pressed = key.lower()
        if pressed in {"q", "\x1b", "\x04"} or item is None:
            return "quit"
        if pressed in _NEXT:
            self.place += 1
            return "moved"
        if pressed == "p":
            self.place = max(0, self.place - 1)
            return "moved"
        if pressed == "?":
            return "help"
        if pressed == "u":
            return self._withdraw(item)
        change = self._change(item, pressed)
        return "unknown" if change is None else self._save(item, change)

    def _change(self, item: ReviewItem, key: str) -> ContentChange | None:
        labels = _PAIR_KEYS if item.subject.is_pair else _SAMPLE_KEYS
        if key in labels:
            return ContentChange(label=labels[key])
        if key in _QUESTIONS:
            return _answered(_QUESTIONS[key], self.ask(_QUESTIONS[key]))
        scale = self.scale
        if scale is not None and not item.subject.is_pair and key.isdecimal() and scale.accepts(float(key)):
            return ContentChange(scores={scale.dimension: float(key)})
        return None

    def _save(self, item: ReviewItem, change: ContentChange) -> Outcome:
        if change == ContentChange():
            return "moved"  # nothing was typed: the same item is shown again
        review = add_review(self.store, item.subject, self.reviewer, change, blind=self.blind)
        self._said[self.place] = review.content
        self.saved += 1
        return "saved"

    def _withdraw(self, item: ReviewItem) -> Outcome:
        known = self.store.reviews.existing(item.subject, self.reviewer)
        if known is None or known.is_withdrawn:
            return "unknown"
        edit_review(self.store, known, ContentChange(), self.reviewer, withdraw=True)
        self._said[self.place] = ReviewContent()
        return "saved"


def _answered(wanted: Wanted, line: str) -> ContentChange:
    text = line.strip()
    if not text:
        return ContentChange()
    if wanted == "tags":
        tags = tuple(part.strip() for part in text.replace("、", ",").split(",") if part.strip())
        return replace(ContentChange(), add_tags=tags)
    return ContentChange(text=text) if wanted == "text" else ContentChange(correction=text)


def digit_scale(scales: Sequence[ReviewScale], dimension: str | None) -> ReviewScale | None:
    """Return the scale that the digit keys give scores on: the one named, else the only or first that fits one key."""
    if dimension is not None:
        return next((scale for scale in scales if scale.dimension == dimension), None)
    return next((scale for scale in scales if scale.low >= 0 and scale.high <= 9), None)  # noqa: PLR2004 - one key
