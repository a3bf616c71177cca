"""Several real processes on one store: nothing is given twice, nothing acknowledged is lost."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from retest.store.database import open_store
from support.store_data import in_loop, make_entry

WORKER = Path(__file__).parents[2] / "support" / "store_worker.py"
KEYS = 1000


@contextmanager
def worker(*words: object) -> Iterator[subprocess.Popen[str]]:
    """Start a process that uses the store, and see to it that it ends."""
    command = [sys.executable, str(WORKER), *map(str, words)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def read_until_done(process: subprocess.Popen[str]) -> list[str]:
    """Return the keys that a claiming process was given."""
    assert process.stdout is not None
    keys: list[str] = []
    for line in process.stdout:
        if line == "done\n":
            return keys
        keys.append(line.strip())
    raise AssertionError("the worker ended before it was done")


def claim_all(url: str) -> frozenset[str]:
    """Claim every key from this process, and give the claims up again."""
    with open_store(url) as store:
        return in_loop(lambda: store.ledger().claim([f"key-{number}" for number in range(KEYS)]))


def test_no_key_is_given_to_two_processes(store_url: str) -> None:
    """Four processes that ask for the same thousand keys in different orders share them out."""
    with (
        worker("claim", store_url, 60, KEYS, 1) as one,
        worker("claim", store_url, 60, KEYS, 2) as two,
        worker("claim", store_url, 60, KEYS, 3) as three,
        worker("claim", store_url, 60, KEYS, 4) as four,
    ):
        given = [read_until_done(process) for process in (one, two, three, four)]
    counts = Counter(key for keys in given for key in keys)
    assert len(counts) == KEYS
    assert set(counts.values()) == {1}


def test_a_killed_process_holds_nothing(store_url: str) -> None:
    """On the same machine its claims are free at once, however long the lease."""
    with worker("claim", store_url, 3600, KEYS, 1) as process:
        assert len(read_until_done(process)) == KEYS
        assert claim_all(store_url) == frozenset()
    assert len(claim_all(store_url)) == KEYS


def test_a_process_that_stands_still_loses_its_claims_with_its_lease(store_url: str) -> None:
    """A process that is stopped, not dead, holds its keys for a lease and no longer."""
    with worker("claim", store_url, 4, KEYS, 1) as process:
        assert len(read_until_done(process)) == KEYS
        process.send_signal(signal.SIGSTOP)
        assert claim_all(store_url) == frozenset()
        time.sleep(4.5)
        assert len(claim_all(store_url)) == KEYS


class Listener:
    """Reads what a recording process acknowledges until it is dead; half a line is no acknowledgement."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.acknowledged: list[str] = []
        self._heard = threading.Event()
        self._thread = threading.Thread(target=self._listen, args=(process,))
        self._thread.start()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if line.endswith("\n"):
                self.acknowledged.append(line.strip())
                self._heard.set()

    def wait_for_the_first(self) -> None:
        """Wait until the process has written something, however slow the machine is today."""
        assert self._heard.wait(60)

    def end(self) -> list[str]:
        """Return all that was acknowledged by a process that is dead."""
        self._thread.join()
        return self.acknowledged


def test_what_was_acknowledged_survives_kill_9(store_url: str) -> None:
    """Killed at random moments, while opening or while writing, a process leaves a store with all it acknowledged."""
    rng = random.Random(7)  # noqa: S311 - no secret
    acknowledged: list[str] = []
    for number in range(8):
        with worker("record", store_url, f"life-{number}") as process:
            listener = Listener(process)
            if number % 4:  # every fourth dies early, perhaps before it has opened the store
                listener.wait_for_the_first()
            time.sleep(rng.uniform(0.05, 0.8))
            process.kill()
            acknowledged += listener.end()
    with open_store(store_url) as store:
        kept = in_loop(lambda: store.ledger().lookup(acknowledged))
    assert len({key.rpartition("-")[0] for key in acknowledged}) >= 6
    assert {key for key in acknowledged if kept[key].output != key * 20} == set()


def test_a_store_whose_writers_were_killed_is_sound(sqlite_path: Path) -> None:
    """SQLite's own check finds nothing wrong after several deaths."""
    for number in range(3):
        with worker("record", sqlite_path, f"life-{number}") as process:
            assert process.stdout is not None
            process.stdout.readline()
    connection = sqlite3.connect(sqlite_path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_processes_that_write_at_once_lose_nothing(store_url: str) -> None:
    """Writers wait for each other; nobody is refused."""
    with (
        open_store(store_url) as store,
        worker("record", store_url, "a") as one,
        worker("record", store_url, "b") as two,
    ):
        listeners = [Listener(one), Listener(two)]
        for listener in listeners:
            listener.wait_for_the_first()
        ledger, mine = store.ledger(), [f"mine-{number}" for number in range(50)]
        for key in mine:
            in_loop(lambda key=key: ledger.record([make_entry(key)]))  # type: ignore[misc] # binds the loop's key
        one.kill()
        two.kill()
        acknowledged = {*mine, *(key for listener in listeners for key in listener.end())}
        assert len(in_loop(lambda: ledger.known(sorted(acknowledged)))) == len(acknowledged)
