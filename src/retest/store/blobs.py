"""Texts that many rows share, each kept once: rendered messages, case bodies, prompt and suite sources."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import sqlalchemy as sa

from retest.store.engine import Database
from retest.store.lookups import select_by
from retest.store.tables import blobs

T = TypeVar("T")

VALUES_PER_QUERY = 500


def chunked(items: Sequence[T], size: int = VALUES_PER_QUERY) -> Iterator[Sequence[T]]:
    """Yield the items in pieces that fit one query."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def blob_hash(body: bytes) -> str:
    """Return the name under which a body is kept."""
    return hashlib.sha256(body).hexdigest()[:32]


def find_blobs(connection: sa.Connection, hashes: Iterable[str]) -> dict[str, int]:
    """Return the numbers of the blobs that are there, by hash."""
    return dict(select_by(connection, (blobs.c.hash, blobs.c.id), blobs.c.hash, tuple(hashes)))


def store_blobs(database: Database, connection: sa.Connection, bodies: Mapping[str, bytes]) -> dict[str, int]:
    """Store what is not there yet; return the numbers by hash."""
    numbers = find_blobs(connection, bodies)
    missing = {name: body for name, body in bodies.items() if name not in numbers}
    return {**numbers, **add_blobs(database, connection, missing)}


def add_blobs(database: Database, connection: sa.Connection, bodies: Mapping[str, bytes]) -> dict[str, int]:
    """Store bodies that are not there, or only just now by another process; return the numbers by hash."""
    if not bodies:
        return {}
    insert = database.prepare_insert(blobs, ("hash", "body"))
    insert.run(connection, [(name, bodies[name]) for name in sorted(bodies)])
    return find_blobs(connection, bodies)


def read_blobs(connection: sa.Connection, numbers: Iterable[int]) -> dict[int, bytes]:
    """Return bodies by number."""
    return dict(select_by(connection, (blobs.c.id, blobs.c.body), blobs.c.id, sorted(set(numbers))))
