"""Means with their intervals along a line of versions or runs: what a plot shows, and the plot as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from retest.report.escape import one_line
from retest.report.numbers import format_value

_WIDTH, _ROW = 900, 22
_LEFT, _RIGHT, _TOP, _HEIGHT, _LABELS = 70, 24, 40, 300, 90
# Told apart by people who see few colours too (Okabe and Ito 2008).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_TICKS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class PlotPoint:
    """One mean with its interval, at a place along the line; `at` indexes the labels."""

    at: int
    mean: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlotSeries:
    """The points of one suite and arm, in order."""

    name: str
    points: tuple[PlotPoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """What a plot shows: one metric, a label for each place along the line, the oldest first."""

    title: str
    labels: tuple[str, ...]
    series: tuple[PlotSeries, ...]

    @property
    def is_empty(self) -> bool:
        """Return whether there is no point."""
        return not any(series.points for series in self.series)

    def span(self) -> tuple[float, float]:
        """Return the lowest and the highest value shown, with a little room around them."""
        values = [
            value
            for series in self.series
            for point in series.points
            for value in (point.mean, point.low, point.high)
            if value is not None and math.isfinite(value)
        ]
        low, high = min(values, default=0.0), max(values, default=1.0)
        room = (high - low) * 0.05 or abs(high) * 0.1 or 0.1
        return low - room, high + room


def ticks(low: float, high: float, most: int = _TICKS) -> list[float]:
    """Return round values within a range, at most so many."""
    step = 10.0 ** math.floor(math.log10(high - low))
    for divisor in (1, 2, 5, 10, 20, 50):
        values = _multiples(low, high, step / divisor)
        if len(values) >= min(3, most):
            return values[:: math.ceil(len(values) / most)]
    return _multiples(low, high, step)


def _multiples(low: float, high: float, step: float) -> list[float]:
    first, last = math.ceil(low / step), math.floor(high / step)
    return [number * step for number in range(first, last + 1)]


def svg_plot(plot: Plot) -> str:
    """Return the plot as an SVG file of its own."""
    height = _TOP + _HEIGHT + _LABELS + _ROW * len(plot.series)
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    style = 'font-family="sans-serif" font-size="12" role="img"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style} aria-label="{_text(plot.title)}">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="22" font-size="15" font-weight="bold" fill="#111111">{_text(plot.title)}</text>',
        *_grid(plot),
        *_places(plot),
    ]
    for number, series in enumerate(plot.series):
        parts += _drawn(plot, series, COLOURS[number % len(COLOURS)])
        parts += _legend(series.name, number)
    return "\n".join([*parts, "</svg>\n"])


def _text(text: str) -> str:
    return escape(one_line(text))


def _y(plot: Plot, value: float) -> float:
    low, high = plot.span()
    return round(_TOP + _HEIGHT * (high - value) / (high - low), 1)


def _x(plot: Plot, at: int) -> float:
    room = _WIDTH - _LEFT - _RIGHT
    return round(_LEFT + room * (at + 0.5) / max(1, len(plot.labels)), 1)


def _grid(plot: Plot) -> Iterator[str]:
    for value in ticks(*plot.span()):
        y = _y(plot, value)
        yield f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}" stroke="#dddddd"/>'
        shown = _text(format_value(value, low=None))
        yield f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end" fill="#444444">{shown}</text>'


def _places(plot: Plot) -> Iterator[str]:
    y = _TOP + _HEIGHT + 14
    step = max(1, math.ceil(len(plot.labels) / 30))
    for at, label in enumerate(plot.labels):
        if at % step == 0:
            x = _x(plot, at)
            yield (
                f'<text x="{x}" y="{y}" text-anchor="end" fill="#444444" transform="rotate(-40 {x} {y})">'
                f"{_text(label)}</text>"
            )


def _drawn(plot: Plot, series: PlotSeries, colour: str) -> Iterator[str]:
    line = " ".join(f"{_x(plot, point.at)},{_y(plot, point.mean)}" for point in series.points)
    yield f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
    for point in series.points:
        x, y = _x(plot, point.at), _y(plot, point.mean)
        if point.low is not None and point.high is not None:
            ends = f'y1="{_y(plot, point.low)}" y2="{_y(plot, point.high)}"'
            yield f'<line x1="{x}" x2="{x}" {ends} stroke="{colour}" stroke-width="1.5" opacity="0.6"/>'
        said = _text(f"{plot.labels[point.at]}: {format_value(point.mean, low=None)}")
        yield f'<circle cx="{x}" cy="{y}" r="4" fill="{colour}"><title>{said}</title></circle>'


def _legend(name: str, number: int) -> Sequence[str]:
    y = _TOP + _HEIGHT + _LABELS + _ROW * number
    return (
        f'<circle cx="{_LEFT + 6}" cy="{y}" r="4" fill="{COLOURS[number % len(COLOURS)]}"/>',
        f'<text x="{_LEFT + 18}" y="{y + 4}" fill="#111111">{_text(name)}</text>',
    )
