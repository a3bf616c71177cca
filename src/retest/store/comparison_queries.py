"""Reads what a comparison needs of a run: its cases and bare figures of its calls, never the answers' texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from retest.domain.case import Case
from retest.store.engine import Database
from retest.store.payloads import decode_json, decode_optional, decode_text
from retest.store.records import SampleCall
from retest.store.run_headers import decode_case
from retest.store.sample_queries import RunParts, metric_number
from retest.store.tables import blobs, responses, run_cases, samples, scores

_PAGE = 5_000  # cases read at once


def iter_cases(database: Database, number: int) -> Iterator[tuple[int, Case]]:
    """Yield a run's cases under their index, page by page."""
    query = (
        sa.select(run_cases.c.case, blobs.c.body, run_cases.c.place)
        .join(blobs, blobs.c.id == run_cases.c.body)
        .where(run_cases.c.run == number)
        .order_by(run_cases.c.case)
        .limit(_PAGE)
    )
    last = -1
    while True:
        with database.reading() as connection:
            rows = connection.execute(query.where(run_cases.c.case > last)).all()
        for index, body, place in rows:
            yield index, decode_case(body, place)
        if len(rows) < _PAGE:
            return
        last = rows[-1].case


def iter_calls(database: Database, number: int, arm: int) -> Iterator[SampleCall]:
    """Yield what is known of each call of an arm, by case and sample, page by page."""
    query = (
        sa.select(
            samples.c.case,
            samples.c.sample,
            samples.c.error_kind,
            responses.c.payload,
            sa.func.coalesce(responses.c.created_us, samples.c.created_us),
        )
        .join(responses, responses.c.id == samples.c.response, isouter=True)
        .where(samples.c.run == number, samples.c.arm == arm)
        .order_by(samples.c.case, samples.c.sample)
    )
    first = 0
    while True:
        with database.reading() as connection:
            last_case = connection.scalar(
                sa.select(sa.func.max(samples.c.case)).where(samples.c.run == number, samples.c.arm == arm)
            )
            page = query.where(samples.c.case.between(first, first + _PAGE - 1))
            # Straight from the driver: there may be a million rows, and SQLAlchemy would build an object for each.
            rows: list[Any] = list(connection.execute(page).cursor.fetchall())
        for row in rows:
            yield _call(row)
        first += _PAGE
        if last_case is None or first > last_case:
            return


def read_failures(connection: sa.Connection, parts: RunParts, metric: str, arm: int) -> list[tuple[int, int, str]]:
    """Return case index, sample index and kind of failure of every sample that a metric could not score.

    Raises:
        UsageError: the run has no such metric.
    """
    query = sa.select(scores.c.case, scores.c.sample, scores.c.failure).where(
        scores.c.metric == metric_number(parts, metric), scores.c.arm == arm, scores.c.failure.is_not(None)
    )
    return [(case, sample, decode_text(kind)) for case, sample, kind in connection.execute(query)]


def _call(row: Any) -> SampleCall:
    case, sample, error_kind, payload, created_us = row
    rest = decode_json(bytes(payload)) if payload is not None else {}
    tokens = rest.get("usage") or (None, None)
    return SampleCall(
        case,
        sample,
        decode_optional(error_kind),
        rest.get("latency_ms"),
        tokens[0],
        tokens[1],
        rest.get("cost_usd"),
        rest.get("model"),
        rest.get("fingerprint"),
        created_us,
    )
