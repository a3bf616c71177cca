"""Scores made after the fact: added under the definition that made them, shown once they are complete.

A definition is a row of `run_metrics`. While it is being scored its time is 0, and no reader sees it; then it becomes
the run's current definition of that metric. Nothing scored by another definition is touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa

from retest.domain.json_value import JsonValue
from retest.domain.run import RunMetric
from retest.domain.sample import ScoreOutcome
from retest.store.engine import Database
from retest.store.liveness import Observer
from retest.store.owners import is_alive
from retest.store.payloads import decode_json, decode_optional, decode_text, encode_score, encode_text
from retest.store.run_headers import encode_metric
from retest.store.run_queries import find_run_number
from retest.store.run_writer import SCORE_COLUMNS
from retest.store.runs import run_in_use
from retest.store.sample_queries import arm_index, read_parts
from retest.store.tables import run_metrics, runs, scores
from retest.store.writer import Writer

Place = tuple[int, int, int]  # arm, case, sample
PENDING = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedScores:
    """What metrics made of one sample."""

    place: Place
    scores: Mapping[str, ScoreOutcome]


class DefinedScore(NamedTuple):
    """A sample's score by one definition; `failure` is the kind of failure where there is none."""

    case_index: int
    sample_index: int
    value: float | None
    failure: str | None


class DefinedDetails(NamedTuple):
    """What a sample's score by one definition keeps besides its value."""

    case_index: int
    sample_index: int
    details: Mapping[str, JsonValue]


class RescoreWriter:
    """Takes the scores of a run by some definitions; `finish` makes those the run's current ones.

    Attributes:
        scored: metric -> places that this definition has scored before; only failures are missing there.
    """

    def __init__(self, database: Database, writer: Writer, run: str, metrics: Sequence[RunMetric]) -> None:
        self._database = database
        self._writer = writer
        self._metrics = metrics
        self._numbers = writer.write_now(lambda connection: _begin(database, connection, run, metrics))
        with database.reading() as connection:
            self.scored = {name: _scored(connection, number) for name, number in self._numbers.items()}

    def add(self, rows: Sequence[PlacedScores]) -> None:
        """Store scores; durable when it returns. A failure that was there before gives way."""
        cells = [
            (self._numbers[name], *row.place, *encode_score(outcome))
            for row in rows
            for name, outcome in row.scores.items()
        ]
        insert = self._database.prepare_insert(scores, SCORE_COLUMNS, replace=True)
        self._writer.write_now(lambda connection: insert.run(connection, cells))

    def finish(self) -> None:
        """Make the definitions the run's current ones."""

        def work(connection: sa.Connection) -> None:
            for metric in self._metrics:
                number = self._numbers[metric.name]
                current, since_us = _current(connection, number)
                if current == number:
                    continue  # it is already: its place among the metrics stays
                # A clock that was set back must not leave the older definition the current one.
                now_us = max(int(self._database.clock() * 1_000_000), since_us + 1)
                values = {"created_us": now_us, "body": encode_metric(metric)}
                connection.execute(sa.update(run_metrics).where(run_metrics.c.id == number).values(values))

        self._writer.write_now(work)


class Rescoring:
    """The scores of a store that were made after the fact."""

    def __init__(self, database: Database, writer: Writer, observer: Observer) -> None:
        self._database = database
        self._writer = writer
        self._observer = observer

    def start(self, run: str, metrics: Sequence[RunMetric]) -> RescoreWriter:
        """Return what takes a run's scores by these definitions; the run is named as for `Store.get_run`.

        Raises:
            UsageError: there is no such run, or a live process is writing it.
        """
        with self._database.reading() as connection:
            _refuse_live_run(self._database, connection, find_run_number(connection, run), self._observer)
        return RescoreWriter(self._database, self._writer, run, metrics)

    def read(self, run: str, metric: RunMetric, arm: str) -> list[DefinedScore] | None:
        """Return an arm's scores by one definition of a metric, current or not; None where there are none by it.

        Raises:
            UsageError: there is no such run or arm.
        """
        with self._database.reading() as connection:
            number = find_run_number(connection, run)
            arm_number = arm_index(read_parts(connection, number), arm)
            return _scores_by(connection, number, (metric.name, metric.signature), arm_number)

    def details(self, run: str, metric: RunMetric, arm: str) -> list[DefinedDetails] | None:
        """Return what an arm's scores by one definition keep besides their values; None where there are none by it.

        A score that keeps nothing, and a failure, is not there.

        Raises:
            UsageError: there is no such run or arm.
        """
        with self._database.reading() as connection:
            number = find_run_number(connection, run)
            arm_number = arm_index(read_parts(connection, number), arm)
            definition = _definition(connection, number, (metric.name, metric.signature))
            return None if definition is None else _details_of(connection, definition, arm_number)


