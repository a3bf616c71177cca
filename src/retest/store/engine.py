"""Connections to the database behind a store: SQLite by path, PostgreSQL by URL."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from retest.domain.masking import mask_url
from retest.errors import missing_extra
from retest.store.faults import (
    BAD_URL,
    CANNOT_OPEN,
    NO_FOLDER,
    NOT_A_STORE,
    NOT_FOUND,
    as_store_error,
    store_error,
)

_FILE_MODE = 0o640  # outputs may be confidential: the owner writes, the group reads, others nothing
_FOLDER_MODE = 0o750
_SHORTEST = 512  # bytes: one page
_POSTGRES_SCHEMES = frozenset({"postgresql", "postgres", "postgresql+psycopg"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A statement compiled once, executed for many rows: tuples in the order of its parameters.

    Passing each row through the compiled statement as a dictionary costs as much as storing it.
    """

    sql: str

    def run(self, connection: sa.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Execute the statement for every row; no rows, nothing done."""
        if rows:
            connection.exec_driver_sql(self.sql, list(rows))


class Database:
    """A place where a store is kept, with its connections.

    Attributes:
        place: path or URL as shown to people; passwords are masked.
        path: of the file; None for a server.
    """

    def __init__(self, engine: sa.Engine, place: str, *, path: Path | None, clock: Callable[[], float]) -> None:
        engine.update_execution_options(retest_clock=clock)
        self.engine = engine
        self._address = place
        self.place = mask_url(place) if path is None else place
        self.path = path
        self.clock = clock
        self._prepared: dict[str, Prepared] = {}

    @property
    def is_sqlite(self) -> bool:
        """Return whether the store is a file."""
        return self.engine.dialect.name == "sqlite"

    def connect_writer(self) -> sa.Connection:
        """Return a connection whose transactions take SQLite's write lock at their start, not midway."""
        return self.engine.connect().execution_options(retest_begin="BEGIN IMMEDIATE")

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a connection to read with; everything read within sees one state of an SQLite store.

        Raises:
            StoreError: whatever goes wrong inside.
        """
        with self.translating(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def translating(self) -> Iterator[None]:
        """Turn driver errors inside into StoreErrors."""
        try:
            yield
        except Exception as error:
            translated = self.translated(error)
            if translated is error:
                raise
            raise translated from None

    def translated(self, error: BaseException) -> BaseException:
        """Return the StoreError for what the driver raised; any other error as it is."""
        return as_store_error(error, self._address)

    def log_ahead(self) -> None:
        """Switch an SQLite store to write-ahead logging, which lasts; done only once it is known to be a store."""
        if self.is_sqlite:
            connection = self.engine.raw_connection()
            try:
                # Answers with the mode it has: where files cannot be shared in memory (network drives) it stays as
                # it is, slower and as durable.
                connection.cursor().execute("PRAGMA journal_mode=WAL").fetchone()
            finally:
                connection.close()

    def now_s(self, connection: sa.Connection) -> float:
        """Return seconds since 1970 by the one clock that all users of the store share."""
        if self.is_sqlite:
            return self.clock()
        return float(connection.scalar(sa.select(sa.extract("epoch", sa.func.clock_timestamp()))) or 0.0)

    def insert(self, table: sa.Table) -> Any:
        """Return an INSERT that knows ON CONFLICT (the two dialects spell it alike, in two classes)."""
        if self.is_sqlite:
            return sqlite.insert(table)
        from sqlalchemy.dialects import postgresql  # a fifth of the time that SQLAlchemy takes to load

        return postgresql.insert(table)

    def prepare(self, name: str, columns: Sequence[str], build: Callable[[], sa.UpdateBase]) -> Prepared:
        """Return the statement compiled for this database; `build` is called once per name.

        Args:
            name: of the statement, unique in this package.
            columns: the parameters in the order in which rows will give them.
            build: makes the statement.
        """
        prepared = self._prepared.get(name)
        if prepared is None:
            compiled = build().compile(dialect=self.engine.dialect)
            if list(getattr(compiled, "positiontup", None) or ()) != list(columns):
                raise ValueError(f"the parameters of '{name}' are not in the order {columns}")
            prepared = self._prepared[name] = Prepared(sql=str(compiled))
        return prepared

    def prepare_insert(self, table: sa.Table, columns: Sequence[str], *, replace: bool = False) -> Prepared:
        """Return an INSERT of rows of the given columns; a row that is there is kept, or replaced.

        `replace` goes by the primary key; keeping goes by any unique key.
        """

        def build() -> sa.UpdateBase:
            insert = self.insert(table).values({name: sa.bindparam(name) for name in columns})
            if not replace:
                return insert.on_conflict_do_nothing()  # type: ignore[no-any-return] # either dialect's INSERT
            keys = [column.name for column in table.primary_key]
            new = {name: insert.excluded[name] for name in columns if name not in keys}
            return insert.on_conflict_do_update(index_elements=keys, set_=new)  # type: ignore[no-any-return] # as above

        return self.prepare(f"insert {table.name} {replace}", columns, build)

    def close(self) -> None:
        """Close every connection that is not in use."""
        self.engine.dispose()


def now_s(connection: sa.Connection) -> float:
    """Return seconds since 1970 by the clock that the connection's store was opened with."""
    return float(connection.get_execution_options()["retest_clock"]())


def open_sqlite(path: Path, *, read_only: bool, busy_timeout_s: float, clock: Callable[[], float]) -> Database:
    """Open the file, making it and its folder where needed (only the last folder: a mistyped path is an error).

    Raises:
        StoreError: the folder is missing, the file cannot be opened or is no database.
    """
    place = str(path)
    try:
        if read_only and not path.exists():
            raise store_error(NOT_FOUND, place)
        if not read_only:
            _make_file(path)
        _refuse_short_files(path)
    except OSError as error:
        raise store_error(CANNOT_OPEN, place, str(error)) from None
    engine = sa.create_engine(
        "sqlite+pysqlite://",
        creator=lambda: _connect_sqlite(path, read_only=read_only, busy_timeout_s=busy_timeout_s),
        poolclass=sa.pool.QueuePool,
        pool_size=4,
        max_overflow=16,
    )
    sa.event.listen(engine, "begin", _begin_sqlite)
    return Database(engine, place, path=path, clock=clock)


def _make_file(path: Path) -> None:
    folder = path.parent
    if not folder.parent.is_dir():
        raise store_error(NO_FOLDER, str(path))
    made = not folder.exists()
    if made:
        folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
    ignore = folder / ".gitignore"
    if (made or folder.name == ".retest") and not ignore.exists():
        ignore.write_text("# Made by retest: nothing in this folder is meant to be committed.\n*\n", encoding="utf-8")
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, _FILE_MODE))
        _sync_folders(folder, folder.parent)


