"""Writes cases as rows of a JSONL dataset: appended, never in place of a row that is there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from retest.domain.case import Case
from retest.domain.json_value import JsonValue, content_hash
from retest.domain.run import Run
from retest.errors import Location, Problem, RetestError, UsageError
from retest.workflows.case_choice import CHANGE_TAGS, ChosenCase

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFields:
    """Under which names a dataset's rows hold their parts; None where the row has no such field."""

    id: str | None = None
    expected: str = "expected"
    vars: str | None = None
    cluster: str | None = None
    tags: str = "tags"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedCases:
    """What came of adding: ids of the cases that were written, and of those whose rows were there already."""

    added: tuple[str, ...]
    already: tuple[str, ...]


def row_fields(run: Run) -> RowFields:
    """Return the names that the run's suite gave to the fields of its rows, the usual ones for cases in the suite."""
    from retest.suites.yaml_nodes import plain
    from retest.suites.yaml_reader import read_yaml

    try:
        suite: Any = plain(read_yaml(run.suite_source.encode("utf-8", "surrogatepass"), run.suite_path))
    except RetestError:
        return RowFields()
    entry = suite.get("dataset") if isinstance(suite, Mapping) else None
    if not isinstance(entry, Mapping):
        return RowFields(id="id") if isinstance(entry, list) else RowFields()
    named = {name: entry[name] for name in ("id", "expected", "vars", "cluster", "tags") if entry.get(name)}
    inline = {"id": "id"} if entry.get("path") is None else {}
    return RowFields(**{**inline, **named})


def case_row(chosen: ChosenCase, fields: RowFields, tags: Sequence[str]) -> Row:
    """Return a case as a row: variables as the prompt saw them, tags of the case, of its reviews and `tags`.

    A reviewer's correct answer, the newest, is the expected one of a case that has none.
    """
    case = chosen.case
    row: Row = dict(case.vars) if fields.vars is None else {**case.meta, fields.vars: dict(case.vars)}
    own = [(fields.id, case.case_id), (fields.cluster, case.cluster)]
    for name, value in own:
        if name is not None and value is not None and _look_up(row, name) is None:
            _put(row, name, value)
    expected = _expected(chosen)
    if expected is not None:
        _put(row, fields.expected, expected)
    given = [*case.tags, *(tag for review in chosen.reviews for tag in review.content.tags), *tags]
    if given:
        _put(row, fields.tags, list(dict.fromkeys(given)))
    return row


def change_tags(changes: Sequence[str]) -> list[str]:
    """Return the tags that changes stand for."""
    return [CHANGE_TAGS[change] for change in changes]


def _expected(chosen: ChosenCase) -> JsonValue:
    corrections = [review.content.correction for review in chosen.reviews if review.content.correction is not None]
    if chosen.case.expected is None and corrections:
        return corrections[-1]
    return chosen.case.expected


def _put(row: Row, name: str, value: Any) -> None:
    """Put a value under a name, dotted for a nested field."""
    head, _, rest = name.partition(".")
    if not rest or name in row:
        row[name] = value
        return
    inner = row.get(head)
    row[head] = dict(inner) if isinstance(inner, Mapping) else {}
    _put(row[head], rest, value)


def _look_up(row: Mapping[str, Any], name: str) -> Any:
    if name in row:
        return row[name]
    head, _, rest = name.partition(".")
    inner = row.get(head)
    return _look_up(inner, rest) if rest and isinstance(inner, Mapping) else None


def _without(row: Mapping[str, Any], *names: str) -> Row:
    """Return a row less some fields, nested ones too, so that what is left tells whether two rows ask the same."""
    kept: Row = {name: value for name, value in row.items() if name not in names}
    for name in names:
        head, _, rest = name.partition(".")
        if rest and name not in row and isinstance(kept.get(head), Mapping):
            inner = _without(kept[head], rest)
            kept = {**kept, head: inner} if inner else {key: value for key, value in kept.items() if key != head}
    return kept


