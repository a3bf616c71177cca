"""Work on the writing thread: shared transactions, one error for one fault, nothing left hanging."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from retest.errors import StoreError
from retest.store.engine import open_sqlite
from retest.store.writer import Writer
from support.store_data import in_loop


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    """Give a writer on a database with one table."""
    database = open_sqlite(tmp_path / "x.db", read_only=False, busy_timeout_s=5, clock=time.time)
    made = Writer(database)
    made.write_now(lambda connection: connection.exec_driver_sql("CREATE TABLE t (n INTEGER PRIMARY KEY)").close())
    yield made
    made.close()
    database.close()


def insert(number: int) -> Callable[[sa.Connection], None]:
    """Return work that inserts a number."""
    return lambda connection: connection.exec_driver_sql("INSERT INTO t VALUES (?)", (number,)).close()


def count(writer: Writer) -> int:
    """Return how many numbers are there."""
    return int(writer.write_now(lambda connection: connection.exec_driver_sql("SELECT count(*) FROM t").scalar()) or 0)


def test_work_that_waits_together_is_committed_together(writer: Writer) -> None:
    """A hundred pieces need far fewer transactions."""
    begun: list[int] = []
    sa.event.listen(writer._database.engine, "commit", lambda _: begun.append(1))

    async def write_all() -> None:
        await asyncio.gather(*(writer.write(insert(number)) for number in range(100)))

    in_loop(write_all)
    assert count(writer) == 100
    assert len(begun) < 20


def test_only_the_piece_at_fault_fails(writer: Writer) -> None:
    """A fault in a shared transaction is told to the one who caused it."""

    async def write_all() -> list[object]:
        pieces = [insert(1), insert(2), insert(1), insert(3)]
        return await asyncio.gather(*(writer.write(piece) for piece in pieces), return_exceptions=True)

    results = in_loop(write_all)
    assert [type(result).__name__ for result in results] == ["NoneType", "NoneType", "StoreError", "NoneType"]
    assert count(writer) == 3


def test_a_bug_in_the_work_comes_back_as_it_is(writer: Writer) -> None:
    """What is no fault of the store is not called one."""

    def fail(_connection: sa.Connection) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        writer.write_now(fail)
    writer.write_now(insert(1))
    assert count(writer) == 1


def test_work_whose_caller_was_cancelled_is_done_all_the_same(writer: Writer) -> None:
    """A response that arrived is kept, though nobody waits for it any more."""

    async def cancel_one() -> None:
        gate = threading.Event()
        blocked = asyncio.ensure_future(writer.write(lambda _: gate.wait(5)))
        task = asyncio.ensure_future(writer.write(insert(7)))
        await asyncio.sleep(0.05)
        task.cancel()
        gate.set()
        await blocked

    in_loop(cancel_one)
    assert count(writer) == 1


def test_a_loop_that_is_gone_stops_nothing(writer: Writer) -> None:
    """Where the event loop ended before its work, the thread goes on."""
    gate = threading.Event()

    async def leave() -> None:
        asyncio.ensure_future(writer.write(lambda _: gate.wait(5)))  # noqa: RUF006 - left behind on purpose
        await asyncio.sleep(0.05)

    in_loop(leave)
    gate.set()
    writer.write_now(insert(1))
    assert count(writer) == 1


def test_the_loop_stays_free_while_the_store_waits(writer: Writer) -> None:
    """A slow transaction does not hold the event loop up."""
    gate = threading.Event()

    async def go_on_meanwhile() -> bool:
        slow = asyncio.ensure_future(writer.write(lambda _: gate.wait(60)))
        for _ in range(20):
            await asyncio.sleep(0.001)
        still_waiting = not slow.done()
        gate.set()
        return still_waiting and await slow

    assert in_loop(go_on_meanwhile)


def test_reads_wait_for_no_lock(writer: Writer, tmp_path: Path) -> None:
    """A lookup is answered while another process holds the write lock."""
    other = open_sqlite(tmp_path / "x.db", read_only=False, busy_timeout_s=5, clock=time.time)
    other.log_ahead()
    with other.connect_writer() as connection, connection.begin():
        assert in_loop(lambda: writer.read(lambda read: read.exec_driver_sql("SELECT count(*) FROM t").scalar())) == 0
    other.close()


def test_what_is_queued_is_finished_before_closing(writer: Writer) -> None:
    """Closing loses nothing that was handed over."""
    threads = [threading.Thread(target=writer.write_now, args=(insert(number),)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count(writer) == 20
    writer.close()
    writer.close()
    with pytest.raises(StoreError, match="has been closed"):
        writer.write_now(insert(99))


def test_beats_go_on_while_nothing_else_happens(writer: Writer) -> None:
    """The heartbeat needs nobody's help."""
    beats: list[int] = []
    third = threading.Event()

    def beat(_connection: sa.Connection) -> None:
        beats.append(1)
        if len(beats) == 3:
            third.set()

    writer.repeat(beat, 0.02)
    assert third.wait(60)


def test_a_failing_beat_is_tried_again(writer: Writer) -> None:
    """A heartbeat that fails ends neither the thread nor the next beat."""
    beats: list[int] = []
    second = threading.Event()

    def fail_first(_connection: sa.Connection) -> None:
        beats.append(1)
        if len(beats) == 1:
            raise ZeroDivisionError
        second.set()

    writer.repeat(fail_first, 0.02)
    assert second.wait(60)


def test_work_that_meets_a_lock_waits_for_it_once_together(tmp_path: Path) -> None:
    """Fifty pieces fail after one wait, not each after a wait of its own; and closing asks for the lock no more."""
    database = open_sqlite(tmp_path / "x.db", read_only=False, busy_timeout_s=0.1, clock=time.time)
    writer = Writer(database)
    writer.write_now(lambda connection: connection.exec_driver_sql("CREATE TABLE t (n INTEGER PRIMARY KEY)").close())
    tries: list[int] = []
    sa.event.listen(database.engine, "begin", lambda _: tries.append(1))
    blocker = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    gate = threading.Event()

    async def write_all() -> list[object]:
        held = asyncio.ensure_future(writer.read(lambda _: gate.wait(5)))
        await asyncio.sleep(0)
        pieces = [asyncio.ensure_future(writer.write(insert(number))) for number in range(50)]
        await asyncio.sleep(0)
        gate.set()
        await held
        return await asyncio.gather(*pieces, return_exceptions=True)

    found = in_loop(write_all)
    assert {error.problems[0].slug for error in found if isinstance(error, StoreError)} == {"store-locked"}
    assert (len(found), writer.is_shut_out) == (50, True)
    assert len(tries) <= 4  # the read, and the pieces in one group or two
    blocker.execute("ROLLBACK")
    blocker.close()
    assert (count(writer), writer.is_shut_out) == (0, False)
    writer.close()
    database.close()
