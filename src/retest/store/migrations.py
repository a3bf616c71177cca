"""Creates a store's tables and brings an older store up to date; safe when many processes open it at once."""

from __future__ import annotations

import itertools
import os
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path

import sqlalchemy as sa

from retest.store.engine import Database
from retest.store.faults import NOT_A_STORE, NOT_FOUND, TOO_NEW, TOO_OLD, store_error
from retest.store.tables import SCHEMA_VERSION, meta, metadata

Migration = Callable[[sa.Connection], None]


def _add_baselines(connection: sa.Connection) -> None:
    # Spelt out, not made from `tables`: a step leads to its own version, whatever that table becomes later.
    connection.exec_driver_sql(
        "CREATE TABLE baselines (suite TEXT NOT NULL PRIMARY KEY, "
        "run BIGINT NOT NULL REFERENCES runs (id) ON DELETE CASCADE, set_us BIGINT NOT NULL)"
    )


def _add_reviews(connection: sa.Connection) -> None:
    for statement in _review_statements(_TYPES[connection.dialect.name]):
        connection.exec_driver_sql(statement)


def _add_batches(connection: sa.Connection) -> None:
    types = _TYPES[connection.dialect.name]
    connection.exec_driver_sql(
        f"CREATE TABLE batches (id {types['number']} NOT NULL PRIMARY KEY, token TEXT NOT NULL UNIQUE, "
        "run_id TEXT NOT NULL, suite TEXT NOT NULL, place TEXT NOT NULL, endpoint TEXT NOT NULL, model TEXT, "
        f"identity {types['bytes']} NOT NULL, requests INTEGER NOT NULL, file_id TEXT, batch_id TEXT, "
        "status TEXT NOT NULL, answered INTEGER NOT NULL, failed INTEGER NOT NULL, created_us BIGINT NOT NULL, "
        "expires_us BIGINT NOT NULL, ended_us BIGINT, note TEXT, poller TEXT)"
    )
    connection.exec_driver_sql(
        f"CREATE TABLE batch_keys (key TEXT NOT NULL PRIMARY KEY, batch BIGINT NOT NULL){types['clustered']}"
    )


def _review_statements(types: Mapping[str, str]) -> tuple[str, ...]:
    """Return what adds the tables of reviews, in a database's own names of types."""
    return (
        (
            f"CREATE TABLE reviews (id {types['number']} NOT NULL PRIMARY KEY, review_id TEXT NOT NULL UNIQUE, "
            "suite TEXT NOT NULL, reviewer TEXT NOT NULL, key TEXT NOT NULL, run_id TEXT NOT NULL, arm TEXT NOT NULL, "
            "case_id TEXT NOT NULL, sample INTEGER NOT NULL, other_key TEXT, other_run_id TEXT, other_arm TEXT, "
            "other_case_id TEXT, other_sample INTEGER)"
        ),
        (
            "CREATE TABLE review_revisions (review BIGINT NOT NULL REFERENCES reviews (id) ON DELETE CASCADE, "
            "revision INTEGER NOT NULL, created_us BIGINT NOT NULL, author TEXT NOT NULL, label TEXT, "
            f"note TEXT NOT NULL, correction TEXT, body {types['bytes']} NOT NULL, withdrawn BOOLEAN NOT NULL, "
            f"blind BOOLEAN NOT NULL, PRIMARY KEY (review, revision)){types['clustered']}"
        ),
        (
            f"CREATE TABLE review_scales (dimension TEXT NOT NULL PRIMARY KEY, low {types['double']} NOT NULL, "
            f"high {types['double']} NOT NULL, direction TEXT NOT NULL)"
        ),
        (
            "CREATE TABLE review_codes (code TEXT NOT NULL PRIMARY KEY, run_id TEXT NOT NULL, arm TEXT NOT NULL, "
            "UNIQUE (run_id, arm))"
        ),
        "CREATE INDEX reviews_of_suite ON reviews (suite)",
        "CREATE INDEX reviews_of_key ON reviews (key)",
    )


