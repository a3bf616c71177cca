"""The reviews of a store, as the pages of cases show and enter them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

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
from retest.errors import Problem, UsageError
from retest.store.database import Store
from retest.viewer.reviewing import QUALITY, GivenReview, IndexPair, PairNote, PairSide
from retest.workflows.page_reviews import review_note


class StoredDesk:
    """Reviews in the store: the same that `retest review` lists."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self, run_id: str, arm: str, case_id: str) -> Mapping[int, Sequence[ReviewNote]]:
        """Return the reviews of a case by the index of the sample, also those given on another run's same answer."""
        scales = self._store.reviews.scales()
        found: dict[int, list[ReviewNote]] = {}
        for placed in self._placed(run_id, arm, case_id):
            given = placed.review.content.scores
            scores = {name: score.on(scales[name]) for name, score in given.items() if name in scales}
            found.setdefault(placed.place[2], []).append(replace(review_note(placed), scores=scores))
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
        scales = self._store.reviews.scales()
        if QUALITY.dimension in given.scores and QUALITY.dimension not in scales:
            self._store.reviews.set_scale(QUALITY)
            scales = {**scales, QUALITY.dimension: QUALITY}
        subject, label = self._subject(given)
        earlier = self._store.reviews.existing(subject, given.reviewer)
        content = _content(replace(given, label=label), ReviewContent() if earlier is None else earlier.content, scales)
        if content.is_empty and earlier is None:
            return
        self._store.reviews.save(
            NewReview(
                subject=subject,
                reviewer=given.reviewer,
                content=content,
                blind=given.blind,
                withdrawn=content.is_empty,
            )
        )

    def _subject(self, given: GivenReview) -> tuple[ReviewSubject, str | None]:
        """Return what is reviewed, and the label; a pair that this person saw in the other order keeps that order."""
        sample = SampleRef(run_id=given.run_id, arm=given.arm, case_id=given.case_id, sample_index=given.sample_index)
        if given.other is None:
            return ReviewSubject(sample=sample), given.label
        two = given.other
        other = SampleRef(run_id=two.run_id, arm=two.arm, case_id=given.case_id, sample_index=two.sample_index)
        turned = ReviewSubject(sample=other, other=sample)
        if self._store.reviews.existing(turned, given.reviewer) is not None:
            return turned, PairNote(label=given.label).turned().label
        return ReviewSubject(sample=sample, other=other), given.label

    def pairs(self, sides: tuple[PairSide, PairSide], case_id: str, reviewer: str) -> Mapping[IndexPair, PairNote]:
        """Return what a person said of both sides' answers, also where they stood in the other order."""
        first, second = (self._sides(side, case_id, reviewer) for side in sides)
        found: dict[IndexPair, PairNote] = {}
        for name in first.keys() & second.keys():
            review, own = first[name]
            _, other = second[name]
            note = PairNote(label=review.content.label, comment=review.content.text)
            for one, two, said in ((0, 1, note), (1, 0, note.turned())):
                found |= {(i, j): said for i in own.get(one, ()) for j in other.get(two, ())}
        return found

    def _sides(
        self, side: PairSide, case_id: str, reviewer: str
    ) -> Mapping[str, tuple[Review, Mapping[int, Sequence[int]]]]:
        """Return a person's reviews of pairs by id: which samples here are their first answer (0) or second (1)."""
        found: dict[str, tuple[Review, dict[int, list[int]]]] = {}
        for placed in self._placed(*side, case_id):
            review = placed.review
            if review.subject.is_pair and review.reviewer == reviewer:
                _, places = found.setdefault(review.review_id, (review, {}))
                places.setdefault(placed.side, []).append(placed.place[2])
        return found

    def scales(self) -> Sequence[ReviewScale]:
        """Return what can be scored."""
        return tuple(self._store.reviews.scales().values())

    def decode(self, code: str) -> PairSide:
        """Return the run and arm that a code stands for.

        Raises:
            UsageError: no arm has that code.
        """
        found = self._store.reviews.decode(code)
        return found.run_id, found.arm


def _content(given: GivenReview, earlier: ReviewContent, scales: Mapping[str, ReviewScale]) -> ReviewContent:
    """Return what the form says over what was said before; what it does not name stays.

    Raises:
        UsageError: a dimension has no scale.
    """
    scores = {name: score for name, score in earlier.scores.items() if name not in given.scores}
    for name, value in given.scores.items():
        if value is None:
            continue
        if name not in scales:
            message = f"dimension '{name}' has no scale yet"
            raise UsageError(Problem(slug="review-invalid", message=message, fix=f"--scale {name}=1-5"))
        scores[name] = ReviewScore(value=value, low=scales[name].low, high=scales[name].high)
    return ReviewContent(
        scores=scores,
        label=given.label,
        tags=given.tags if given.other is None else earlier.tags,
        text=given.comment,
        correction=earlier.correction,
    )
