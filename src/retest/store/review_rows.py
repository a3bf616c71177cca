"""Turns reviews into rows and back, and finds the answers that they belong to."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from retest.domain.review import Review, ReviewContent, ReviewRevision, ReviewScore, ReviewSubject, SampleRef
from retest.errors import Problem, UsageError
from retest.store.blobs import chunked
from retest.store.payloads import (
    decode_json,
    decode_optional,
    decode_text,
    decode_time,
    encode_json,
    encode_optional,
    encode_text,
)
from retest.store.run_queries import find_run_number
from retest.store.sample_queries import arm_index, find_case, read_parts
from retest.store.tables import responses, review_revisions, reviews, runs, samples


def review_id(key: str, other_key: str | None, reviewer: str) -> str:
    """Return the id of a person's review of an answer (or of two in this order): always the same one."""
    text = "\x1f".join([key, other_key or "", reviewer])
    return "v" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def sample_key(connection: sa.Connection, sample: SampleRef) -> tuple[str, str]:
    """Return the suite of a sample's run and the (encoded) key of its answer.

    Raises:
        UsageError: there is no such run, arm, case or sample, or the sample has no answer.
    """
    number = find_run_number(connection, sample.run_id)
    parts = read_parts(connection, number)
    query = (
        sa.select(runs.c.suite, responses.c.key)
        .select_from(samples)
        .join(runs, runs.c.id == samples.c.run)
        .join(responses, responses.c.id == samples.c.response, isouter=True)
        .where(
            samples.c.run == number,
            samples.c.case == find_case(connection, number, sample.case_id),
            samples.c.arm == arm_index(parts, sample.arm),
            samples.c.sample == sample.sample_index,
        )
    )
    row = connection.execute(query).one_or_none()
    place = f"sample {sample.sample_index} of case {sample.case_id}, arm {sample.arm}"
    if row is None:
        message = f"run {sample.run_id} has no {place}"
        raise UsageError(
            Problem(slug="review-no-sample", message=message, fix="`retest show RUN --case ID` lists them")
        )
    if row.key is None:
        message = f"{place}, has no answer to review: the call failed"
        raise UsageError(Problem(slug="review-no-sample", message=message, fix="review a sample that has an answer"))
    return row.suite, row.key


def subject_cells(subject: ReviewSubject, keys: tuple[str, str | None]) -> dict[str, Any]:
    """Return the columns that say what is reviewed."""
    cells: dict[str, Any] = {"key": keys[0], **_place_cells("", subject.sample)}
    if subject.other is not None:
        cells |= {"other_key": keys[1], **_place_cells("other_", subject.other)}
    return cells


def _place_cells(prefix: str, sample: SampleRef) -> dict[str, Any]:
    return {
        f"{prefix}run_id": encode_text(sample.run_id),
        f"{prefix}arm": encode_text(sample.arm),
        f"{prefix}case_id": encode_text(sample.case_id),
        f"{prefix}sample": sample.sample_index,
    }


def revision_cells(revision: ReviewRevision) -> dict[str, Any]:
    """Return the columns of a revision but for its review and its time."""
    content = revision.content
    scores = {name: [score.value, score.low, score.high] for name, score in content.scores.items()}
    return {
        "revision": revision.number,
        "author": encode_text(revision.author),
        "label": encode_optional(content.label),
        "note": encode_text(content.text),
        "correction": encode_optional(content.correction),
        "body": encode_json({"scores": scores, "tags": list(content.tags)}),
        "withdrawn": revision.withdrawn,
        "blind": revision.blind,
    }


def load_reviews(connection: sa.Connection, condition: sa.ColumnElement[bool] | None) -> list[Review]:
    """Return reviews with all their revisions, in the order in which they were begun."""
    query = sa.select(reviews).order_by(reviews.c.id)
    rows = connection.execute(query if condition is None else query.where(condition)).all()
    revisions = _load_revisions(connection, [row.id for row in rows])
    return [_review(row, revisions[row.id]) for row in rows if revisions.get(row.id)]


def _load_revisions(connection: sa.Connection, numbers: Sequence[int]) -> Mapping[int, list[ReviewRevision]]:
    found: dict[int, list[ReviewRevision]] = defaultdict(list)
    for some in chunked(numbers):
        query = sa.select(review_revisions).where(review_revisions.c.review.in_(some))
        for row in connection.execute(query.order_by(review_revisions.c.review, review_revisions.c.revision)):
            found[row.review].append(_revision(row))
    return found


def _revision(row: Any) -> ReviewRevision:
    body = decode_json(bytes(row.body))
    content = ReviewContent(
        scores={
            name: ReviewScore(value=value, low=low, high=high) for name, (value, low, high) in body["scores"].items()
        },
        label=decode_optional(row.label),
        tags=tuple(body["tags"]),
        text=decode_text(row.note),
        correction=decode_optional(row.correction),
    )
    return ReviewRevision(
        number=row.revision,
        content=content,
        author=decode_text(row.author),
        at=decode_time(row.created_us),
        withdrawn=bool(row.withdrawn),
        blind=bool(row.blind),
    )


def _review(row: Any, revisions: Sequence[ReviewRevision]) -> Review:
    other = None
    if row.other_key is not None:
        other = _ref(row.other_run_id, row.other_arm, row.other_case_id, row.other_sample)
    return Review(
        review_id=decode_text(row.review_id),
        suite=decode_text(row.suite),
        subject=ReviewSubject(sample=_ref(row.run_id, row.arm, row.case_id, row.sample), other=other),
        reviewer=decode_text(row.reviewer),
        revisions=tuple(revisions),
    )


def _ref(run_id: str, arm: str, case_id: str, sample: int) -> SampleRef:
    return SampleRef(
        run_id=decode_text(run_id), arm=decode_text(arm), case_id=decode_text(case_id), sample_index=int(sample)
    )


def places_of_answers(
    connection: sa.Connection, number: int, condition: sa.ColumnElement[bool]
) -> dict[str, list[tuple[int, int, int]]]:
    """Return key -> (arm, case, sample) for every answer of a run that a review fulfilling the condition belongs to."""
    found: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for key in (reviews.c.key, reviews.c.other_key):
        reviewed = sa.select(responses.c.id).join(reviews, key == responses.c.key).where(condition)
        query = (
            sa.select(samples.c.arm, samples.c.case, samples.c.sample, responses.c.key)
            .join(responses, responses.c.id == samples.c.response)
            .where(samples.c.run == number, samples.c.response.in_(reviewed))
        )
        for arm, case, sample, name in connection.execute(query):
            if (arm, case, sample) not in found[name]:
                found[name].append((arm, case, sample))
    return found


def review_keys(connection: sa.Connection, ids: Iterable[str]) -> dict[str, tuple[str, str | None]]:
    """Return review id -> the (encoded) keys of its answers."""
    found: dict[str, tuple[str, str | None]] = {}
    for some in chunked(list(ids)):
        query = sa.select(reviews.c.review_id, reviews.c.key, reviews.c.other_key).where(reviews.c.review_id.in_(some))
        found.update({name: (key, other) for name, key, other in connection.execute(query)})
    return found
