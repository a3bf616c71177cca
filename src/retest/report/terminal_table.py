"""A table that never breaks a number or a name: where it is too wide, its rows take another shape.

In this order, the first that fits: columns; columns a blank apart; names on lines of their own above the numbers; one
``label value`` after the other. An excerpt is cut, with an ellipsis, and nothing else is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

Kind = Literal["name", "number", "word", "excerpt"]
_FEWEST = 12  # cells of an excerpt that are worth a column
_INDENT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    head: Text
    kind: Kind
    ratio: int


class FittedTable:
    """Rows of names, numbers, words and excerpts, whole at any width of the console.

    `gap` is how many blanks stand between columns where there is room.
    """

    def __init__(self, title: str | None = None, *, gap: int = 2) -> None:
        self._title, self._gap = title, gap
        self._columns: list[_Column] = []
        self._rows: list[list[Text]] = []

    @property
    def row_count(self) -> int:
        """Return how many rows there are."""
        return len(self._rows)

    def add(self, kind: Kind, *heads: str, ratio: int = 1) -> None:
        """Add columns of a kind; `ratio` is the share of the room that is left, of an excerpt."""
        self._columns += [_Column(head=Text(head, "bold"), kind=kind, ratio=ratio) for head in heads]

    def add_row(self, *cells: str | Text) -> None:
        """Add a row; without cells it is blank."""
        self._rows.append([Text(cell) if isinstance(cell, str) else cell for cell in cells])

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table in the first shape that fits."""
        if self._title is not None:
            yield Text(self._title)
        width = options.max_width
        gap = next((gap for gap in (self._gap, 1) if self._room(gap) <= width), None)
        if gap is not None:
            yield self._side_by_side(gap)
        elif self._names and self._stacked_room() <= width:
            yield from self._stacked()
        else:
            yield from self._listed(width)

    # -- how wide --------------------------------------------------------------------------------------------------

    @property
    def _names(self) -> int:
        """Return how many columns of names come first."""
        kinds = [column.kind for column in self._columns]
        return next((i for i, kind in enumerate(kinds) if kind != "name"), len(kinds))

    def _width(self, number: int) -> int:
        cells = [row[number].cell_len for row in self._rows if row]
        widest = max((self._columns[number].head.cell_len, *cells))
        return min(widest, _FEWEST) if self._columns[number].kind == "excerpt" else widest

    def _room(self, gap: int) -> int:
        widths = [self._width(number) for number in range(len(self._columns))]
        return sum(widths) + gap * (len(widths) - 1)

    def _stacked_room(self) -> int:
        rest = range(self._names, len(self._columns))
        if any(self._columns[number].kind == "excerpt" for number in rest):
            return self._room(1) + 1  # an excerpt has a line of its own, which the list gives it
        return _INDENT + sum(self._width(number) for number in rest) + 2 * (len(rest) - 1)

    # -- shapes ----------------------------------------------------------------------------------------------------

    def _side_by_side(self, gap: int) -> Table:
        excerpts = any(column.kind == "excerpt" for column in self._columns)
        table = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False, header_style="bold", expand=excerpts)
        for column in self._columns:
            is_excerpt = column.kind == "excerpt"
            table.add_column(
                column.head,
                justify="right" if column.kind == "number" else "left",
                no_wrap=True,
                overflow="ellipsis",
                ratio=column.ratio if is_excerpt else None,
            )
        for row in self._rows:
            table.add_row(*row)
        return table

    def _stacked(self) -> Iterator[Text]:
        heads = [column.head for column in self._columns]
        yield from self._two_lines(heads)
        for row in self._rows:
            yield from self._two_lines(row) if row else [Text()]

    def _two_lines(self, row: Sequence[Text]) -> Iterator[Text]:
        named = [cell for cell in row[: self._names] if cell.plain]
        if named:
            yield Text("  ").join(named)
        line = Text(" " * _INDENT)
        for number in range(self._names, len(row)):
            cell, width = row[number].copy(), self._width(number)
            blanks = width - cell.cell_len
            line.append(" " * blanks if self._columns[number].kind == "number" else "")
            line.append_text(cell)
            line.append(" " * (2 if self._columns[number].kind == "number" else 2 + blanks))
        line.rstrip()
        yield line

    def _listed(self, width: int) -> Iterator[Text]:
        first = max(self._names, 1)
        for row in self._rows:
            named = [cell for cell in row[:first] if cell.plain]
            if named:
                yield Text("  ", overflow="fold").join(named)
            yield from _packed(self._pairs(row, first, width - _INDENT), width)

    def _pairs(self, row: Sequence[Text], first: int, width: int) -> Iterator[Text]:
        for column, cell in zip(self._columns[first:], row[first:], strict=False):
            if not cell.plain:
                continue
            pair = Text(f"{column.head.plain} " if column.head.plain else "", "dim")
            pair.append_text(cell)
            if column.kind == "excerpt":
                pair.truncate(width, overflow="ellipsis")
            yield pair


def _packed(pairs: Iterator[Text], width: int) -> Iterator[Text]:
    """Yield lines that hold as many of the pairs as fit, two blanks apart."""
    line = Text(" " * _INDENT)
    for pair in pairs:
        if line.cell_len > _INDENT and line.cell_len + pair.cell_len + 2 > width:
            yield line
            line = Text(" " * _INDENT)
        line.append("  " if line.cell_len > _INDENT else "")
        line.append_text(pair)
    if line.cell_len > _INDENT:
        yield line
