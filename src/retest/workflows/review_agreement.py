"""How far reviewers agree, dimension by dimension."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from retest.domain.review import LABEL, PREFERENCE, PlacedReview, Review, ReviewScale
from retest.errors import NothingToJudgeError, Problem
from retest.stats.agreement import GroupAgreement, Rating, agree_in_group


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionAgreement:
    """The agreement of all reviewers in one dimension; `reviewed` are the items that at least one rated."""

    dimension: str
    reviewed: int
    agreement: GroupAgreement


def reviewer_agreement(
    placed: Iterable[PlacedReview], scales: Mapping[str, ReviewScale], dimension: str | None = None
) -> list[DimensionAgreement]:
    """Return how far reviewers agree on what at least two of them rated, by dimension.

    Cases are the units that intervals resample: samples of one case are alike. A pair that one reviewer saw in the
    other order is the same pair.

    Args:
        placed: the reviews of one run; those that are withdrawn do not count.
        scales: by dimension.
        dimension: only this one.

    Raises:
        NothingToJudgeError: no answer has two reviewers.
    """
    ratings: dict[str, dict[str, dict[str, Rating]]] = defaultdict(lambda: defaultdict(dict))
    cases: dict[str, str] = {}
    for each in placed:
        review = each.review
        if review.is_withdrawn:
            continue
        item = _item(each)
        cases[item] = f"{review.suite}\x1f{review.subject.sample.case_id}"
        for name, rating in _ratings(review, scales).items():
            if dimension in {None, name}:
                ratings[name][review.reviewer][item] = rating
    found = [
        DimensionAgreement(
            dimension=name,
            reviewed=len({item for own in people.values() for item in own}),
            agreement=agree_in_group(people, clusters=cases),
        )
        for name, people in sorted(ratings.items())
    ]
    if not any(each.agreement.n_items for each in found):
        what = "" if dimension is None else f" on '{dimension}'"
        message = f"no answer was reviewed{what} by two people"
        fix = "have a second person review the same answers: retest review export RUN, retest review import FILE"
        raise NothingToJudgeError(Problem(slug="review-no-agreement", message=message, fix=fix))
    return found


def _item(placed: PlacedReview) -> str:
    """Return what the same answer has in common for all reviewers; a pair whatever its order."""
    if placed.review.subject.is_pair:
        return "\x1f".join(sorted(_keys(placed.review)))
    return " ".join(map(str, placed.place))


def _keys(review: Review) -> list[str]:
    places = [review.subject.sample, *([review.subject.other] if review.subject.other is not None else [])]
    return ["\x1e".join([place.run_id, place.arm, place.case_id, str(place.sample_index)]) for place in places]


def _ratings(review: Review, scales: Mapping[str, ReviewScale]) -> dict[str, Rating]:
    content = review.content
    if review.subject.is_pair:
        return {} if content.label is None else {PREFERENCE: _preferred(review, content.label)}
    found: dict[str, Rating] = {
        name: score.on(scales[name]) for name, score in content.scores.items() if name in scales
    }
    return found | ({} if content.label is None else {LABEL: content.label})


def _preferred(review: Review, label: str) -> str:
    """Return which answer was preferred, whatever the order in which the pair was seen."""
    keys = _keys(review)
    if label == "tie":
        return "tie"
    chosen = keys[0] if label == "first" else keys[1]
    return "first" if chosen == min(keys) else "second"