# -- the file ----------------------------------------------------------------------------------------------------------


def append_rows(
    path: Path, display: str, rows: Sequence[tuple[Case, Row]], fields: RowFields, *, dry_run: bool = False
) -> AddedCases:
    """Append the rows that the file does not have; its own rows stay byte for byte.

    Raises:
        UsageError: the file is no JSONL, or has a row of the same id, or of the same variables, that says something
            else; then nothing is written.
    """
    if dry_run and not path.exists():
        return _plan(rows, (), fields, display)[0]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("rb" if dry_run else "a+b") as file:
            _lock(file)
            file.seek(0)
            data = file.read()
            report, new = _plan(rows, list(_rows(data, display)), fields, display)
            if new and not dry_run:
                _append(file, data, new)
    except OSError as error:
        message = f"the file cannot be written: {error.strerror}"
        raise UsageError(_problem(message, Location(path=display), "check the folder")) from None
    return report


def _lock(file: BinaryIO) -> None:
    """Let others that append wait, where the system can."""
    try:
        import fcntl
    except ImportError:  # Windows: an append of one write is as safe as it gets there
        return
    fcntl.flock(file.fileno(), fcntl.LOCK_EX)


def _append(file: BinaryIO, data: bytes, rows: Sequence[Row]) -> None:
    start = b"" if not data or data.endswith(b"\n") else b"\n"
    try:
        file.write(start + b"".join(_line(row) for row in rows))
        file.flush()
        os.fsync(file.fileno())
    except OSError:
        file.truncate(len(data))  # a disk that is full leaves no half row
        raise


def _line(row: Row) -> bytes:
    text = json.dumps(row, ensure_ascii=False).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return text.encode("utf-8", "backslashreplace") + b"\n"


def _rows(data: bytes, display: str) -> Iterator[tuple[int, Row]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = Location(path=display, line=data.count(b"\n", 0, error.start) + 1)
        raise UsageError(_problem("the file is not UTF-8", where, "name another: --to FILE.jsonl")) from None
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, _read_line(line, Location(path=display, line=number))


def _read_line(line: str, where: Location) -> Row:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise UsageError(_problem("the file is no JSONL: the line is no JSON object", where, "name another: --to FILE"))
    return row


def _problem(message: str, where: Location, fix: str) -> Problem:
    return Problem(slug="cases-file", message=message, where=where, fix=fix)


def _plan(
    rows: Sequence[tuple[Case, Row]], there: Sequence[tuple[int, Row]], fields: RowFields, display: str
) -> tuple[AddedCases, list[Row]]:
    """Return what is to be written, and what is there."""
    by_question = {_question(row, fields): (number, row) for number, row in there}
    by_id = {str(_look_up(row, fields.id)): (number, row) for number, row in there if fields.id is not None}
    new: list[tuple[Case, Row]] = []
    already: list[str] = []
    problems: list[Problem] = []
    for case, row in rows:
        same = by_question.get(_question(row, fields))
        other = by_id.get(case.case_id) if fields.id is not None else None
        found = same or other
        if found is None:
            new.append((case, row))
            by_question[_question(row, fields)] = (0, row)  # rows that repeat in the dataset are written once
        elif same is None or _look_up(same[1], fields.expected) != _look_up(row, fields.expected):
            what = "expects another answer" if same is not None else "asks something else under the same id"
            message = f"the row of case {case.case_id} {what}"
            where = Location(path=display, line=found[0])
            problems.append(
                Problem(
                    slug="cases-taken", message=message, where=where, fix="mend the row, or name another file: --to"
                )
            )
        else:
            already.append(case.case_id)
    if problems:
        raise UsageError(*problems)
    return AddedCases(added=tuple(case.case_id for case, _ in new), already=tuple(already)), [row for _, row in new]


def _question(row: Row, fields: RowFields) -> str:
    return content_hash(_without(row, fields.expected, fields.tags))
