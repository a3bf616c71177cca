"""Figures of two compared arms in Markdown."""

from __future__ import annotations

from retest.domain.comparison import ArmComparison
from retest.domain.figures import TELLING, FigureChange
from retest.report.markdown_text import escape_text, figure, folded, table
from retest.report.numbers import format_interval, format_signed, format_value

_NAME = 80  # characters of a name


def figures(arm: ArmComparison, shown: int) -> str | None:
    """Return the figures before and after, None where there are none; no verdict is given on them."""
    rows = [_row(change) for change in arm.figures if change.label is None and change.name in TELLING]
    if not rows or not shown:
        return None
    body = table(("figure", "before", "after", "change", "95% interval"), rows[:shown])
    return folded("Figures of the whole run (no verdict)", body)


def _row(change: FigureChange) -> tuple[str, ...]:
    low, high = change.range_low, change.range_high
    cells = (
        format_value(change.before, low=low, high=high),
        format_value(change.after, low=low, high=high),
        format_signed(change.delta, low=low, high=high),
        format_interval(change.low, change.high, scale=(low, high)),
    )
    return (escape_text(change.key, chars=_NAME), *map(figure, cells))
