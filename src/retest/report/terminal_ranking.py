"""Versions in order of a metric, on the terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from retest.domain.ranking import RankedVersion, Ranking
from retest.report.escape import one_line
from retest.report.numbers import (
    MISSING,
    format_interval,
    format_relative,
    format_signed,
    format_value,
)
from retest.report.terminal_comparison import VERDICT_STYLE
from retest.report.terminal_table import FittedTable


def ranking_table(ranking: Ranking) -> RenderableType:
    """Return one row for each version, the best first; versions that share a rank could not be told apart."""
    head = Text.assemble((one_line(ranking.metric), "bold"), f"  {one_line(ranking.arm)}")
    if ranking.direction == "lower":
        head.append("  lower is better", "dim")
    table = FittedTable(gap=1)
    table.add("name", "rank", "version")
    table.add("number", "mean", "95% interval", "change")
    table.add("word", f"against {one_line(ranking.baseline)}")
    ranks = [version.rank for version in ranking.versions]
    for version in ranking.versions:
        tied = "=" if ranks.count(version.rank) > 1 else ""
        table.add_row(f"{version.rank}{tied}", *_cells(ranking, version))
    return Group(head, table)


def _cells(ranking: Ranking, version: RankedVersion) -> list[Text]:
    low, high = ranking.range_low, ranking.range_high
    change = MISSING
    if version.delta is not None:
        relative = ranking.scale == "log"
        change = format_relative(version.delta) if relative else format_signed(version.delta, low=low, high=high)
    verdict = Text("baseline", "dim") if version.verdict is None else _verdict(version.verdict)
    return [
        Text(one_line(version.label)),
        Text(format_value(version.mean, low=low, high=high)),
        Text(format_interval(version.low, version.high, scale=(low, high)), "dim"),
        Text(change, "bold"),
        verdict,
    ]


def _verdict(verdict: str) -> Text:
    return Text(verdict.replace("_", " "), VERDICT_STYLE[verdict])