_TYPES = {
    "sqlite": {"number": "INTEGER", "bytes": "BLOB", "double": "DOUBLE", "clustered": " WITHOUT ROWID"},
    "postgresql": {"number": "BIGSERIAL", "bytes": "BYTEA", "double": "DOUBLE PRECISION", "clustered": ""},
}

# Version -> what leads to it from the version before. The reason of each stands beside SCHEMA_VERSION.
MIGRATIONS: Mapping[int, Migration] = {2: _add_baselines, 3: _add_reviews, 4: _add_batches}

_POSTGRES_LOCK = 0x7265_7465_7374  # any fixed number; held while tables are made or changed


def ensure_schema(
    database: Database,
    *,
    read_only: bool,
    version: int = SCHEMA_VERSION,
    migrations: Mapping[int, Migration] = MIGRATIONS,
) -> None:
    """Leave the store at `version`, or refuse it.

    Raises:
        StoreError: the store is newer than this program, older and open for reading only, or no store.
    """
    with database.translating():
        with database.engine.connect() as connection:
            found = _stored_version(database, connection)
        if found != version:
            _refuse_what_cannot_be(database, found, version, read_only=read_only)
        if not read_only:
            database.log_ahead()
        if found == version:
            return
        with database.connect_writer() as connection, connection.begin():
            _take_schema_lock(database, connection)
            # Another process may have done it meanwhile.
            found = _stored_version(database, connection)
            if found is None:
                _create(connection, version)
            elif found < version:
                _upgrade(database, connection, (found, version), migrations)


def _stored_version(database: Database, connection: sa.Connection) -> int | None:
    """Return the version found, None for an empty database."""
    names = set(sa.inspect(connection).get_table_names())
    if meta.name not in names:
        if names and database.is_sqlite:
            raise store_error(NOT_A_STORE, database.place, f"it has other tables: {', '.join(sorted(names)[:5])}")
        return None
    value = connection.scalar(sa.select(meta.c.value).where(meta.c.name == "schema_version"))
    if value is None or not str(value).isdigit():
        raise store_error(NOT_A_STORE, database.place, "its table 'meta' holds no schema version")
    return int(value)


def _refuse_what_cannot_be(database: Database, found: int | None, version: int, *, read_only: bool) -> None:
    if found is None:
        if read_only:
            raise store_error(NOT_FOUND, database.place)
        return
    versions = f"the store has schema version {found}, this retest knows {version}"
    if found > version:
        raise store_error(TOO_NEW, database.place, versions)
    if read_only:
        raise store_error(TOO_OLD, database.place, versions)


def _take_schema_lock(database: Database, connection: sa.Connection) -> None:
    # SQLite's BEGIN IMMEDIATE has taken its one write lock already.
    if not database.is_sqlite:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_POSTGRES_LOCK)))


def _create(connection: sa.Connection, version: int) -> None:
    metadata.create_all(connection)
    connection.execute(sa.insert(meta).values(name="schema_version", value=str(version)))


def _upgrade(
    database: Database, connection: sa.Connection, steps: tuple[int, int], migrations: Mapping[int, Migration]
) -> None:
    found, version = steps
    if database.path is not None:
        back_up(database.path, found)
    for step in range(found + 1, version + 1):
        migrations[step](connection)
    connection.execute(sa.update(meta).where(meta.c.name == "schema_version").values(value=str(version)))


def back_up(path: Path, version: int) -> Path:
    """Copy an SQLite store beside itself as it is now (writers wait meanwhile); an existing copy is kept.

    Nobody may read the copy who may not read the store, and none is left that is not whole.
    """
    target = _made_beside(path, version)
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
    except BaseException:
        for name in (target.name, f"{target.name}-journal"):
            target.with_name(name).unlink(missing_ok=True)
        raise
    return target


def _made_beside(path: Path, version: int) -> Path:
    """Make an empty file with the rights of the store, under the first name that is free."""
    mode = path.stat().st_mode & 0o777
    for number in itertools.count(1):
        target = path.with_name(f"{path.name}.v{version}{f'-{number}' if number > 1 else ''}.bak")
        with suppress(FileExistsError):
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, mode))
            break
    target.chmod(mode)  # what the umask took from it: a team's store stays one
    return target
