"""Copies one store into another, both named by path or URL."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from retest.errors import Problem, UsageError

if TYPE_CHECKING:
    from retest.store.copying import CopyReport  # loads SQLAlchemy
    from retest.store.engine import Database


def copy_store(source: str, target: str, tell: Callable[[str, int], None]) -> CopyReport:
    """Copy what the target lacks; it is made where there is none.

    Args:
        source: path or URL of a store; nothing in it is changed.
        target: path or URL of another.
        tell: is told the table at work, and how many rows of it are done.

    Raises:
        UsageError: both are the same store.
        StoreError: one cannot be opened, or failed midway; the same copy goes on.
    """
    import time

    from retest.store.copying import StoreCopy
    from retest.store.engine import open_database
    from retest.store.liveness import this_observer
    from retest.store.migrations import ensure_schema

    with ExitStack() as stack:
        databases = []
        for place, read_only in ((source, True), (target, False)):
            database = open_database(place, read_only=read_only, busy_timeout_s=30.0, clock=time.time)
            stack.callback(database.close)
            databases.append(database)
            ensure_schema(database, read_only=read_only)
        _refuse_itself(*databases)
        return StoreCopy(databases[0], databases[1], this_observer(), tell).run()


def _refuse_itself(source: Database, target: Database) -> None:
    """Refuse to copy a store into itself.

    Raises:
        UsageError: it is the same.
    """
    if source.path is not None and target.path is not None:
        same = source.path.samefile(target.path)
    else:
        same = source.engine.url == target.engine.url
    if same:
        raise UsageError(
            Problem(
                slug="store-copy-itself",
                message=f"both are the same store: {source.place}",
                fix="name another path or URL as the second",
            )
        )
