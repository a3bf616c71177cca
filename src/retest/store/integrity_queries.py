"""The checks of a store's rows: what each finds wrong, and what mends it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from retest.store.engine import Database
from retest.store.liveness import Observer
from retest.store.owners import drop_dead, is_alive
from retest.store.payloads import decode_json, decode_text
from retest.store.tables import (
    baselines,
    batch_keys,
    batches,
    blobs,
    claims,
    owners,
    responses,
    review_revisions,
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

Look = Callable[[sa.Connection, int], tuple[int, Sequence[str]]]
Mend = Callable[[sa.Connection], None]

_AGAIN = "the same `retest run` asks for what is missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCheck:
    """One check: `look` returns how many rows are at fault, with examples; `mend`, where there is one, mends them."""

    kind: str
    what: str
    look: Look
    mend: Mend | None = None
    repair: str = ""
    advice: str = ""


def row_checks(database: Database, observer: Observer) -> list[RowCheck]:
    """Return the checks in the order in which they have to be made."""
    return [
        *_parts_without_their_whole(),
        _lost_texts(),
        _samples_without_answer(),
        _samples_without_case(),
        _lost_messages(),
        _scores_without_sample(),
        _short_runs(),
        _missing_scores(),
        _dangling_runs(database, observer),
        _dead_claims(database, observer),
    ]


# -- parts of what is gone -----------------------------------------------------------------------------------------


def _parts_without_their_whole() -> list[RowCheck]:
    wholes: Sequence[tuple[sa.Table, str, sa.Table]] = (
        *((table, "run", runs) for table in (run_arms, run_metrics, run_tags, run_metadata, run_cases, samples)),
        (baselines, "run", runs),
        (scores, "metric", run_metrics),
        (review_revisions, "review", reviews),
        (batch_keys, "batch", batches),
    )
    return [_orphans(table, name, whole) for table, name, whole in wholes]


def _orphans(table: sa.Table, name: str, whole: sa.Table) -> RowCheck:
    condition = table.c[name].not_in(sa.select(whole.c.id))
    return RowCheck(
        kind=f"orphans-{table.name}",
        what=f"rows of {table.name} belong to nothing in {whole.name}",
        look=_counted(table, condition, lambda row: f"{name} {row[0]}", table.c[name]),
        mend=_deleting(table, condition),
        repair="remove them",
    )


# -- references that lead nowhere ----------------------------------------------------------------------------------


def _lost_texts() -> RowCheck:
    """Return the check for cases, prompts and suites whose text is gone: nothing can bring it back."""
    users = (
        (run_cases, run_cases.c.body, run_cases.c.run),
        (run_arms, run_arms.c.prompt_source, run_arms.c.run),
        (runs, runs.c.source, runs.c.id),
    )

    def look(connection: sa.Connection, most: int) -> tuple[int, Sequence[str]]:
        found: list[str] = []
        count = 0
        for table, column, run in users:
            condition = column.not_in(sa.select(blobs.c.id))
            names = sa.select(runs.c.run_id).where(runs.c.id.in_(sa.select(run).where(condition)))
            count += connection.scalar(sa.select(sa.func.count()).select_from(table).where(condition)) or 0
            found += [f"{decode_text(name)}: {table.name}" for name in connection.scalars(names.limit(most))]
        return count, found[:most]

    return RowCheck(
        kind="lost-texts",
        what="texts of cases, prompts or suites are gone",
        look=look,
        advice="restore a backup, or delete those runs (retest delete RUN); their answers stay paid for",
    )


def _samples_without_answer() -> RowCheck:
    lost = sa.and_(samples.c.response.is_not(None), samples.c.response.not_in(sa.select(responses.c.id)))
    return RowCheck(
        kind="lost-answers",
        what="samples refer to answers that are gone",
        look=_counted_samples(lost),
        mend=_taking_samples_out(lost),
        repair=f"take them out and mark their runs incomplete: {_AGAIN}",
    )


def _samples_without_case() -> RowCheck:
    lost = ~sa.exists().where(run_cases.c.run == samples.c.run, run_cases.c.case == samples.c.case)
    return RowCheck(
        kind="lost-cases",
        what="samples refer to cases that are gone",
        look=_counted_samples(lost),
        mend=_taking_samples_out(lost),
        repair=f"take them out and mark their runs incomplete: {_AGAIN}",
    )


def _lost_messages() -> RowCheck:
    lost = sa.and_(samples.c.messages.is_not(None), samples.c.messages.not_in(sa.select(blobs.c.id)))
    return RowCheck(
        kind="lost-messages",
        what="samples refer to rendered messages that are gone",
        look=_counted_samples(lost),
        mend=lambda connection: _done(connection.execute(sa.update(samples).where(lost).values(messages=None))),
        repair="forget the reference: answers and scores stay",
    )


def _scores_without_sample() -> RowCheck:
    condition = ~sa.exists().where(
        run_metrics.c.id == scores.c.metric,
        samples.c.run == run_metrics.c.run,
        samples.c.case == scores.c.case,
        samples.c.arm == scores.c.arm,
        samples.c.sample == scores.c.sample,
    )
    return RowCheck(
        kind="orphans-of-samples",
        what="scores belong to samples that are not there",
        look=_counted(scores, condition, lambda row: f"metric {row[0]}", scores.c.metric),
        mend=_deleting(scores, condition),
        repair="remove them",
    )


# -- what is missing -----------------------------------------------------------------------------------------------


def _short_runs() -> RowCheck:
    """Return the check for complete runs with fewer samples than they counted when they ended."""

    def short(connection: sa.Connection) -> list[tuple[int, str]]:
        stored = sa.select(samples.c.run, sa.func.count().label("rows")).group_by(samples.c.run).subquery()
        query = (
            sa.select(runs.c.id, runs.c.run_id, runs.c.counts, sa.func.coalesce(stored.c.rows, 0))
            .join(stored, stored.c.run == runs.c.id, isouter=True)
            .where(runs.c.status == "complete")
        )
        return [
            (number, f"{decode_text(name)}: {rows} of {counted}")
            for number, name, counts, rows in connection.execute(query)
            if rows < (counted := int(decode_json(bytes(counts)).get("samples", 0)))
        ]

    def look(connection: sa.Connection, most: int) -> tuple[int, Sequence[str]]:
        found = short(connection)
        return len(found), [text for _, text in found[:most]]

    def mend(connection: sa.Connection) -> None:
        numbers = [number for number, _ in short(connection)]
        connection.execute(sa.update(runs).where(runs.c.id.in_(numbers)).values(status="incomplete"))

    return RowCheck(
        kind="missing-samples",
        what="complete runs have fewer samples than they had",
        look=look,
        mend=mend,
        repair=f"mark them incomplete: {_AGAIN}",
    )


def _missing_scores() -> RowCheck:
    """Return the check for answers of complete runs that a metric has no score of, nor why there is none."""
    newer = run_metrics.alias()
    is_current = ~sa.exists().where(
        newer.c.run == run_metrics.c.run,
        newer.c.name == run_metrics.c.name,
        sa.or_(
            newer.c.created_us > run_metrics.c.created_us,
            sa.and_(newer.c.created_us == run_metrics.c.created_us, newer.c.id > run_metrics.c.id),
        ),
    )
    missing = (
        sa.select(runs.c.run_id, run_metrics.c.name)
        .select_from(samples.join(runs, runs.c.id == samples.c.run).join(run_metrics, run_metrics.c.run == runs.c.id))
        .where(
            runs.c.status == "complete",
            run_metrics.c.created_us > 0,  # 0: it is being scored
            is_current,
            samples.c.response.is_not(None),
            ~sa.exists().where(
                scores.c.metric == run_metrics.c.id,
                scores.c.arm == samples.c.arm,
                scores.c.case == samples.c.case,
                scores.c.sample == samples.c.sample,
            ),
        )
    )

    def look(connection: sa.Connection, most: int) -> tuple[int, Sequence[str]]:
        count = connection.scalar(sa.select(sa.func.count()).select_from(missing.subquery())) or 0
        names = connection.execute(missing.distinct().limit(most)) if count else ()
        return count, [f"{decode_text(run)}: {decode_text(metric)}" for run, metric in names]

    return RowCheck(
        kind="missing-scores",
        what="answers of complete runs have no score",
        look=look,
        advice="retest rescore RUN scores what has none; no target is called",
    )


# -- what processes left behind ------------------------------------------------------------------------------------


def _dangling_runs(database: Database, observer: Observer) -> RowCheck:
    def dangling(connection: sa.Connection) -> list[tuple[int, str]]:
        running = connection.execute(
            sa.select(runs.c.id, runs.c.run_id, runs.c.owner).where(runs.c.status == "running")
        ).all()
        return [
            (row.id, decode_text(row.run_id))
            for row in running
            if row.owner is None or not is_alive(database, connection, decode_text(row.owner), observer)
        ]

    def look(connection: sa.Connection, most: int) -> tuple[int, Sequence[str]]:
        found = dangling(connection)
        return len(found), [name for _, name in found[:most]]

    def mend(connection: sa.Connection) -> None:
        numbers = [number for number, _ in dangling(connection)]
        values = {"status": "incomplete", "owner": None}
        connection.execute(sa.update(runs).where(runs.c.id.in_(numbers)).values(values))

    return RowCheck(
        kind="dangling-runs",
        what="runs are marked as running, but their processes are gone",
        look=look,
        mend=mend,
        repair="mark them incomplete: the same `retest run` goes on with them",
    )


def _dead_claims(database: Database, observer: Observer) -> RowCheck:
    unowned = claims.c.owner.not_in(sa.select(owners.c.id))

    def mend(connection: sa.Connection) -> None:
        connection.execute(sa.delete(claims).where(unowned))
        drop_dead(database, connection, observer)

    return RowCheck(
        kind="orphans-claims",
        what="claims belong to no process",
        look=_counted(claims, unowned, lambda row: str(row[0])[:16], claims.c.key),
        mend=mend,
        repair="remove them",
    )


# -- in common -----------------------------------------------------------------------------------------------------


def _counted(
    table: sa.Table, condition: sa.ColumnElement[bool], name: Callable[[Sequence[Any]], str], column: sa.Column[Any]
) -> Look:
    def look(connection: sa.Connection, most: int) -> tuple[int, Sequence[str]]:
        count = connection.scalar(sa.select(sa.func.count()).select_from(table).where(condition)) or 0
        rows = connection.execute(sa.select(column).where(condition).distinct().limit(most)).all() if count else []
        return count, [name(tuple(row)) for row in rows]

    return look


def _counted_samples(condition: sa.ColumnElement[bool]) -> Look:
    def look(connection: sa.Connection, most: int) -> tuple[int, Sequence[str]]:
        count = connection.scalar(sa.select(sa.func.count()).select_from(samples).where(condition)) or 0
        if not count:
            return 0, []
        query = (
            sa.select(runs.c.run_id, samples.c.case, samples.c.sample)
            .join(runs, runs.c.id == samples.c.run)
            .where(condition)
            .limit(most)
        )
        rows = connection.execute(query).all()
        return count, [f"{decode_text(run)}: case {case}, sample {sample}" for run, case, sample in rows]

    return look


def _taking_samples_out(condition: sa.ColumnElement[bool]) -> Mend:
    def mend(connection: sa.Connection) -> None:
        touched = list(connection.scalars(sa.select(samples.c.run).where(condition).distinct()))
        connection.execute(sa.delete(samples).where(condition))
        complete = sa.update(runs).where(runs.c.id.in_(touched), runs.c.status == "complete")
        connection.execute(complete.values(status="incomplete"))

    return mend


def _deleting(table: sa.Table, condition: sa.ColumnElement[bool]) -> Mend:
    return lambda connection: _done(connection.execute(sa.delete(table).where(condition)))


def _done(_result: object) -> None:
    return None
