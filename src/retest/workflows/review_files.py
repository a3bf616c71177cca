"""Rows of reviews in CSV and JSONL files: written so that spreadsheets run nothing, read back exactly as they were.

In CSV a text that a spreadsheet would take for a formula has an apostrophe before it, which reading takes away again.
Scores have a column each, ``score.helpfulness``, with their scale beside it, ``scale.helpfulness``.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from retest.errors import Location, Problem, UsageError
from retest.workflows.review_rows import FIELDS, Row

BOM = b"\xef\xbb\xbf"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
_DELIMITERS = (",", ";", "\t")
_WHOLE = frozenset({"sample_index", "other_sample_index"})
_TRUTH = frozenset({"blind", "withdrawn"})
_YES = frozenset({"true", "1", "yes", "はい"})
_MAX_CELL = 10_000_000  # characters; the csv module's own limit is below what a model may write


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """One row as it was read, and where."""

    where: Location
    values: Row = field(default_factory=dict)


def write_reviews_jsonl(rows: Iterable[Row], out: BinaryIO) -> None:
    """Write one JSON object a line, UTF-8; lone surrogates are escaped, so that any reader takes the file."""
    for row in rows:
        text = json.dumps(row, ensure_ascii=False, default=str)
        text = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
        out.write(text.encode("utf-8", "backslashreplace") + b"\n")


def write_reviews_csv(rows: Sequence[Row], out: BinaryIO, fields: Sequence[str], dimensions: Sequence[str]) -> None:
    """Write CSV in UTF-8 with the mark that spreadsheets want.

    Args:
        rows: all of them.
        out: where to.
        fields: the columns, ``scores`` and ``scales`` standing for those of every dimension.
        dimensions: also those that nobody has scored yet, so that there is a column to fill in.
    """
    given = [name for row in rows for name in row["scores"]]
    names = list(dict.fromkeys([*dimensions, *given]))
    columns = [column for name in fields for column in _columns(name, names)]
    out.write(BOM)
    text = io.TextIOWrapper(out, encoding="utf-8", errors="backslashreplace", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_cell(_value(row, column)) for column in columns] for row in rows)
    text.detach()


def _columns(name: str, dimensions: Sequence[str]) -> Iterator[str]:
    if name == "scores":
        for dimension in dimensions:
            yield f"score.{dimension}"
            yield f"scale.{dimension}"
    elif name != "scales":
        yield name


def _value(row: Row, column: str) -> Any:
    for prefix, name in (("score.", "scores"), ("scale.", "scales")):
        if column.startswith(prefix):
            return row[name].get(column.removeprefix(prefix))
    return row.get(column)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else ""
    if isinstance(value, int | float):
        return f"{value:.17g}" if isinstance(value, float) else str(value)
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return escape_cell(_join_tags([str(item) for item in value]))
    return escape_cell(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))


def _join_tags(tags: Sequence[str]) -> str:
    is_plain = all(tag == tag.strip() and tag and ";" not in tag and not tag.startswith("[") for tag in tags)
    return "; ".join(tags) if is_plain else json.dumps(tags, ensure_ascii=False)


def escape_cell(text: str) -> str:
    """Return the text with an apostrophe before what a spreadsheet would run; `unescape_cell` takes it away."""
    return f"'{text}" if text.lstrip("'").startswith(_FORMULA) else text


def unescape_cell(text: str) -> str:
    """Return the text that `escape_cell` was given."""
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(_FORMULA) else text


# -- reading -----------------------------------------------------------------------------------------------------------


def read_review_file(data: bytes, display: str, *, encoding: str = "utf-8") -> list[FileRow]:
    """Return the rows of a CSV or JSONL file, told apart by their beginning.

    Raises:
        UsageError: it is not in that encoding, or is neither; with the line.
    """
    text = _decode(data, display, encoding)
    if text.lstrip().startswith("{"):
        return list(_jsonl_rows(text, display))
    return list(_csv_rows(text, display))


def _decode(data: bytes, display: str, encoding: str) -> str:
    name = "utf-8-sig" if encoding.lower().replace("_", "-") in {"utf-8", "utf8"} else encoding
    try:
        return data.decode(name)
    except LookupError:
        raise _unreadable(f"'{encoding}' is no encoding", Location(path=display), "for example utf-8, cp932") from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"the file is not {encoding}: byte 0x{data[error.start]:02x} means nothing there"
        fix = "save it as UTF-8, or name its encoding: --encoding cp932 is what Excel writes on Japanese Windows"
        raise _unreadable(message, Location(path=display, line=line), fix) from None


def _unreadable(message: str, where: Location, fix: str) -> UsageError:
    return UsageError(Problem(slug="review-file", message=message, where=where, fix=fix))


def _jsonl_rows(text: str, display: str) -> Iterator[FileRow]:
    for number, line in enumerate(text.split("\n"), start=1):
        where = Location(path=display, line=number)
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _unreadable(f"the line is no JSON: {error}", where, "each line is one object") from None
        if not isinstance(values, dict):
            raise _unreadable("the line is no JSON object", where, "each line is one object")
        yield FileRow(where=where, values=_checked_shapes(values, where))


def _checked_shapes(values: Row, where: Location) -> Row:
    """Return a JSON row whose parts are of the right kinds."""
    for name, kind, said in (
        ("scores", Mapping, "an object"),
        ("scales", Mapping, "an object"),
        ("tags", list, "a list"),
        ("history", list, "a list"),
    ):
        if values.get(name) is not None and not isinstance(values[name], kind):
            raise _unreadable(f"`{name}` is {said}, not {type(values[name]).__name__}", where, "as an export writes it")
    return {**values, "scores": values.get("scores") or {}, "scales": values.get("scales") or {}}


def _csv_rows(text: str, display: str) -> Iterator[FileRow]:
    header_line = text.split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=header_line.count)
    csv.field_size_limit(_MAX_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(header, display)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                where = Location(path=display, line=reader.line_num)
                yield FileRow(where=where, values=_csv_values(header, cells, where))
    except csv.Error as error:
        where = Location(path=display, line=reader.line_num)
        raise _unreadable(f"the CSV is damaged: {error}", where, "save it again from the spreadsheet") from None


def _check_header(header: Sequence[str], display: str) -> None:
    where = Location(path=display, line=1)
    known = {*FIELDS} - {"scores", "scales"}
    unknown = [name for name in header if name and name not in known and not name.startswith(("score.", "scale."))]
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if not {"case_id", "sample_index"} <= set(header):
        message = "the file has no columns 'case_id' and 'sample_index'"
        raise _unreadable(message, where, "start from an export: retest review export RUN --to csv -o FILE")
    if unknown or twice:
        message = f"column '{(unknown or twice)[0]}' " + ("means nothing" if unknown else "stands there twice")
        raise _unreadable(message, where, f"columns: {', '.join(sorted(known))}, score.NAME, scale.NAME")


def _csv_values(header: Sequence[str], cells: Sequence[str], where: Location) -> Row:
    values: Row = {"scores": {}, "scales": {}}
    for name, cell in zip(header, cells, strict=False):
        if name.startswith("score."):
            if cell.strip():
                values["scores"][name.removeprefix("score.")] = _number(cell, name, where)
        elif name.startswith("scale."):
            if cell.strip():
                values["scales"][name.removeprefix("scale.")] = unescape_cell(cell.strip())
        elif name in _WHOLE:
            values[name] = None if not cell.strip() else _whole(cell, name, where)
        elif name in _TRUTH:
            values[name] = cell.strip().lower() in _YES
        elif name == "tags":
            values[name] = _split_tags(unescape_cell(cell))
        elif name:
            values[name] = unescape_cell(cell) if cell else None
    return values


def _number(cell: str, name: str, where: Location) -> float:
    import unicodedata

    try:
        # Full-width digits are what a Japanese keyboard gives.
        return float(unicodedata.normalize("NFKC", unescape_cell(cell)).strip())
    except ValueError:
        raise _unreadable(f"{name} is no number: {cell[:40]!r}", where, "write a number, or leave it empty") from None


def _whole(cell: str, name: str, where: Location) -> int:
    number = _number(cell, name, where)
    if not number.is_integer():  # an infinity or NaN is none either
        raise _unreadable(f"{name} is no whole number: {cell[:40]!r}", where, "samples count from 0")
    return int(number)


def _split_tags(cell: str) -> list[str]:
    if cell.startswith("["):
        try:
            tags = json.loads(cell)
        except (ValueError, RecursionError):
            tags = None
        if isinstance(tags, list):
            return [str(tag) for tag in tags]
    return [tag.strip() for tag in cell.replace("；", ";").split(";") if tag.strip()]
