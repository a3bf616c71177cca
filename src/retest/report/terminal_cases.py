"""Cases and samples of a run on the terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from retest.domain.case import Case
from retest.domain.run import Run
from retest.domain.sample import CallError, CallOutcome, MetricFailure, ScoreOutcome
from retest.domain.summary import CaseSummary
from retest.report.escape import one_line, shortened, visible
from retest.report.numbers import MISSING, format_cost, format_count, format_latency, format_value
from retest.report.terminal_table import FittedTable

_VALUE, _GAP = 10, 2  # characters of a score with its blank, and between two samples
_MIN_COLUMN = 26  # characters: below, an answer is a ladder of words and samples stand one below the other


def case_table(rows: Sequence[tuple[str, CaseSummary]], metrics: Sequence[str], *, show_arm: bool) -> FittedTable:
    """Return cases as rows with one value per metric; a value that varies between samples shows its spread."""
    table = FittedTable()
    table.add("name", "case", *(["arm"] if show_arm else []))
    table.add("number", *map(one_line, metrics))
    for arm, case in rows:
        cells = [Text(one_line(case.case_id))] + ([Text(one_line(arm))] if show_arm else [])
        table.add_row(*cells, *(_value_cell(case, metric) for metric in metrics))
    return table


def _value_cell(case: CaseSummary, metric: str) -> Text:
    value = case.values.get(metric)
    style = {True: "green", False: "red", None: ""}[case.passed.get(metric)]
    text = Text(format_value(value, low=None), style)
    if case.spread.get(metric):
        text.append(" ~", "yellow")
    return text


class SampleView:
    """One sample as the detail page shows it."""

    def __init__(self, arm: str, sample_index: int, outcome: CallOutcome, scores: Mapping[str, ScoreOutcome]) -> None:
        self.arm, self.sample_index, self.outcome, self.scores = arm, sample_index, outcome, scores


def case_detail(case: Case, samples: Sequence[SampleView], messages: RenderableType | None, width: int) -> Group:
    """Return one case: its variables, what is expected, the prompt, the samples side by side where they fit."""
    parts: list[RenderableType] = [Text(one_line(case.case_id), "bold")]
    if case.tags or case.cluster:
        parts.append(Text(" ".join([*map(one_line, case.tags), one_line(case.cluster or "")]).strip(), "dim"))
    parts.append(_labelled("variables", case.vars))
    if case.expected is not None:
        parts.append(_labelled("expected", case.expected))
    if messages is not None:
        parts += [Text("\nprompt", "bold"), messages]
    for arm in dict.fromkeys(sample.arm for sample in samples):
        own = [sample for sample in samples if sample.arm == arm]
        parts += [Text(f"\n{one_line(arm)}", "bold"), samples_side_by_side(own, width)]
    return Group(*parts)


def _labelled(label: str, value: object) -> Text:
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return Text.assemble((f"{label}: ", "bold"), visible(shortened(shown)))


def samples_side_by_side(samples: Sequence[SampleView], width: int) -> RenderableType:
    """Return samples as columns, as many as fit beside each other."""
    names = [cell_len(one_line(name)) for sample in samples for name in sample.scores]
    widest = max(names, default=0) + _VALUE + _GAP  # a name and its value stay on one line
    columns = max(1, min(len(samples), width // max(_MIN_COLUMN, widest)))
    tables: list[RenderableType] = []
    for start in range(0, len(samples), columns):
        table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, expand=columns > 1, header_style="cyan")
        chunk = samples[start : start + columns]
        for sample in chunk:
            table.add_column(f"sample {sample.sample_index}", ratio=1, overflow="fold")
        table.add_row(*(_answer(sample.outcome) for sample in chunk))
        table.add_row(*(_scores(sample) for sample in chunk))
        tables.append(table)
    return Group(*tables)


def _answer(outcome: CallOutcome) -> Text:
    if isinstance(outcome, CallError):
        return Text(f"{one_line(outcome.kind)}: {visible(shortened(outcome.message))}", "red")
    text = Text(visible(shortened(outcome.output)) or "(empty answer)")
    for call in outcome.tool_calls:
        text.append(f"\n{visible(shortened(json.dumps(call, ensure_ascii=False, default=str)))}", "magenta")
    if outcome.refusal:
        text.append(f"\nrefusal: {visible(shortened(outcome.refusal))}", "yellow")
    return text


def _scores(sample: SampleView) -> Text:
    text = Text()
    for name, score in sample.scores.items():
        text.append(f"{one_line(name)} ", "dim")
        if isinstance(score, MetricFailure):
            text.append(f"{score.kind}: {one_line(score.message)}\n", "red")
            continue
        text.append(format_value(score.value, low=None), "bold")
        text.append(f" {one_line(score.reason)}\n" if score.reason else "\n", "dim")
    if not isinstance(sample.outcome, CallError):
        usage = sample.outcome.usage
        tokens = (
            f" · {format_count(usage.input_tokens)}/{format_count(usage.output_tokens)} tokens"
            if usage.input_tokens is not None
            else ""
        )
        cost = f" · {format_cost(sample.outcome.cost_usd)}" if sample.outcome.cost_usd is not None else ""
        text.append(f"{format_latency(sample.outcome.latency_ms)}{tokens}{cost}\n", "dim")
    return text


def sample_table(samples: Sequence[tuple[str, SampleView]], metrics: Sequence[str]) -> FittedTable:
    """Return samples as rows: case, sample, scores, and the answer or the error on one line."""
    table = FittedTable()
    table.add("excerpt", "case", "arm", ratio=2)
    table.add("number", "#", *map(one_line, metrics))
    table.add("excerpt", "answer", ratio=4)
    for case_id, sample in samples:
        cells = [Text(one_line(case_id)), Text(one_line(sample.arm)), Text(str(sample.sample_index))]
        cells += [_score_cell(sample.scores.get(metric)) for metric in metrics]
        answer = _answer(sample.outcome)
        table.add_row(*cells, Text(one_line(answer.plain)[:300], answer.style))
    return table


def _score_cell(score: ScoreOutcome | None) -> Text:
    if score is None:
        return Text(MISSING)
    if isinstance(score, MetricFailure):
        return Text(score.kind, "red")
    return Text(format_value(score.value, low=None))


def run_table(runs: Sequence[Run], metric: str | None) -> FittedTable:
    """Return runs as rows, the newest first; `metric` picks the value shown, else the first of each run."""
    table = FittedTable()
    table.add("name", "run", "suite")
    table.add("word", "status")
    table.add("number", "samples", one_line(metric or "first metric"))
    table.add("word", "commit", "tags")
    for run in runs:
        table.add_row(
            run.run_id,
            Text(one_line(run.suite)),
            Text(run.status, "green" if run.status == "complete" else "yellow"),
            f"{run.counts.samples:,}" + (f" ({run.counts.errors} err)" if run.counts.errors else ""),
            Text(stored_mean(run, metric)),
            _commit(run),
            Text(one_line(" ".join(run.tags))),
        )
    return table


def stored_mean(run: Run, metric: str | None) -> str:
    """Return the stored mean of a metric, one per arm; a dash where there is none."""
    arms = cast("Mapping[str, Any]", run.summary.get("arms") or {})
    name = metric or (run.metrics[0].name if run.metrics else "")
    means = [arm["metrics"][name]["mean"] for arm in arms.values() if name in arm.get("metrics", {})]
    return " / ".join(format_value(mean, low=None) for mean in means) or MISSING


def _commit(run: Run) -> str:
    commit = run.provenance.git_commit
    if commit is None:
        return MISSING
    return commit[:8] + ("*" if run.provenance.git_dirty else "")
