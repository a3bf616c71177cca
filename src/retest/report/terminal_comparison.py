"""A comparison on the terminal: what changed, by how much, and how sure that is."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from retest.domain.comparison import ArmComparison, Difference, MetricComparison
from retest.report.escape import one_line
from retest.report.numbers import (
    MISSING,
    format_interval,
    format_p,
    format_relative,
    format_relative_interval,
    format_signed,
    format_value,
)
from retest.report.terminal_pairwise import pairwise_notes
from retest.report.terminal_table import FittedTable
from retest.report.verdict_text import drift_text

_HASH = re.compile(r"\b[0-9a-f]{32,}\b")
VERDICT_STYLE = {
    "regressed": "bold red",
    "improved": "bold green",
    "unchanged": "green",
    "not_worse": "green",
    "inconclusive": "yellow",
    "not_comparable": "dim",
}


def comparison_parts(comparison: ArmComparison) -> list[RenderableType]:
    """Return a headline, the table of verdicts, and what could have been seen or missed."""
    return [
        comparison_head(comparison),
        verdict_table(comparison.metrics),
        *verdict_notes(comparison.metrics),
        *pairwise_notes(comparison.pairwise),
    ]


def comparison_head(comparison: ArmComparison) -> Text:
    """Return which arm is compared with which."""
    if comparison.candidate == comparison.baseline:
        return Text(one_line(comparison.candidate), "bold")
    return Text.assemble((one_line(comparison.candidate), "bold"), " against ", (one_line(comparison.baseline), "bold"))


def difference_text(difference: Difference, most: int = 120) -> str:
    """Return what differs between two sides on one line, hashes and long values shortened."""
    before, after = (_short(value, most) for value in (difference.before, difference.after))
    return f"{one_line(difference.what)}: {before} → {after}"


def _short(value: str, most: int) -> str:
    text = _HASH.sub(lambda match: f"{match.group()[:12]}…", one_line(value))
    return text if len(text) <= most else f"{text[:most]}…"


def verdict_line(comparisons: Sequence[ArmComparison]) -> Text:
    """Return every verdict in one line, the worst first; several arms are counted together."""
    found: dict[str, list[str]] = {word: [] for word in VERDICT_STYLE}
    for arm in comparisons:
        for metric in arm.metrics:
            named = f"{arm.candidate} · {metric.metric}" if len(comparisons) > 1 else metric.metric
            found[metric.verdict].append(one_line(named))
    line = Text("verdict: ", "bold")
    for number, (word, names) in enumerate((word, names) for word, names in found.items() if names):
        line.append("; " if number else "")
        line.append(word.replace("_", " "), VERDICT_STYLE[word])
        line.append(f": {', '.join(names)}")
    return line


def verdict_table(metrics: Sequence[MetricComparison]) -> FittedTable:
    """Return one row a metric; the adjusted p has a column where several metrics are judged together."""
    adjusted = sum(metric.verdict != "not_comparable" for metric in metrics) > 1
    table = FittedTable(gap=1)
    table.add("name", "metric")
    table.add("number", "before", "after", "change", "95% interval", "p", *(("adj. p",) if adjusted else ()))
    table.add("word", "verdict")
    for metric in metrics:
        table.add_row(
            Text(one_line(metric.metric)),
            format_value(metric.baseline_mean, low=metric.range_low, high=metric.range_high),
            format_value(metric.candidate_mean, low=metric.range_low, high=metric.range_high),
            Text(format_change(metric), "bold"),
            Text(_interval(metric), "dim"),
            *_p_cells(metric, adjusted=adjusted),
            Text(metric.verdict.replace("_", " "), VERDICT_STYLE[metric.verdict]),
        )
    return table


def _p_cells(metric: MetricComparison, *, adjusted: bool) -> Iterator[str]:
    """Yield the p-value behind the verdict: of the improvement where it is one (not adjusted), else of the drop."""
    comparable = metric.verdict != "not_comparable"
    improved = metric.verdict == "improved"
    yield format_p((metric.p_better if improved else metric.p) if comparable else None)
    if adjusted:
        yield format_p(metric.p_adjusted if comparable and not improved else None)


def format_change(metric: MetricComparison) -> str:
    """Return the change in the metric's own terms: a difference, or per cent on a log scale."""
    if metric.scale == "log":
        return format_relative(metric.delta)
    return format_signed(metric.delta, low=metric.range_low, high=metric.range_high)


def _interval(metric: MetricComparison) -> str:
    if metric.low is None or metric.high is None:
        return MISSING
    if metric.scale == "log":
        return format_relative_interval(metric.low, metric.high)
    return format_interval(metric.low, metric.high, scale=(metric.range_low, metric.range_high))


def verdict_notes(metrics: Sequence[MetricComparison]) -> list[Text]:
    """Return per metric what the run could have seen, or missed, and what is odd about it."""
    return [note for metric in metrics for note in _notes(metric)]


def _notes(metric: MetricComparison) -> Iterator[Text]:
    name = one_line(metric.metric)
    if metric.note is not None:
        style = "yellow" if metric.verdict == "not_comparable" else "dim"
        yield Text(f"{name}: {one_line(metric.note)}", style)
    if metric.verdict == "regressed" and metric.p_cases < metric.p_worse:
        p_values = f"p of single cases {format_p(metric.p_cases)}, of the mean {format_p(metric.p_worse)}"
        yield Text(f"{name}: single cases got worse, whatever the mean did ({p_values})", "red")
    drift = drift_text(metric)
    if drift is not None:
        yield Text(f"{name}: {drift}", "yellow" if metric.within_drift else "dim")
    seen = _visible_drop(metric)
    if seen is not None:
        yield Text(f"{name}: {seen}", "yellow" if metric.verdict == "inconclusive" else "dim")
    if metric.missing_low is not None and metric.missing_high is not None:
        ends = format_interval(metric.missing_low, metric.missing_high, scale=(metric.range_low, metric.range_high))
        yield Text(f"{name}: samples are missing; with them the change lies within {ends}", "yellow")


def _visible_drop(metric: MetricComparison) -> str | None:
    """Return the smallest drop that would have been seen; for an inconclusive metric, what could have been missed."""
    if metric.mde is None or metric.verdict == "not_comparable":
        return None
    kind = "rise" if metric.direction == "lower" else "drop"
    missed = metric.verdict == "inconclusive"
    if metric.scale == "linear" and metric.mde >= _width(metric):
        return (
            f"a {kind} of any size could have been missed" if missed else f"only luck sees a {kind} with so few cases"
        )
    value = format_value(metric.mde, low=metric.range_low, high=metric.range_high)
    size = f"{metric.mde:.1%}" if metric.scale == "log" else value
    if missed:
        return f"a {kind} of less than {size} could have been missed"
    return f"a {kind} of {size} is seen in 80 of 100 runs of this size"


def _width(metric: MetricComparison) -> float:
    if metric.range_low is None or metric.range_high is None:
        return math.inf
    return metric.range_high - metric.range_low
