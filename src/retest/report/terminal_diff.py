"""Two runs compared, on the terminal: right at 80 columns, with wide characters, and through a pipe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import unified_diff
from itertools import islice

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from retest.domain.comparison import (
    Answer,
    ArmComparison,
    CaseChange,
    ChangedCase,
    ComparedRun,
    Difference,
    PromptChange,
    RunComparison,
    SliceComparison,
    Usage,
)
from retest.report.escape import one_line, visible
from retest.report.numbers import (
    MISSING,
    format_cost,
    format_interval,
    format_latency,
    format_relative,
    format_relative_interval,
    format_signed,
    format_value,
    plural,
)
from retest.report.terminal_comparison import (
    comparison_head,
    difference_text,
    verdict_line,
    verdict_notes,
    verdict_table,
)
from retest.report.terminal_figures import change_table
from retest.report.terminal_pairwise import pairwise_notes
from retest.report.terminal_table import FittedTable
from retest.report.word_diff import Piece, diff_words

_IDS = 6  # case ids named in one line
_PROMPT_LINES = 40
_SLICES = 12  # half a screen
_ANSWER_CHARS = (300, 2_000)  # without and with --verbose
_LABEL_STYLE = {
    "newly_failing": "bold red",
    "worse": "bold red",
    "suspect": "yellow",
    "newly_passing": "bold green",
    "better": "bold green",
}


def run_comparison(comparison: RunComparison, *, verbose: bool = False) -> RenderableType:
    """Return everything that `retest diff` shows."""
    blocks: list[list[RenderableType]] = [_head(comparison)]
    blocks.append([Text(f"warning: {one_line(warning)}", "yellow") for warning in comparison.warnings])
    blocks.extend(_prompt_diff(prompt, verbose=verbose) for prompt in comparison.prompts)
    for arm in comparison.arms:
        blocks.extend(_arm_blocks(arm, verbose=verbose))
    blocks.append(_left_out(comparison, verbose=verbose))
    if comparison.is_comparable:
        blocks.append([verdict_line(comparison.arms)])
    blocks.append([_next_steps(comparison)])
    return Group(*(part for block in blocks if block for part in (*block, Text())))


def _head(comparison: RunComparison) -> list[RenderableType]:
    lines: list[RenderableType] = [Text(one_line(comparison.candidate.suite), "bold")]
    lines.append(_run_line("baseline ", comparison.baseline, comparison.age_days))
    lines.append(_run_line("candidate", comparison.candidate, None))
    lines += [_difference_line(difference) for difference in comparison.differences]
    return lines


def _run_line(role: str, run: ComparedRun, age_days: float | None) -> Text:
    text = Text(f"{role}  {one_line(run.label)}")
    details = [f"{run.started_at:%Y-%m-%d %H:%M}"]
    if run.revision:
        details.append(run.revision[:8])
    if age_days is not None and age_days >= 1:
        details.append(f"answers {plural(int(age_days), 'day')} old")
    text.append(f"  {', '.join(details)}", "dim")
    return text


def _difference_line(difference: Difference) -> Text:
    text = Text("differs: ", "red" if difference.blocking else "cyan")
    text.append(difference_text(difference))
    return text


def _prompt_diff(prompt: PromptChange, *, verbose: bool) -> list[RenderableType]:
    """Return the unified diff of a prompt's text."""
    before, after = prompt.before.splitlines(), prompt.after.splitlines()
    names = (one_line(prompt.before_path or prompt.name), one_line(prompt.after_path or prompt.name))
    lines = list(unified_diff(before, after, *names, lineterm=""))
    if not lines:
        return [Text(f"prompt {one_line(prompt.name)}: its own text is the same; a file that it includes changed")]
    shown = lines if verbose else lines[:_PROMPT_LINES]
    parts: list[RenderableType] = [Text(visible(line), _line_style(line)) for line in shown]
    if len(lines) > len(shown):
        parts.append(Text(f"{len(lines) - len(shown)} more lines; --verbose shows them", "dim"))
    return parts


def _line_style(line: str) -> str:
    if line.startswith(("---", "+++")):
        return "bold"
    return {"-": "red", "+": "green", "@": "cyan"}.get(line[:1], "")


