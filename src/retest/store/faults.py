"""Turns what a database driver raises into a `StoreError` that says what to do; no password is ever shown."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from retest.domain.masking import mask_url, mask_words
from retest.errors import Location, Problem, RetestError, StoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One kind of failure: its slug, what to say, how to fix it."""

    slug: str
    message: str
    fix: str


FULL = Fault(
    slug="store-full",
    message="the store's disk is full; what was already acknowledged is safe",
    fix="free some space (`retest gc` drops what no run needs), then run the same command again: it resumes",
)
LOCKED = Fault(
    slug="store-locked",
    message="another process has kept the store locked for too long",
    fix="wait for it to finish, or end the program that holds the store open, then run the same command again",
)
READ_ONLY = Fault(
    slug="store-read-only",
    message="the store cannot be written to",
    fix="make the file and its folder writable, or name another store with --store or RETEST_STORE",
)
CORRUPT = Fault(
    slug="store-damaged",
    message="the store is damaged",
    fix="move the file away and restore a backup (or its .bak copy); retest starts a new store where there is none",
)
NOT_A_STORE = Fault(
    slug="store-not-a-store",
    message="this file is not a retest store",
    fix="name another path with --store or RETEST_STORE; the file was left as it is",
)
CANNOT_OPEN = Fault(
    slug="store-cannot-open",
    message="the store cannot be opened",
    fix="check that the path names a file in a folder you may read and write",
)
IO = Fault(
    slug="store-io-error",
    message="the disk failed while the store was in use; what was already acknowledged is safe",
    fix="check the disk (or the network drive), then run the same command again: it resumes",
)
UNREACHABLE = Fault(
    slug="store-unreachable",
    message="the database server of the store cannot be reached",
    fix="check host, port and network, or use a local store for now: --store .retest/retest.db",
)
DENIED = Fault(
    slug="store-access-denied",
    message="the database server refuses access to the store",
    fix="check user, password and rights: the user must be able to create and change tables in the database",
)
NOT_FOUND = Fault(
    slug="store-not-found",
    message="there is no store here yet",
    fix="`retest run SUITE` makes one, or name another with --store or RETEST_STORE",
)
BAD_URL = Fault(
    slug="store-bad-url",
    message="the store is neither a path nor a URL that retest knows",
    fix="give a path such as .retest/retest.db, or postgresql://USER@HOST/DATABASE",
)
NO_FOLDER = Fault(
    slug="store-folder-missing",
    message="the folder of the store does not exist",
    fix="create the folder, or correct the path in --store or RETEST_STORE",
)
TOO_NEW = Fault(
    slug="store-too-new",
    message="the store was written by a newer retest",
    fix="pip install --upgrade retest, or name another store with --store or RETEST_STORE",
)
TOO_OLD = Fault(
    slug="store-needs-upgrade",
    message="the store was written by an older retest and is open for reading only",
    fix="run `retest gc --dry-run` once: it drops nothing, upgrades the store and keeps a copy of it as it was",
)
NO_DATABASE = Fault(
    slug="store-not-found",
    message="the database server has no such database",
    fix="create it (`createdb NAME`) or correct the name in the URL",
)
OTHER = Fault(
    slug="store-failed",
    message="the store failed",
    fix="if this happens again, please report it with the line above",
)

# By SQLite's primary result code: extended codes carry it in the low byte.
_BY_SQLITE_CODE = {
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_BUSY: LOCKED,
    sqlite3.SQLITE_LOCKED: LOCKED,
    sqlite3.SQLITE_PROTOCOL: LOCKED,
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_PERM: READ_ONLY,
    sqlite3.SQLITE_CORRUPT: CORRUPT,
    sqlite3.SQLITE_NOTADB: NOT_A_STORE,
    sqlite3.SQLITE_CANTOPEN: CANNOT_OPEN,
    sqlite3.SQLITE_IOERR: IO,
}

# By PostgreSQL's SQLSTATE, or its class (the first two characters).
_BY_SQLSTATE = {
    "53100": FULL,
    "55P03": LOCKED,
    "57014": LOCKED,
    "40P01": LOCKED,
    "25006": READ_ONLY,
    "42501": DENIED,
    "28": DENIED,
    "3D": NO_DATABASE,
    "08": UNREACHABLE,
    "57": UNREACHABLE,
    "XX": CORRUPT,
    "58": IO,
}


def as_store_error(error: BaseException, place: str) -> BaseException:
    """Return the StoreError for what a driver raised; an error that is ours, or a bug, is returned as it is.

    Args:
        error: from SQLAlchemy, the driver or the operating system.
        place: path or URL of the store as it was given; passwords are masked, in what the driver says as well.
    """
    if isinstance(error, RetestError):
        return error
    original = getattr(error, "orig", None) or error
    fault = _classify(original)
    if fault is None:
        return error
    return store_error(fault, place, str(original).strip())


def is_locked(error: BaseException) -> bool:
    """Return whether a driver gave up because another process kept the store locked."""
    return _classify(getattr(error, "orig", None) or error) is LOCKED


def store_error(fault: Fault, place: str, reason: str = "") -> StoreError:
    """Return the error for a fault at a place, with the database's own words as a detail."""
    first_lines = tuple(mask_words(line, place) for line in reason.splitlines()[:3] if line.strip())
    where = Location(path=mask_url(place))
    return StoreError(
        Problem(slug=fault.slug, message=fault.message, where=where, details=first_lines, fix=fault.fix),
    )


def _classify(error: BaseException) -> Fault | None:
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None)
        return OTHER if code is None else _BY_SQLITE_CODE.get(code & 0xFF, OTHER)
    if isinstance(error, OSError):
        return CANNOT_OPEN
    if type(error).__module__.partition(".")[0] == "psycopg":
        return _classify_postgres(error)
    return None


def _classify_postgres(error: BaseException) -> Fault:
    state: str | None = getattr(error, "sqlstate", None)
    if state is not None:
        return _BY_SQLSTATE.get(state) or _BY_SQLSTATE.get(state[:2], OTHER)
    # Before a session stands, the driver gives words only.
    text = str(error)
    if "password" in text or "authentication" in text:
        return DENIED
    if 'database "' in text and "does not exist" in text:
        return NO_DATABASE
    return UNREACHABLE if type(error).__name__ in {"OperationalError", "ConnectionTimeout"} else OTHER
