"""Copies a store into another, whichever databases they are in: what is there already is left, so it can be repeated.

Numbers of rows are each database's own; rows find each other by what names them everywhere: a response by its key, a
text by its hash, a run by its id. Responses and texts go in pages, each durable by itself; a run goes as a whole.
Claims and heartbeats are of processes, and stay behind. Batches that are out go along, so that neither store pays for
their calls again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from retest.store.engine import Database
from retest.store.liveness import Observer
from retest.store.owners import is_alive
from retest.store.payloads import decode_optional, decode_text
from retest.store.tables import (
    baselines,
    batch_keys,
    batches,
    blobs,
    draws,
    responses,
    review_codes,
    review_revisions,
    review_scales,
    reviews,
    run_arms,
    run_cases,
    run_metadata,
    run_metrics,
    run_tags,
    runs,
    samples,
    scores,
)

_PAGE = 1000

Row = dict[str, Any]
Tell = Callable[[str, int], None]


@dataclass(slots=True)
class CopyReport:
    """What a copy brought over; `already` counts what the other store had, `kept` names runs that it knew more of.

    `live` names runs that a process is writing at this moment: they were left for later.
    """

    responses: int = 0
    texts: int = 0
    runs: int = 0
    updated_runs: int = 0
    samples: int = 0
    scores: int = 0
    reviews: int = 0
    revisions: int = 0
    baselines: int = 0
    batches: int = 0
    already: int = 0
    lost_samples: int = 0
    kept: tuple[str, ...] = ()
    live: tuple[str, ...] = ()


class StoreCopy:
    """One copy from one store into another."""

    def __init__(self, source: Database, target: Database, observer: Observer, tell: Tell) -> None:
        self.report = CopyReport()
        self._source = source
        self._target = target
        self._observer = observer
        self._tell = tell

    def run(self) -> CopyReport:
        """Copy everything that the target lacks.

        Raises:
            StoreError: a database failed; what is copied by then is sound, and the same copy goes on.
        """
        with self._snapshot() as source:
            self.report.responses = self._copy_named(source, responses, "key")
            self.report.texts = self._copy_named(source, blobs, "hash")
            self._copy_draws(source)
            for row in source.execute(sa.select(runs).order_by(runs.c.id)).mappings().all():
                self._copy_run(source, dict(row))
            self._copy_baselines(source)
            self._copy_reviews(source)
            self._copy_batches(source)
        return self.report

    @contextmanager
    def _snapshot(self) -> Iterator[sa.Connection]:
        """Give a connection that sees one state of the source all the time."""
        options = {} if self._source.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        with self._source.translating(), self._source.engine.connect().execution_options(**options) as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        with self._target.translating(), self._target.connect_writer() as connection, connection.begin():
            yield connection

    # -- what is named by its content ------------------------------------------------------------------------------

    def _copy_named(self, source: sa.Connection, table: sa.Table, name: str) -> int:
        """Copy rows that the target does not know by their name; return how many."""
        copied = done = 0
        for page in _pages(source, sa.select(table).order_by(table.c.id)):
            with self._writing() as target:
                known = _numbers(target, table, name, [row[name] for row in page])
                new = [_without(row, "id") for row in page if row[name] not in known]
                self._add(target, table, new)
            copied += len(new)
            done += len(page)
            self.report.already += len(page) - len(new)
            self._tell(table.name, done)
        return copied

    def _add(self, target: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
        if rows:
            target.execute(self._target.insert(table).on_conflict_do_nothing(), list(rows))

    def _copy_draws(self, source: sa.Connection) -> None:
        with self._writing() as target:
            known = {row.suite: row.last for row in target.execute(sa.select(draws))}
            for suite, last in source.execute(sa.select(draws.c.suite, draws.c.last)):
                if suite not in known:
                    self._add(target, draws, [{"suite": suite, "last": last}])
                elif known[suite] < last:  # a number that was given away is never given again
                    target.execute(sa.update(draws).where(draws.c.suite == suite).values(last=last))

    # -- runs ------------------------------------------------------------------------------------------------------

    def _copy_run(self, source: sa.Connection, run: Row) -> None:
        name, owner = decode_text(run["run_id"]), decode_optional(run["owner"])
        if owner is not None and is_alive(self._source, source, owner, self._observer):
            self.report.live += (name,)
            return
        with self._writing() as target:
            number = target.scalar(sa.select(runs.c.id).where(runs.c.run_id == run["run_id"]))
            if number is None:
                self._copy_parts(source, target, run, self._insert_run(source, target, run))
                self.report.runs += 1
            elif (ours := _extent(source, run["id"])) == (theirs := _extent(target, number)):
                self.report.already += 1
            elif ours[0] < theirs[0] or ours[1] < theirs[1]:
                self.report.kept += (name,)
            else:
                self._replace_run(source, target, run, number)
                self.report.updated_runs += 1
        self._tell("runs", self.report.runs + self.report.updated_runs)

    def _insert_run(self, source: sa.Connection, target: sa.Connection, run: Row) -> int:
        result = target.execute(sa.insert(runs).values(self._header(source, target, run)))
        return int(result.inserted_primary_key[0])  # type: ignore[index] # a single row has one

    def _header(self, source: sa.Connection, target: sa.Connection, run: Row) -> Row:
        texts = _moved_texts(source, target, [run["source"]])
        # Whoever was writing it is gone, and could not be seen from the other store anyway.
        status = "incomplete" if run["status"] == "running" else run["status"]
        return {**_without(run, "id"), "source": texts[run["source"]], "owner": None, "status": status}

    def _replace_run(self, source: sa.Connection, target: sa.Connection, run: Row, number: int) -> None:
        for table in (run_arms, run_metrics, run_tags, run_metadata, run_cases, samples):
            target.execute(sa.delete(table).where(table.c.run == number))
        target.execute(sa.update(runs).where(runs.c.id == number).values(self._header(source, target, run)))
        self._copy_parts(source, target, run, number)

    def _copy_parts(self, source: sa.Connection, target: sa.Connection, run: Row, number: int) -> None:
        for table in (run_tags, run_metadata):
            self._add(target, table, [{**row, "run": number} for row in _rows(source, table, run["id"])])
        for table, column in ((run_arms, "prompt_source"), (run_cases, "body")):
            self._copy_with_texts(source, target, (table, column), (run["id"], number))
        metrics = self._copy_metrics(source, target, run["id"], number)
        self._copy_samples(source, target, run["id"], number)
        self._copy_scores(source, target, metrics)

    def _copy_with_texts(
        self, source: sa.Connection, target: sa.Connection, column: tuple[sa.Table, str], numbers: tuple[int, int]
    ) -> None:
        """Copy the rows of a run that refer to texts: from the run of the first number to that of the second."""
        table, name = column
        for page in _pages(source, sa.select(table).where(table.c.run == numbers[0])):
            texts = _moved_texts(source, target, [row[name] for row in page])
            rows = [{**row, "run": numbers[1], name: texts[row[name]]} for row in page if row[name] in texts]
            self._add(target, table, rows)

    def _copy_metrics(self, source: sa.Connection, target: sa.Connection, old: int, new: int) -> dict[int, int]:
        """Copy the definitions of a run's metrics; return their numbers here -> there."""
        moved: dict[int, int] = {}
        for row in _rows(source, run_metrics, old):
            result = target.execute(sa.insert(run_metrics).values({**_without(row, "id"), "run": new}))
            moved[row["id"]] = int(result.inserted_primary_key[0])  # type: ignore[index] # a single row has one
        return moved

    def _copy_samples(self, source: sa.Connection, target: sa.Connection, old: int, new: int) -> None:
        """Copy samples, each with what it refers to under the target's numbers."""
        keys = responses.c.key.label("_key")
        query = (
            sa.select(samples, keys)
            .join(responses, responses.c.id == samples.c.response, isouter=True)
            .where(samples.c.run == old)
        )
        for page in _pages(source, query):
            answers = _numbers(target, responses, "key", [row["_key"] for row in page if row["_key"] is not None])
            texts = _moved_texts(source, target, [row["messages"] for row in page if row["messages"] is not None])
            rows = [
                {
                    **_without(row, "_key"),
                    "run": new,
                    "response": answers.get(row["_key"]),
                    "messages": texts.get(row["messages"]),
                }
                for row in page
                if row["error_kind"] is not None or row["_key"] in answers
            ]
            self._add(target, samples, rows)
            self.report.samples += len(rows)
            self.report.lost_samples += len(page) - len(rows)

    def _copy_scores(self, source: sa.Connection, target: sa.Connection, metrics: Mapping[int, int]) -> None:
        for old, new in metrics.items():
            for page in _pages(source, sa.select(scores).where(scores.c.metric == old)):
                self._add(target, scores, [{**row, "metric": new} for row in page])
                self.report.scores += len(page)

    # -- what points at runs and answers ---------------------------------------------------------------------------

    def _copy_baselines(self, source: sa.Connection) -> None:
        """Copy the baselines of suites that have none there."""
        query = sa.select(baselines, runs.c.run_id).join(runs, runs.c.id == baselines.c.run)
        with self._writing() as target:
            known = frozenset(target.scalars(sa.select(baselines.c.suite)))
            for row in source.execute(query).mappings().all():
                number = target.scalar(sa.select(runs.c.id).where(runs.c.run_id == row["run_id"]))
                if row["suite"] in known or number is None:
                    self.report.already += row["suite"] in known
                    continue
                self._add(target, baselines, [{"suite": row["suite"], "run": number, "set_us": row["set_us"]}])
                self.report.baselines += 1

    def _copy_reviews(self, source: sa.Connection) -> None:
        for page in _pages(source, sa.select(reviews).order_by(reviews.c.id)):
            names = [row["review_id"] for row in page]
            with self._writing() as target:
                known = _numbers(target, reviews, "review_id", names)
                self._add(target, reviews, [_without(row, "id") for row in page if row["review_id"] not in known])
                there = _numbers(target, reviews, "review_id", names)
                self.report.reviews += len(there) - len(known)
                self.report.already += len(known)
                self._copy_revisions(source, target, {row["id"]: there[row["review_id"]] for row in page})
        with self._writing() as target:
            for table in (review_scales, review_codes):
                self._add(target, table, [dict(row) for row in source.execute(sa.select(table)).mappings()])

    def _copy_batches(self, source: sa.Connection) -> None:
        """Copy the batches that are out with their calls, but for those that the target has answers to."""
        for found in source.execute(sa.select(batches).where(batches.c.ended_us.is_(None))).mappings().all():
            row = dict(found)
            with self._writing() as target:
                if _numbers(target, batches, "token", [row["token"]]):
                    self.report.already += 1
                    continue
                new = sa.insert(batches).values({**_without(row, "id"), "poller": None})
                number = int(target.execute(new).inserted_primary_key[0])  # type: ignore[index] # a single row has one
                for page in _pages(source, sa.select(batch_keys.c.key).where(batch_keys.c.batch == row["id"])):
                    known = _numbers(target, responses, "key", [key["key"] for key in page])
                    out = [{"key": key["key"], "batch": number} for key in page if key["key"] not in known]
                    self._add(target, batch_keys, out)
                self.report.batches += 1

    def _copy_revisions(self, source: sa.Connection, target: sa.Connection, moved: Mapping[int, int]) -> None:
        numbers = list(moved.values())
        count = sa.select(sa.func.count()).where(review_revisions.c.review.in_(numbers))
        before = target.execute(count).scalar_one()
        query = sa.select(review_revisions).where(review_revisions.c.review.in_(list(moved)))
        for page in _pages(source, query):
            self._add(target, review_revisions, [{**row, "review": moved[row["review"]]} for row in page])
        self.report.revisions += target.execute(count).scalar_one() - before


