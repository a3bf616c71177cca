"""Opening a store: what is made, what is refused, and what is said about it."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from retest.errors import ExitCode, StoreError
from retest.store.database import open_store
from support.postgres import PASSWORD, PostgresServer
from support.store_data import in_loop, make_entry, make_record, make_run, store_run


def refused(place: str | Path, slug: str, *, read_only: bool = False) -> str:
    """Open a store, expect the slug, return the whole message."""
    with pytest.raises(StoreError) as caught:
        open_store(str(place), read_only=read_only).close()
    assert caught.value.problems[0].slug == slug
    assert caught.value.exit_code is ExitCode.USAGE
    return str(caught.value)


def test_the_folder_is_made_and_ignored_by_git(tmp_path: Path) -> None:
    """A new `.retest` folder holds a rule that keeps all of it out of commits."""
    open_store(str(tmp_path / ".retest" / "retest.db")).close()
    assert (tmp_path / ".retest" / ".gitignore").read_text("utf-8").splitlines()[-1] == "*"


def test_a_folder_of_the_user_is_left_as_it_is(tmp_path: Path) -> None:
    """A store in a folder that is there already puts nothing else into it."""
    open_store(str(tmp_path / "mine.db")).close()
    assert [path.name for path in tmp_path.iterdir()] == ["mine.db"]


def test_an_ignore_file_of_the_user_is_left_as_it_is(tmp_path: Path) -> None:
    """Whoever wants to commit something from `.retest` may."""
    (tmp_path / ".retest").mkdir()
    (tmp_path / ".retest" / ".gitignore").write_text("*.db\n", "utf-8")
    open_store(str(tmp_path / ".retest" / "retest.db")).close()
    assert (tmp_path / ".retest" / ".gitignore").read_text("utf-8") == "*.db\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permission bits")
def test_others_cannot_read_the_store(sqlite_path: Path) -> None:
    """Outputs may be confidential: users outside the group get nothing."""
    open_store(str(sqlite_path)).close()
    modes = [stat.S_IMODE(path.stat().st_mode) & 0o007 for path in (sqlite_path, sqlite_path.parent)]
    assert modes == [0, 0]


def test_odd_paths_work(tmp_path: Path) -> None:
    """Blanks, quotes, per cent, question and number signs, and Japanese in a path are just characters."""
    for name in ("a b.db", "50%?#x.db", "日本語'\".db"):
        open_store(str(tmp_path / name)).close()
        assert (tmp_path / name).exists()


def test_a_relative_path_starts_at_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default path needs no folder to be there."""
    monkeypatch.chdir(tmp_path)
    open_store(".retest/retest.db").close()
    assert (tmp_path / ".retest" / "retest.db").exists()


def test_a_sqlite_url_is_a_path(tmp_path: Path) -> None:
    """sqlite:/// URLs name files, as in other tools."""
    open_store(f"sqlite:///{tmp_path}/x.db").close()
    assert (tmp_path / "x.db").exists()


def test_a_mistyped_folder_is_an_error(tmp_path: Path) -> None:
    """Only the last folder of a path is made."""
    assert "x.db" in refused(tmp_path / "no" / "such" / "x.db", "store-folder-missing")


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    """A folder in place of the file is refused."""
    refused(tmp_path, "store-cannot-open")


def test_a_file_in_place_of_the_folder_is_an_error(tmp_path: Path) -> None:
    """A file cannot hold a store."""
    (tmp_path / "file").write_text("x", "utf-8")
    refused(tmp_path / "file" / "x.db", "store-cannot-open")


@pytest.mark.parametrize("content", [b"name,age\nx,1\n" * 100, b"\x00" * 4096, "答え\n".encode() * 500, b"x"])
def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    """Any other file is left as it is."""
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    refused(path, "store-not-a-store")
    assert path.read_bytes() == content


def test_another_programs_database_is_refused_and_kept(tmp_path: Path) -> None:
    """An SQLite file with other tables gets none of ours."""
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE customers (id)")
    connection.close()
    before = path.read_bytes()
    assert "customers" in refused(path, "store-not-a-store")
    assert path.read_bytes() == before


def test_a_store_without_its_version_is_refused(sqlite_path: Path) -> None:
    """A table `meta` that says nothing is nobody's."""
    open_store(str(sqlite_path)).close()
    with sqlite3.connect(sqlite_path) as connection:
        connection.execute("UPDATE meta SET value = 'x'")
    connection.close()
    refused(sqlite_path, "store-not-a-store")


def test_a_damaged_store_is_said_to_be_damaged(sqlite_path: Path) -> None:
    """Pages overwritten with garbage are noticed, with the path and a way out."""
    with open_store(str(sqlite_path)) as store:
        store_run(store, make_run(), [make_record((0, case, 0), "x" * 500) for case in range(300)])
    body = bytearray(sqlite_path.read_bytes())
    body[4096:] = b"\xa5" * (len(body) - 4096)
    sqlite_path.write_bytes(body)
    with pytest.raises(StoreError) as caught, open_store(str(sqlite_path)) as store:
        list(store.iter_samples("latest"))
    assert caught.value.problems[0].slug == "store-damaged"
    assert str(sqlite_path) in str(caught.value)


def test_reading_only_needs_a_store(tmp_path: Path) -> None:
    """Looking makes nothing."""
    refused(tmp_path / ".retest" / "retest.db", "store-not-found", read_only=True)
    assert not (tmp_path / ".retest").exists()