def _refuse_live_run(database: Database, connection: sa.Connection, number: int, observer: Observer) -> None:
    """Refuse a run that is going on.

    Raises:
        UsageError: a live process is writing it.
    """
    row = connection.execute(sa.select(runs.c.run_id, runs.c.owner).where(runs.c.id == number)).one()
    owner = decode_optional(row.owner)
    if owner is not None and is_alive(database, connection, owner, observer):
        raise run_in_use(decode_text(row.run_id))


def _begin(database: Database, connection: sa.Connection, run: str, metrics: Sequence[RunMetric]) -> dict[str, int]:
    number = find_run_number(connection, run)
    insert = database.insert(run_metrics).on_conflict_do_nothing()
    found: dict[str, int] = {}
    for metric in metrics:
        same = {"run": number, "name": encode_text(metric.name), "signature": encode_text(metric.signature)}
        connection.execute(insert.values(**same, created_us=PENDING, body=encode_metric(metric)))
        found[metric.name] = connection.execute(sa.select(run_metrics.c.id).filter_by(**same)).scalar_one()
    return found


def _scored(connection: sa.Connection, number: int) -> frozenset[Place]:
    query = sa.select(scores.c.arm, scores.c.case, scores.c.sample).where(
        scores.c.metric == number, scores.c.failure.is_(None)
    )
    return frozenset((arm, case, sample) for arm, case, sample in connection.execute(query))


def _current(connection: sa.Connection, number: int) -> tuple[int | None, int]:
    """Return the number of the current definition of the metric that a definition is one of, and its time."""
    own = sa.select(run_metrics.c.run, run_metrics.c.name).where(run_metrics.c.id == number).subquery()
    query = (
        sa.select(run_metrics.c.id, run_metrics.c.created_us)
        .join(own, sa.and_(own.c.run == run_metrics.c.run, own.c.name == run_metrics.c.name))
        .where(run_metrics.c.created_us > PENDING)
        .order_by(run_metrics.c.created_us.desc(), run_metrics.c.id.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return (None, PENDING) if row is None else (row.id, row.created_us)


def _definition(connection: sa.Connection, number: int, metric: tuple[str, str]) -> int | None:
    """Return the number of a definition by the metric's name and signature, None where a run has none."""
    name, signature = map(encode_text, metric)
    defined = sa.select(run_metrics.c.id).where(
        run_metrics.c.run == number,
        run_metrics.c.name == name,
        run_metrics.c.signature == signature,
        run_metrics.c.created_us > PENDING,
    )
    return connection.scalar(defined)


def _details_of(connection: sa.Connection, definition: int, arm: int) -> list[DefinedDetails]:
    query = sa.select(scores.c.case, scores.c.sample, scores.c.details).where(
        scores.c.metric == definition, scores.c.arm == arm, scores.c.value.is_not(None), scores.c.details.is_not(None)
    )
    rows = connection.execute(query.order_by(scores.c.case, scores.c.sample))
    return [DefinedDetails(case, sample, decode_json(bytes(details))) for case, sample, details in rows]


def _scores_by(connection: sa.Connection, number: int, metric: tuple[str, str], arm: int) -> list[DefinedScore] | None:
    definition = _definition(connection, number, metric)
    if definition is None:
        return None
    query = sa.select(scores.c.case, scores.c.sample, scores.c.value, scores.c.failure).where(
        scores.c.metric == definition, scores.c.arm == arm
    )
    rows = connection.execute(query.order_by(scores.c.case, scores.c.sample))
    return [DefinedScore(case, sample, value, decode_optional(failure)) for case, sample, value, failure in rows]
