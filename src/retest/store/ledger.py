"""The ledger: paid-for responses by key, and who is fetching what."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import sqlalchemy as sa

from retest.domain.sample import Response
from retest.store.base import LedgerEntry
from retest.store.engine import Database
from retest.store.liveness import Observer, Watch
from retest.store.lookups import select_by
from retest.store.owners import beat, drop_dead
from retest.store.payloads import decode_response, encode_response
from retest.store.tables import batch_keys, batches, claims, owners, responses
from retest.store.writer import Writer

BATCH_MARGIN_S = 3600.0  # after a batch has expired, before others may make its calls


class StoredLedger:
    """The ledger of a store for one owner; `retest.store.base.Ledger` says what each method promises.

    A claim is held while its owner lives; the store's own thread says so every third of `lease_s`.
    """

    def __init__(
        self, database: Database, writer: Writer, *, owner: str, lease_s: float, observer: Observer, run: str = ""
    ) -> None:
        self.owner = owner
        self._run = run
        self.lease_s = lease_s
        self._database = database
        self._writer = writer
        self._observer = observer
        self._watch = Watch(monotonic=observer.monotonic)

    async def lookup(self, keys: Sequence[str]) -> Mapping[str, Response]:
        """Return the responses that are already there, by key."""
        return await self._writer.read(lambda connection: find_responses(connection, keys))

    async def known(self, keys: Sequence[str]) -> frozenset[str]:
        """Return which of the keys are already there."""
        return await self._writer.read(lambda connection: find_known(connection, keys))

    async def claim(self, keys: Sequence[str]) -> frozenset[str]:
        """Take the keys to fetch; return those now ours.

        The others are being fetched by a live process or a batch, or have been recorded since they were looked up.
        """
        return await self._writer.write(lambda connection: self._claim(connection, keys))

    async def record(self, entries: Sequence[LedgerEntry]) -> None:
        """Write responses and drop their claims; durable on disk when it returns."""
        now_us = int(self._database.clock() * 1_000_000)
        await self._writer.write(
            lambda connection: insert_responses(self._database, connection, entries, now_us, self._run)
        )

    async def release(self, keys: Sequence[str]) -> None:
        """Give up claims whose calls failed."""
        await self._writer.write(lambda connection: self._release(connection, keys))

    def _claim(self, connection: sa.Connection, keys: Sequence[str]) -> frozenset[str]:
        me = beat(self._database, connection, self.owner, self.lease_s, self._observer)
        drop_dead(self._database, connection, self._observer, self._watch)
        # In one order everywhere, so that two processes on PostgreSQL cannot wait for each other's rows.
        wanted = sorted(set(keys))
        take = self._database.prepare_insert(claims, ("key", "owner"))
        take.run(connection, [(key, me) for key in wanted])
        held = select_by(connection, (claims.c.key, claims.c.owner), claims.c.key, wanted)
        ours = {key for key, owner in held if owner == me}
        # Only now: whoever recorded one of these keys since our lookup dropped its claim in the same transaction.
        # And what is out in a batch before what is known: its answer comes in the transaction that takes it out.
        out = self._out_in_batches(connection, sorted(ours))
        taken = out | find_known(connection, sorted(ours))
        self._release(connection, sorted(taken))
        return frozenset(ours - taken)

    def _out_in_batches(self, connection: sa.Connection, keys: Sequence[str]) -> frozenset[str]:
        """Return the keys in batches whose provider may still answer them."""
        out = find_in_batches(connection, keys)
        if not out:
            return frozenset()
        # Who is not dead by now is taken to live: a clock that was set says nothing.
        living = frozenset(connection.scalars(sa.select(owners.c.name)))
        overdue = find_overdue(self._database, connection, lambda name: name in living)
        return frozenset(key for key, batch in out.items() if batch not in overdue)

    def _release(self, connection: sa.Connection, keys: Sequence[str]) -> None:
        _drop_claims(self._database, connection, [(key,) for key in keys])


def find_responses(connection: sa.Connection, keys: Sequence[str]) -> dict[str, Response]:
    """Return the responses that are there, by key."""
    columns = (responses.c.key, responses.c.output, responses.c.payload)
    rows = select_by(connection, columns, responses.c.key, keys)
    return {key: decode_response(output, payload) for key, output, payload in rows}


def find_known(connection: sa.Connection, keys: Sequence[str]) -> frozenset[str]:
    """Return the keys that are there."""
    return frozenset(key for (key,) in select_by(connection, (responses.c.key,), responses.c.key, keys))


def find_in_batches(connection: sa.Connection, keys: Sequence[str]) -> dict[str, int]:
    """Return key -> number of its batch, for the keys in batches that are out."""
    return dict(select_by(connection, (batch_keys.c.key, batch_keys.c.batch), batch_keys.c.key, keys))


def find_overdue(database: Database, connection: sa.Connection, lives: Callable[[str], bool]) -> frozenset[int]:
    """Return the batches that hold back nothing any more, long past their time.

    Args:
        database: of the connection.
        connection: within a transaction.
        lives: whether the process of an encoded name does; who looks after a batch knows better than any clock.
    """
    overdue_us = int((database.now_s(connection) - BATCH_MARGIN_S) * 1_000_000)
    late = sa.select(batches.c.id, batches.c.poller).where(batches.c.ended_us.is_(None))
    found = connection.execute(late.where(batches.c.expires_us <= overdue_us))
    return frozenset(number for number, poller in found if poller is None or not lives(poller))


def insert_responses(
    database: Database, connection: sa.Connection, entries: Sequence[LedgerEntry], now_us: int, run: str = ""
) -> None:
    """Write responses, paid for by a run, and drop their claims; the first under a key stays."""
    rows = [(entry.key, entry.role, now_us, *encode_response(entry.response, run)) for entry in entries]
    rows.sort(key=lambda row: row[0])
    columns = ("key", "role", "created_us", "output", "payload")
    database.prepare_insert(responses, columns).run(connection, rows)
    _drop_claims(database, connection, [row[:1] for row in rows])


def _drop_claims(database: Database, connection: sa.Connection, keys: Sequence[tuple[str, ...]]) -> None:
    delete = sa.delete(claims).where(claims.c.key == sa.bindparam("claimed"))
    database.prepare("drop claims", ("claimed",), lambda: delete).run(connection, keys)