def _pages(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[list[Row]]:
    """Yield the rows of a query in pages; nothing beyond a page is in memory."""
    with connection.execute(query, execution_options={"yield_per": _PAGE}) as streamed:
        for part in streamed.mappings().partitions(_PAGE):
            yield [dict(row) for row in part]


def _rows(connection: sa.Connection, table: sa.Table, run: int) -> list[Row]:
    return [dict(row) for row in connection.execute(sa.select(table).where(table.c.run == run)).mappings()]


def _without(row: Mapping[str, Any], name: str) -> Row:
    return {column: value for column, value in row.items() if column != name}


def _numbers(connection: sa.Connection, table: sa.Table, name: str, values: Sequence[str]) -> dict[str, int]:
    """Return name -> number of the rows that are there."""
    wanted = list(dict.fromkeys(values))
    if not wanted:
        return {}
    query = sa.select(table.c[name], table.c.id).where(table.c[name].in_(wanted))
    return {row[0]: row[1] for row in connection.execute(query)}


def _moved_texts(source: sa.Connection, target: sa.Connection, numbers: Sequence[int]) -> dict[int, int]:
    """Return number here -> number there of texts; one that is missing is left out."""
    wanted = sorted(set(numbers))
    if not wanted:
        return {}
    names = source.execute(sa.select(blobs.c.id, blobs.c.hash).where(blobs.c.id.in_(wanted))).all()
    there = _numbers(target, blobs, "hash", [name for _, name in names])
    return {number: there[name] for number, name in names if name in there}


def _extent(connection: sa.Connection, run: int) -> tuple[int, int, tuple[object, ...]]:
    """Return how much there is of a run, samples and scores first, and what else may change after it began."""
    status, exit_code, finished = connection.execute(
        sa.select(runs.c.status, runs.c.exit_code, runs.c.finished_us).where(runs.c.id == run)
    ).one()
    sampled = connection.scalar(sa.select(sa.func.count()).where(samples.c.run == run))
    scored = connection.scalar(
        sa.select(sa.func.count()).select_from(scores.join(run_metrics)).where(run_metrics.c.run == run)
    )
    tags = sorted(connection.scalars(sa.select(run_tags.c.tag).where(run_tags.c.run == run)))
    notes = connection.execute(sa.select(run_metadata.c.name, run_metadata.c.value).where(run_metadata.c.run == run))
    kept = sorted((name, bytes(value)) for name, value in notes)
    ended = "incomplete" if status == "running" else status
    return sampled or 0, scored or 0, (ended, exit_code, finished, tuple(tags), tuple(kept))