def _arm_blocks(arm: ArmComparison, *, verbose: bool) -> Iterator[list[RenderableType]]:
    head = comparison_head(arm)
    head.append(f"  {plural(arm.n_cases, 'case')} in common", "dim")
    yield [head, *(_difference_line(item) for item in arm.differences)]
    yield [verdict_table(arm.metrics), *verdict_notes(arm.metrics), *pairwise_notes(arm.pairwise)]
    figures = change_table(arm.figures, everything=verbose)
    yield [figures] if figures is not None else []
    yield [Text(f"note: {one_line(note)}", "yellow") for note in arm.notes]
    if arm.baseline_usage is not None and arm.candidate_usage is not None:
        table = usage_table(arm.baseline_usage, arm.candidate_usage)
        yield [table] if table.row_count else []
    yield _slice_parts(arm.slices, verbose=verbose)
    yield _case_parts(arm, verbose=verbose)
    if arm.flaky:
        yield [Text(f"flaky, as before: {_ids(arm.flaky, verbose=verbose)}", "dim")]


def _slice_parts(slices: Sequence[SliceComparison], *, verbose: bool) -> list[RenderableType]:
    """Return a table of slices: those of the first metric, unless all fit or are asked for."""
    if len({(part.kind, part.name) for part in slices}) <= 1 and not verbose:
        return []  # one slice says what the table above says
    shown = slices
    if not verbose and len(slices) > _SLICES:
        shown = [part for part in slices if part.metric == slices[0].metric][:_SLICES]
    parts: list[RenderableType] = [slice_table(shown)] if shown else []
    if len(shown) < len(slices):
        parts.append(Text(f"{len(slices) - len(shown):,} more slices; --verbose shows them", "dim"))
    return parts


def slice_table(slices: Sequence[SliceComparison]) -> FittedTable:
    """Return the change on each tag and cluster."""
    table = FittedTable(gap=1)
    table.add("name", "slice", "metric")
    table.add("number", "cases", "before", "after", "change", "95% interval")
    for part in slices:
        low, high = part.range_low, part.range_high
        table.add_row(
            Text(one_line(f"{part.kind} {part.name}")),
            Text(one_line(part.metric)),
            f"{part.n_cases:,}",
            format_value(part.baseline_mean, low=low, high=high),
            format_value(part.candidate_mean, low=low, high=high),
            *_changes(part),
        )
    return table


def _changes(part: SliceComparison) -> tuple[str, str]:
    """Return the change and its interval, in the metric's own terms."""
    if part.scale == "log":
        return format_relative(part.delta), format_relative_interval(part.low, part.high)
    low, high = part.range_low, part.range_high
    return format_signed(part.delta, low=low, high=high), format_interval(part.low, part.high, scale=(low, high))


def usage_table(before: Usage, after: Usage) -> FittedTable:
    """Return tokens, cost and latency per answer on both sides; a row that neither side knows is left out."""
    table = FittedTable(gap=1)
    table.add("name", "per answer")
    table.add("number", "before", "after", "change")
    rows: list[tuple[str, float | None, float | None, str, str]] = [
        (name, first, second, spell(first), spell(second))
        for name, first, second, spell in (
            ("latency p50", before.latency_p50_ms, after.latency_p50_ms, format_latency),
            ("latency p95", before.latency_p95_ms, after.latency_p95_ms, format_latency),
            ("tokens in", before.input_tokens, after.input_tokens, _tokens),
            ("tokens out", before.output_tokens, after.output_tokens, _tokens),
            ("cost", before.cost_usd, after.cost_usd, _cost),
        )
    ]
    for name, first, second, shown_first, shown_second in rows:
        if first or second:
            table.add_row(name, shown_first, shown_second, _relative(first, second))
    if before.errors or after.errors:
        table.add_row(Text("errors", "red"), f"{before.errors:,}", f"{after.errors:,}", "")
    return table


def _tokens(count: float | None) -> str:
    return MISSING if count is None else f"{count:,.1f}".removesuffix(".0")


def _cost(usd: float | None) -> str:
    return MISSING if usd is None else format_cost(usd)


def _relative(before: float | None, after: float | None) -> str:
    if before is None or after is None or before == 0:
        return MISSING
    return format_relative(after / before - 1)


def _case_parts(arm: ArmComparison, *, verbose: bool) -> list[RenderableType]:
    if not arm.changed and not arm.n_worse + arm.n_better:
        return []
    parts: list[RenderableType] = [_case_head(arm)]
    for case in arm.changed:
        parts += _changed_case(case, verbose=verbose)
    shown = sum(not _is_suspect(case) for case in arm.changed)
    if arm.n_worse + arm.n_better > shown:
        parts.append(Text(f"{arm.n_worse + arm.n_better - shown:,} more; --limit shows them", "dim"))
    return parts


def _case_head(arm: ArmComparison) -> Text:
    head = Text("changed cases: ", "bold")
    if not arm.n_worse and not arm.n_better:
        return head.append("none can be named for sure with so few samples; the largest drops are", "yellow")
    head.append(f"{arm.n_worse:,} worse", "red" if arm.n_worse else "")
    head.append(", ")
    head.append(f"{arm.n_better:,} better", "green" if arm.n_better else "")
    return head


