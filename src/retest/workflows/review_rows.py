"""Reviews as flat rows, for files that people fill in: which answer, by whom, what they said, the answer itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from retest.domain.review import Review, ReviewContent, ReviewRevision, ReviewScale, SampleRef
from retest.domain.review_queue import ReviewItem

if TYPE_CHECKING:
    from retest.store.database import Store

Row = dict[str, Any]

FIELDS = (
    "run",
    "arm",
    "code",
    "case_id",
    "sample_index",
    "other_run",
    "other_arm",
    "other_code",
    "other_case_id",
    "other_sample_index",
    "reviewer",
    "author",
    "at",
    "blind",
    "withdrawn",
    "label",
    "scores",
    "scales",
    "tags",
    "text",
    "correction",
    "input",
    "expected",
    "answer",
    "other_answer",
)
HIDDEN_WHERE_BLIND = frozenset({"run", "arm", "other_run", "other_arm"})
HIDDEN_WHERE_KNOWN = frozenset({"code", "other_code"})


class RowMaker:
    """Makes rows of reviews and of answers that wait for one.

    Args:
        store: for the answers.
        blind: codes stand for runs and arms, and reviews are without those of other people.
    """

    def __init__(self, store: Store, *, blind: bool = False) -> None:
        self._store = store
        self._blind = blind
        self._codes: dict[str, Mapping[str, Any]] = {}
        self.fields = [name for name in FIELDS if name not in (HIDDEN_WHERE_BLIND if blind else HIDDEN_WHERE_KNOWN)]

    def review(self, review: Review, *, history: bool = False) -> Row:
        """Return a review as a row; with `history` what it said before."""
        row = {
            **self._place("", review.subject.sample),
            **self._place("other_", review.subject.other),
            "reviewer": review.reviewer,
            **_said(review.current),
            **self._texts(review.subject.sample, review.subject.other),
        }
        if history and len(review.revisions) > 1:
            row["history"] = [_said(revision) for revision in review.revisions[:-1]]
        return row

    def item(self, item: ReviewItem, reviewer: str) -> Row:
        """Return an answer that waits for a review as a row with nothing said."""
        empty: Row = {"reviewer": reviewer, "author": None, "at": None, "blind": self._blind, "withdrawn": False}
        return {
            **self._place("", item.subject.sample),
            **self._place("other_", item.subject.other),
            **empty,
            **content_fields(item.own),
            "input": item.prompt or dict(item.case.vars),
            "expected": item.case.expected,
            "answer": item.answer,
            "other_answer": item.other_answer,
        }

    def _place(self, prefix: str, sample: SampleRef | None) -> Row:
        cells = {
            f"{prefix}case_id": None if sample is None else sample.case_id,
            f"{prefix}sample_index": None if sample is None else sample.sample_index,
        }
        if self._blind:
            return {f"{prefix}code": None if sample is None else self._code(sample), **cells}
        return {
            f"{prefix}run": None if sample is None else sample.run_id,
            f"{prefix}arm": None if sample is None else sample.arm,
            **cells,
        }

    def _code(self, sample: SampleRef) -> str:
        if sample.run_id not in self._codes:
            self._codes[sample.run_id] = self._store.reviews.codes(sample.run_id)
        return str(self._codes[sample.run_id][sample.arm].code)

    def _texts(self, sample: SampleRef, other: SampleRef | None) -> Row:
        from retest.errors import UsageError

        try:
            case = self._store.get_case(sample.run_id, sample.case_id)
        except UsageError:  # its run has been deleted; the review is kept all the same
            return {"input": None, "expected": None, "answer": None, "other_answer": None}
        return {
            "input": dict(case.vars),
            "expected": case.expected,
            "answer": read_answer(self._store, sample),
            "other_answer": None if other is None else read_answer(self._store, other),
        }


def read_answer(store: Store, sample: SampleRef) -> str | None:
    """Return the text of a stored answer, None where there is none."""
    from retest.domain.sample import Response
    from retest.errors import UsageError
    from retest.store.records import SampleFilter

    try:
        for found in store.iter_samples(sample.run_id, SampleFilter(arm=sample.arm, case_id=sample.case_id)):
            if found.sample_index == sample.sample_index and isinstance(found.outcome, Response):
                return found.outcome.output
    except UsageError:
        return None
    return None


def _said(revision: ReviewRevision) -> Row:
    return {
        "author": revision.author,
        "at": revision.at.isoformat(),
        "blind": revision.blind,
        "withdrawn": revision.withdrawn,
        **content_fields(revision.content),
    }


def content_fields(content: ReviewContent) -> Row:
    """Return what a review says as fields of a row."""
    scales = {
        name: str(ReviewScale(dimension=name, low=score.low, high=score.high)) for name, score in content.scores.items()
    }
    return {
        "label": content.label,
        "scores": {name: score.value for name, score in content.scores.items()},
        "scales": scales,
        "tags": list(content.tags),
        "text": content.text,
        "correction": content.correction,
    }


def rows_of(maker: RowMaker, reviews: Iterable[Review], *, history: bool) -> Iterator[Row]:
    """Yield a row for each review."""
    return (maker.review(review, history=history) for review in reviews)
