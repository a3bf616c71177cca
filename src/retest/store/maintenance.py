"""Takes things out of a store: runs on request, and what no run needs any more."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from retest.errors import RetestError
from retest.store.engine import Database
from retest.store.liveness import Observer
from retest.store.owners import drop_dead, is_alive
from retest.store.payloads import decode_optional, decode_text
from retest.store.records import CleanupReport
from retest.store.runs import run_in_use
from retest.store.tables import blobs, claims, responses, reviews, run_arms, run_cases, runs, samples

_REVIEWED = (reviews.c.key, reviews.c.other_key)  # what a person has judged is kept with the judgement


def delete_run(database: Database, connection: sa.Connection, number: int, observer: Observer) -> None:
    """Delete a run with its samples and scores; the responses stay in the ledger until `clean_up`.

    Raises:
        UsageError: a live process is writing it.
    """
    row = connection.execute(sa.select(runs.c.run_id, runs.c.owner).where(runs.c.id == number)).one()
    owner = decode_optional(row.owner)
    if owner is not None and is_alive(database, connection, owner, observer):
        raise run_in_use(decode_text(row.run_id))
    connection.execute(sa.delete(runs).where(runs.c.id == number))


def clean_up(
    database: Database, connection: sa.Connection, older_than: timedelta, observer: Observer, *, dry_run: bool
) -> CleanupReport:
    """Drop responses and texts that no run refers to, and claims of processes that are gone.

    While any run is unfinished, no response and no text is dropped: what that run has still to look up is not known
    here. A judge's response goes only when every run that it can belong to is gone.
    """
    if not database.is_sqlite:
        # No run may start meanwhile; on SQLite this transaction holds the one write lock.
        connection.execute(sa.text("LOCK TABLE runs IN SHARE ROW EXCLUSIVE MODE"))
    unfinished = connection.scalars(sa.select(runs.c.run_id).where(runs.c.status != "complete")).all()
    old = _unneeded_responses(connection, int((database.clock() - older_than.total_seconds()) * 1_000_000))
    answers = _measure(database, connection, old, (responses.c.output, responses.c.payload))
    texts = _measure(database, connection, _unneeded_blobs(), (blobs.c.body,))
    report = CleanupReport(kept_responses=answers[0], kept_for=tuple(map(decode_text, unfinished)), dry_run=dry_run)
    if not unfinished:
        size = answers[1] + texts[1]
        report = CleanupReport(responses=answers[0], blobs=texts[0], bytes=size, dry_run=dry_run)
    if dry_run:
        return report
    if not unfinished:
        connection.execute(sa.delete(responses).where(old))
        connection.execute(sa.delete(blobs).where(_unneeded_blobs()))
    return replace(report, claims=_free_claims(database, connection, observer))


def _measure(
    database: Database,
    connection: sa.Connection,
    condition: sa.ColumnElement[bool],
    columns: Sequence[sa.ColumnElement[Any]],
) -> tuple[int, int]:
    """Return how many rows fulfil a condition, and the bytes in the given columns of theirs."""

    def octets(column: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
        # SQLite counts characters in text and bytes only in blobs.
        count = sa.func.length(sa.cast(column, sa.BLOB)) if database.is_sqlite else sa.func.octet_length(column)
        return sa.func.coalesce(count, 0)

    size = sum((octets(column) for column in columns), sa.literal(0))
    rows, length = connection.execute(sa.select(sa.func.count(), sa.func.sum(size)).where(condition)).one()
    return rows, int(length or 0)


def _free_claims(database: Database, connection: sa.Connection, observer: Observer) -> int:
    count = sa.select(sa.func.count()).select_from(claims)
    before = connection.execute(count).scalar_one()
    drop_dead(database, connection, observer)
    return before - connection.execute(count).scalar_one()


def _unneeded_responses(connection: sa.Connection, before_us: int) -> sa.ColumnElement[bool]:
    used = sa.select(samples.c.response).where(samples.c.response.is_not(None))
    first_run_us = connection.scalar(sa.select(sa.func.min(runs.c.started_us)))
    before_runs_us = before_us if first_run_us is None else min(before_us, first_run_us)
    return sa.and_(
        responses.c.created_us < before_us,
        responses.c.id.not_in(used),
        *(responses.c.key.not_in(sa.select(key).where(key.is_not(None))) for key in _REVIEWED),
        (responses.c.role == "target") | (responses.c.created_us < before_runs_us),
    )


def _unneeded_blobs() -> sa.ColumnElement[bool]:
    users = (run_cases.c.body, runs.c.source, run_arms.c.prompt_source)
    messages = sa.select(samples.c.messages).where(samples.c.messages.is_not(None))
    return sa.and_(blobs.c.id.not_in(messages), *(blobs.c.id.not_in(sa.select(column)) for column in users))


def shrink(database: Database) -> None:
    """Give freed space back to the disk where that can be done now: it needs the store for itself for a moment."""
    if database.path is None:
        return  # PostgreSQL sees to that by itself
    with suppress(RetestError), database.translating():
        connection = database.engine.raw_connection()
        try:
            connection.cursor().execute("VACUUM")
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()
