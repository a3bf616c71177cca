"""One page of a run's cases at a time: found, sorted and cut by the database, so that no run must be held in memory."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

import sqlalchemy as sa

from retest.domain.case import Case
from retest.domain.json_value import content_hash
from retest.store.engine import Database
from retest.store.payloads import decode_json, decode_text, encode_text
from retest.store.run_headers import decode_case
from retest.store.run_queries import find_run_number
from retest.store.sample_queries import read_parts
from retest.store.tables import blobs, responses, run_cases, run_metrics, samples, scores

CaseOutcome: TypeAlias = Literal["passing", "failing", "mixed", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PassRange:
    """Which values of a metric pass; None is no limit."""

    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CasePageFilter:
    """Which cases of one arm, and in which order.

    Attributes:
        arm: its index.
        metric: that judges, for `outcome`; `passes` says which of its values pass.
        outcome: only cases whose samples all pass, all fail, or do both; or with an error.
        sort: the metric by whose mean they are sorted; None for the dataset's order.
        text: contained in an answer, an error, or the case itself (there letter for letter).
        tag: only cases with it.
    """

    arm: int = 0
    metric: str | None = None
    passes: PassRange = field(default_factory=PassRange)
    outcome: CaseOutcome | None = None
    sort: str | None = None
    descending: bool = False
    text: str = ""
    tag: str | None = None


class CaseFigures(NamedTuple):
    """A metric on a case: the mean of its samples, the lowest and highest, how many there are."""

    mean: float | None
    low: float | None
    high: float | None
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseLine:
    """One case on a page; `values` is by metric, `answer` is the beginning of its first answer."""

    case_index: int
    case: Case
    values: Mapping[str, CaseFigures]
    errors: int = 0
    answer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricProgress:
    """What is known of a metric on an arm so far."""

    arm: int
    metric: str
    samples: int
    mean: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProgress:
    """How far a run is."""

    samples: int
    errors: int
    metrics: tuple[MetricProgress, ...] = ()


class CasePages:
    """The cases of one stored run, in pages."""

    def __init__(self, database: Database, run: str) -> None:
        self._database = database
        with database.reading() as connection:
            self._number = find_run_number(connection, run)
            parts = read_parts(connection, self._number)
        self._metrics = {name: number for number, name in parts.metrics.items()}

    def find(self, wanted: CasePageFilter) -> list[int]:
        """Return the indices of all cases that fit, in the order asked for."""
        with self._database.reading() as connection:
            found = _numbers(connection, self._query(wanted))
            if wanted.tag is not None:
                tagged = set(self._tagged(connection, wanted.tag))
                found = [case for case in found if case in tagged]
            if wanted.text and found:
                holding = {*_numbers(connection, self._answering(wanted)), *self._telling(connection, wanted.text)}
                found = [case for case in found if case in holding]
        return found

    def _query(self, wanted: CasePageFilter) -> sa.Select[Any]:
        sorting = self._metrics.get(wanted.sort or "")
        if sorting is not None:
            query, place = self._sorted(wanted, sorting), scores.c.case
        else:
            query = sa.select(run_cases.c.case).where(run_cases.c.run == self._number)
            query = query.order_by(run_cases.c.case.desc() if wanted.descending else run_cases.c.case)
            place = run_cases.c.case
        judging = self._metrics.get(wanted.metric or "")
        if wanted.outcome == "error":
            return query.where(place.in_(self._with_errors(wanted.arm)))
        if wanted.outcome is not None and judging is not None:
            return query.where(place.in_(self._judged(wanted, judging)))
        return query

    def _sorted(self, wanted: CasePageFilter, number: int) -> sa.Select[Any]:
        mean = sa.func.avg(scores.c.value)
        query = sa.select(scores.c.case).where(scores.c.metric == number, scores.c.arm == wanted.arm)
        order = sa.nulls_last(mean.desc() if wanted.descending else mean.asc())
        return query.group_by(scores.c.case).order_by(order, scores.c.case)

    def _judged(self, wanted: CasePageFilter, number: int) -> sa.Select[Any]:
        count, passed = sa.func.count(scores.c.value), sa.func.sum(_passes(wanted.passes))
        condition = {"passing": passed == count, "failing": passed == 0}
        query = sa.select(scores.c.case).where(scores.c.metric == number, scores.c.arm == wanted.arm)
        between = (passed > 0) & (passed < count)
        return query.group_by(scores.c.case).having(count > 0, condition.get(wanted.outcome or "", between))

    def _with_errors(self, arm: int) -> sa.Select[Any]:
        own = (samples.c.run == self._number) & (samples.c.arm == arm)
        return sa.select(samples.c.case).where(own, samples.c.error_kind.is_not(None))

    def _answering(self, wanted: CasePageFilter) -> sa.Select[Any]:
        needle = encode_text(wanted.text)
        return (
            sa.select(samples.c.case)
            .join(responses, responses.c.id == samples.c.response, isouter=True)
            .where(
                samples.c.run == self._number,
                samples.c.arm == wanted.arm,
                responses.c.output.icontains(needle, autoescape=True)
                | samples.c.error_message.icontains(needle, autoescape=True),
            )
        )

    def _tagged(self, connection: sa.Connection, tag: str) -> Iterator[int]:
        """Yield the cases with a tag."""
        yield from (case for case, body in self._containing(connection, tag) if tag in body.get("tags", ()))

    def _telling(self, connection: sa.Connection, text: str) -> Iterator[int]:
        """Yield the cases with a text in their id, variables or expected answer."""
        for case, body in self._containing(connection, text):
            if any(text in part for part in _texts([body.get("case_id"), body.get("vars"), body.get("expected")])):
                yield case

    def _containing(self, connection: sa.Connection, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the cases whose stored body holds a text somewhere: the keys of the JSON are in it too."""
        spelled = json.dumps(text, ensure_ascii=False)[1:-1].encode("utf-8", "replace")
        needle = sa.literal(spelled, sa.LargeBinary)
        body = blobs.c.body
        place = sa.func.position(needle.op("IN")(body)) if self._is_postgres else sa.func.instr(body, needle)
        query = (
            sa.select(run_cases.c.case, body)
            .join(blobs, blobs.c.id == run_cases.c.body)
            .where(run_cases.c.run == self._number, place > 0)
        )
        for case, found in connection.execute(query):
            yield case, decode_json(found)

    @property
    def _is_postgres(self) -> bool:
        return self._database.engine.dialect.name == "postgresql"

    def read(self, arm: int, cases: Sequence[int]) -> list[CaseLine]:
        """Return these cases with what an arm came to on them, in the order given."""
        if not cases:
            return []
        with self._database.reading() as connection:
            bodies = self._bodies(connection, cases)
            values = self._values(connection, arm, cases)
            answers, errors = self._answers(connection, arm, cases)
        return [
            CaseLine(
                case_index=index,
                case=bodies[index],
                values=values[index],
                errors=errors.get(index, 0),
                answer=answers.get(index, ""),
            )
            for index in cases
            if index in bodies
        ]

    def _bodies(self, connection: sa.Connection, cases: Sequence[int]) -> dict[int, Case]:
        query = (
            sa.select(run_cases.c.case, blobs.c.body, run_cases.c.place)
            .join(blobs, blobs.c.id == run_cases.c.body)
            .where(run_cases.c.run == self._number, run_cases.c.case.in_(cases))
        )
        return {index: decode_case(body, place) for index, body, place in connection.execute(query)}

    def _values(
        self, connection: sa.Connection, arm: int, cases: Sequence[int]
    ) -> Mapping[int, dict[str, CaseFigures]]:
        value = scores.c.value
        query = sa.select(
            scores.c.metric,
            scores.c.case,
            sa.func.avg(value),
            sa.func.min(value),
            sa.func.max(value),
            sa.func.count(value),
        ).where(scores.c.metric.in_(self._metrics.values()), scores.c.arm == arm, scores.c.case.in_(cases))
        names = {number: name for name, number in self._metrics.items()}
        found: dict[int, dict[str, CaseFigures]] = defaultdict(dict)
        for metric, case, *figures in connection.execute(query.group_by(scores.c.metric, scores.c.case)):
            found[case][names[metric]] = CaseFigures(*figures)
        return found

    def _answers(
        self, connection: sa.Connection, arm: int, cases: Sequence[int], chars: int = 200
    ) -> tuple[dict[int, str], dict[int, int]]:
        own = (samples.c.run == self._number) & (samples.c.arm == arm) & samples.c.case.in_(cases)
        query = (
            sa.select(samples.c.case, samples.c.error_kind, sa.func.substr(responses.c.output, 1, chars))
            .join(responses, responses.c.id == samples.c.response, isouter=True)
            .where(own)
            .order_by(samples.c.case, samples.c.sample)
        )
        answers: dict[int, str] = {}
        errors: dict[int, int] = defaultdict(int)
        for case, error, output in connection.execute(query):
            if error is not None:
                errors[case] += 1
            elif output and case not in answers:
                answers[case] = decode_text(output)
        return answers, errors

    def ids(self) -> dict[str, int]:
        """Return case id -> index of every case."""
        query = sa.select(run_cases.c.case_id, run_cases.c.case).where(run_cases.c.run == self._number)
        with self._database.reading() as connection:
            return {decode_text(name): index for name, index in connection.execute(query).cursor.fetchall()}

    def answers_by_case(self, arm: int) -> dict[int, str]:
        """Return a hash over all answers of each case, to tell which cases differ between two runs."""
        query = (
            sa.select(samples.c.case, sa.func.coalesce(responses.c.output, samples.c.error_kind))
            .join(responses, responses.c.id == samples.c.response, isouter=True)
            .where(samples.c.run == self._number, samples.c.arm == arm)
            .order_by(samples.c.case, samples.c.sample)
        )
        found: dict[int, str] = {}
        waiting: list[str] = []
        last = -1
        with self._database.reading() as connection:
            for case, output in connection.execute(query).yield_per(5_000):
                if case != last and waiting:
                    found[last] = content_hash(waiting)
                    waiting = []
                last = case
                waiting.append(output)
        if waiting:
            found[last] = content_hash(waiting)
        return found

    def changed_from(self, other: CasePages, arm: int, other_arm: int) -> set[int]:
        """Return the cases with an answer, or failure, that the same case and repeat of another run does not have.

        Both runs must have their cases in the same places; cases that the other has no sample of are left out.
        """
        new, old = samples.alias("new_samples"), samples.alias("old_samples")
        answer, before = responses.alias("new_responses"), responses.alias("old_responses")
        theirs = (old.c.run == other._number) & (old.c.case == new.c.case) & (old.c.arm == other_arm)
        told = sa.func.coalesce(answer.c.output, new.c.error_kind)
        query = (
            sa.select(new.c.case)
            .join(old, theirs & (old.c.sample == new.c.sample), isouter=True)
            .join(answer, answer.c.id == new.c.response, isouter=True)
            .join(before, before.c.id == old.c.response, isouter=True)
            .where(new.c.run == self._number, new.c.arm == arm)
            .where(old.c.response.is_(None) | new.c.response.is_distinct_from(old.c.response))
            .where(told.is_distinct_from(sa.func.coalesce(before.c.output, old.c.error_kind)))
        )
        asked = sa.select(samples.c.case).where(samples.c.run == other._number, samples.c.arm == other_arm)
        with self._database.reading() as connection:
            found = set(_numbers(connection, query))
            return found & set(_numbers(connection, asked)) if found else found

    def means(self, metric: str, arm: int) -> dict[int, float]:
        """Return case index -> mean of a metric's values on it; a case without a value is not there."""
        query = (
            sa.select(scores.c.case, sa.func.avg(scores.c.value))
            .where(scores.c.metric == self._metrics.get(metric), scores.c.arm == arm, scores.c.value.is_not(None))
            .group_by(scores.c.case)
        )
        with self._database.reading() as connection:
            return dict(connection.execute(query).cursor.fetchall())

    def progress(self) -> RunProgress:
        """Return how far the run is, and the mean of each metric so far."""
        counting = sa.select(sa.func.count(), sa.func.count(samples.c.error_kind)).where(samples.c.run == self._number)
        means = (
            sa.select(run_metrics.c.name, scores.c.arm, sa.func.count(scores.c.value), sa.func.avg(scores.c.value))
            .join(scores, scores.c.metric == run_metrics.c.id)
            .where(run_metrics.c.id.in_(self._metrics.values()))
            .group_by(run_metrics.c.name, scores.c.arm)
        )
        with self._database.reading() as connection:
            taken, errors = connection.execute(counting).one()
            rows = connection.execute(means).all()
        return RunProgress(
            samples=taken,
            errors=errors,
            metrics=tuple(
                MetricProgress(metric=decode_text(name), arm=arm, samples=count, mean=mean)
                for name, arm, count, mean in rows
            ),
        )


def _numbers(connection: sa.Connection, query: sa.Select[Any]) -> list[int]:
    return [row[0] for row in connection.execute(query).cursor.fetchall()]


def _texts(value: Any) -> Iterator[str]:
    """Yield every text in a JSON value, names of fields left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _texts(list(value.values()))
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
    elif value is not None:
        yield str(value)


def _passes(limits: PassRange) -> sa.Case[int]:
    conditions: list[sa.ColumnElement[bool]] = [scores.c.value.is_not(None)]
    if limits.low is not None:
        conditions.append(scores.c.value >= limits.low)
    if limits.high is not None:
        conditions.append(scores.c.value <= limits.high)
    return sa.case((sa.and_(*conditions), 1), else_=0)
