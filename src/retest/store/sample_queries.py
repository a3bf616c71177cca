"""Reads what runs brought forth: samples in a stream, cases, messages, bare scores.

Samples are read page by page, each page on its own: nothing is held open between pages, so a reader that takes its
time is in nobody's way.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from retest.domain.case import Case
from retest.domain.prompt import Message
from retest.domain.sample import CallOutcome, ScoreOutcome
from retest.errors import Problem, UsageError
from retest.store.engine import Database
from retest.store.payloads import (
    decode_error,
    decode_json,
    decode_response,
    decode_score,
    decode_text,
    decode_time,
    encode_text,
)
from retest.store.records import SampleFilter, StoredSample
from retest.store.run_headers import decode_case
from retest.store.run_queries import current_definitions
from retest.store.tables import blobs, responses, run_arms, run_cases, run_metrics, samples, scores

_PAGE = 500

_Place = tuple[int, int, int]  # case, arm, sample


@dataclass(frozen=True, slots=True, kw_only=True)
class RunParts:
    """A run's number, the names of its arms in order, and its current metrics: number -> name."""

    number: int
    arms: Sequence[str]
    metrics: Mapping[int, str]


def read_parts(connection: sa.Connection, number: int) -> RunParts:
    """Return what the rows of a run refer to by number; of several definitions of a metric the current one."""
    arms = connection.scalars(sa.select(run_arms.c.name).where(run_arms.c.run == number).order_by(run_arms.c.arm))
    columns = (run_metrics.c.name, run_metrics.c.id, run_metrics.c.created_us)
    defined = connection.execute(sa.select(*columns).where(run_metrics.c.run == number)).all()
    return RunParts(
        number=number,
        arms=[decode_text(name) for name in arms],
        metrics={row.id: decode_text(row.name) for row in current_definitions(defined)},
    )


def iter_samples(database: Database, parts: RunParts, wanted: SampleFilter) -> Iterator[StoredSample]:
    """Yield samples with cases and scores, in the order asked for.

    Raises:
        UsageError: the run has no such arm or case.
    """
    with database.reading() as connection:
        condition = _condition(connection, parts, wanted)
    arms: Iterable[int | None] = [None]
    if wanted.order == "arm" and wanted.arm is None:
        arms = range(len(parts.arms))
    for arm in arms:
        yield from _pages(database, parts, condition if arm is None else condition & (samples.c.arm == arm))


def _condition(connection: sa.Connection, parts: RunParts, wanted: SampleFilter) -> sa.ColumnElement[bool]:
    condition: sa.ColumnElement[bool] = samples.c.run == parts.number
    if wanted.arm is not None:
        condition &= samples.c.arm == arm_index(parts, wanted.arm)
    if wanted.case_id is not None:
        condition &= samples.c.case == find_case(connection, parts.number, wanted.case_id)
    if wanted.only_errors:
        condition &= samples.c.error_kind.is_not(None)
    return condition


def _pages(database: Database, parts: RunParts, condition: sa.ColumnElement[bool]) -> Iterator[StoredSample]:
    last: _Place = (-1, -1, -1)
    place = sa.tuple_(samples.c.case, samples.c.arm, samples.c.sample)
    query = (
        sa.select(
            samples,
            responses.c.key,
            responses.c.output,
            responses.c.payload,
            responses.c.created_us.label("answered_us"),
        )
        .join(responses, responses.c.id == samples.c.response, isouter=True)
        .where(condition)
        .order_by(samples.c.case, samples.c.arm, samples.c.sample)
        .limit(_PAGE)
    )
    while True:
        with database.reading() as connection:
            rows = connection.execute(query.where(place > sa.tuple_(*last))).all()
            page = _build_page(connection, parts, rows)
        yield from page
        if len(rows) < _PAGE:
            return
        last = (rows[-1].case, rows[-1].arm, rows[-1].sample)


def _build_page(connection: sa.Connection, parts: RunParts, rows: Sequence[Any]) -> list[StoredSample]:
    if not rows:
        return []
    first, last = rows[0].case, rows[-1].case
    cases = _read_cases(connection, parts.number, first, last)
    hashes = _read_hashes(connection, rows)
    given = _read_scores(connection, parts, sorted({row.arm for row in rows}), (first, last))
    return [
        StoredSample(
            case=cases[row.case],
            case_index=row.case,
            arm=parts.arms[row.arm],
            arm_index=row.arm,
            sample_index=row.sample,
            outcome=_outcome(row),
            scores=given.get((row.case, row.arm, row.sample), {}),
            key=row.key,
            messages_hash=hashes.get(row.messages),
            ledger_hit=bool(row.ledger_hit),
            created_at=decode_time(row.created_us if row.answered_us is None else row.answered_us),
        )
        for row in rows
    ]


def _outcome(row: Any) -> CallOutcome:
    if row.error_kind is not None:
        return decode_error(row.error_kind, row.error_message, row.error_rest)
    return decode_response(row.output, row.payload)


