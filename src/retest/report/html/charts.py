"""Where the marks of the small charts stand: geometry in pixels, no numbers for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from retest.domain.comparison import MetricComparison
from retest.domain.pages import Histogram

HIST_WIDTH, HIST_HEIGHT = 150.0, 28.0
PLOT_WIDTH = 150.0
_PAD = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar of a histogram, as SVG wants it; `count` cases."""

    kind: str
    x: str
    y: str
    width: str
    height: str
    count: int


def histogram_bars(histogram: Histogram) -> list[Bar]:
    """Return the bars of both sides; in each bin the baseline's stands left of the candidate's."""
    sides = [("before", histogram.before), ("after", histogram.after)]
    present = [(kind, counts) for kind, counts in sides if counts]
    peak = max([1, *(count for _, counts in present for count in counts)])
    slot = HIST_WIDTH / max(1, len(histogram.after))
    width = (slot - 1.5) / max(1, len(present))
    return [
        _bar(kind, count, peak, left=index * slot + 0.75 + place * width, width=width)
        for place, (kind, counts) in enumerate(present)
        for index, count in enumerate(counts)
        if count
    ]


def _bar(kind: str, count: int, peak: int, *, left: float, width: float) -> Bar:
    height = max(1.5, count / peak * HIST_HEIGHT)
    return Bar(
        kind=kind,
        x=f"{left:.1f}",
        y=f"{HIST_HEIGHT - height:.1f}",
        width=f"{max(width, 0.8):.1f}",
        height=f"{height:.1f}",
        count=count,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalPlot:
    """An interval around a change, on a line with its zero in the middle."""

    low: str
    high: str
    middle: str
    zero: str
    tone: str


def interval_plot(metric: MetricComparison) -> IntervalPlot | None:
    """Return where an interval stands; None where there is none."""
    if metric.delta is None or metric.low is None or metric.high is None:
        return None
    reach = max(abs(metric.low), abs(metric.high), abs(metric.margin or 0.0), 1e-12)
    return IntervalPlot(
        low=_place(metric.low, reach),
        high=_place(metric.high, reach),
        middle=_place(metric.delta, reach),
        zero=_place(0.0, reach),
        tone={"regressed": "bad", "improved": "good"}.get(metric.verdict, "line"),
    )


def _place(value: float, reach: float) -> str:
    half = PLOT_WIDTH / 2
    return f"{half + value / reach * (half - _PAD):.1f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareBar:
    """One part of a bar that shares make up."""

    kind: str
    x: str
    width: str


def share_bars(win: float | None, tie: float | None, loss: float | None) -> list[ShareBar]:
    """Return the parts of a bar, in order; a share of nothing has no part."""
    bars, left = [], 0.0
    for kind, value in (("win", win), ("tie", tie), ("loss", loss)):
        if value:
            bars.append(ShareBar(kind=kind, x=f"{left:.1f}", width=f"{value * PLOT_WIDTH:.1f}"))
            left += value * PLOT_WIDTH
    return bars


def share_width(part: float, whole: float) -> str:
    """Return how much of a bar of 100 is filled."""
    return f"{min(1.0, part / whole) * 100 if whole else 0:.1f}"


def peak(counts: Sequence[int]) -> int:
    """Return the largest count, 0 where there is none."""
    return max(counts, default=0)
