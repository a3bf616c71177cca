"""Rows of dataset files, whatever the format: an object and its place, or what is wrong there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from retest.errors import Location, Problem, SuiteError
from retest.suites.dataset_bytes import encoding_of, open_bytes, open_text
from retest.suites.dataset_json import JsonRows, jsonl_rows
from retest.suites.dataset_options import DatasetFile
from retest.suites.dataset_tables import table_rows
from retest.suites.suggestions import did_you_mean
from retest.suites.yaml_nodes import ListNode, MapNode, Node, plain
from retest.suites.yaml_reader import read_yaml

FORMAT_BY_SUFFIX = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".yaml": "yaml",
    ".yml": "yaml",
}
FORMATS = ("jsonl", "json", "csv", "tsv", "yaml")
_DELIMITERS = {"csv": ",", "tsv": "\t"}


class Row(NamedTuple):
    """One row; in a `table` (CSV, TSV) every field is text and an empty one means that there is none."""

    fields: Mapping[str, Any]
    where: Location
    table: bool = False


def read_rows(file: DatasetFile) -> Iterator[Row | Problem]:
    """Yield the rows of a file in order, and in their place the problems.

    Raises:
        SuiteError: the file as a whole cannot be read (missing, unknown format, damaged, wrong encoding).
    """
    kind = format_of(file)
    if kind in _DELIMITERS:
        for item in table_rows(file, file.delimiter or _DELIMITERS[kind]):
            yield item if isinstance(item, Problem) else Row(fields=item[0], where=item[1], table=True)
        return
    if file.columns is not None or file.delimiter is not None:
        raise SuiteError(_not_a_table(file, kind))
    readers: Mapping[str, Callable[[DatasetFile], Iterator[tuple[Any, Location] | Problem]]] = {
        "jsonl": jsonl_rows,
        "json": lambda file: iter(JsonRows(file)),
        "yaml": _yaml_rows,
    }
    for item in readers[kind](file):
        yield item if isinstance(item, Problem) else _row(*item)


def format_of(file: DatasetFile) -> str:
    """Return the file's format: the declared one, else what its name says.

    Raises:
        SuiteError: neither is known.
    """
    if file.format is not None:
        if file.format in FORMATS:
            return file.format
        raise SuiteError(_unknown_format(file, f"unknown format '{file.format}'", did_you_mean(file.format, FORMATS)))
    name = file.path.name.lower().removesuffix(".gz")
    kind = FORMAT_BY_SUFFIX.get(Path(name).suffix)
    if kind is None:
        fix = "rename the file, or set `format:`"
        raise SuiteError(_unknown_format(file, f"the name of {file.display} says no format", fix))
    return kind


def _row(value: Any, where: Location) -> Row | Problem:
    if isinstance(value, dict):
        return Row(fields=value, where=where)
    kind = "null" if value is None else type(value).__name__
    return Problem(
        slug="dataset-row",
        message=f"a row must be an object with fields, not {kind}",
        where=where,
        fix='write {"question": "...", "expected": "..."}',
    )


def _yaml_rows(file: DatasetFile) -> Iterator[tuple[Any, Location] | Problem]:
    """Yield the rows of a YAML file, which is read whole: the format offers no other way."""
    node = read_yaml(_yaml_source(file), file.display)
    rows = _only_list(node)
    if rows is None:
        yield Problem(
            slug="dataset-row",
            message="the file must hold a list of rows, or a mapping with one list",
            where=node.where,
            fix="start each row with '- '",
        )
        return
    for item in rows.items:
        yield plain(item), item.where


def _yaml_source(file: DatasetFile) -> bytes | str:
    if encoding_of(file) == "utf-8":
        with open_bytes(file) as stream:
            return stream.read()
    with open_text(file, newline="\n") as text:
        return text.read()


def _only_list(node: Node) -> ListNode | None:
    if isinstance(node, MapNode):
        lists = [entry.node for entry in node.entries.values() if isinstance(entry.node, ListNode)]
        return lists[0] if len(lists) == 1 else None
    return node if isinstance(node, ListNode) else None


def _unknown_format(file: DatasetFile, message: str, fix: str | None) -> Problem:
    return Problem(
        slug="dataset-format",
        message=message,
        where=Location(path=file.display),
        details=(f"formats: {', '.join(FORMATS)}, each also as .gz",),
        fix=fix,
    )


def _not_a_table(file: DatasetFile, kind: str) -> Problem:
    option = "columns" if file.columns is not None else "delimiter"
    return Problem(
        slug="dataset-format",
        message=f"`{option}` is for csv and tsv; {file.display} is {kind}",
        where=Location(path=file.display),
        fix=f"remove `{option}`, or set `format: csv`",
    )