def _is_suspect(case: ChangedCase) -> bool:
    return all(change.label == "suspect" for change in case.changes)


def _changed_case(case: ChangedCase, *, verbose: bool) -> Iterator[RenderableType]:
    head = Text(one_line(case.case_id), "bold")
    for change in case.changes:
        head.append("  ")
        head.append_text(_change(change))
    yield head
    yield from _answers(case.before, case.after, verbose=verbose)


def _change(change: CaseChange) -> Text:
    text = Text(f"{one_line(change.metric)} ")
    if change.passed_before is not None and change.passed_after is not None:
        passes = f"{change.passed_before}/{change.samples_before} → {change.passed_after}/{change.samples_after}"
        text.append(f"{passes} ")
    else:
        before, after = format_value(change.baseline_mean, low=None), format_value(change.candidate_mean, low=None)
        text.append(f"{before} → {after} ")
    label = "perhaps" if change.label == "suspect" else change.label.replace("_", " ")
    text.append(label, _LABEL_STYLE[change.label])
    return text


def _answers(before: Answer | None, after: Answer | None, *, verbose: bool) -> Iterator[RenderableType]:
    """Yield both answers with the words that differ marked, also without colours."""
    if before is None or after is None or before.output is None or after.output is None:
        yield from (_answer_line(sign, answer) for sign, answer in (("-", before), ("+", after)) if answer is not None)
        return
    if before.output == after.output:
        yield _padded("=", Text(_cut(before.output), "dim"))
        return
    diff = diff_words(before.output, after.output, max_chars=_ANSWER_CHARS[verbose])
    yield _padded("-", _marked(diff.before))
    yield _padded("+", _marked(diff.after))


def _answer_line(sign: str, answer: Answer) -> RenderableType:
    if answer.output is None:
        return _padded(sign, Text(one_line(answer.error or "no answer"), "red"))
    return _padded(sign, Text(_cut(answer.output)))


def _cut(text: str) -> str:
    limit = _ANSWER_CHARS[0]
    return one_line(text if len(text) <= limit else f"{text[:limit]}…") or "(empty answer)"


def _padded(sign: str, text: Text) -> RenderableType:
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(Text(sign, {"-": "red", "+": "green"}.get(sign, "dim")), text)
    return Padding(table, (0, 0, 0, 2), expand=False)


def _marked(pieces: Sequence[Piece]) -> Text:
    text = Text()
    for piece in pieces:
        shown = one_line(piece.text)
        if piece.kind == "removed":
            text.append(f"[-{shown}-]", "red")
        elif piece.kind == "added":
            text.append(f"{{+{shown}+}}", "green")
        else:
            text.append(shown, "dim")
    return text if text.plain else Text("(empty answer)", "dim")


def _left_out(comparison: RunComparison, *, verbose: bool) -> list[RenderableType]:
    """Return what was not compared, and why."""
    lines = [one_line(arm) for arm in comparison.unpaired_arms]
    reasons: dict[str, list[str]] = {}
    for arm in comparison.arms:
        for case in arm.unpaired:
            ids = reasons.setdefault(case.reason, [])
            if case.case_id not in ids[-1:]:
                ids.append(case.case_id)
    for reason, ids in reasons.items():
        distinct = list(dict.fromkeys(ids))
        lines.append(f"{plural(len(distinct), 'case')}: {reason}: {_ids(distinct, verbose=verbose)}")
    lines += [f"metric {one_line(name)}: {one_line(note)}" for name, note in _incomparable(comparison)]
    return [Text("not compared", "bold"), *(Text(f"  {line}") for line in lines)] if lines else []


def _incomparable(comparison: RunComparison) -> list[tuple[str, str]]:
    found = Counter(
        (metric.metric, metric.note or "no case in common")
        for arm in comparison.arms
        for metric in arm.metrics
        if metric.verdict == "not_comparable"
    )
    return list(found)


def _ids(ids: Sequence[str], *, verbose: bool) -> str:
    shown = [one_line(case_id) for case_id in (ids if verbose else islice(ids, _IDS))]
    rest = len(ids) - len(shown)
    return ", ".join(shown) + (f" and {rest:,} more" if rest else "")


def _next_steps(comparison: RunComparison) -> Text:
    text = Text("next: ", "bold")
    worst = next((case for arm in comparison.arms for case in arm.changed if case.is_worse), None)
    if worst is not None:
        text.append(f"retest show {one_line(comparison.candidate.label)} --case {one_line(worst.case_id)}", "cyan")
        return text
    text.append(f"retest show {one_line(comparison.candidate.label)}", "cyan")
    return text
