"""Figures of a whole arm on the terminal: a line of numbers, a table of labels, the confusion matrix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from retest.domain.figures import MATRIX_LABELS, TELLING, ConfusionMatrix, Figure, FigureChange, MetricFigures
from retest.domain.summary import ArmSummary, MetricSummary
from retest.report.escape import one_line
from retest.report.numbers import MISSING, format_count, format_interval, format_signed, format_value, plural
from retest.report.terminal_table import FittedTable

FEW_LABELS = 8
"""Up to so many labels are shown without being asked for."""
_LABEL_CELLS = 10  # of a column of the matrix


def figure_parts(arms: Sequence[ArmSummary], *, everything: bool | None = None) -> Iterator[list[RenderableType]]:
    """Yield a table of the figures, then of each metric with labels a table of them and the confusion matrix.

    Args:
        arms: of a run.
        everything: every figure, the labels and the matrix too; None shows the figures that say most, and the labels
            where they are few.
    """
    metrics = [metric for arm in arms for metric in arm.metrics if metric.figures is not None]
    if not metrics:
        return
    yield [figure_table(arms, everything=everything is True)]
    for name in dict.fromkeys(metric.name for metric in metrics):
        found = {arm.name: metric.figures for arm, metric in _of(arms, name) if metric.figures is not None}
        yield from _label_parts(name, found, everything=everything)


def _of(arms: Sequence[ArmSummary], name: str) -> Iterator[tuple[ArmSummary, MetricSummary]]:
    return ((arm, metric) for arm in arms for metric in arm.metrics if metric.name == name)


def figure_table(arms: Sequence[ArmSummary], *, everything: bool) -> FittedTable:
    """Return the figures of all labels together as rows, the arms below each; named as a gate names them."""
    several = len(arms) > 1
    table = FittedTable()
    table.add("name", "figure", *(["arm"] if several else []))
    table.add("number", "value", "95% interval")
    for metric, key in dict.fromkeys(_keys(arms, everything=everything)):
        for row, (arm, one) in enumerate(_of(arms, metric)):
            cells = [Text(one_line(f"{metric}.{key}") if row == 0 else "")]
            cells += [Text(one_line(arm.name))] if several else []
            table.add_row(*cells, *_cells(None if one.figures is None else one.figures.get(key)))
    return table


def _keys(arms: Sequence[ArmSummary], *, everything: bool) -> Iterator[tuple[str, str]]:
    for arm in arms:
        for metric in arm.metrics:
            for figure in metric.figures.values if metric.figures is not None else ():
                if figure.label is None and (everything or figure.name in TELLING):
                    yield metric.name, figure.name


def change_table(changes: Sequence[FigureChange], *, everything: bool) -> FittedTable | None:
    """Return figures before and after, with the interval of the difference; None where there is none to show."""
    shown = [one for one in changes if everything or (one.label is None and one.name in TELLING)]
    if not shown:
        return None
    table = FittedTable()
    table.add("name", "figure")
    table.add("number", "before", "after", "change", "95% interval")
    for one in shown:
        low, high = one.range_low, one.range_high
        values = [format_value(value, low=low, high=high) for value in (one.before, one.after)]
        interval = format_interval(one.low, one.high, scale=(low, high))
        table.add_row(
            Text(one_line(one.key)), *values, format_signed(one.delta, low=low, high=high), Text(interval, "dim")
        )
    return table


def _cells(figure: Figure | None) -> tuple[Text, Text]:
    if figure is None:
        return Text(MISSING), Text(MISSING)
    scale = (figure.range_low, figure.range_high)
    value = format_value(figure.value, low=scale[0], high=scale[1])
    return Text(value, "bold"), Text(format_interval(figure.low, figure.high, scale=scale), "dim")


def _label_parts(
    name: str, found: Mapping[str, MetricFigures], *, everything: bool | None
) -> Iterator[list[RenderableType]]:
    for arm, figures in found.items():
        matrix = figures.confusion
        if matrix is None or everything is False:
            continue
        if everything is None and len(matrix.labels) > FEW_LABELS:
            many = f"{one_line(name)} has {plural(len(matrix.labels), 'label')}: retest show --figures has them all"
            yield [Text(many, "dim")]
            return
        title = f"{one_line(name)} by label" + (f", {one_line(arm)}" if len(found) > 1 else "")
        yield [Text(title, "bold"), label_table(figures, matrix)]
        yield [matrix_table(matrix)]


def label_table(figures: MetricFigures, matrix: ConfusionMatrix) -> FittedTable:
    """Return precision, recall and F1 of each label, and how many samples should have it."""
    table = FittedTable()
    table.add("name", "label")
    table.add("number", "precision", "recall", "f1", "95% interval", "samples")
    for label in matrix.labels:
        values = [figures.get(f"{kind}.{label}") for kind in ("precision", "recall", "f1")]
        f1 = values[-1]
        numbers = [format_value(None if one is None else one.value) for one in values]
        interval = MISSING if f1 is None else format_interval(f1.low, f1.high, scale=(0.0, 1.0))
        table.add_row(Text(one_line(label)), *numbers, Text(interval, "dim"), format_count(matrix.expected(label)))
    return table


def matrix_table(matrix: ConfusionMatrix) -> RenderableType:
    """Return the confusion matrix: rows are expected, columns given; an empty cell is none."""
    if len(matrix.labels) > MATRIX_LABELS:
        return _mistakes(matrix)
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
    table.add_column("expected ↓ given →", overflow="fold", min_width=8)
    for number, column in enumerate(matrix.columns):
        if number < len(matrix.labels) or any(row[-1] for row in matrix.counts):
            table.add_column(one_line(column), justify="right", overflow="fold", max_width=_LABEL_CELLS)
    for number, (label, row) in enumerate(zip(matrix.labels, matrix.counts, strict=True)):
        cells = [_count(count, right=place == number) for place, count in enumerate(row)]
        table.add_row(Text(one_line(label)), *cells[: len(table.columns) - 1])
    return table


def _count(count: int, *, right: bool) -> Text:
    if count == 0:
        return Text("·", "dim")
    return Text(format_count(count), "green" if right else "red")


def _mistakes(matrix: ConfusionMatrix) -> FittedTable:
    """Return the commonest confusions, where a matrix would fit no screen."""
    table = FittedTable()
    table.add("name", "expected", "given")
    table.add("number", "samples")
    for label, column, count in matrix.mistakes(MATRIX_LABELS):
        table.add_row(Text(one_line(label)), Text(one_line(column)), format_count(count))
    return table
