"""A comparison on the terminal: what changed, by how much, and how sure that is."""

from __future__ import annotations

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from retest.domain.comparison import ArmComparison, MetricComparison
from retest.report.escape import one_line
from retest.report.numbers import MISSING, format_interval, format_p, format_signed, format_value

_STYLE = {
    "regressed": "bold red",
    "improved": "bold green",
    "unchanged": "green",
    "not_worse": "green",
    "inconclusive": "yellow",
    "not_comparable": "dim",
}


def comparison_parts(comparison: ArmComparison) -> list[RenderableType]:
    """Return a headline and the table of verdicts."""
    head = Text.assemble((one_line(comparison.candidate), "bold"), " against ", (one_line(comparison.baseline), "bold"))
    notes = [note for metric in comparison.metrics if (note := _could_have_missed(metric)) is not None]
    return [head, _table(comparison), *notes]


def _table(comparison: ArmComparison) -> Table:
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
    table.add_column("metric", overflow="fold")
    for name in ("before", "after", "change", "95% interval", "p"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for metric in comparison.metrics:
        table.add_row(
            Text(one_line(metric.metric)),
            format_value(metric.baseline_mean, low=metric.range_low, high=metric.range_high),
            format_value(metric.candidate_mean, low=metric.range_low, high=metric.range_high),
            Text(_change(metric), "bold"),
            Text(_interval(metric), "dim"),
            format_p(_shown_p(metric)),
            Text(metric.verdict.replace("_", " "), _STYLE[metric.verdict]),
        )
    return table


def _shown_p(metric: MetricComparison) -> float | None:
    """Return the p-value behind the verdict: of the improvement where it is one, else adjusted, of the drop."""
    if metric.verdict == "not_comparable":
        return None
    return metric.p_better if metric.verdict == "improved" else metric.p_adjusted


def _change(metric: MetricComparison) -> str:
    if metric.scale == "log":
        return MISSING if metric.delta is None else f"{metric.delta:+.1%}"
    return format_signed(metric.delta, low=metric.range_low, high=metric.range_high)


def _interval(metric: MetricComparison) -> str:
    if metric.scale == "log" and metric.low is not None and metric.high is not None:
        return f"[{metric.low:+.1%}, {metric.high:+.1%}]"
    if metric.low is None or metric.high is None:
        return MISSING
    scale = (metric.range_low, metric.range_high)
    return format_interval(metric.low, metric.high, scale=scale)


def _could_have_missed(metric: MetricComparison) -> Text | None:
    """Return what an inconclusive comparison could have missed."""
    if metric.verdict != "inconclusive" or metric.mde is None:
        return None
    drop = f"{metric.mde:.1%}" if metric.scale == "log" else format_value(metric.mde, low=None)
    kind = "rise" if metric.direction == "lower" else "drop"
    return Text(f"{one_line(metric.metric)}: a {kind} of less than {drop} could have been missed", "yellow")
