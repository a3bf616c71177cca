"""Reads the headers of runs: lists, one by its id, an unfinished one to resume."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import sqlalchemy as sa

from retest.domain.json_value import JsonValue
from retest.domain.run import Run, RunStatus
from retest.errors import Problem, UsageError
from retest.store.blobs import read_blobs
from retest.store.engine import now_s
from retest.store.payloads import decode_json, decode_optional, decode_text, decode_time, encode_text, encode_time
from retest.store.records import MetricCondition, RunFilter
from retest.store.run_headers import decode_arm, decode_counts, decode_header, decode_metric
from retest.store.tables import run_arms, run_metadata, run_metrics, run_tags, runs

LATEST = "latest"

_PAGE = 50  # headers read at once
_CANDIDATES = 8  # run ids listed in a message
_SKEW_S = 600  # the clocks of a team's machines may differ by so much


def list_runs(connection: sa.Connection, wanted: RunFilter) -> list[Run]:
    """Return the runs that fulfil every condition, the newest first."""
    numbers = list_run_numbers(connection, wanted)
    found: list[Run] = []
    for start in range(0, len(numbers), _PAGE):
        found += (run for run in load_runs(connection, numbers[start : start + _PAGE]) if _fulfils(run, wanted))
        if wanted.limit is not None and len(found) >= wanted.limit:
            return found[: wanted.limit]
    return found


def list_run_numbers(connection: sa.Connection, wanted: RunFilter) -> list[int]:
    """Return the numbers of the runs that fulfil what columns can tell (not metadata, metrics, limit)."""
    return list(connection.scalars(_matching(wanted).order_by(*newest_first(connection))))


def newest_first(connection: sa.Connection) -> tuple[sa.ColumnElement[Any], ...]:
    """Return the order of runs by time; those of a clock that was ahead come last until then.

    Else a run that began while the clock was a year ahead would be ``latest`` for a year.
    """
    until_us = int((now_s(connection) + _SKEW_S) * 1_000_000)
    return (runs.c.started_us > until_us, runs.c.started_us.desc(), runs.c.id.desc())


def _matching(wanted: RunFilter) -> sa.Select[int]:
    """Return the query for what the columns can say; `_fulfils` judges the rest."""
    query = sa.select(runs.c.id)
    if wanted.suite:
        query = query.where(begins(runs.c.suite, wanted.suite))
    if wanted.commit:
        query = query.where(begins(runs.c.git_commit, wanted.commit.lower()))
    if wanted.statuses:
        query = query.where(runs.c.status.in_(wanted.statuses))
    if wanted.since is not None:
        query = query.where(runs.c.started_us >= encode_time(wanted.since))
    if wanted.prompt:
        query = query.where(runs.c.id.in_(sa.select(run_arms.c.run).where(_is_prompt(wanted.prompt))))
    for tag in wanted.tags:
        query = query.where(runs.c.id.in_(sa.select(run_tags.c.run).where(run_tags.c.tag == encode_text(tag))))
    return query


def begins(column: sa.ColumnElement[Any], prefix: str) -> sa.ColumnElement[bool]:
    """Return the condition that a text begins with a prefix, letter for letter."""
    text = encode_text(prefix)
    return sa.func.substr(column, 1, len(text)) == text


def _is_prompt(prompt: str) -> sa.ColumnElement[bool]:
    text = encode_text(prompt)
    return sa.or_(
        run_arms.c.prompt_name == text, run_arms.c.prompt_path == text, begins(run_arms.c.prompt_hash, prompt)
    )


def _fulfils(run: Run, wanted: RunFilter) -> bool:
    has_metadata = all(
        name in run.metadata and _same_value(run.metadata[name], text) for name, text in wanted.metadata.items()
    )
    has_text = not wanted.text or wanted.text.casefold() in _header_text(run)
    has_label = wanted.label is None or any(wanted.label in arm.labels for arm in run.arms)
    return (
        has_metadata
        and has_text
        and has_label
        and all(_mean_fulfils(run.summary, condition) for condition in wanted.metrics)
    )


def _header_text(run: Run) -> str:
    """Return what a person may remember a run by, each part on its own line."""
    arms = [part for arm in run.arms for part in (arm.name, arm.prompt_path, arm.model, arm.prompt_hash)]
    notes = [part for name, value in run.metadata.items() for part in (name, str(value))]
    origin = [run.provenance.git_commit, run.provenance.git_branch, run.provenance.user]
    parts = [run.run_id, run.suite, run.suite_path, run.status, *arms, *run.tags, *notes, *origin]
    return "\n".join(part for part in parts if part).casefold()


def _same_value(value: JsonValue, text: str) -> bool:
    if isinstance(value, str):
        return value == text
    if isinstance(value, bool) or value is None:
        return text == {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, int | float):
        try:
            return float(text) == value
        except ValueError:
            return False
    return False


def _mean_fulfils(summary: Mapping[str, Any], condition: MetricCondition) -> bool:
    return any(
        name == condition.metric and isinstance(mean, int | float) and condition.accepts(mean)
        for name, mean in _means(summary)
    )


def _means(part: Any) -> Iterator[tuple[str, Any]]:
    """Yield metric names and means: `metrics` and `arms` are lists of named objects, or objects by name."""
    if not isinstance(part, Mapping):
        return
    for name, metric in _named(part.get("metrics")):
        yield name, metric.get("mean")
    for _, arm in _named(part.get("arms")):
        yield from _means(arm)


def _named(items: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    pairs = items.items() if isinstance(items, Mapping) else [(None, item) for item in items or ()]
    for name, item in pairs:
        if isinstance(item, Mapping):
            yield str(name if name is not None else item.get("name")), item


def load_runs(connection: sa.Connection, numbers: Sequence[int]) -> Iterator[Run]:
    """Yield whole headers in the order of their numbers given."""
    rows = {row.id: row for row in connection.execute(sa.select(runs).where(runs.c.id.in_(numbers)))}
    arms = _children(connection, run_arms, numbers, run_arms.c.arm)
    metrics = _children(connection, run_metrics, numbers, run_metrics.c.id)
    tags = _children(connection, run_tags, numbers, run_tags.c.tag)
    metadata = _children(connection, run_metadata, numbers, run_metadata.c.name)
    sources = {row.source for row in rows.values()} | {arm.prompt_source for some in arms.values() for arm in some}
    texts = {number: body.decode("utf-8", "surrogatepass") for number, body in read_blobs(connection, sources).items()}
    for number in numbers:
        if number in rows:
            row = rows[number]
            defined = {metric.name: decode_metric(metric.body) for metric in current_definitions(metrics[number])}
            yield _build_run(
                row,
                texts[row.source],
                arms=tuple(decode_arm(arm, texts[arm.prompt_source]) for arm in arms[number]),
                metrics=tuple(defined.values()),
                tags=tuple(decode_text(tag.tag) for tag in tags[number]),
                metadata={decode_text(item.name): decode_json(item.value) for item in metadata[number]},
            )


def current_definitions(rows: Sequence[Any]) -> list[Any]:
    """Return of several definitions of a metric the one that was scored last, the metrics in the order of their first.

    A definition whose time is 0 is still being scored.
    """
    latest: dict[str, Any] = {}
    for row in sorted(rows, key=lambda row: row.id):
        known = latest.setdefault(row.name, row)
        if (row.created_us, row.id) > (known.created_us, known.id):
            latest[row.name] = row
    return [row for row in latest.values() if row.created_us]


def _children(
    connection: sa.Connection, table: sa.Table, numbers: Sequence[int], order: sa.ColumnElement[Any]
) -> Mapping[int, list[Any]]:
    found: dict[int, list[Any]] = defaultdict(list)
    for row in connection.execute(sa.select(table).where(table.c.run.in_(numbers)).order_by(order)):
        found[row.run].append(row)
    return found


def _build_run(row: Any, source: str, **parts: Any) -> Run:
    return Run(
        run_id=decode_text(row.run_id),
        suite=decode_text(row.suite),
        suite_source=source,
        config_hash=decode_text(row.config_hash),
        status=cast("RunStatus", row.status),
        draw=row.draw,
        started_at=decode_time(row.started_us),
        finished_at=None if row.finished_us is None else decode_time(row.finished_us),
        counts=decode_counts(row.counts),
        summary={} if row.summary is None else decode_json(row.summary),
        exit_code=row.exit_code,
        **decode_header(row.header),
        **parts,
    )


def find_run_number(connection: sa.Connection, name: str) -> int:
    """Return the number of the run that a person named: its id or the beginning of it, ``latest``, or a tag.

    Several runs may carry a tag: the newest is meant.

    Raises:
        UsageError: no run, or several runs, are called so.
    """
    newest = sa.select(runs.c.id).order_by(*newest_first(connection)).limit(1)
    number = connection.scalar(newest) if name == LATEST else _by_prefix(connection, name)
    if number is None and name:
        tagged = sa.select(run_tags.c.run).where(run_tags.c.tag == encode_text(name))
        number = connection.scalar(newest.where(runs.c.id.in_(tagged)))
    if number is None:
        raise _unknown_run(connection, name)
    return int(number)


def _by_prefix(connection: sa.Connection, name: str) -> int | None:
    if not name:
        return None
    query = sa.select(runs.c.id, runs.c.run_id, runs.c.suite).where(begins(runs.c.run_id, name))
    rows = connection.execute(query.order_by(runs.c.run_id).limit(_CANDIDATES + 1)).all()
    exact = [row.id for row in rows if row.run_id == encode_text(name)]
    if exact or len(rows) == 1:
        return int(exact[0] if exact else rows[0].id)
    if not rows:
        return None
    listed = [f"{decode_text(row.run_id)}  {decode_text(row.suite)}" for row in rows[:_CANDIDATES]]
    raise UsageError(
        Problem(
            slug="run-ambiguous",
            message=f"several runs begin with '{name}'",
            details=(*listed, *(("...",) if len(rows) > _CANDIDATES else ())),
            fix="type more of the id",
        )
    )


def _unknown_run(connection: sa.Connection, name: str) -> UsageError:
    ids = [decode_text(run_id) for run_id in connection.scalars(sa.select(runs.c.run_id).limit(10_000))]
    tags = [decode_text(tag) for tag in connection.scalars(sa.select(run_tags.c.tag).distinct().limit(10_000))]
    close = difflib.get_close_matches(name, [*ids, *tags], n=3, cutoff=0.5)
    if not ids:
        return UsageError(
            Problem(slug="run-unknown", message="the store holds no run yet", fix="start one with `retest run SUITE`")
        )
    return UsageError(
        Problem(
            slug="run-unknown",
            message=f"no run has the id or tag '{name}'",
            details=(f"close to it: {', '.join(close)}",) if close else (),
            fix="`retest runs` lists them; 'latest' is the newest",
        )
    )


def find_unfinished(connection: sa.Connection, config_hash: str) -> Sequence[tuple[int, str | None]]:
    """Return number and (encoded) owner of the unfinished runs of a configuration, the newest first."""
    query = sa.select(runs.c.id, runs.c.owner).where(
        runs.c.config_hash == encode_text(config_hash), runs.c.status != "complete"
    )
    rows = connection.execute(query.order_by(*newest_first(connection))).all()
    return [(row.id, decode_optional(row.owner)) for row in rows]
