"""Which run is a suite's baseline: a pointer that only an explicit command moves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from retest.domain.run import Run
from retest.store.engine import Database
from retest.store.payloads import decode_time, encode_text
from retest.store.run_queries import load_runs
from retest.store.tables import baselines, runs


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedBaseline:
    """A suite's baseline in the store, and when it was made so."""

    run: Run
    set_at: datetime


def set_baseline(database: Database, connection: sa.Connection, number: int) -> None:
    """Make a run the baseline of its suite."""
    suite = connection.execute(sa.select(runs.c.suite).where(runs.c.id == number)).scalar_one()
    row = (suite, number, int(database.clock() * 1_000_000))
    database.prepare_insert(baselines, ("suite", "run", "set_us"), replace=True).run(connection, [row])


def clear_baseline(connection: sa.Connection, suite: str) -> bool:
    """Take the suite's baseline away; return whether there was one."""
    gone = connection.execute(sa.delete(baselines).where(baselines.c.suite == encode_text(suite)))
    return gone.rowcount > 0


def list_baselines(connection: sa.Connection, suite: str | None) -> list[NamedBaseline]:
    """Return the baseline of every suite, or of one, by the suites' names."""
    query = sa.select(baselines.c.run, baselines.c.set_us).order_by(baselines.c.suite)
    if suite is not None:
        query = query.where(baselines.c.suite == encode_text(suite))
    rows = connection.execute(query).all()
    found = load_runs(connection, [row.run for row in rows])
    return [NamedBaseline(run=run, set_at=decode_time(row.set_us)) for run, row in zip(found, rows, strict=True)]
