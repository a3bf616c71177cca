"""Reviews by people as pages show them beside the answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from retest.domain.pages import ReviewNote
from retest.domain.review import PlacedReview

if TYPE_CHECKING:
    from retest.store.database import Store

Place = tuple[int, int, int]


def reviews_by_place(store: Store, run_id: str) -> Mapping[Place, tuple[ReviewNote, ...]]:
    """Return (arm index, case index, sample index) -> what people said of the answer there."""
    found: dict[Place, tuple[ReviewNote, ...]] = {}
    for placed in store.reviews.of_run(run_id):
        if not placed.review.is_withdrawn:
            found[placed.place] = (*found.get(placed.place, ()), review_note(placed))
    return found


def review_note(placed: PlacedReview) -> ReviewNote:
    """Return a review as a page shows it."""
    review = placed.review
    content = review.content
    return ReviewNote(
        reviewer=review.reviewer,
        created_at=review.current.at,
        label=_label(placed),
        scores={name: score.value for name, score in content.scores.items()},
        tags=content.tags,
        comment=content.text,
        correction=content.correction,
        is_pair=review.subject.is_pair,
    )


def _label(placed: PlacedReview) -> str | None:
    """Return the label; of a comparison what it means for this answer."""
    label = placed.review.content.label
    if not placed.review.subject.is_pair or label in {None, "tie"}:
        return label
    return "preferred" if label == ("second" if placed.side else "first") else "not_preferred"
