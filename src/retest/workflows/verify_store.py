"""Looks a store through, named by path or URL."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retest.store.integrity import IntegrityReport  # loads SQLAlchemy


def verify_store(place: str, tell: Callable[[str], None], *, repair: bool) -> IntegrityReport:
    """Return what is wrong with a store; nothing is changed unless it is to be repaired.

    Args:
        place: path or URL.
        tell: is told what is being looked at.
        repair: mend what can be; a copy of an SQLite store is kept beside it.

    Raises:
        StoreError: it cannot be opened, or is too damaged to be read.
    """
    import time

    from retest.store.engine import open_database
    from retest.store.integrity import Inspection
    from retest.store.liveness import this_observer
    from retest.store.migrations import ensure_schema

    with closing(open_database(place, read_only=not repair, busy_timeout_s=30.0, clock=time.time)) as database:
        ensure_schema(database, read_only=not repair)
        return Inspection(database, this_observer(), repair=repair, tell=tell).run()
