"""Writes the headers of runs: what was run, how far it is, how it ended, its tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from retest.domain.json_value import JsonValue
from retest.domain.run import Run, RunArm, RunCounts, RunMetric, RunStatus
from retest.errors import Problem, UsageError
from retest.store.blobs import blob_hash, store_blobs
from retest.store.engine import Database
from retest.store.liveness import Observer
from retest.store.owners import is_alive
from retest.store.payloads import decode_json, decode_optional, encode_json, encode_optional, encode_text, encode_time
from retest.store.run_headers import encode_arm, encode_counts, encode_header, encode_metric
from retest.store.tables import draws, run_arms, run_metadata, run_metrics, run_tags, runs


@dataclass(frozen=True, slots=True, kw_only=True)
class RunUpdate:
    """What changes in a run's header; None leaves a field as it is."""

    status: RunStatus | None = None
    counts: RunCounts | None = None
    summary: Mapping[str, JsonValue] | None = None
    exit_code: int | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRun:
    """A run that is being written: its number, and the number of each of its metrics by name."""

    number: int
    metrics: Mapping[str, int]


def open_run(database: Database, connection: sa.Connection, run: Run, owner: str, observer: Observer) -> OpenRun:
    """Store a new run's header, or take up an unfinished run again.

    Raises:
        UsageError: another live process is running it.
    """
    row = connection.execute(
        sa.select(runs.c.id, runs.c.owner).where(runs.c.run_id == encode_text(run.run_id)).with_for_update()
    ).one_or_none()
    if row is None:
        number = _insert_header(database, connection, run, owner)
        _insert_arms(database, connection, number, run.arms)
    else:
        writing = decode_optional(row.owner)
        if writing is not None and writing != owner and is_alive(database, connection, writing, observer):
            raise run_in_use(run.run_id)
        number = row.id
        _take_up(connection, number, run, owner)
    change_tags(database, connection, number, add=run.tags)
    set_metadata(database, connection, number, run.metadata)
    metrics = add_metrics(database, connection, number, run.metrics)
    return OpenRun(number=number, metrics=metrics)


def run_in_use(run_id: str) -> UsageError:
    """Return the error for a run that a live process is writing."""
    return UsageError(
        Problem(
            slug="run-in-use",
            message=f"run {run_id} is being written by another process",
            fix="wait for it to finish, or end that process; then type the same command again",
        )
    )


def _insert_header(database: Database, connection: sa.Connection, run: Run, owner: str) -> int:
    values = {
        "run_id": encode_text(run.run_id),
        "suite": encode_text(run.suite),
        "config_hash": encode_text(run.config_hash),
        "draw": run.draw,
        "started_us": encode_time(run.started_at),
        "git_commit": encode_optional(run.provenance.git_commit),
        "source": _store_text(database, connection, run.suite_source),
        "owner": encode_text(owner),
        "header": encode_header(run),
        **_changed(_state_of(run)),
    }
    result = connection.execute(sa.insert(runs).values(values))
    return int(result.inserted_primary_key[0])  # type: ignore[index] # a single row has one


def _state_of(run: Run) -> RunUpdate:
    return RunUpdate(
        status="running",
        counts=run.counts,
        summary=run.summary,
        exit_code=run.exit_code,
        finished_at=run.finished_at,
    )


def _store_text(database: Database, connection: sa.Connection, text: str) -> int:
    body = text.encode("utf-8", "surrogatepass")
    name = blob_hash(body)
    return store_blobs(database, connection, {name: body})[name]


def _insert_arms(database: Database, connection: sa.Connection, number: int, arms: Sequence[RunArm]) -> None:
    rows = [
        {
            "run": number,
            "arm": index,
            "prompt_source": _store_text(database, connection, arm.prompt_source),
            **encode_arm(arm),
        }
        for index, arm in enumerate(arms)
    ]
    if rows:
        connection.execute(sa.insert(run_arms), rows)


def _take_up(connection: sa.Connection, number: int, run: Run, owner: str) -> None:
    values = {
        "status": "running",
        "owner": encode_text(owner),
        "header": encode_header(run),
        "finished_us": None,
        "exit_code": None,
    }
    connection.execute(sa.update(runs).where(runs.c.id == number).values(values))


def add_metrics(
    database: Database, connection: sa.Connection, number: int, metrics: Sequence[RunMetric]
) -> dict[str, int]:
    """Store metric definitions that the run does not have yet; return their numbers by name."""
    insert = database.insert(run_metrics).on_conflict_do_nothing()
    numbers: dict[str, int] = {}
    for metric in metrics:
        same = {"run": number, "name": encode_text(metric.name), "signature": encode_text(metric.signature)}
        now_us = int(database.clock() * 1_000_000)
        connection.execute(insert.values(**same, created_us=now_us, body=encode_metric(metric)))
        find = sa.select(run_metrics.c.id).filter_by(**same)
        numbers[metric.name] = connection.execute(find).scalar_one()
    return numbers


def change_run(connection: sa.Connection, number: int, update: RunUpdate) -> None:
    """Apply an update; a run that is no longer running has no owner."""
    values = _changed(update)
    if update.status is not None and update.status != "running":
        values["owner"] = None
    if update.summary is not None and "planned" in update.summary:  # it stopped when its verdict stood
        header = connection.execute(sa.select(runs.c.header).where(runs.c.id == number)).scalar_one()
        values["header"] = encode_json({**decode_json(header), "planned": update.summary["planned"]})
    if values:
        connection.execute(sa.update(runs).where(runs.c.id == number).values(values))


def _changed(update: RunUpdate) -> dict[str, Any]:
    values = {
        "status": update.status,
        "counts": None if update.counts is None else encode_counts(update.counts),
        "summary": None if update.summary is None else encode_json(update.summary),
        "exit_code": update.exit_code,
        "finished_us": None if update.finished_at is None else encode_time(update.finished_at),
    }
    return {name: value for name, value in values.items() if value is not None}


def change_tags(
    database: Database,
    connection: sa.Connection,
    number: int,
    *,
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
) -> None:
    """Add and remove tags; adding twice is adding once."""
    rows = [(number, encode_text(tag)) for tag in add]
    database.prepare_insert(run_tags, ("run", "tag")).run(connection, rows)
    gone = [encode_text(tag) for tag in remove]
    if gone:
        connection.execute(sa.delete(run_tags).where(run_tags.c.run == number, run_tags.c.tag.in_(gone)))


def set_metadata(database: Database, connection: sa.Connection, number: int, values: Mapping[str, JsonValue]) -> None:
    """Set metadata by name; a name that is there gets the new value."""
    rows = [(number, encode_text(name), encode_json(value)) for name, value in values.items()]
    insert = database.prepare_insert(run_metadata, ("run", "name", "value"), replace=True)
    insert.run(connection, rows)


def next_draw(database: Database, connection: sa.Connection, suite: str) -> int:
    """Return 1, 2, ... for a suite, each number once."""
    name = encode_text(suite)
    insert = database.insert(draws).values(suite=name, last=1)
    connection.execute(
        insert.on_conflict_do_update(index_elements=[draws.c.suite], set_={"last": draws.c.last + 1}),
    )
    return int(connection.execute(sa.select(draws.c.last).where(draws.c.suite == name)).scalar_one())
