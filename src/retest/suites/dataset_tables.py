"""CSV and TSV, read row by row; every cell is text."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator

from retest.errors import Location, Problem
from retest.suites.dataset_bytes import open_text
from retest.suites.dataset_options import DatasetFile

_MAX_CELL = 2**31 - 1  # the csv module's own limit of 128 KiB is less than a long document
_OTHER_DELIMITERS = {";": "a semicolon", "\t": "a tab", "|": "a bar"}


def table_rows(file: DatasetFile, delimiter: str) -> Iterator[tuple[dict[str, str], Location] | Problem]:
    """Yield each record as column -> cell, with the line it starts on."""
    csv.field_size_limit(_MAX_CELL)
    with open_text(file, newline="") as lines:
        records = _Records(file, lines, delimiter)
        columns = file.columns
        if columns is None:
            columns, problems = records.header()
            yield from problems
            if problems or columns is None:
                return
        for cells, where in records:
            if isinstance(cells, Problem):
                yield cells
            elif len(cells) != len(columns):
                yield _wrong_width(len(cells), columns, where)
            else:
                yield dict(zip(columns, cells, strict=True)), where


class _Records:
    """The records of a file, blank lines left out."""

    def __init__(self, file: DatasetFile, lines: Iterator[str], delimiter: str) -> None:
        self._display = file.display
        self._delimiter = delimiter
        self._reader = csv.reader(_without_mark(lines), delimiter=delimiter, strict=True)

    def header(self) -> tuple[tuple[str, ...] | None, list[Problem]]:
        """Return the column names; None where the file is empty."""
        for cells, where in self:
            if isinstance(cells, Problem):
                return None, [cells]
            names = tuple(name.strip() or f"column_{number}" for number, name in enumerate(cells, 1))
            return names, list(self._header_problems(names, where))
        return None, []

    def __iter__(self) -> Iterator[tuple[list[str] | Problem, Location]]:
        while True:
            where = Location(path=self._display, line=self._reader.line_num + 1)
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield _malformed(error, where), where
                continue
            if cells:
                yield cells, where

    def _header_problems(self, names: tuple[str, ...], where: Location) -> Iterator[Problem]:
        for name, count in Counter(names).items():
            if count > 1:
                yield Problem(
                    slug="dataset-columns",
                    message=f"the header names the column '{name}' {count} times",
                    where=where,
                    fix="rename one of them",
                )
        if len(names) == 1:
            yield from self._other_delimiter(names[0], where)

    def _other_delimiter(self, name: str, where: Location) -> Iterator[Problem]:
        for delimiter, words in _OTHER_DELIMITERS.items():
            if delimiter in name:
                yield Problem(
                    slug="dataset-columns",
                    message=f"the header is a single column that contains {words}: '{name[:60]}'",
                    where=where,
                    fix=f"set `delimiter: {delimiter!r}`",
                )


def _without_mark(lines: Iterator[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield line.removeprefix("\ufeff") if number == 0 else line


def _wrong_width(found: int, columns: tuple[str, ...], where: Location) -> Problem:
    return Problem(
        slug="dataset-columns",
        message=f"the row has {found} cells, the header has {len(columns)} columns",
        where=where,
        details=(f"columns: {', '.join(columns)[:200]}",),
        fix="put a cell that contains the delimiter, a quote or a line break in double quotes",
    )


def _malformed(error: csv.Error, where: Location) -> Problem:
    unclosed = "unexpected end of data" in str(error)
    return Problem(
        slug="dataset-csv",
        message="a quoted cell of this row is never closed" if unclosed else f"the row is not valid CSV: {error}",
        where=where,
        fix='a double quote inside a quoted cell is written twice: "say ""hi"""',
    )
