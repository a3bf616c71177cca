"""Keeps reviews by people: append-only revisions, scales, and codes for arms in blind reviews."""

from __future__ import annotations

import difflib
import math
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from retest.domain.review import (
    LABEL,
    PAIR_LABELS,
    PREFERENCE,
    SAMPLE_LABELS,
    BlindCode,
    NewReview,
    PlacedReview,
    Review,
    ReviewContent,
    ReviewRevision,
    ReviewScale,
    ReviewSubject,
)
from retest.errors import Problem, UsageError
from retest.store.engine import Database
from retest.store.payloads import decode_text, encode_text, encode_time
from retest.store.review_rows import (
    load_reviews,
    places_of_answers,
    review_id,
    review_keys,
    revision_cells,
    sample_key,
    subject_cells,
)
from retest.store.run_queries import begins, find_run_number
from retest.store.sample_queries import read_parts
from retest.store.tables import review_codes, review_revisions, review_scales, reviews, runs
from retest.store.writer import Writer

# No letters or digits that are taken for one another when they are read out or typed.
_CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_CODE_LENGTH = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewFilter:
    """Which reviews to list; every condition given must hold.

    Attributes:
        run: named as for `Store.get_run`: reviews of answers that the run holds, whichever run they were given on.
        withdrawn: also those that no longer count.
    """

    run: str | None = None
    suite: str | None = None
    reviewer: str | None = None
    case_id: str | None = None
    label: str | None = None
    tag: str | None = None
    withdrawn: bool = False

    def accepts(self, review: Review) -> bool:
        """Return whether what a review says now fulfils the conditions on it."""
        content = review.content
        return (
            (self.withdrawn or not review.is_withdrawn)
            and self.label in {None, content.label}
            and (self.tag is None or self.tag in content.tags)
        )


