"""The reviews of a store, as the pages of cases show and enter them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from retest.domain.pages import ReviewNote
from retest.domain.review import (
    NewReview,
    PlacedReview,
    Review,
    ReviewContent,
    ReviewScale,
    ReviewScore,
    ReviewSubject,
    SampleRef,
)
from retest.store.database import Store
from retest.viewer.reviewing import DIMENSION, SCALE, GivenReview
from retest.workflows.page_reviews import review_note


class StoredDesk:
    """Reviews in the store: the same that `retest review` lists."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self, run_id: str, arm: str, case_id: str) -> Mapping[int, Sequence[ReviewNote]]:
        """Return the reviews of a case by the index of the sample, also those given on another run's same answer."""
        found: dict[int, list[ReviewNote]] = {}
        for placed in self._placed(run_id, arm, case_id):
            found.setdefault(placed.place[2], []).append(review_note(placed))
        return found

    def _placed(self, run_id: str, arm: str, case_id: str) -> Iterator[PlacedReview]:
        arms = [known.name for known in self._store.get_run(run_id).arms]
        for placed in self._store.reviews.of_run(run_id):
            subject = placed.review.subject
            own = subject.other if placed.side else subject.sample
            is_here = own is not None and own.case_id == case_id and arms[placed.place[0]] == arm
            if is_here and not placed.review.is_withdrawn:
                yield placed

    def write(self, given: GivenReview) -> None:
        """Keep a review; what the form does not show, such as a correction, stays as it was.

        Raises:
            UsageError: there is no such answer, or its reviewer has no name.
        """
        if DIMENSION not in self._store.reviews.scales():
            self._store.reviews.set_scale(ReviewScale(dimension=DIMENSION, low=SCALE[0], high=SCALE[-1]))
        earlier = self._earlier(given)
        content = _content(given, None if earlier is None else earlier.content)
        if content.is_empty and earlier is None:
            return
        sample = SampleRef(run_id=given.run_id, arm=given.arm, case_id=given.case_id, sample_index=given.sample_index)
        self._store.reviews.save(
            NewReview(
                subject=ReviewSubject(sample=sample),
                reviewer=given.reviewer,
                content=content,
                blind=given.blind,
                withdrawn=content.is_empty,
            )
        )

    def _earlier(self, given: GivenReview) -> Review | None:
        for placed in self._placed(given.run_id, given.arm, given.case_id):
            review = placed.review
            is_same = placed.place[2] == given.sample_index and review.reviewer == given.reviewer
            if is_same and not review.subject.is_pair:
                return review
        return None


def _content(given: GivenReview, earlier: ReviewContent | None) -> ReviewContent:
    low, high = float(SCALE[0]), float(SCALE[-1])
    others = {} if earlier is None else {name: score for name, score in earlier.scores.items() if name != DIMENSION}
    own = {name: ReviewScore(value=value, low=low, high=high) for name, value in given.scores.items()}
    return ReviewContent(
        scores={**others, **own},
        label=given.label,
        tags=given.tags,
        text=given.comment,
        correction=None if earlier is None else earlier.correction,
    )
