"""Batches that are out: which calls are in them, who looks after them, and how their answers come in.

A call in a batch is paid for, or will be, whether or not any process lives: as long as its batch is out, nobody else
is given its key. A batch that its provider must have given up long ago holds nothing back any more, but is still looked
after by whoever asks for its calls by batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from retest.domain.batch import NEW, Batch
from retest.domain.json_value import JsonValue
from retest.errors import Problem, UsageError
from retest.store.base import LedgerEntry
from retest.store.engine import Database
from retest.store.ledger import StoredLedger, find_in_batches, find_overdue, insert_responses
from retest.store.liveness import Observer
from retest.store.owners import is_alive
from retest.store.payloads import (
    decode_json,
    decode_optional,
    decode_text,
    decode_time,
    encode_json,
    encode_optional,
    encode_text,
    encode_time,
)
from retest.store.run_queries import begins
from retest.store.tables import batch_keys, batches, claims, owners
from retest.store.writer import Writer

_WINDOW_US = 24 * 3600 * 1_000_000  # what a provider has for a batch


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatch:
    """A batch about to be handed over."""

    token: str
    run_id: str
    suite: str
    place: str
    endpoint: str
    model: str | None
    identity: Mapping[str, JsonValue]


class StoredBatches:
    """The batches of a store; what a method wrote is durable when it returns."""

    def __init__(self, database: Database, writer: Writer, observer: Observer) -> None:
        self._database = database
        self._writer = writer
        self._observer = observer

    def list(self, *, ended: bool = False) -> list[Batch]:
        """Return the batches that are out, or all of them, the oldest first."""
        query = sa.select(batches).order_by(batches.c.id)
        with self._database.reading() as connection:
            return [_batch(row) for row in connection.execute(query if ended else query.where(_OUT))]

    def get(self, name: str) -> Batch:
        """Return the batch of that name, or of the one name that begins so: the provider's or ours.

        Raises:
            UsageError: none, or several, are called so.
        """
        named = begins(batches.c.batch_id, name) | begins(batches.c.token, name)
        with self._database.reading() as connection:
            found = [_batch(row) for row in connection.execute(sa.select(batches).where(named))]
        exact = [batch for batch in found if name in {batch.batch_id, batch.token}]
        if len(exact or found) == 1:
            return (exact or found)[0]
        what = "no batch is" if not found else f"{len(found):,} batches are"
        fix = "`retest batch list --all` lists them"
        raise UsageError(Problem(slug="batch-unknown", message=f"{what} called {name!r}", fix=fix))

    async def find(self, keys: Sequence[str]) -> Mapping[str, int]:
        """Return key -> number of its batch, for the keys in batches that are out, however old those are."""
        return await self._writer.read(lambda connection: find_in_batches(connection, keys))

    async def find_answering(self, keys: Sequence[str]) -> Mapping[str, int]:
        """Return key -> number of its batch, for the keys that a batch holds back."""
        return await self._writer.read(lambda connection: self._find_answering(connection, keys))

    async def load(self, number: int) -> Batch:
        """Return a batch as it is now."""
        query = sa.select(batches).where(batches.c.id == number)
        return await self._writer.read(lambda connection: _batch(connection.execute(query).one()))

    async def keys(self, number: int) -> frozenset[str]:
        """Return the keys of the calls that are still out."""
        query = sa.select(batch_keys.c.key).where(batch_keys.c.batch == number)
        return await self._writer.read(lambda connection: frozenset(connection.scalars(query)))

    async def hold(self, new: NewBatch, keys: Sequence[str], ledger: StoredLedger) -> Batch:
        """Note a batch and its calls before anything is sent.

        The claims on them stay while their owner lives: a process that was started before there were batches in the
        store knows nothing else.
        """
        return await self._writer.write(lambda connection: self._hold(connection, new, keys, ledger.owner))

    async def look_after(self, number: int, owner: str) -> bool:
        """Make it this owner's task to look after a batch; return whether it is, and not a live process's already."""
        return await self._writer.write(lambda connection: self._look_after(connection, number, owner))

    async def is_looked_after(self, number: int) -> bool:
        """Return whether a live process looks after a batch."""
        return await self._writer.read(lambda connection: self._poller_lives(connection, number))

    async def update(self, batch: Batch, **changes: Any) -> Batch:
        """Change what is known of a batch; return it so. Fields are those of `Batch`."""
        changed = replace(batch, **changes)
        update = sa.update(batches).where(batches.c.id == batch.number).values(_cells(changed))
        await self._writer.write(lambda connection: connection.execute(update))
        return changed

    async def record(self, batch: Batch, entries: Sequence[LedgerEntry]) -> frozenset[str]:
        """Write answers of calls in a batch, paid for by its run; return the keys of those that were out.

        An answer to anything else is left aside: what a provider sends under another name is nobody's.
        """
        return await self._writer.write(lambda connection: self._record(connection, batch, entries))

    async def let_go(self, number: int, keys: Sequence[str]) -> None:
        """Take calls out of a batch that will not be answered in it, so that they may be made again."""
        await self._writer.write(lambda connection: self._free(connection, number, keys))

    async def end(self, batch: Batch, **changes: Any) -> Batch:
        """Close a batch: its answers are taken, or there are none. Calls that are still in it may be made again."""
        ended = replace(batch, **changes)

        def work(connection: sa.Connection) -> Batch:
            out = connection.scalars(sa.select(batch_keys.c.key).where(batch_keys.c.batch == batch.number))
            self._free(connection, batch.number, out.all())
            now_us = int(self._database.now_s(connection) * 1_000_000)
            values = {**_cells(ended), "ended_us": now_us, "poller": None}
            connection.execute(sa.update(batches).where(batches.c.id == batch.number).values(values))
            return replace(ended, ended_at=decode_time(now_us))

        return await self._writer.write(work)

    # -- on the writer's thread ------------------------------------------------------------------------------------

    def _hold(self, connection: sa.Connection, new: NewBatch, keys: Sequence[str], owner: str) -> Batch:
        now_us = int(self._database.now_s(connection) * 1_000_000)
        values = {
            "token": new.token,
            "run_id": encode_text(new.run_id),
            "suite": encode_text(new.suite),
            "place": encode_text(new.place),
            "endpoint": new.endpoint,
            "model": encode_optional(new.model),
            "identity": encode_json(new.identity),
            "requests": len(keys),
            "status": NEW,
            "answered": 0,
            "failed": 0,
            "created_us": now_us,
            "expires_us": now_us + _WINDOW_US,
            "poller": encode_text(owner),
        }
        connection.execute(sa.insert(batches).values(values))
        row = connection.execute(sa.select(batches).where(batches.c.token == new.token)).one()
        connection.execute(sa.insert(batch_keys), [{"key": key, "batch": row.id} for key in sorted(keys)])
        return _batch(row)

    def _find_answering(self, connection: sa.Connection, keys: Sequence[str]) -> dict[str, int]:
        found = find_in_batches(connection, keys)
        if not found:
            return found
        overdue = find_overdue(self._database, connection, lambda name: self._lives(connection, decode_text(name)))
        return {key: number for key, number in found.items() if number not in overdue}

    def _look_after(self, connection: sa.Connection, number: int, owner: str) -> bool:
        mine = batches.c.poller == encode_text(owner)
        if self._poller_lives(connection, number, besides=owner):
            return False
        poller = connection.scalar(sa.select(batches.c.poller).where(batches.c.id == number))
        free = mine | (batches.c.poller.is_(None) if poller is None else batches.c.poller == poller)
        take = sa.update(batches).where(batches.c.id == number, _OUT, free).values(poller=encode_text(owner))
        return connection.execute(take).rowcount == 1

    def _poller_lives(self, connection: sa.Connection, number: int, *, besides: str | None = None) -> bool:
        poller = decode_optional(connection.scalar(sa.select(batches.c.poller).where(batches.c.id == number)))
        if poller is None or poller == besides:
            return False
        return self._lives(connection, poller)

    def _lives(self, connection: sa.Connection, name: str) -> bool:
        return is_alive(self._database, connection, name, self._observer)

    def _record(self, connection: sa.Connection, batch: Batch, entries: Sequence[LedgerEntry]) -> frozenset[str]:
        wanted = {entry.key: entry for entry in reversed(entries)}  # the first under a key counts
        held = find_in_batches(connection, list(wanted))
        out = frozenset(key for key, number in held.items() if number == batch.number)
        now_us = int(self._database.now_s(connection) * 1_000_000)
        insert_responses(self._database, connection, [wanted[key] for key in out], now_us, batch.run_id)
        self._drop_keys(connection, batch.number, sorted(out))
        return out

    def _free(self, connection: sa.Connection, number: int, keys: Sequence[str]) -> None:
        """Take calls out of a batch, and give up the claims on them of who looks after it."""
        self._drop_keys(connection, number, keys)
        poller = sa.select(owners.c.id).join(batches, batches.c.poller == owners.c.name)
        mine = poller.where(batches.c.id == sa.bindparam("number")).scalar_subquery()
        drop = sa.delete(claims).where(claims.c.key == sa.bindparam("wanted"), claims.c.owner == mine)
        prepared = self._database.prepare("drop claims of a batch", ("wanted", "number"), lambda: drop)
        prepared.run(connection, [(key, number) for key in keys])

    def _drop_keys(self, connection: sa.Connection, number: int, keys: Sequence[str]) -> None:
        drop = sa.delete(batch_keys).where(
            batch_keys.c.key == sa.bindparam("wanted"), batch_keys.c.batch == sa.bindparam("number")
        )
        prepared = self._database.prepare("drop batch keys", ("wanted", "number"), lambda: drop)
        prepared.run(connection, [(key, number) for key in keys])


_OUT = batches.c.ended_us.is_(None)


def _cells(batch: Batch) -> dict[str, Any]:
    """Return what may change of a batch, as columns."""
    return {
        "file_id": batch.file_id,
        "batch_id": batch.batch_id,
        "status": batch.status,
        "answered": batch.answered,
        "failed": batch.failed,
        "expires_us": encode_time(batch.expires_at),
        "note": encode_optional(batch.note),
    }


def _batch(row: sa.Row[Any]) -> Batch:
    ended: datetime | None = None if row.ended_us is None else decode_time(row.ended_us)
    return Batch(
        number=row.id,
        token=row.token,
        run_id=decode_text(row.run_id),
        suite=decode_text(row.suite),
        place=decode_text(row.place),
        endpoint=row.endpoint,
        model=decode_optional(row.model),
        identity=decode_json(bytes(row.identity)),
        requests=row.requests,
        file_id=row.file_id,
        batch_id=row.batch_id,
        status=row.status,
        answered=row.answered,
        failed=row.failed,
        created_at=decode_time(row.created_us),
        expires_at=decode_time(row.expires_us),
        ended_at=ended,
        note=decode_optional(row.note),
    )
