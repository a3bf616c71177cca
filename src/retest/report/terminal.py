"""A run's result on the terminal: right at 80 columns, with wide characters, and through a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from retest.domain.run import Run
from retest.domain.summary import ArmSummary, LimitResult, MetricSummary, RunSummary, WorstCase
from retest.report.decided_text import decided_lines, run_decision, verdict_lines
from retest.report.escape import one_line
from retest.report.numbers import (
    MISSING,
    format_cost,
    format_count,
    format_interval,
    format_latency,
    format_share,
    format_value,
    plural,
)
from retest.report.terminal_figures import figure_parts
from retest.report.terminal_judges import judge_line, spread_lines
from retest.report.terminal_table import FittedTable

_BARS = "▁▂▃▄▅▆▇█"
_STATUS_STYLE = {"complete": "green", "incomplete": "yellow", "interrupted": "yellow", "running": "cyan"}
_JUDGEMENT_STYLE = {"pass": "green", "fail": "bold red", "inconclusive": "yellow"}


def run_result(run: Run, summary: RunSummary, *, verbose: bool = False, figures: bool | None = None) -> RenderableType:
    """Return everything that `retest run` shows at its end, and `retest show` again.

    `figures` shows all of them and every label, or none of the labels; None shows what there is room for.
    """
    blocks: list[list[RenderableType]] = [[_headline(run)]]
    if any(arm.metrics for arm in summary.arms):  # pairwise metrics alone have no row of their own
        blocks.append([metric_table(summary.arms)])
    if len(summary.arms) > 1:
        blocks.append([selection_table(summary.arms)])
    else:
        blocks.append([line for arm in summary.arms if (line := _usage_line(arm)).plain])
    blocks.extend(figure_parts(summary.arms, everything=figures))
    blocks.extend(_comparisons(summary))
    blocks.append(_decided_lines(run))
    blocks.append(_rankings(summary))
    blocks.append(list(spread_lines(summary.arms)))
    blocks.append([_limit_line(limit) for limit in summary.limits])
    blocks.append([Text(f"note: {one_line(note)}", "yellow") for note in summary.notes])
    if verbose:
        blocks.extend([Text(one_line(arm.name), "bold"), _slice_table(arm)] for arm in summary.arms if arm.slices)
    blocks.append([worst_table(summary.worst, summary.arms)] if summary.worst else [])
    blocks.append([_next_steps(run, summary)])
    return Group(*(part for block in blocks if block for part in (*block, Text())))


def _comparisons(summary: RunSummary) -> list[list[RenderableType]]:
    if not summary.comparisons:
        return []
    from retest.report.terminal_comparison import comparison_parts  # what a run of one arm is shown without

    return [comparison_parts(comparison) for comparison in summary.comparisons]


def _rankings(summary: RunSummary) -> list[RenderableType]:
    if not summary.rankings:
        return []
    from retest.report.terminal_pairwise import pairwise_ranking

    return [pairwise_ranking(ranking) for ranking in summary.rankings]


def _decided_lines(run: Run) -> list[RenderableType]:
    decision = run_decision(run)
    if decision is None:
        return []
    return [
        *(Text(one_line(line), "cyan") for line in decided_lines(decision)),
        *(Text(one_line(line)) for line in verdict_lines(decision)),
    ]


def _headline(run: Run) -> Text:
    counts = run.counts
    text = Text()
    text.append(one_line(run.suite), "bold")
    text.append(f"  {run.run_id}  ")
    text.append(run.status, _STATUS_STYLE[run.status])
    text.append(f"\n{plural(counts.cases, 'case')}, {plural(counts.samples, 'sample')}")
    if counts.errors:
        text.append(f", {plural(counts.errors, 'error')}", "bold red")
    text.append(f"; {plural(counts.calls, 'call')} made, {format_count(counts.ledger_hits)} from the ledger")
    if counts.calls and (counts.cost_usd or (counts.unpriced_calls and _costs_money(run))):
        text.append(f", cost {format_cost(counts.cost_usd)}")
    for name, judge in counts.judges.items():
        text.append(f"\n{judge_line(name, judge)}")
    return text


def _costs_money(run: Run) -> bool:
    """Return whether an unknown cost is worth saying: recordings and code of one's own send no bill."""
    return any(arm.provider not in {"replay", "python", "command", "local"} for arm in run.arms)


