"""Plots of means with intervals: on the terminal, as SVG, as PNG."""

from __future__ import annotations

import io

import pytest
from lxml import etree
from rich.console import Console

from retest.report.plot import Plot, PlotPoint, PlotSeries, svg_plot, ticks
from retest.report.plot_png import png_plot
from retest.report.terminal_plot import terminal_plot

HOSTILE = "<script>alert(1)</script>\x1b[31m $x$ 返金\u202e"


def plot(*means: float, labels: tuple[str, ...] = (), name: str = "qa · small") -> Plot:
    points = tuple(PlotPoint(at=at, mean=mean, low=mean - 0.1, high=mean + 0.1) for at, mean in enumerate(means))
    shown = labels or tuple(f"v{at}" for at in range(len(means)))
    return Plot(title="exact_match", labels=shown, series=(PlotSeries(name=name, points=points),))


def drawn(shown: Plot, width: int = 60, *, ascii_only: bool = False) -> list[str]:
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(terminal_plot(shown, width, ascii_only=ascii_only))
    return console.export_text().splitlines()


def test_a_higher_mean_stands_higher() -> None:
    """And to the right of the earlier one."""
    lines = drawn(plot(0.2, 0.8))
    rows = [number for number, line in enumerate(lines) if "●" in line and "qa" not in line]
    assert len(rows) == 2
    assert lines[rows[0]].index("●") > lines[rows[1]].index("●")


def test_ascii_is_enough() -> None:
    """Where the terminal has no other letters, nothing else is drawn."""
    text = "\n".join(drawn(plot(0.2, 0.8, name="qa small"), ascii_only=True))
    assert text.isascii()
    assert "o" in text


@pytest.mark.parametrize("width", [12, 20, 40, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    """Labels that do not fit are left out."""
    shown = plot(*(0.01 * number for number in range(40)), name="s")
    assert max(map(len, drawn(shown, width))) <= width


@pytest.mark.parametrize("means", [(0.5,), (0.0, 0.0), (1.0,), (-3.0, 1e6), (1e-9, 2e-9)])
def test_any_range_is_drawn(means: tuple[float, ...]) -> None:
    """One point, equal points, huge and tiny values."""
    assert any("●" in line for line in drawn(plot(*means)))
    assert svg_plot(plot(*means)).count("<circle") == len(means) + 1


def test_nothing_to_plot_is_said() -> None:
    """Rather than an empty field."""
    assert "nothing to plot" in drawn(plot())[0]


@pytest.mark.parametrize("span", [(0, 1), (0.31, 0.34), (-3, 1e6), (0.9, 1.1), (1e-9, 2e-9), (0.28, 0.99)])
def test_ticks_are_few_and_lie_within(span: tuple[float, float]) -> None:
    """At least two, at most five."""
    found = ticks(*span)
    assert 2 <= len(found) <= 5
    assert all(span[0] - 1e-9 <= value <= span[1] + 1e-9 for value in found)


def test_svg_is_sound_and_harmless() -> None:
    """Well-formed whatever names there are; no script, no escape sequence."""
    root = etree.fromstring(svg_plot(plot(0.2, 0.4, labels=(HOSTILE, "b"), name=HOSTILE)).encode())
    assert not root.xpath("//*[local-name()='script']")
    assert "返金" in "".join(root.itertext())
    assert "\x1b" not in "".join(root.itertext())


def test_a_png_is_a_png() -> None:
    """Japanese and dollar signs do not break it."""
    assert png_plot(plot(0.2, 0.4, labels=(HOSTILE, "b"), name=HOSTILE)).startswith(b"\x89PNG")
