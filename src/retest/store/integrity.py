"""Looks a store through: is the file sound, does every reference lead somewhere, what is missing? Mends what can be.

A check finds rows and may know how to mend them. What is lost is never invented: a sample without its answer is taken
out and its run marked incomplete, so that the same command asks for it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from retest.domain.json_value import content_hash
from retest.errors import StoreError
from retest.store.blobs import blob_hash
from retest.store.engine import Database
from retest.store.faults import CORRUPT
from retest.store.integrity_queries import RowCheck, row_checks
from retest.store.liveness import Observer
from retest.store.migrations import back_up
from retest.store.payloads import decode_json, decode_response
from retest.store.tables import SCHEMA_VERSION, blobs, responses, runs, samples

_EXAMPLES = 5
_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One kind of fault: how often, where for example, and what became of it.

    Attributes:
        kind: a short name that scripts may rely on.
        what: for people.
        repair: what `--repair` does about it; "" where it can do nothing.
        repaired: it has been done.
    """

    kind: str
    what: str
    count: int
    examples: tuple[str, ...] = ()
    repair: str = ""
    advice: str = ""
    repaired: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrityReport:
    """What a look through a store found; `checked` counts the rows that were read, by table."""

    place: str
    schema_version: int
    findings: tuple[Finding, ...] = ()
    checked: dict[str, int]
    backup: str | None = None

    @property
    def is_sound(self) -> bool:
        """Return whether nothing is wrong any more."""
        return all(finding.repaired for finding in self.findings)


class Inspection:
    """One look through a store."""

    def __init__(self, database: Database, observer: Observer, *, repair: bool, tell: Callable[[str], None]) -> None:
        self._database = database
        self._repair = repair
        self._tell = tell
        self._checks = row_checks(database, observer)
        self._checked: dict[str, int] = {}
        self._backup: Path | None = None

    def run(self) -> IntegrityReport:
        """Check everything, and mend what can be where that is asked for.

        Raises:
            StoreError: the store cannot be read on at all.
        """
        findings = [found for found in (self._file(),) if found is not None]
        try:
            findings += [found for found in (self._contents(), *self._rows()) if found is not None]
        except StoreError:
            if not findings:
                raise
            # The file is known to be damaged: what could be read of it has been looked at.
        return IntegrityReport(
            place=self._database.place,
            schema_version=SCHEMA_VERSION,
            findings=tuple(findings),
            checked=self._checked,
            backup=None if self._backup is None else str(self._backup),
        )

    # -- the file --------------------------------------------------------------------------------------------------

    def _file(self) -> Finding | None:
        """Have SQLite check its file; indexes can be made anew from their tables."""
        if not self._database.is_sqlite:
            return None
        self._tell("the file")
        problems = self._integrity_check()
        if not problems:
            return None
        in_index = all(_is_of_index(line) for line in problems)
        repaired = False
        if in_index and self._repair:
            self._save_copy()
            with self._database.translating(), self._database.connect_writer() as connection, connection.begin():
                connection.exec_driver_sql("REINDEX")
            repaired = not self._integrity_check()
        return Finding(
            kind="file",
            what="the database file is damaged",
            count=len(problems),
            examples=tuple(problems[:_EXAMPLES]),
            repair="make the indexes anew" if in_index else "",
            advice="restore a backup, or save what can be read: retest store copy THIS NEW",
            repaired=repaired,
        )

    def _integrity_check(self) -> list[str]:
        try:
            with self._database.reading() as connection:
                lines = connection.exec_driver_sql("PRAGMA integrity_check(100)").scalars().all()
        except StoreError as error:
            if error.problems[0].slug != CORRUPT.slug:
                raise
            return list(error.problems[0].details)
        return [] if lines == ["ok"] else [line for text in lines for line in str(text).splitlines()]

    # -- what rows hold --------------------------------------------------------------------------------------------

    def _contents(self) -> Finding | None:
        """Return the texts that are not what their hash says, and the answers that cannot be read."""
        self._tell("texts and answers")
        bad: list[str] = []
        with self._database.reading() as connection:
            bad += self._altered_texts(connection)
            bad += self._unreadable_answers(connection)
        if not bad:
            return None
        return Finding(
            kind="content",
            what="texts or answers are not what was stored",
            count=len(bad),
            examples=tuple(bad[:_EXAMPLES]),
            advice="restore a backup: what was there cannot be told from what is",
        )

    def _altered_texts(self, connection: sa.Connection) -> Iterator[str]:
        query = sa.select(blobs.c.id, blobs.c.hash, blobs.c.body)
        for row in self._stream(connection, query, "texts"):
            if not _is_text(row.hash, bytes(row.body)) and not self._may_be_redacted(row.id):
                yield f"text {row.id} ({row.hash})"

    def _may_be_redacted(self, text: int) -> bool:
        """Return whether a suite with redaction rules stored this: its hash is of what was sent, before them."""
        sources = sa.select(runs.c.source).where(
            runs.c.id.in_(sa.select(samples.c.run).where(samples.c.messages == text))
        )
        with self._database.reading() as connection:
            bodies = connection.scalars(sa.select(blobs.c.body).where(blobs.c.id.in_(sources)))
            return any(b"redact" in bytes(body) for body in bodies)

    def _unreadable_answers(self, connection: sa.Connection) -> Iterator[str]:
        query = sa.select(responses.c.id, responses.c.key, responses.c.output, responses.c.payload)
        for row in self._stream(connection, query, "responses"):
            try:
                decode_response(row.output, None if row.payload is None else bytes(row.payload))
            except (ValueError, TypeError, AttributeError, KeyError):
                yield f"response {row.id} ({row.key[:16]})"

    def _stream(self, connection: sa.Connection, query: sa.Select[tuple[object, ...]], name: str) -> Iterator[sa.Row]:  # type: ignore[type-arg] # of whatever columns
        count = 0
        with connection.execute(query, execution_options={"yield_per": _PAGE}) as streamed:
            for row in streamed:
                count += 1
                yield row
        self._checked[name] = count

    # -- references ------------------------------------------------------------------------------------------------

    def _rows(self) -> Iterator[Finding]:
        # In this order: what an earlier check takes away is no fault for a later one.
        for check in self._checks:
            self._tell(check.what)
            with self._database.reading() as connection:
                count, examples = check.look(connection, _EXAMPLES)
            if count:
                yield self._settle(check, count, examples)

    def _settle(self, check: RowCheck, count: int, examples: Sequence[str]) -> Finding:
        mend = check.mend if self._repair else None
        if mend is not None:
            self._save_copy()
            with self._database.translating(), self._database.connect_writer() as connection, connection.begin():
                mend(connection)
        return Finding(
            kind=check.kind,
            what=check.what,
            count=count,
            examples=tuple(examples),
            repair=check.repair,
            advice=check.advice,
            repaired=mend is not None,
        )

    def _save_copy(self) -> None:
        """Copy an SQLite store beside itself before the first repair."""
        if self._backup is None and self._database.path is not None:
            self._backup = back_up(self._database.path, SCHEMA_VERSION)


def _is_of_index(line: str) -> bool:
    return "index" in line.lower()


def _is_text(name: str, body: bytes) -> bool:
    """Return whether a text is the one of that name: rendered messages go by their content, all else by its bytes."""
    if blob_hash(body) == name:
        return True
    try:
        return content_hash(decode_json(body)) == name
    except (ValueError, TypeError):
        return False