def _read_cases(connection: sa.Connection, number: int, first: int, last: int) -> dict[int, Case]:
    query = (
        sa.select(run_cases.c.case, blobs.c.body, run_cases.c.place)
        .join(blobs, blobs.c.id == run_cases.c.body)
        .where(run_cases.c.run == number, run_cases.c.case.between(first, last))
    )
    return {index: decode_case(body, place) for index, body, place in connection.execute(query)}


def _read_hashes(connection: sa.Connection, rows: Sequence[Any]) -> dict[int, str]:
    numbers = {row.messages for row in rows if row.messages is not None}
    query = sa.select(blobs.c.id, blobs.c.hash).where(blobs.c.id.in_(numbers))
    return {number: name for number, name in connection.execute(query)}  # noqa: C416 - a row is no tuple to the type checker


def _read_scores(
    connection: sa.Connection, parts: RunParts, arms: Sequence[int], cases: tuple[int, int]
) -> Mapping[_Place, dict[str, ScoreOutcome]]:
    query = sa.select(scores).where(
        scores.c.metric.in_(parts.metrics), scores.c.arm.in_(arms), scores.c.case.between(*cases)
    )
    found: dict[_Place, dict[str, ScoreOutcome]] = defaultdict(dict)
    for metric, arm, case, sample, *cells in connection.execute(query):
        value, failure, reason, details = cells
        found[case, arm, sample][parts.metrics[metric]] = decode_score((value, failure, reason, details))
    return found


def arm_index(parts: RunParts, name: str) -> int:
    """Return the place of an arm.

    Raises:
        UsageError: the run has no such arm.
    """
    if name in parts.arms:
        return parts.arms.index(name)
    raise _unknown("arm", name, parts.arms, slug="run-unknown-arm")


def sole_arm(parts: RunParts) -> int:
    """Return the place of the run's only arm.

    Raises:
        UsageError: it has several.
    """
    if len(parts.arms) == 1:
        return 0
    raise UsageError(
        Problem(
            slug="run-several-arms",
            message="the run has several arms, and none is named",
            details=(f"it has: {', '.join(parts.arms)}",),
            fix="name one with --arm",
        )
    )


def metric_number(parts: RunParts, name: str) -> int:
    """Return the number of a metric's current definition.

    Raises:
        UsageError: the run has no such metric.
    """
    for number, known in parts.metrics.items():
        if known == name:
            return number
    raise _unknown("metric", name, sorted(parts.metrics.values()), slug="run-unknown-metric")


def find_case(connection: sa.Connection, number: int, case_id: str) -> int:
    """Return the index of a case.

    Raises:
        UsageError: the run has no such case.
    """
    query = sa.select(run_cases.c.case).where(run_cases.c.run == number, run_cases.c.case_id == encode_text(case_id))
    index = connection.scalar(query.limit(1))
    if index is None:
        known = sa.select(run_cases.c.case_id).where(run_cases.c.run == number).limit(20_000)
        ids = [decode_text(name) for name in connection.scalars(known)]
        raise _unknown("case", case_id, ids, slug="run-unknown-case")
    return int(index)


def read_case(connection: sa.Connection, number: int, case_id: str) -> Case:
    """Return a case as the run saw it.

    Raises:
        UsageError: the run has no such case.
    """
    index = find_case(connection, number, case_id)
    return _read_cases(connection, number, index, index)[index]


def _unknown(kind: str, name: str, known: Sequence[str], *, slug: str) -> UsageError:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    shown = ", ".join(known[:8]) + (", ..." if len(known) > 8 else "")  # noqa: PLR2004 - as many as fit a line or two
    return UsageError(
        Problem(
            slug=slug,
            message=f"the run has no {kind} '{name}'",
            details=(f"it has: {shown}",) if known else (),
            fix=f"did you mean '{close[0]}'?" if close else None,
        )
    )


def read_messages(connection: sa.Connection, messages_hash: str) -> list[Message] | None:
    """Return rendered messages by their hash, None where they are not there."""
    body = connection.scalar(sa.select(blobs.c.body).where(blobs.c.hash == messages_hash))
    return None if body is None else list(decode_json(body))


def read_scores(
    connection: sa.Connection, parts: RunParts, metric: str, arm: int
) -> list[tuple[int, int, float | None]]:
    """Return case index, sample index and value of every scored sample, in that order; None where scoring failed.

    Raises:
        UsageError: the run has no such metric.
    """
    query = sa.select(scores.c.case, scores.c.sample, scores.c.value).where(
        scores.c.metric == metric_number(parts, metric), scores.c.arm == arm
    )
    result = connection.execute(query.order_by(scores.c.case, scores.c.sample))
    # Straight from the driver: there may be a million rows, and they need nothing done to them.
    return list(result.cursor.fetchall())