def metric_table(arms: Sequence[ArmSummary]) -> FittedTable:
    """Return metrics as rows (and arms below each metric), the numbers right-aligned."""
    several = len(arms) > 1
    failures = any(metric.failures or metric.not_applicable for arm in arms for metric in arm.metrics)
    table = FittedTable()
    table.add("name", "metric", *(["arm"] if several else []))
    table.add("number", "mean", "95% interval", "within", "pass", *(["failed"] if failures else []))
    table.add("word", "cases")
    labels = short_names(arms)
    for number, name in enumerate(_metric_names(arms)):
        if several and number:
            table.add_row()
        for row, (arm, metric) in enumerate(_of_metric(arms, name)):
            cells = [Text(one_line(name) if row == 0 else "")]
            cells += [Text(one_line(labels[arm.name]))] if several else []
            table.add_row(*cells, *_metric_cells(metric, failures=failures))
    return table


def short_names(arms: Sequence[ArmSummary]) -> dict[str, str]:
    """Return what a column needs to say of each arm: the part of ``prompt/target`` in which they differ."""
    names = [arm.name for arm in arms]
    for part in (0, 1):
        short = {name: name.split("/", 1)[part] if "/" in name else name for name in names}
        others = {name.split("/", 1)[1 - part] if "/" in name else "" for name in names}
        if len(set(short.values())) == len(names) and len(others) == 1:
            return short
    return {name: name for name in names}


def _metric_names(arms: Sequence[ArmSummary]) -> list[str]:
    return list(dict.fromkeys(metric.name for arm in arms for metric in arm.metrics))


def _of_metric(arms: Sequence[ArmSummary], name: str) -> Iterator[tuple[ArmSummary, MetricSummary]]:
    for arm in arms:
        for metric in arm.metrics:
            if metric.name == name:
                yield arm, metric


def _metric_cells(metric: MetricSummary, *, failures: bool) -> list[Text]:
    low, high = metric.range_low, metric.range_high
    cells = [
        Text(format_value(metric.mean, low=low, high=high), "bold"),
        Text(format_interval(metric.low, metric.high, scale=(low, high)), "dim"),
        Text(format_value(metric.within_sd, low=low, high=high)),
        Text(format_share(metric.pass_rate)),
    ]
    if failures:
        cells.append(_failure_cell(metric))
    cells.append(Text(histogram_bars(metric.histogram), "cyan"))
    return cells


def _failure_cell(metric: MetricSummary) -> Text:
    text = Text(str(metric.failures) if metric.failures else MISSING, "bold red" if metric.failures else "")
    if metric.not_applicable:
        text.append(f" ({metric.not_applicable} n/a)", "dim")
    return text