class StoredReviews:
    """The reviews of a store; what a method wrote is durable when it returns."""

    def __init__(self, database: Database, writer: Writer, pick: Callable[[str], str] = secrets.choice) -> None:
        self._database = database
        self._writer = writer
        self._pick = pick

    # -- writing ---------------------------------------------------------------------------------------------------

    def save(self, new: NewReview) -> Review:
        """Keep a review; where this person has reviewed the same answer before, it becomes a further revision.

        One that says the same as the newest revision adds nothing.

        Raises:
            UsageError: there is no such answer, it says nothing, a label or score is none, or somebody has edited the
                review since `new.base`.
        """
        return self.save_all([new])[0]

    def save_all(self, new: Sequence[NewReview]) -> list[Review]:
        """Keep reviews, all or none.

        Raises:
            UsageError: as for `save`.
        """
        return self._writer.write_now(lambda connection: [self._save(connection, review) for review in new])

    def set_scale(self, scale: ReviewScale) -> None:
        """Set a dimension's scale; scores given on another keep theirs and are moved onto the new one when read.

        Raises:
            UsageError: it has no extent, or the dimension's name is taken.
        """
        check_scale(scale)
        row = (encode_text(scale.dimension), float(scale.low), float(scale.high), scale.direction)
        insert = self._database.prepare_insert(review_scales, ("dimension", "low", "high", "direction"), replace=True)
        self._writer.write_now(lambda connection: insert.run(connection, [row]))

    def codes(self, run: str) -> dict[str, BlindCode]:
        """Return arm -> the code that stands for it; codes are made at the first asking and stay.

        Raises:
            UsageError: there is no such run.
        """
        return self._writer.write_now(lambda connection: self._codes(connection, run))

    # -- reading ---------------------------------------------------------------------------------------------------

    def get(self, name: str) -> Review:
        """Return the review with that id, or beginning of an id.

        Raises:
            UsageError: no review, or several, are called so.
        """
        with self._database.reading() as connection:
            found = load_reviews(connection, begins(reviews.c.review_id, name)) if name else []
        exact = [review for review in found if review.review_id == name]
        if len(exact or found) == 1:
            return (exact or found)[0]
        raise _unknown_review(name, [review.review_id for review in found])

    def existing(self, subject: ReviewSubject, reviewer: str) -> Review | None:
        """Return what this person has said of an answer (or of two in this order), None where nothing.

        Raises:
            UsageError: there is no such answer.
        """
        with self._database.reading() as connection:
            key = sample_key(connection, subject.sample)[1]
            other = None if subject.other is None else sample_key(connection, subject.other)[1]
            found = load_reviews(connection, reviews.c.review_id == encode_text(review_id(key, other, reviewer)))
        return next(iter(found), None)

    def find(self, wanted: ReviewFilter | None = None) -> list[Review]:
        """Return the reviews that fulfil every condition, in the order in which they were begun.

        Raises:
            UsageError: there is no such run.
        """
        wanted = wanted or ReviewFilter()
        if wanted.run is not None:
            found = list({placed.review.review_id: placed.review for placed in self.of_run(wanted.run)}.values())
            found = [review for review in found if _fits_columns(review, wanted)]
        else:
            with self._database.reading() as connection:
                found = load_reviews(connection, _condition(wanted))
        return [review for review in found if wanted.accepts(review)]

    def of_run(self, run: str) -> list[PlacedReview]:
        """Return every review of an answer that a run (named as for `Store.get_run`) holds, at its place in it.

        Withdrawn reviews are among them.

        Raises:
            UsageError: there is no such run.
        """
        with self._database.reading() as connection:
            number = find_run_number(connection, run)
            suite = connection.execute(sa.select(runs.c.suite).where(runs.c.id == number)).scalar_one()
            condition = reviews.c.suite == suite
            found = load_reviews(connection, condition)
            if not found:
                return []
            places = places_of_answers(connection, number, condition)
            keys = review_keys(connection, [encode_text(review.review_id) for review in found])
        return [
            PlacedReview(place=place, review=review, side=side)
            for review in found
            for side, key in enumerate(keys[encode_text(review.review_id)])
            if key is not None
            for place in places.get(key, ())
        ]

    def scales(self) -> dict[str, ReviewScale]:
        """Return the scale of each dimension."""
        with self._database.reading() as connection:
            return _scales(connection)

    def decode(self, code: str) -> BlindCode:
        """Return the arm that a code stands for.

        Raises:
            UsageError: no arm has that code.
        """
        query = sa.select(review_codes).where(review_codes.c.code == encode_text(code.strip().upper()))
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            message = f"no answer was given out under the code '{code}'"
            fix = "import into the store that wrote the blind export"
            raise UsageError(Problem(slug="review-unknown-code", message=message, fix=fix))
        return BlindCode(code=row.code, run_id=decode_text(row.run_id), arm=decode_text(row.arm))

    # -- in a transaction ------------------------------------------------------------------------------------------

    def _save(self, connection: sa.Connection, new: NewReview) -> Review:
        suite, key = sample_key(connection, new.subject.sample)
        other = None if new.subject.other is None else sample_key(connection, new.subject.other)[1]
        if other == key:
            message = "an answer cannot be compared with itself"
            raise UsageError(Problem(slug="review-invalid", message=message, fix="name two different answers"))
        _check_content(new, _scales(connection))
        name = encode_text(review_id(key, other, new.reviewer))
        cells = {"review_id": name, "suite": suite, "reviewer": encode_text(new.reviewer)}
        insert = self._database.insert(reviews).values({**cells, **subject_cells(new.subject, (key, other))})
        connection.execute(insert.on_conflict_do_nothing())
        # The row is locked until the end, so that two who write at once get two numbers.
        own = sa.select(reviews.c.id).where(reviews.c.review_id == name)
        number = int(connection.execute(own.with_for_update()).scalar_one())
        self._append(connection, number, new)
        return load_reviews(connection, reviews.c.id == number)[0]

    def _append(self, connection: sa.Connection, number: int, new: NewReview) -> None:
        known = load_reviews(connection, reviews.c.id == number)
        last = known[0].current if known else None
        if new.base is not None and new.base != (0 if last is None else last.number):
            raise _edited_meanwhile(last)
        if last is not None and last.content == new.content and last.withdrawn == new.withdrawn:
            return
        moment = new.at or datetime.fromtimestamp(self._database.clock(), UTC)
        revision = ReviewRevision(
            number=1 if last is None else last.number + 1,
            content=new.content,
            author=new.author or new.reviewer,
            at=moment,
            withdrawn=new.withdrawn,
            blind=new.blind,
        )
        row = {"review": number, "created_us": encode_time(moment), **revision_cells(revision)}
        connection.execute(sa.insert(review_revisions).values(row))

    def _codes(self, connection: sa.Connection, run: str) -> dict[str, BlindCode]:
        number = find_run_number(connection, run)
        run_id = connection.execute(sa.select(runs.c.run_id).where(runs.c.id == number)).scalar_one()
        query = sa.select(review_codes).where(review_codes.c.run_id == run_id)
        arms = read_parts(connection, number).arms
        missing = set(arms) - {decode_text(row.arm) for row in connection.execute(query)}
        insert = self._database.insert(review_codes)
        for arm in sorted(missing):
            row = {"code": self._new_code(connection), "run_id": run_id, "arm": encode_text(arm)}
            connection.execute(insert.values(row).on_conflict_do_nothing())
        found = [
            BlindCode(code=row.code, run_id=decode_text(row.run_id), arm=decode_text(row.arm))
            for row in connection.execute(query)
        ]
        return {code.arm: code for code in found}

    def _new_code(self, connection: sa.Connection) -> str:
        while True:
            code = "".join(self._pick(_CODE_LETTERS) for _ in range(_CODE_LENGTH))
            if connection.scalar(sa.select(review_codes.c.code).where(review_codes.c.code == code)) is None:
                return code


