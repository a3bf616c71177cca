"""A plot on the terminal: a mean a mark, its interval a line; in ASCII where the terminal has no more."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import Group
from rich.text import Text

from retest.report.escape import one_line
from retest.report.numbers import format_value
from retest.report.plot import Plot, PlotPoint, ticks

_MARKS, _ASCII_MARKS = "●○◆◇▲△", "ox*+#@"
_STYLES = ("blue", "yellow", "green", "magenta", "cyan", "red")
_NARROWEST = 10


class _Canvas:
    """A field of cells with a value axis, the highest value on top."""

    def __init__(self, plot: Plot, width: int, height: int, *, ascii_only: bool) -> None:
        self.plot, self.width, self.height = plot, width, height
        self.marks = _ASCII_MARKS if ascii_only else _MARKS
        self.bar = "|" if ascii_only else "│"
        self._low, self._high = plot.span()
        self.cells: list[list[tuple[str, str]]] = [[(" ", "")] * width for _ in range(height)]

    def row(self, value: float) -> int:
        share = (self._high - value) / (self._high - self._low)
        return min(self.height - 1, max(0, math.floor(share * self.height)))

    def column(self, at: int, number: int) -> int:
        """Return the column of a place; the series of one place stand beside each other."""
        places = max(1, len(self.plot.labels))
        shift = number - len(self.plot.series) // 2 if self.width // places > len(self.plot.series) else 0
        return min(self.width - 1, max(0, math.floor((at + 0.5) * self.width / places) + shift))

    def draw(self, point: PlotPoint, number: int) -> None:
        column, style = self.column(point.at, number), _STYLES[number % len(_STYLES)]
        if point.low is not None and point.high is not None:
            for row in range(self.row(point.high), self.row(point.low) + 1):
                self.cells[row][column] = (self.bar, style)
        self.cells[self.row(point.mean)][column] = (self.marks[number % len(self.marks)], f"bold {style}")

    def lines(self) -> list[Text]:
        return [Text.assemble(*line) for line in self.cells]


def terminal_plot(plot: Plot, width: int, *, height: int = 12, ascii_only: bool = False) -> Group:
    """Return the plot, no wider than `width` cells."""
    if plot.is_empty:
        return Group(Text(f"{one_line(plot.title)}: nothing to plot"))
    names = {_Canvas(plot, 1, height, ascii_only=True).row(value): value for value in ticks(*plot.span())}
    shown = {row: format_value(value, low=None) for row, value in names.items()}
    margin = max(map(len, shown.values()), default=0)
    canvas = _Canvas(plot, max(_NARROWEST, width - margin - 2), height, ascii_only=ascii_only)
    for number, series in enumerate(plot.series):
        for point in series.points:
            canvas.draw(point, number)
    axis = ("|", "+", "-") if ascii_only else ("│", "┤", "─")
    lines = [Text(one_line(plot.title), "bold")]
    for row, line in enumerate(canvas.lines()):
        edge = axis[1] if row in shown else axis[0]
        lines.append(Text.assemble((f"{shown.get(row, ''):>{margin}} {edge}", "dim"), line))
    corner = "+" if ascii_only else "└"
    lines.append(Text(f"{' ' * margin} {corner}{axis[2] * canvas.width}", "dim"))
    lines.append(Text(" " * (margin + 2) + _places(plot.labels, canvas), "dim"))
    lines += [
        Text.assemble((canvas.marks[number % len(canvas.marks)], _STYLES[number % len(_STYLES)]), f" {one_line(name)}")
        for number, name in enumerate(series.name for series in plot.series)
    ]
    return Group(*lines)


def _places(labels: Sequence[str], canvas: _Canvas) -> str:
    """Return the labels below their places, every second or third where all do not fit."""
    line, end = "", 0
    for at, label in enumerate(labels):
        text = one_line(label)
        start = max(0, canvas.column(at, len(canvas.plot.series) // 2) - cell_len(text) // 2)
        start = max(0, min(start, canvas.width - cell_len(text)))
        if start >= end + (1 if end else 0) and start + cell_len(text) <= canvas.width:
            line = set_cell_size(line, start) + text
            end = start + cell_len(text)
    return line