def test_a_store_open_for_reading_is_read(store_url: str) -> None:
    """Everything that reads works."""
    with open_store(store_url) as store:
        store_run(store, make_run(), [make_record((0, 0, 0))])
    with open_store(store_url, read_only=True) as store:
        assert len(list(store.iter_samples("latest"))) == 1
        assert in_loop(lambda: store.ledger().known(["key-0-0-0"])) == {"key-0-0-0"}


def test_a_store_open_for_reading_refuses_to_write(store_url: str) -> None:
    """Nothing can be recorded, and nothing is acknowledged."""
    open_store(store_url).close()
    with open_store(store_url, read_only=True) as store, pytest.raises(StoreError) as caught:
        in_loop(lambda: store.ledger().record([make_entry("k")]))
    assert caught.value.problems[0].slug == "store-read-only"


def test_reading_goes_on_beside_a_writer(sqlite_path: Path) -> None:
    """A store that is being written can be read."""
    with open_store(str(sqlite_path)) as writer, open_store(str(sqlite_path), read_only=True) as reader:
        store_run(writer, make_run(), [make_record((0, 0, 0))])
        assert len(reader.list_runs()) == 1


def test_a_locked_store_is_waited_for_and_then_named(sqlite_path: Path) -> None:
    """A lock that somebody keeps is an error after a while; nothing is acknowledged."""
    open_store(str(sqlite_path)).close()
    blocker = sqlite3.connect(sqlite_path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with open_store(str(sqlite_path), busy_timeout_s=0.2) as store:
        with pytest.raises(StoreError) as caught:
            in_loop(lambda: store.ledger().record([make_entry("k")]))
        assert in_loop(lambda: store.ledger().known(["k"])) == frozenset()
        blocker.execute("ROLLBACK")
        in_loop(lambda: store.ledger().record([make_entry("k")]))
    blocker.close()
    assert caught.value.problems[0].slug == "store-locked"


def test_a_full_disk_loses_nothing_acknowledged(sqlite_path: Path) -> None:
    """Where the disk is full the record fails, what was acknowledged stays, and space freed is used again."""
    entry = "x" * 20_000
    with open_store(str(sqlite_path)) as store:
        ledger = store.ledger()
        in_loop(lambda: ledger.record([make_entry("first", entry)]))
        limit_pages(store, 60)
        with pytest.raises(StoreError) as caught:
            in_loop(lambda: ledger.record([make_entry(f"k{number}", entry) for number in range(50)]))
        assert caught.value.problems[0].slug == "store-full"
        assert in_loop(lambda: ledger.known(["first", "k0"])) == {"first"}
        limit_pages(store, 1_000_000)
        in_loop(lambda: ledger.record([make_entry("later", entry)]))
        assert in_loop(lambda: ledger.known(["first", "later"])) == {"first", "later"}


def limit_pages(store: object, pages: int) -> None:
    """Let the store's file grow to so many pages, as if the disk ended there."""
    store._writer.write_now(  # type: ignore[attr-defined] # the limit belongs to the writing connection
        lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count={pages}").fetchall()
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_a_store_on_a_device_is_refused() -> None:
    """A device file is no store."""
    with pytest.raises(StoreError):
        open_store("/dev/full")


@pytest.mark.parametrize(
    "url", ["mysql://root:hush@localhost/x", "http://example.org/store", "postgresql://u:hush@h:port/x"]
)
def test_an_unknown_url_is_refused_without_its_password(url: str) -> None:
    """What is no store is named, its password is not."""
    message = refused(url, "store-bad-url")
    assert "hush" not in message
    assert url.partition("://")[0] in message


@pytest.mark.parametrize("password", ["hush", "hu/hush", "hu hush", "hu@hush", "hush%2F"])
def test_an_unreachable_server_is_named_without_the_password(password: str) -> None:
    """A server that does not answer is an error of its own."""
    message = refused(f"postgresql://me:{password}@127.0.0.1:1/retest", "store-unreachable")
    assert "hush" not in message
    assert "127.0.0.1:1" in message


@pytest.mark.postgres
def test_a_wrong_password_is_not_repeated(postgres: PostgresServer) -> None:
    """A refused password is an error of its own, and is shown nowhere."""
    message = refused(postgres.tcp_url(password="hush-hush"), "store-access-denied")
    assert "hush-hush" not in message


@pytest.mark.postgres
def test_a_missing_database_is_named(postgres: PostgresServer) -> None:
    """The message says to create the database."""
    assert "createdb" in refused(postgres.tcp_url("nothing_here"), "store-not-found")


@pytest.mark.postgres
def test_a_password_in_the_url_is_used_and_masked(postgres: PostgresServer) -> None:
    """The store is opened with the password, and shows its place without it."""
    with open_store(postgres.tcp_url()) as store:
        assert PASSWORD not in store.place


@pytest.mark.postgres
def test_the_short_scheme_is_understood(postgres: PostgresServer) -> None:
    """postgres:// is postgresql://."""
    open_store(postgres.tcp_url().replace("postgresql://", "postgres://")).close()


@pytest.mark.postgres
def test_a_lost_connection_is_made_again(postgres: PostgresServer) -> None:
    """A server that drops connections (a restart, a proxy) costs nothing but time."""
    schema = postgres.create_schema()
    with open_store(postgres.url(schema)) as store:
        in_loop(lambda: store.ledger().record([make_entry("before")]))
        kill_others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'retest'"
        postgres.run_sql(kill_others)
        in_loop(lambda: store.ledger().record([make_entry("after")]))
        assert in_loop(lambda: store.ledger().known(["before", "after"])) == {"before", "after"}


def test_the_contract_loads_no_database_library() -> None:
    """Whoever needs only the Protocols and records pays for nothing else."""
    code = "import sys, retest.store.base, retest.store.records; print('sqlalchemy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