def histogram_bars(counts: Sequence[int]) -> str:
    """Return counts as bars of text; an empty bin is a blank, any case at all shows."""
    top = max(counts, default=0)
    if top == 0:
        return ""
    return "".join(" " if count == 0 else _BARS[(count * (len(_BARS) - 1) + top - 1) // top] for count in counts)


def selection_table(arms: Sequence[ArmSummary]) -> FittedTable:
    """Return quality, errors, latency, tokens and cost per arm; those that no other beats in everything are marked.

    A column that no arm has a figure for is left out.
    """
    quality = next((metric.name for arm in arms for metric in arm.metrics), "")
    columns: dict[str, list[str]] = {
        one_line(quality): [_mean_of(arm, quality) for arm in arms],
        "errors": [format_count(arm.errors) for arm in arms] if any(arm.errors for arm in arms) else [],
        "latency p50": [format_latency(arm.latency_p50_ms) for arm in arms],
        "p95": [format_latency(arm.latency_p95_ms) for arm in arms],
        "tokens in": [format_count(arm.input_tokens) for arm in arms],
        "out": [format_count(arm.output_tokens) for arm in arms],
        "cost": [MISSING if arm.cost_usd is None else format_cost(arm.cost_usd) for arm in arms],
    }
    shown = {name: cells for name, cells in columns.items() if any(cell != MISSING for cell in cells)}
    table = FittedTable()
    table.add("name", "arm")
    table.add("number", *shown)
    table.add("word", "")
    labels = short_names(arms)
    for number, arm in enumerate(arms):
        mark = Text("worth choosing" if arm.pareto else "", "green")
        table.add_row(Text(one_line(labels[arm.name])), *(cells[number] for cells in shown.values()), mark)
    return table


def _mean_of(arm: ArmSummary, name: str) -> str:
    found = next((metric for metric in arm.metrics if metric.name == name), None)
    if found is None:
        return MISSING
    return format_value(found.mean, low=found.range_low, high=found.range_high)


def _usage_line(arm: ArmSummary) -> Text:
    parts = []
    if arm.latency_p50_ms is not None:
        parts.append(f"latency {format_latency(arm.latency_p50_ms)} (p95 {format_latency(arm.latency_p95_ms)})")
    if arm.input_tokens is not None:
        parts.append(f"tokens {format_count(arm.input_tokens)} in, {format_count(arm.output_tokens)} out")
    if arm.cost_usd is not None:
        parts.append(f"cost {format_cost(arm.cost_usd)}")
    parts.extend(f"{plural(count, 'error')}: {one_line(kind)}" for kind, count in arm.errors_by_kind.items())
    return Text("; ".join(parts), "dim")


def _limit_line(limit: LimitResult) -> Text:
    sign = ">=" if limit.limit == "min" else "<="
    text = Text(f"{one_line(limit.arm)} {one_line(limit.metric)} {sign} {limit.value:g}: ")
    if limit.mean is None:
        text.append(f"the {limit.subject} cannot be computed", "bold red")
        return text
    text.append(limit.judgement, _JUDGEMENT_STYLE[limit.judgement])
    interval = format_interval(limit.low, limit.high, scale=(0.0, 1.0))
    text.append(f" ({limit.subject} {format_value(limit.mean)}, interval {interval})", "dim")
    return text


def _slice_table(arm: ArmSummary) -> FittedTable:
    table = FittedTable()
    table.add("name", "slice", "metric")
    table.add("number", "cases", "mean", "95% interval")
    for part in arm.slices:
        table.add_row(
            Text(one_line(f"{part.kind} {part.name}")),
            Text(one_line(part.metric)),
            format_count(part.n_cases),
            format_value(part.mean),
            format_interval(part.low, part.high, scale=(0.0, 1.0)),
        )
    return table


def worst_table(worst: Sequence[WorstCase], arms: Sequence[ArmSummary]) -> FittedTable:
    """Return the cases to look at first: what was expected beside an answer, and whose, where arms are several."""
    labels = short_names(arms) if len(arms) > 1 else {}
    table = FittedTable()
    table.add("excerpt", "worst cases", ratio=3)
    if labels:
        table.add("excerpt", "arm", ratio=2)
    table.add("number", one_line(worst[0].metric))
    table.add("excerpt", "expected", ratio=3)
    table.add("excerpt", "answer", ratio=6)
    for case in worst:
        cells = [Text(one_line(case.case_id)), *([Text(one_line(labels[case.arm]))] if labels else [])]
        cells += [Text(format_value(case.value, low=None)), Text(one_line(case.expected or MISSING))]
        table.add_row(*cells, Text(one_line(case.output[:200]) or "(empty answer)"))
    return table


def _next_steps(run: Run, summary: RunSummary) -> Text:
    text = Text("next: ", "bold")
    if summary.worst:
        text.append(f"retest show {run.run_id} --case {one_line(summary.worst[0].case_id)}", "cyan")
    else:
        text.append(f"retest show {run.run_id} --sort value", "cyan")
    if any(arm.errors for arm in summary.arms):
        text.append(f"\n      retest show {run.run_id} --errors", "cyan")  # a line each: what is copied is one command
    return text
