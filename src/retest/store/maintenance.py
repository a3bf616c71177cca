"""Takes things out of a store: runs on request, and what no run needs any more."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import sqlalchemy as sa

from retest.errors import RetestError
from retest.store.engine import Database
from retest.store.liveness import Observer
from retest.store.owners import drop_dead, is_alive
from retest.store.payloads import decode_optional, decode_text
from retest.store.records import CleanupReport
from retest.store.runs import run_in_use
from retest.store.tables import blobs, claims, responses, run_arms, run_cases, runs, samples


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
    size = sa.func.length(responses.c.output) + sa.func.coalesce(sa.func.length(responses.c.payload), 0)
    count, length = connection.execute(sa.select(sa.func.count(), sa.func.sum(size)).where(old)).one()
    orphans, orphans_length = connection.execute(
        sa.select(sa.func.count(), sa.func.sum(sa.func.length(blobs.c.body))).where(_unneeded_blobs())
    ).one()
    held = sa.select(sa.func.count()).select_from(claims)
    before = connection.scalar(held) or 0
    if unfinished:
        orphans, orphans_length = 0, 0
    if not dry_run:
        drop_dead(database, connection, observer)
        if not unfinished:
            connection.execute(sa.delete(responses).where(old))
            connection.execute(sa.delete(blobs).where(_unneeded_blobs()))
    return CleanupReport(
        responses=0 if unfinished else count,
        blobs=orphans,
        claims=before - (connection.scalar(held) or 0),
        bytes=int((0 if unfinished else length or 0) + (orphans_length or 0)),
        kept_responses=count if unfinished else 0,
        kept_for=tuple(decode_text(run_id) for run_id in unfinished),
        dry_run=dry_run,
    )


def _unneeded_responses(connection: sa.Connection, before_us: int) -> sa.ColumnElement[bool]:
    used = sa.select(samples.c.response).where(samples.c.response.is_not(None))
    first_run_us = connection.scalar(sa.select(sa.func.min(runs.c.started_us)))
    before_runs_us = before_us if first_run_us is None else min(before_us, first_run_us)
    return sa.and_(
        responses.c.created_us < before_us,
        responses.c.id.not_in(used),
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
