"""An older store is brought up to date once, with a copy kept; a newer one is refused."""

from __future__ import annotations

import os
import resource
import sqlite3
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from retest.errors import StoreError
from retest.store.database import open_store
from retest.store.engine import Database, open_database
from retest.store.migrations import back_up, ensure_schema
from retest.store.tables import SCHEMA_VERSION
from support.store_data import in_loop, make_entry

NEXT = SCHEMA_VERSION + 1


def add_column(connection: sa.Connection) -> None:
    """Change the schema as a later version might, slowly."""
    connection.exec_driver_sql("ALTER TABLE runs ADD COLUMN note TEXT")
    time.sleep(0.05)


def opened(url: str) -> Database:
    """Return the database behind a store."""
    return open_database(url, read_only=False, busy_timeout_s=10, clock=time.time)


def upgrade(url: str, *, read_only: bool = False) -> None:
    """Open a store as the next version of this program would."""
    database = opened(url)
    try:
        ensure_schema(database, read_only=read_only, version=NEXT, migrations={NEXT: add_column})
    finally:
        database.close()


def test_an_older_store_is_upgraded(store_url: str) -> None:
    """The steps run, and what was there stays."""
    with open_store(store_url) as store:
        in_loop(lambda: store.ledger().record([make_entry("k")]))
    upgrade(store_url)
    database = opened(store_url)
    with database.reading() as connection:
        assert "note" in {column["name"] for column in sa.inspect(connection).get_columns("runs")}
        assert connection.scalar(sa.text("SELECT count(*) FROM responses")) == 1
    database.close()


def test_a_copy_of_the_older_store_is_kept(sqlite_path: Path) -> None:
    """Before anything changes, an SQLite store is copied beside itself, whole."""
    with open_store(str(sqlite_path)) as store:
        in_loop(lambda: store.ledger().record([make_entry("k")]))
        upgrade(str(sqlite_path))
    copy = sqlite_path.with_name(f"retest.db.v{SCHEMA_VERSION}.bak")
    with open_store(str(copy)) as old:
        assert in_loop(lambda: old.ledger().known(["k"])) == {"k"}


def test_an_older_copy_is_not_overwritten(sqlite_path: Path) -> None:
    """A second upgrade from the same version keeps both copies."""
    open_store(str(sqlite_path)).close()
    taken = sqlite_path.with_name(f"retest.db.v{SCHEMA_VERSION}.bak")
    taken.write_bytes(b"mine")
    upgrade(str(sqlite_path))
    assert taken.read_bytes() == b"mine"
    assert sqlite_path.with_name(f"retest.db.v{SCHEMA_VERSION}-2.bak").exists()


def test_a_newer_store_is_refused_and_kept(store_url: str) -> None:
    """This program does not touch what it does not know, and says which versions clash."""
    open_store(store_url).close()
    upgrade(store_url)
    with pytest.raises(StoreError) as caught:
        open_store(store_url)
    assert caught.value.problems[0].slug == "store-too-new"
    assert f"schema version {NEXT}, this retest knows {SCHEMA_VERSION}" in str(caught.value)


def test_an_older_store_open_for_reading_is_refused(store_url: str) -> None:
    """Reading must change nothing, so the message says how to upgrade."""
    open_store(store_url).close()
    with pytest.raises(StoreError) as caught:
        upgrade(store_url, read_only=True)
    assert caught.value.problems[0].slug == "store-needs-upgrade"


def test_a_failed_upgrade_leaves_the_store_as_it_was(store_url: str) -> None:
    """The steps are one transaction."""
    open_store(store_url).close()
    database = opened(store_url)

    def fail(connection: sa.Connection) -> None:
        add_column(connection)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ensure_schema(database, read_only=False, version=NEXT, migrations={NEXT: fail})
    database.close()
    open_store(store_url).close()


def test_many_may_create_a_store_at_once(store_url: str) -> None:
    """Programs that start together find one whole store."""

    def record(number: int) -> None:
        with open_store(store_url) as store:
            in_loop(lambda: store.ledger().record([make_entry(f"k{number}")]))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(record, range(8)))
    with open_store(store_url) as store:
        assert len(in_loop(lambda: store.ledger().known([f"k{number}" for number in range(8)]))) == 8


def test_many_may_upgrade_a_store_at_once(store_url: str) -> None:
    """The steps run once, whoever comes first."""
    open_store(store_url).close()
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: upgrade(store_url), range(6)))
    with pytest.raises(StoreError, match="store-too-new"):
        open_store(store_url)


def test_one_upgrade_makes_one_copy(sqlite_path: Path) -> None:
    """Those who wait for an upgrade copy nothing."""
    open_store(str(sqlite_path)).close()
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: upgrade(str(sqlite_path)), range(6)))
    assert len(list(sqlite_path.parent.glob("*.bak"))) == 1


def test_a_store_is_durable_by_its_settings(sqlite_path: Path) -> None:
    """The writing connection waits for the disk, checks references and logs ahead."""
    with open_store(str(sqlite_path)) as store:
        values = store._writer.write_now(
            lambda connection: [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys")
            ]
        )
    full = 2
    assert values == ["wal", full, 1]


def test_the_copy_is_a_whole_database(sqlite_path: Path) -> None:
    """A copy taken while the store is in use passes SQLite's own check."""
    with open_store(str(sqlite_path)) as store:
        in_loop(lambda: store.ledger().record([make_entry(f"k{number}", "x" * 3000) for number in range(200)]))
        upgrade(str(sqlite_path))
    connection = sqlite3.connect(sqlite_path.with_name(f"retest.db.v{SCHEMA_VERSION}.bak"))
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("SELECT count(*) FROM responses").fetchone() == (200,)
    connection.close()


@pytest.mark.parametrize("mask", [0, 0o077], ids=["open", "closed"])
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o660], ids=oct)
def test_the_copy_may_be_read_by_whom_the_store_may(sqlite_path: Path, mode: int, mask: int) -> None:
    """Whatever rights the process gives new files."""
    open_store(str(sqlite_path)).close()
    sqlite_path.chmod(mode)
    before = os.umask(mask)
    try:
        copy = back_up(sqlite_path, SCHEMA_VERSION)
    finally:
        os.umask(before)
    assert stat.S_IMODE(copy.stat().st_mode) == mode


def test_a_copy_that_there_is_no_room_for_leaves_nothing(sqlite_path: Path) -> None:
    """Else the next upgrade would keep it as if it were a whole one."""
    with open_store(str(sqlite_path)) as store:
        in_loop(lambda: store.ledger().record([make_entry(f"k{number}", "x" * 3000) for number in range(100)]))
    names = {path.name for path in sqlite_path.parent.iterdir()}
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(sqlite3.OperationalError):
            back_up(sqlite_path, SCHEMA_VERSION)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert {path.name for path in sqlite_path.parent.iterdir()} == names
