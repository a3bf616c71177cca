"""The history of a prompt on the terminal: each version with what it came to, and its plot."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from retest.domain.prompt_log import LoggedVersion, MetricResult, PromptLog, VersionResult
from retest.report.escape import one_line
from retest.report.numbers import MISSING, format_interval, format_signed, format_value, plural
from retest.report.terminal_comparison import VERDICT_STYLE
from retest.report.terminal_table import FittedTable


def prompt_log(log: PromptLog) -> Group:
    """Return the versions, the newest first."""
    parts: list[RenderableType] = []
    for version in log.versions:
        parts += [*_version(version), Text("")]
    if log.left_out:
        parts.append(Text(f"{plural(log.left_out, 'older version')} not shown (--limit)", "dim"))
    if log.elsewhere:
        parts.append(
            Text(f"{plural(log.elsewhere, 'run')} of this path used a text that none of these versions has", "dim")
        )
    return Group(*parts)


def _version(version: LoggedVersion) -> Iterator[RenderableType]:
    head = Text(version.name, "bold yellow" if version.commit is None else "yellow")
    day = MISSING if version.date is None else version.date.date().isoformat()
    head.append(f"  {day}", "")
    if version.author:
        head.append(f"  {one_line(version.author)}")
    head.append(f"  +{version.added} −{version.removed}", "dim")
    for label in version.labels:
        head.append(f"  [{one_line(label)}]", "bold cyan")
    yield head
    yield Text(f"  {one_line(version.message.splitlines()[0] if version.message else '')}")
    if version.renamed_from is not None:
        yield Text(f"  renamed from {one_line(version.renamed_from)}", "dim")
    if version.same_as is not None:
        yield Text(f"  the same text as {version.same_as}, but for its name and labels", "dim")
    if version.prompt_hash is None:
        yield Text("  no sound prompt: it cannot be run", "red")
    elif version.results:
        yield Padding(_results(version), (0, 0, 0, 2))
        yield from (Text(f"  {one_line(result.note)}", "dim") for result in version.results if result.note)
    else:
        yield Text("  no finished run used it", "dim")


def _results(version: LoggedVersion) -> FittedTable:
    table = FittedTable()
    table.add("name", "suite", "target")
    table.add("name", "metric")
    table.add("number", "mean", "95% interval", "change")
    table.add("word", "verdict")
    for result in version.results:
        for number, metric in enumerate(result.metrics):
            names = ("", "") if number else (one_line(result.suite), one_line(result.target))
            table.add_row(*names, *_cells(metric, result))
    return table


def _cells(metric: MetricResult, result: VersionResult) -> tuple[str | Text, ...]:
    scale = metric.range_low, metric.range_high
    found = metric.comparison
    if found is None:
        verdict = Text("" if result.against is None else MISSING, "dim")
    else:
        verdict = Text(found.verdict.replace("_", " "), VERDICT_STYLE[found.verdict])
    change = None if found is None else found.delta
    return (
        Text(one_line(metric.metric)),
        format_value(metric.mean, low=scale[0], high=scale[1]),
        format_interval(metric.low, metric.high, scale=scale),
        "" if change is None else format_signed(change, low=scale[0], high=scale[1]),
        verdict,
    )
