"""The store: one place for paid-for responses, runs, samples and scores."""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Self, TypeVar

import sqlalchemy as sa

from retest.domain.json_value import JsonValue
from retest.domain.run import Run, RunCounts, RunStatus
from retest.errors import RetestError
from retest.store.engine import Database, open_database
from retest.store.ledger import StoredLedger
from retest.store.liveness import this_observer
from retest.store.migrations import ensure_schema
from retest.store.owners import beat, forget_owner, is_alive
from retest.store.payloads import decode_optional, encode_text
from retest.store.run_queries import find_run_number, find_unfinished, load_runs
from retest.store.run_writer import StoredRunWriter
from retest.store.runs import RunUpdate, change_run, next_draw, open_run
from retest.store.tables import runs
from retest.store.writer import Writer

T = TypeVar("T")

_BEATS_PER_LEASE = 3


class Store:
    """A store in use; close it at the end, or use it in a ``with``.

    What writes while a run is under way (`ledger`, the writer of `start_run`) is asynchronous and never blocks the
    event loop. All else is called and returns; what it wrote is durable.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writer = Writer(database)
        self._observer = this_observer()
        self._leases: dict[str, float] = {}
        self._closed = False

    def __enter__(self) -> Self:
        """Return the store itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the store."""
        self.close()

    @property
    def place(self) -> str:
        """Return the path or URL, without any password."""
        return self._database.place

    # -- while a run is under way ----------------------------------------------------------------------------------

    def ledger(self, owner: str | None = None, lease_s: float = 60.0) -> StoredLedger:
        """Return the ledger for one owner of claims.

        Args:
            owner: a name that no other process uses; None makes one up.
            lease_s: how long claims outlive the last sign of life of a process on another machine.
        """
        name = owner or _unique_owner()
        self._keep_alive(name, lease_s)
        return StoredLedger(self._database, self._writer, owner=name, lease_s=lease_s, observer=self._observer)

    def start_run(self, run: Run, *, owner: str | None = None) -> StoredRunWriter:
        """Store the header of a run (or take up an unfinished one under the same id) and return its writer.

        Args:
            run: `run.run_id` decides whether it is new.
            owner: whose heartbeat shows that the run is going on; None: the owner of this store's ledger.

        Raises:
            UsageError: another live process is writing this run.
        """
        name = owner or next(reversed(self._leases), None) or _unique_owner()
        if name not in self._leases:
            self._keep_alive(name, 60.0)
        self.heartbeat(name)
        opened = self._writer.write_now(
            lambda connection: open_run(self._database, connection, run, name, self._observer),
        )
        return StoredRunWriter(self._database, self._writer, opened)

    def heartbeat(self, owner: str) -> None:
        """Note that an owner lives; the store's thread does so by itself while the store is open."""
        lease_s = self._leases.get(owner, 60.0)
        self._writer.write_now(lambda connection: self._beat(connection, owner, lease_s))

    def _keep_alive(self, owner: str, lease_s: float) -> None:
        self._leases[owner] = lease_s
        leases = dict(self._leases)

        def beat_all(connection: sa.Connection) -> None:
            for name, seconds in leases.items():
                self._beat(connection, name, seconds)

        self._writer.repeat(beat_all, min(leases.values()) / _BEATS_PER_LEASE)

    def _beat(self, connection: sa.Connection, owner: str, lease_s: float) -> None:
        beat(self._database, connection, owner, lease_s, self._observer)

    def find_unfinished(self, config_hash: str) -> Run | None:
        """Return the run of this configuration that can be taken up again, None where there is none.

        One that no live process is writing comes before one that is being written (see `is_being_written`); among
        equals the newest.
        """
        with self._database.reading() as connection:
            found = find_unfinished(connection, config_hash)
            idle = [number for number, owner in found if not self._is_alive(connection, owner)]
            chosen = idle[:1] or [number for number, _ in found[:1]]
            return next(load_runs(connection, chosen), None)

    def is_being_written(self, run_id: str) -> bool:
        """Return whether a live process is writing the run."""
        query = sa.select(runs.c.owner).where(runs.c.run_id == encode_text(run_id))
        with self._database.reading() as connection:
            return self._is_alive(connection, decode_optional(connection.scalar(query)))

    def _is_alive(self, connection: sa.Connection, owner: str | None) -> bool:
        return owner is not None and is_alive(self._database, connection, owner, self._observer)

    def update_run(
        self,
        run_id: str,
        *,
        status: RunStatus | None = None,
        counts: RunCounts | None = None,
        summary: Mapping[str, JsonValue] | None = None,
        exit_code: int | None = None,
        finished_at: datetime | None = None,
    ) -> None:
        """Change a run's header; what is None stays. A run that is no longer `running` is nobody's any more."""
        update = RunUpdate(status=status, counts=counts, summary=summary, exit_code=exit_code, finished_at=finished_at)
        self._writer.write_now(lambda connection: change_run(connection, find_run_number(connection, run_id), update))

    def allocate_draw(self, suite: str) -> int:
        """Return 1, 2, ... for a suite: the number of the next fresh draw, given to nobody else."""
        return self._writer.write_now(lambda connection: next_draw(self._database, connection, suite))

    def close(self) -> None:
        """Finish what is queued, give up this store's claims, close the connections; may be called twice."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._leases:
                self._writer.write_now(self._forget_owners)
        except RetestError:
            pass  # the claims end by themselves when this process is gone
        finally:
            self._writer.close()
            self._database.close()

    def _forget_owners(self, connection: sa.Connection) -> None:
        for name in self._leases:
            forget_owner(connection, name)


def _unique_owner() -> str:
    return f"{socket.gethostname()}:{uuid.uuid4().hex[:12]}"


def open_store(
    url_or_path: str, *, read_only: bool = False, busy_timeout_s: float = 30.0, clock: Callable[[], float] = time.time
) -> Store:
    """Open the store at a path (SQLite; made where there is none) or at a postgresql:// URL.

    Args:
        url_or_path: such as ``.retest/retest.db``.
        read_only: nothing can be written, and a store that is not there is an error.
        busy_timeout_s: how long to wait for a lock of another process.
        clock: seconds since 1970.

    Raises:
        StoreError: it cannot be opened, is no store, is damaged, or was written by a newer retest.
    """
    database = open_database(url_or_path, read_only=read_only, busy_timeout_s=busy_timeout_s, clock=clock)
    try:
        ensure_schema(database, read_only=read_only)
    except BaseException:
        database.close()
        raise
    return Store(database)
