"""Counts what a run did, in all processes that worked on it, from what is stored: each paid call is one response."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from retest.domain.run import JudgeCounts, RunCounts
from retest.store.engine import Database
from retest.store.payloads import PAID_BY, decode_json, decode_text, encode_json
from retest.store.tables import responses, runs, samples

_PAGE = 1000


@dataclass(slots=True)
class _Paid:
    """Calls that were answered, and what that took."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    unpriced: int = 0
    cost_usd: float = 0.0

    def add(self, rest: Mapping[str, Any]) -> None:
        tokens = rest.get("usage") or (None, None)
        self.calls += 1
        self.input_tokens += tokens[0] or 0
        self.output_tokens += tokens[1] or 0
        self.unpriced += rest.get("cost_usd") is None
        self.cost_usd += rest.get("cost_usd") or 0.0

    @property
    def known_cost_usd(self) -> float | None:
        return None if self.unpriced else self.cost_usd


def count_run(database: Database, connection: sa.Connection, number: int) -> RunCounts:
    """Return what is stored of a run; calls that brought no answer are not among it.

    `ledger_hits` are samples that cost nothing, for another run or another arm paid. Of judges they are not known.
    """
    run_id = decode_text(connection.execute(sa.select(runs.c.run_id).where(runs.c.id == number)).scalar_one())
    target, judges, own = _Paid(), dict[str, _Paid](), 0
    used = _used_responses(connection, number)
    for response, role, rest in _paid_by(database, connection, run_id):
        if role == "target":
            target.add(rest)
            own += response in used
        elif name := rest.get("meta", {}).get("judge"):
            judges.setdefault(str(name), _Paid()).add(rest)
    cases, rows, errors = connection.execute(
        sa.select(sa.func.count(samples.c.case.distinct()), sa.func.count(), sa.func.count(samples.c.error_kind)).where(
            samples.c.run == number
        )
    ).one()
    return RunCounts(
        cases=cases,
        samples=rows,
        errors=errors,
        calls=target.calls,
        ledger_hits=rows - errors - own,
        cost_usd=target.known_cost_usd,
        input_tokens=target.input_tokens,
        output_tokens=target.output_tokens,
        unpriced_calls=target.unpriced,
        judges={name: _judge_counts(paid) for name, paid in judges.items()},
    )


def _judge_counts(paid: _Paid) -> JudgeCounts:
    return JudgeCounts(
        calls=paid.calls,
        cost_usd=paid.known_cost_usd,
        input_tokens=paid.input_tokens,
        output_tokens=paid.output_tokens,
    )


def _used_responses(connection: sa.Connection, number: int) -> frozenset[int]:
    """Return the responses in a run's samples; one is in several where two arms are the same."""
    query = sa.select(samples.c.response).where(samples.c.run == number, samples.c.response.is_not(None))
    return frozenset(connection.scalars(query))


def _paid_by(
    database: Database, connection: sa.Connection, run_id: str
) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    """Yield (number, role, all but the output) of the responses that a run paid for.

    The database picks the rows that have the run's name in them; only those are read as JSON.
    """
    named = encode_json(run_id).lstrip()
    last = 0
    while True:
        query = (
            sa.select(responses.c.id, responses.c.role, responses.c.payload)
            .where(responses.c.id > last, _holds(database, named))
            .order_by(responses.c.id)
            .limit(_PAGE)
        )
        rows = connection.execute(query).all()
        for number, role, payload in rows:
            rest = decode_json(bytes(payload))
            if rest.get(PAID_BY) == run_id:
                yield number, role, rest
        if len(rows) < _PAGE:
            return
        last = rows[-1].id


def _holds(database: Database, text: bytes) -> sa.ColumnElement[bool]:
    value = sa.literal(text, sa.LargeBinary)
    if database.is_sqlite:
        return sa.func.instr(responses.c.payload, value) > 0
    return sa.func.position(value.op("IN")(responses.c.payload)) > 0
