"""Writes what a run brings forth: cases, rendered messages, samples and scores."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import sqlalchemy as sa

from retest.domain.case import Case
from retest.domain.prompt import Message
from retest.domain.run import SampleRecord
from retest.domain.sample import CallError, Response
from retest.store.base import LedgerEntry
from retest.store.blobs import add_blobs, blob_hash, find_blobs, store_blobs
from retest.store.engine import Database
from retest.store.ledger import insert_responses
from retest.store.lookups import select_by
from retest.store.payloads import encode_error, encode_json, encode_score, encode_text
from retest.store.run_headers import encode_case
from retest.store.runs import OpenRun
from retest.store.tables import responses, run_cases, samples, scores
from retest.store.writer import Writer

_CASE_COLUMNS = ("run", "case", "case_id", "body", "place")
_SAMPLE_COLUMNS = (
    "run",
    "case",
    "arm",
    "sample",
    "response",
    "messages",
    "created_us",
    "ledger_hit",
    "error_kind",
    "error_message",
    "error_rest",
)
SCORE_COLUMNS = ("metric", "arm", "case", "sample", "value", "failure", "reason", "details")

_REMEMBERED = 10_000  # messages whose numbers are kept: about 1 MB

Row = tuple[Any, ...]


class StoredRunWriter:
    """The writer of one run; `retest.store.base.RunWriter` says what each method promises."""

    def __init__(self, database: Database, writer: Writer, run: OpenRun) -> None:
        self._database = database
        self._writer = writer
        self._run = run
        # Numbers of messages by hash: no text is dropped while a run is unfinished. What is to be added is added even
        # where its number is here, for that may be of a transaction that failed and is run again.
        self._messages: dict[str, int] = {}

    async def add_cases(self, cases: Sequence[tuple[int, Case]]) -> None:
        """Store cases under their index in the run."""
        await self._writer.write(lambda connection: self._add_cases(connection, cases))

    async def unknown_messages(self, hashes: Collection[str]) -> frozenset[str]:
        """Return which hashes are of rendered messages that are not stored yet."""
        return await self._writer.read(lambda connection: self._unknown_messages(connection, frozenset(hashes)))

    async def add_messages(self, rendered: Mapping[str, Sequence[Message]]) -> None:
        """Store rendered messages by their hash; known hashes are skipped."""
        await self._writer.write(lambda connection: self._add_messages(connection, rendered))

    async def append(self, samples: Sequence[SampleRecord]) -> None:
        """Store samples with their scores.

        A response that the ledger no longer has (another process cleaned up meanwhile) is written again.
        """
        await self._writer.write(lambda connection: self._append(connection, samples))

    def _add_cases(self, connection: sa.Connection, cases: Sequence[tuple[int, Case]]) -> None:
        encoded = [(index, case, *encode_case(case)) for index, case in cases]
        hashes = [blob_hash(body) for _, _, body, _ in encoded]
        numbers = store_blobs(
            self._database, connection, {name: item[2] for name, item in zip(hashes, encoded, strict=True)}
        )
        rows = [
            (self._run.number, index, encode_text(case.case_id), numbers[name], place)
            for name, (index, case, _, place) in zip(hashes, encoded, strict=True)
        ]
        self._database.prepare_insert(run_cases, _CASE_COLUMNS, replace=True).run(connection, rows)

    def _unknown_messages(self, connection: sa.Connection, hashes: frozenset[str]) -> frozenset[str]:
        if len(self._messages) > _REMEMBERED:
            self._messages.clear()
        self._messages.update(find_blobs(connection, self._not_remembered(hashes)))
        return frozenset(self._not_remembered(hashes))

    def _add_messages(self, connection: sa.Connection, rendered: Mapping[str, Sequence[Message]]) -> None:
        bodies = {name: encode_json(messages) for name, messages in rendered.items()}
        self._messages.update(add_blobs(self._database, connection, bodies))

    def _append(self, connection: sa.Connection, records: Sequence[SampleRecord]) -> None:
        answers = self._response_numbers(connection, records)
        messages = self._message_numbers(connection, {record.messages_hash for record in records})
        now_us = int(self._database.clock() * 1_000_000)
        rows = [
            (
                self._run.number,
                record.case_index,
                record.arm_index,
                record.sample_index,
                answers.get(record.key) if isinstance(record.outcome, Response) else None,
                messages.get(record.messages_hash),
                now_us,
                record.ledger_hit,
                *_error_cells(record),
            )
            for record in records
        ]
        self._database.prepare_insert(samples, _SAMPLE_COLUMNS, replace=True).run(connection, rows)
        self._write_scores(connection, records)

    def _message_numbers(self, connection: sa.Connection, hashes: AbstractSet[str]) -> Mapping[str, int]:
        unknown = self._not_remembered(hashes)
        return {**self._messages, **find_blobs(connection, unknown)} if unknown else self._messages

    def _not_remembered(self, hashes: AbstractSet[str]) -> list[str]:
        return [name for name in hashes if name not in self._messages]  # taking sets apart looks at all remembered

    def _response_numbers(self, connection: sa.Connection, records: Sequence[SampleRecord]) -> dict[str, int]:
        answers = {record.key: record.outcome for record in records if isinstance(record.outcome, Response)}
        numbers = _find_numbers(connection, answers)
        missing = [LedgerEntry(key=key, response=answer) for key, answer in answers.items() if key not in numbers]
        if missing:
            now_us = int(self._database.clock() * 1_000_000)
            insert_responses(self._database, connection, missing, now_us)
            numbers.update(_find_numbers(connection, [entry.key for entry in missing]))
        return numbers

    def _write_scores(self, connection: sa.Connection, records: Sequence[SampleRecord]) -> None:
        """Write the scores there are; those of an earlier attempt that are no more are removed."""
        new: list[Row] = []
        gone: list[Row] = []
        for record in records:
            if not record.scores.keys() <= self._run.metrics.keys():
                raise ValueError(f"scores {sorted(record.scores)} are not all of the run's metrics")
            place = (record.arm_index, record.case_index, record.sample_index)
            for name, number in self._run.metrics.items():
                score = record.scores.get(name)
                if score is None:
                    gone.append((number, *place))
                else:
                    new.append((number, *place, *encode_score(score)))
        self._database.prepare_insert(scores, SCORE_COLUMNS, replace=True).run(connection, new)
        self._delete_scores(connection, gone)

    def _delete_scores(self, connection: sa.Connection, places: Sequence[Row]) -> None:
        columns = ("metric", "arm", "case", "sample")

        def build() -> sa.UpdateBase:
            return sa.delete(scores).where(*(scores.c[name] == sa.bindparam(name) for name in columns))

        self._database.prepare("delete scores", columns, build).run(connection, places)


def _find_numbers(connection: sa.Connection, keys: Collection[str]) -> dict[str, int]:
    return dict(select_by(connection, (responses.c.key, responses.c.id), responses.c.key, keys))


def _error_cells(record: SampleRecord) -> tuple[str | None, str | None, bytes | None]:
    if isinstance(record.outcome, CallError):
        return encode_error(record.outcome)
    return None, None, None
