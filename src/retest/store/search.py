"""Finds text in the outputs and errors of all runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from retest.errors import Problem, UsageError
from retest.store.engine import Database
from retest.store.payloads import decode_text, decode_time, encode_text
from retest.store.records import MetricCondition, RunFilter, SearchFilter, SearchHit
from retest.store.run_queries import find_run_number, list_run_numbers
from retest.store.sample_queries import read_parts
from retest.store.tables import responses, run_arms, run_cases, runs, samples, scores

_LONGEST = 4000  # SQLite refuses patterns past 50,000 bytes, and a letter may take twelve of them


def search(database: Database, text: str, wanted: SearchFilter) -> Iterator[SearchHit]:
    """Yield the samples whose output or error message contains the text, newest run first.

    ASCII letters match in either case; every other character, ``%`` and ``_`` included, stands for itself.

    Raises:
        UsageError: the text is too long, or there is no such run.
    """
    if len(text) > _LONGEST:
        raise UsageError(
            Problem(
                slug="search-text-too-long",
                message=f"the text to search for has {len(text):,} characters",
                details=(f"expected at most {_LONGEST:,}",),
                fix="search for a shorter part of it",
            )
        )
    left = wanted.limit
    with database.reading() as connection:
        numbers = _runs_to_search(connection, wanted)
    for number in numbers:
        with database.reading() as connection:
            query = _query(connection, number, text, wanted.metric)
            rows = connection.execute(query if left is None else query.limit(left)).all()
        yield from map(_hit, rows)
        if left is not None:
            left -= len(rows)
            if left <= 0:
                return


def _runs_to_search(connection: sa.Connection, wanted: SearchFilter) -> list[int]:
    if wanted.run_id is not None:
        return [find_run_number(connection, wanted.run_id)]
    return list_run_numbers(connection, RunFilter(suite=wanted.suite, prompt=wanted.prompt, tags=wanted.tags))


def _query(connection: sa.Connection, number: int, text: str, metric: MetricCondition | None) -> sa.Select[Any]:
    needle = encode_text(text)
    query = (
        sa.select(
            runs.c.run_id,
            runs.c.suite,
            runs.c.started_us,
            run_arms.c.name,
            run_cases.c.case_id,
            samples.c.sample,
            samples.c.error_message,
            responses.c.output,
        )
        .select_from(samples)
        .join(runs, runs.c.id == samples.c.run)
        .join(run_arms, (run_arms.c.run == samples.c.run) & (run_arms.c.arm == samples.c.arm))
        .join(run_cases, (run_cases.c.run == samples.c.run) & (run_cases.c.case == samples.c.case))
        .join(responses, responses.c.id == samples.c.response, isouter=True)
        .where(
            samples.c.run == number,
            responses.c.output.icontains(needle, autoescape=True)
            | samples.c.error_message.icontains(needle, autoescape=True),
        )
        .order_by(samples.c.case, samples.c.arm, samples.c.sample)
    )
    return query if metric is None else _with_score(connection, number, query, metric)


def _with_score(
    connection: sa.Connection, number: int, query: sa.Select[Any], condition: MetricCondition
) -> sa.Select[Any]:
    parts = read_parts(connection, number)
    numbers = [metric for metric, name in parts.metrics.items() if name == condition.metric]
    same_sample = (
        scores.c.metric.in_(numbers)
        & (scores.c.arm == samples.c.arm)
        & (scores.c.case == samples.c.case)
        & (scores.c.sample == samples.c.sample)
    )
    comparator = "<>" if condition.comparator == "!=" else condition.comparator
    return query.join(scores, same_sample).where(scores.c.value.bool_op(comparator)(condition.value))


def _hit(row: Any) -> SearchHit:
    in_output = row.output is not None
    return SearchHit(
        run_id=decode_text(row.run_id),
        suite=decode_text(row.suite),
        started_at=decode_time(row.started_us),
        arm=decode_text(row.name),
        case_id=decode_text(row.case_id),
        sample_index=row.sample,
        found_in="output" if in_output else "error",
        text=decode_text(row.output if in_output else row.error_message),
    )
