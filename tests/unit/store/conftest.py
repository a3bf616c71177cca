"""Stores to test with: every test that asks for `store_url` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from retest.store.database import Store, open_store
from support.postgres import PostgresServer, find_programs, running_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Give a private server."""
    programs = find_programs()
    if programs is None:
        pytest.skip("PostgreSQL's server programs (initdb, postgres) are not installed")
    with running_server(programs) as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the place of a store that does not exist yet."""
    if request.param == "sqlite":
        return str(tmp_path / ".retest" / "retest.db")
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.url(server.create_schema())


@pytest.fixture
def sqlite_path(tmp_path: Path) -> Path:
    """Give the path of an SQLite store that does not exist yet."""
    return tmp_path / ".retest" / "retest.db"


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """Give an empty store."""
    with open_store(store_url) as opened:
        yield opened
