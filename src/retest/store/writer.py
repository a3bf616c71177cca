"""The one thread that writes: work that waits at the same time shares a transaction.

A durable commit costs a wait for the disk however little it holds, so everything that queued up while the last commit
was under way goes into the next one. Work is a function of a connection and may be run again: where a shared
transaction fails, each piece is tried alone, so that only the piece at fault sees the error.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa

from retest.errors import Problem, StoreError
from retest.store.engine import Database
from retest.store.faults import is_locked

T = TypeVar("T")
Work = Callable[[sa.Connection], T]

_GROUP = 256  # pieces of work in one transaction, at most
_WAITS_S = (0.0, 0.2, 1.0, 3.0)  # before each attempt, where a lost connection or a deadlock may pass
_DEADLOCKS = frozenset({"40P01", "40001"})


@dataclass(frozen=True, slots=True)
class _Job:
    work: Work[Any]
    future: Future[Any] | asyncio.Future[Any]
    reads: bool


@dataclass(frozen=True, slots=True)
class _Outcome:
    job: _Job
    value: Any = None
    error: BaseException | None = None

    def deliver(self) -> None:
        future = self.job.future
        if future.done():  # whoever waited was cancelled; the work is done all the same
            return
        if self.error is not None:
            future.set_exception(self.error)
        else:
            future.set_result(self.value)


class Writer:
    """Runs work on one connection of one thread, started at the first piece of work."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._beat: Work[None] | None = None
        self._beat_every_s = 0.0
        self._next_beat_s = 0.0
        self._waiting: deque[_Job] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._connection: sa.Connection | None = None
        self.is_shut_out = False  # another process holds the lock, and held it for as long as is waited

    async def write(self, work: Work[T]) -> T:
        """Run work in a transaction; it is durable when this returns.

        Raises:
            StoreError: the store failed; nothing of this work was kept.
        """
        return await self._submit_from_loop(work, reads=False)

    async def read(self, work: Work[T]) -> T:
        """Run work that only reads: it waits for no lock."""
        return await self._submit_from_loop(work, reads=True)

    def write_now(self, work: Work[T]) -> T:
        """Run work in a transaction and block until it is durable."""
        future: Future[T] = Future()
        self._submit(_Job(work, future, reads=False))
        return future.result()

    def repeat(self, beat: Work[None], every_s: float) -> None:
        """Run `beat` from time to time, whatever else there is to do; a later call replaces the earlier."""
        with self._wake:
            self._beat, self._beat_every_s = beat, every_s
            self._next_beat_s = time.monotonic() + every_s
            self._start()
            self._wake.notify()

    def close(self) -> None:
        """Finish what is queued and end the thread; may be called twice."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    async def _submit_from_loop(self, work: Work[T], *, reads: bool) -> T:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._submit(_Job(work, future, reads=reads))
        return await future

    def _submit(self, job: _Job) -> None:
        with self._wake:
            if self._closing:
                raise StoreError(Problem(slug="store-closed", message="the store has been closed"))
            self._waiting.append(job)
            self._start()
            self._wake.notify()

    def _start(self) -> None:
        if self._thread is None and not self._closing:
            # A daemon: what was never acknowledged must not keep the interpreter from ending.
            self._thread = threading.Thread(target=self._run, name="retest-store", daemon=True)
            self._thread.start()

    # -- on the thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while (jobs := self._take()) is not None:
            _deliver([self._attempt(job) for job in jobs if job.reads])
            writes = [job for job in jobs if not job.reads]
            if writes:
                _deliver(self._write(writes))
            del jobs, writes  # nothing paid for is kept in memory while the thread waits
        self._disconnect()

    def _take(self) -> list[_Job] | None:
        """Wait for work; None when there is none left and the store is closing."""
        while True:
            wait_s = self._beat_if_due()
            with self._wake:
                if not self._waiting and not self._closing:
                    self._wake.wait(wait_s)
                if self._waiting:
                    return [self._waiting.popleft() for _ in range(min(_GROUP, len(self._waiting)))]
                if self._closing:
                    return None

    def _beat_if_due(self) -> float | None:
        """Beat where it is time; return the seconds to the next beat."""
        if self._beat is None or self._closing:
            return None
        if self.is_shut_out and self._waiting:
            return 0.0  # what waits asks for the lock as well, and has somebody to tell
        wait_s = self._next_beat_s - time.monotonic()
        if wait_s > 0:
            return wait_s
        # A failure is left to the work that meets it too, and has somebody to tell.
        outcome = self._attempt(_Job(self._beat, Future(), reads=False))
        wait_s = self._beat_every_s if outcome.error is None else min(1.0, self._beat_every_s)
        self._next_beat_s = time.monotonic() + wait_s
        return wait_s

    def _write(self, jobs: Sequence[_Job]) -> list[_Outcome]:
        if len(jobs) > 1:
            try:
                values = self._commit(jobs)
            except Exception as error:  # noqa: BLE001 - whichever piece raised raises again below, alone
                self._disconnect()
                self._note(error)
                if self.is_shut_out:  # each alone would wait as long once more
                    failure = self._database.translated(error)
                    return [_Outcome(job, error=failure) for job in jobs]
            else:
                return [_Outcome(job, value) for job, value in zip(jobs, values, strict=True)]
        return [self._attempt(job) for job in jobs]

    def _attempt(self, job: _Job) -> _Outcome:
        """Run one piece, again where it was not at fault itself; an error is part of the outcome."""
        failure: BaseException | None = None
        for wait_s in _WAITS_S:
            time.sleep(wait_s)
            try:
                return _Outcome(job, self._read(job) if job.reads else self._commit([job])[0])
            except Exception as error:  # noqa: BLE001 - it belongs to whoever waits for this work
                self._disconnect()
                self._note(error)
                failure = error
                if not _may_pass(error):
                    break
        return _Outcome(job, error=None if failure is None else self._database.translated(failure))

    def _read(self, job: _Job) -> Any:
        with self._database.engine.connect() as connection:
            return job.work(connection)

    def _commit(self, jobs: Sequence[_Job]) -> list[Any]:
        if self._connection is None:
            self._connection = self._database.connect_writer()
        with self._connection.begin():
            values = [job.work(self._connection) for job in jobs]
        self.is_shut_out = False
        return values

    def _note(self, error: Exception) -> None:
        self.is_shut_out = is_locked(error) and not _may_pass(error)
        if self.is_shut_out:  # let those who wait hear of it before the lock is waited for once more
            self._next_beat_s = max(self._next_beat_s, time.monotonic() + min(1.0, self._beat_every_s))

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except sa.exc.SQLAlchemyError:
                connection.invalidate()


def _may_pass(error: Exception) -> bool:
    """Return whether the same work may succeed a moment later, though the database has given up on it now."""
    if not isinstance(error, sa.exc.DBAPIError):
        return False
    return error.connection_invalidated or getattr(error.orig, "sqlstate", None) in _DEADLOCKS


def _deliver(outcomes: Sequence[_Outcome]) -> None:
    """Hand out results: once per event loop, for each call across threads costs more than what it carries."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Outcome]] = {}
    for outcome in outcomes:
        future = outcome.job.future
        if isinstance(future, Future):
            outcome.deliver()
        else:
            by_loop.setdefault(future.get_loop(), []).append(outcome)
    for loop, theirs in by_loop.items():
        try:
            loop.call_soon_threadsafe(_deliver_all, theirs)
        except RuntimeError:  # the loop has been closed: nobody waits any more
            continue


def _deliver_all(outcomes: Sequence[_Outcome]) -> None:
    for outcome in outcomes:
        outcome.deliver()