def _scales(connection: sa.Connection) -> dict[str, ReviewScale]:
    rows = connection.execute(sa.select(review_scales).order_by(review_scales.c.dimension))
    return {
        name: ReviewScale(dimension=name, low=row.low, high=row.high, direction=row.direction)
        for row in rows
        for name in [decode_text(row.dimension)]
    }


def check_scale(scale: ReviewScale) -> None:
    """Refuse what is no scale.

    Raises:
        UsageError: it has no extent, or the dimension's name is taken.
    """
    if scale.dimension in {LABEL, PREFERENCE} or not scale.dimension.strip():
        raise _invalid(f"'{scale.dimension}' cannot be the name of a dimension", "give it another name")
    if not (math.isfinite(scale.low) and math.isfinite(scale.high) and scale.low < scale.high):
        raise _invalid(f"{scale} is no scale for {scale.dimension}", "write two numbers, the lower first: 1-5")


def _check_content(new: NewReview, scales: Mapping[str, ReviewScale]) -> None:
    content, is_pair = new.content, new.subject.is_pair
    if not new.reviewer.strip():
        raise _invalid("a review needs the name of its reviewer", "give --reviewer NAME")
    if content.is_empty and not new.withdrawn:
        raise _invalid("the review says nothing", "give a label, a score, a tag or a text")
    labels = PAIR_LABELS if is_pair else SAMPLE_LABELS
    if content.label is not None and content.label not in labels:
        kind = "a comparison" if is_pair else "a review"
        raise _invalid(f"'{content.label}' is no label of {kind}", f"labels: {', '.join(labels)}")
    for dimension in content.scores:
        _check_score(dimension, content, scales)


def _check_score(dimension: str, content: ReviewContent, scales: Mapping[str, ReviewScale]) -> None:
    score = content.scores[dimension]
    own = ReviewScale(dimension=dimension, low=score.low, high=score.high)
    check_scale(own)
    if dimension not in scales:
        close = difflib.get_close_matches(dimension, scales, n=1)
        meant = f"did you mean '{close[0]}'? Else " if close else ""
        raise _invalid(f"dimension '{dimension}' has no scale yet", f"{meant}say it once: --scale {dimension}=1-5")
    if not own.accepts(score.value):
        raise _invalid(f"{dimension} is {score.value:g}, outside its scale {own}", "give a score on the scale")


def _invalid(message: str, fix: str) -> UsageError:
    return UsageError(Problem(slug="review-invalid", message=message, fix=fix))


def _edited_meanwhile(last: ReviewRevision | None) -> UsageError:
    by = "" if last is None else f" by {last.author}"
    return UsageError(
        Problem(
            slug="review-edited-meanwhile",
            message=f"the review has been edited{by} since it was read",
            fix="read it again, then edit",
        )
    )


def _unknown_review(name: str, found: Iterable[str]) -> UsageError:
    ids = list(found)
    if ids:
        details = (", ".join(ids[:8]) + (", ..." if len(ids) > 8 else ""),)  # noqa: PLR2004 - as many as fit a line
        return UsageError(
            Problem(slug="review-unknown", message=f"several reviews begin with '{name}'", details=details)
        )
    return UsageError(
        Problem(slug="review-unknown", message=f"there is no review '{name}'", fix="`retest review list` lists them")
    )


def _condition(wanted: ReviewFilter) -> sa.ColumnElement[bool] | None:
    parts = [
        column == encode_text(value)
        for column, value in ((reviews.c.reviewer, wanted.reviewer), (reviews.c.case_id, wanted.case_id))
        if value is not None
    ]
    if wanted.suite is not None:
        parts.append(begins(reviews.c.suite, wanted.suite))
    return sa.and_(*parts) if parts else None


def _fits_columns(review: Review, wanted: ReviewFilter) -> bool:
    return (
        wanted.reviewer in {None, review.reviewer}
        and wanted.case_id in {None, review.subject.sample.case_id}
        and (wanted.suite is None or review.suite.startswith(wanted.suite))
    )
