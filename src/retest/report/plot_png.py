"""A plot as PNG, through matplotlib (extra `plot`)."""

from __future__ import annotations

import io
import warnings
from importlib.util import find_spec

from retest.errors import missing_extra
from retest.report.escape import one_line
from retest.report.plot import COLOURS, Plot

_FONTS = ["Noto Sans CJK JP", "IPAexGothic", "Hiragino Sans", "Yu Gothic", "DejaVu Sans"]


def png_plot(plot: Plot) -> bytes:
    """Return the plot as PNG; Japanese names need a font that has them.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    if find_spec("matplotlib") is None:
        raise missing_extra("plot", "a plot as PNG (SVG needs nothing)")
    from matplotlib import font_manager
    from matplotlib.figure import Figure

    known = {font.name for font in font_manager.fontManager.ttflist}
    figure = Figure(figsize=(9, 4.5), dpi=120, layout="constrained")
    axes = figure.subplots()
    fonts = [font for font in _FONTS if font in known]
    for number, series in enumerate(plot.series):
        places = [point.at for point in series.points]
        means = [point.mean for point in series.points]
        below = [point.mean - (point.mean if point.low is None else point.low) for point in series.points]
        above = [(point.mean if point.high is None else point.high) - point.mean for point in series.points]
        colour = COLOURS[number % len(COLOURS)]
        axes.errorbar(
            places,
            means,
            yerr=[[max(0.0, part) for part in below], [max(0.0, part) for part in above]],
            color=colour,
            marker="o",
            capsize=3,
            label=_plain(series.name),
        )
    axes.set_xticks(
        range(len(plot.labels)), [_plain(label) for label in plot.labels], rotation=40, ha="right", fontfamily=fonts
    )
    axes.set_title(_plain(plot.title), fontfamily=fonts)
    axes.grid(axis="y", alpha=0.3)
    if not plot.is_empty:
        axes.legend(prop={"family": fonts})
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a letter that no font has is drawn as a box
        figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _plain(text: str) -> str:
    """Return a name as it is: a dollar sign is no formula."""
    return one_line(text).replace("$", r"\$")