def _sync_folders(*folders: Path) -> None:
    """Make a new file's name as durable as what will be written into it."""
    for folder in folders:
        with suppress(OSError):  # Windows opens no folders, some file systems sync none
            number = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(number)
            finally:
                os.close(number)


def _refuse_short_files(path: Path) -> None:
    """Refuse files shorter than any store: SQLite takes some of them for empty ones.

    Only the length is looked at. Opening and closing the file here would drop the locks that another connection of
    this process has on it.
    """
    if path.is_file() and 0 < path.stat().st_size < _SHORTEST:  # folders are short on some file systems
        raise store_error(NOT_A_STORE, str(path))


def _connect_sqlite(path: Path, *, read_only: bool, busy_timeout_s: float) -> sqlite3.Connection:
    uri = f"file:{quote(str(path.absolute()))}"
    if not read_only:
        return _tuned(sqlite3.connect(f"{uri}?mode=rw", **_options(busy_timeout_s)))
    try:
        return _tuned(sqlite3.connect(f"{uri}?mode=ro", **_options(busy_timeout_s)), write=False)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}:
            raise
        # On read-only media the log's index file cannot be made. Nobody can write there, so the file is complete
        # without it (unless a log was left behind, which then cannot be read by anyone).
        return _tuned(sqlite3.connect(f"{uri}?immutable=1", **_options(busy_timeout_s)), write=False)


def _options(busy_timeout_s: float) -> dict[str, Any]:
    # isolation_level None: transactions are begun by us, for the driver knows only the kind that locks too late.
    return {"uri": True, "timeout": busy_timeout_s, "isolation_level": None, "check_same_thread": False}


def _tuned(connection: sqlite3.Connection, *, write: bool = True) -> sqlite3.Connection:
    try:
        if write:
            # In WAL mode anything less than FULL may lose the last commits when the machine fails.
            connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA cache_size=-8192")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _begin_sqlite(connection: sa.Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("retest_begin", "BEGIN"))


def open_postgres(url: str, *, read_only: bool, busy_timeout_s: float, clock: Callable[[], float]) -> Database:
    """Prepare connections to a PostgreSQL server; none is made yet.

    Raises:
        StoreError: the URL cannot be read.
        MissingExtraError: the driver is not installed.
    """
    try:
        parsed = sa.make_url(url).set(drivername="postgresql+psycopg")
    except (sa.exc.ArgumentError, ValueError):
        raise store_error(BAD_URL, url) from None
    try:
        engine = sa.create_engine(
            parsed,
            paramstyle="format",  # rows are tuples, as with SQLite
            pool_pre_ping=True,
            connect_args={"connect_timeout": 10, "application_name": "retest"},
        )
    except ModuleNotFoundError:
        raise missing_extra("postgres", "a store on PostgreSQL") from None

    def set_up_session(connection: Any, _record: object) -> None:
        # A server may be set up to acknowledge commits before they are on disk; the ledger must not be.
        connection.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )
        connection.execute(f"SET lock_timeout = {int(busy_timeout_s * 1000)}")
        connection.execute(f"SET default_transaction_read_only = {'on' if read_only else 'off'}")
        connection.commit()

    sa.event.listen(engine, "connect", set_up_session)
    return Database(engine, url, path=None, clock=clock)


def open_database(url_or_path: str, *, read_only: bool, busy_timeout_s: float, clock: Callable[[], float]) -> Database:
    """Open the database that a path or URL names.

    Raises:
        StoreError: it cannot be opened.
    """
    scheme, separator, rest = url_or_path.partition("://")
    if not separator:
        return open_sqlite(Path(url_or_path), read_only=read_only, busy_timeout_s=busy_timeout_s, clock=clock)
    if scheme == "sqlite":
        # sqlite:///relative and sqlite:////absolute, as elsewhere.
        path = Path(rest.removeprefix("/"))
        return open_sqlite(path, read_only=read_only, busy_timeout_s=busy_timeout_s, clock=clock)
    if scheme in _POSTGRES_SCHEMES:
        return open_postgres(url_or_path, read_only=read_only, busy_timeout_s=busy_timeout_s, clock=clock)
    raise store_error(BAD_URL, url_or_path)
