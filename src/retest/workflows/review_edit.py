"""Enters and changes single reviews, as flags or keys say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from retest.domain.review import NewReview, Review, ReviewContent, ReviewScale, ReviewScore, ReviewSubject
from retest.errors import Problem, UsageError
from retest.workflows.review_import import parse_scale

if TYPE_CHECKING:
    from retest.store.database import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentChange:
    """What to change of a review; None leaves a part as it is.

    Attributes:
        scores: dimension -> value, None takes the score away.
        scales: of dimensions that have none yet.
        no_label: take the label away.
    """

    scores: Mapping[str, float | None] = field(default_factory=dict)
    scales: Mapping[str, ReviewScale] = field(default_factory=dict)
    label: str | None = None
    no_label: bool = False
    add_tags: Sequence[str] = ()
    remove_tags: Sequence[str] = ()
    text: str | None = None
    correction: str | None = None

    def apply(self, content: ReviewContent, scales: Mapping[str, ReviewScale]) -> ReviewContent:
        """Return the changed content.

        Raises:
            UsageError: a dimension has no scale.
        """
        scores = {name: score for name, score in content.scores.items() if name not in self.scores}
        for name, value in self.scores.items():
            if value is not None:
                scores[name] = _score(name, value, scales)
        tags = [tag for tag in dict.fromkeys([*content.tags, *self.add_tags]) if tag not in self.remove_tags]
        return ReviewContent(
            scores=scores,
            label=None if self.no_label else self.label or content.label,
            tags=tuple(tags),
            text=content.text if self.text is None else self.text,
            correction=content.correction if self.correction is None else self.correction,
        )


def _score(name: str, value: float, scales: Mapping[str, ReviewScale]) -> ReviewScore:
    if name not in scales:
        fix = f"say it once: --scale {name}=1-5"
        raise UsageError(Problem(slug="review-invalid", message=f"dimension '{name}' has no scale yet", fix=fix))
    return ReviewScore(value=value, low=scales[name].low, high=scales[name].high)


def add_review(
    store: Store, subject: ReviewSubject, reviewer: str, change: ContentChange, *, blind: bool = False
) -> Review:
    """Keep a review; what this person has said of the answer before stays where the change does not touch it.

    Raises:
        UsageError: there is no such answer, or something is said that cannot be.
    """
    scales = _keep_scales(store, change)
    known = store.reviews.existing(subject, reviewer)
    before = ReviewContent() if known is None or known.is_withdrawn else known.content
    content = change.apply(before, scales)
    return store.reviews.save(NewReview(subject=subject, reviewer=reviewer, content=content, blind=blind))


def edit_review(store: Store, review: Review, change: ContentChange, author: str, *, withdraw: bool = False) -> Review:
    """Add a revision to a review.

    Raises:
        UsageError: the change leaves nothing, or somebody has edited the review meanwhile.
    """
    scales = _keep_scales(store, change)
    new = NewReview(
        subject=review.subject,
        reviewer=review.reviewer,
        content=change.apply(review.content, scales),
        author=author,
        withdrawn=withdraw,
        base=review.current.number,
        blind=review.current.blind,
    )
    return store.reviews.save(replace(new, content=review.content) if withdraw else new)


def _keep_scales(store: Store, change: ContentChange) -> Mapping[str, ReviewScale]:
    for scale in change.scales.values():
        store.reviews.set_scale(scale)
    return store.reviews.scales()


def parse_scores(texts: Mapping[str, str]) -> dict[str, float | None]:
    """Return the scores that ``helpfulness=4`` means; an empty value takes a score away.

    Raises:
        UsageError: a value is no number.
    """
    found: dict[str, float | None] = {}
    for name, text in texts.items():
        try:
            found[name] = float(text) if text.strip() else None
        except ValueError:
            message = f"the score of {name} is no number: {text!r}"
            raise UsageError(Problem(slug="review-invalid", message=message, fix="--score NAME=NUMBER")) from None
    return found


def parse_scales(texts: Mapping[str, str]) -> dict[str, ReviewScale]:
    """Return the scales that ``helpfulness=1-5`` means; ``severity=0-3,lower`` is one where lower is better.

    Raises:
        UsageError: one means nothing.
    """
    found = {}
    for name, text in texts.items():
        ends, _, rest = text.partition(",")
        if rest.strip() not in {"", "lower", "higher"}:
            message = f"'{rest.strip()}' is no direction"
            raise UsageError(Problem(slug="review-invalid", message=message, fix="--scale severity=0-3,lower"))
        found[name] = parse_scale(name, ends, lower_is_better=rest.strip() == "lower")
    return found
