"""Owners: the processes that hold claims and run runs, with their heartbeats."""

from __future__ import annotations

import sqlalchemy as sa

from retest.store.engine import Database
from retest.store.liveness import Observer, OwnerState, ProcessId, Watch
from retest.store.payloads import encode_text
from retest.store.tables import claims, owners


def beat(database: Database, connection: sa.Connection, name: str, lease_s: float, observer: Observer) -> int:
    """Note that the owner lives; return its number. All that it claimed stays its own for `lease_s` from now."""
    values = {
        "machine": observer.process.machine,
        "pid": observer.process.pid,
        "process_started": observer.process.started,
        "beat_wall_s": database.now_s(connection),
        "beat_monotonic_s": observer.monotonic(),
        "lease_s": lease_s,
    }
    insert = database.insert(owners).values(name=encode_text(name), **values)
    connection.execute(insert.on_conflict_do_update(index_elements=[owners.c.name], set_=values))
    return int(connection.scalar(sa.select(owners.c.id).where(owners.c.name == encode_text(name))) or 0)


def is_alive(database: Database, connection: sa.Connection, name: str, observer: Observer) -> bool:
    """Return whether the owner of that name lives."""
    row = connection.execute(sa.select(owners).where(owners.c.name == encode_text(name))).one_or_none()
    return row is not None and observer.sees_alive(_state(row), database.now_s(connection))


def forget_owners(connection: sa.Connection, *names: str) -> None:
    """Remove owners with their claims: they end in good order."""
    for name in names:
        _forget(connection, owners.c.name == encode_text(name))


def _forget(connection: sa.Connection, *which: sa.ColumnElement[bool]) -> int:
    """Remove the owner that fulfils the conditions, then its claims; return how many there were.

    The owner goes first, and only as it was seen: where it beats at this very moment (PostgreSQL), it stays.
    """
    number = connection.scalar(sa.select(owners.c.id).where(*which))
    gone = connection.execute(sa.delete(owners).where(*which)).rowcount
    if gone:
        connection.execute(sa.delete(claims).where(claims.c.owner == number))
    return gone


def drop_dead(database: Database, connection: sa.Connection, observer: Observer, watch: Watch | None = None) -> int:
    """Remove the owners that are gone, with their claims; return how many.

    One that was only asleep makes itself known again with its next beat; its claims may have been taken over.

    Args:
        database: of the connection.
        connection: within a transaction.
        observer: who looks.
        watch: what was seen of owners on other machines before. With it none of them is taken for dead by the clock
            alone, for a clock may have been set.
    """
    now_s = database.now_s(connection)
    dead = []
    for row in connection.execute(sa.select(owners)):
        state = _state(row)
        if observer.sees_alive(state, now_s):
            continue
        if watch is None or not observer.needs_watching(state) or watch.hears_nothing(row.id, state):
            dead.append(row)
    return sum(_forget(connection, owners.c.id == row.id, owners.c.beat_wall_s == row.beat_wall_s) for row in dead)


def _state(row: sa.Row[tuple[object, ...]]) -> OwnerState:
    return OwnerState(
        process=ProcessId(machine=row.machine, pid=row.pid, started=row.process_started),
        beat_wall_s=row.beat_wall_s,
        beat_monotonic_s=row.beat_monotonic_s,
        lease_s=row.lease_s,
    )
