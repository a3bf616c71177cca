"""The sections of one suite in Markdown: reasons, verdicts, limits, cost, what differs, what was not compared."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from retest.domain.comparison import ArmComparison, Difference, MetricComparison, RunComparison, SliceComparison, Usage
from retest.domain.gate import GateReason, GateReport, Waiver
from retest.report.decided_text import decided_lines, run_decision
from retest.report.escape import one_line
from retest.report.markdown_text import bullets, escape_text, fence, figure, folded, listed, table
from retest.report.numbers import (
    MISSING,
    format_cost,
    format_interval,
    format_latency,
    format_p,
    format_relative,
    format_signed,
    plural,
)
from retest.report.pairwise_text import pairwise_lines
from retest.report.verdict_text import (
    age_text,
    blocks,
    change_text,
    compared_arms,
    interval_text,
    limit_text,
    means_text,
    metric_notes,
    ordered_reasons,
    reason_text,
    verdict_word,
)

_NAME = 80  # characters of a name
_VALUE = 80  # characters of a value that differs
_MARKS = {
    "regressed": "❌",
    "improved": "✅",
    "unchanged": "✅",
    "not_worse": "✅",
    "inconclusive": "❔",
    "not_comparable": "➖",
}


def reasons(report: GateReport, shown: int) -> str | None:
    """Return every reason that counted, those that decided first."""
    lines = [_reason(report, reason) for reason in ordered_reasons(report)]
    return bullets(listed(lines, shown)) if lines else None


def _reason(report: GateReport, reason: GateReason) -> str:
    text = escape_text(reason_text(report, reason), chars=400)
    text = f"{text} ({escape_text(reason.arm, chars=_NAME)})" if reason.arm is not None else text
    if reason.waived_by is not None:
        return f"⚠️ waived: {text}: {escape_text(reason.waived_by)}"
    return f"❌ {text}" if blocks(reason) else f"not blocking: {text}"


def verdicts(arm: ArmComparison, rows: int) -> Iterator[str]:
    """Yield the arm's name, its table of verdicts and its notes."""
    name = escape_text(arm.candidate, chars=_NAME)
    against = "" if arm.candidate == arm.baseline else f" against {escape_text(arm.baseline, chars=_NAME)}"
    yield f"**{name}**{against}, {plural(arm.n_cases, 'case')} compared"
    header = ("metric", "before", "after", "change", "95% interval", "p", "adjusted p", "verdict")
    if arm.metrics:
        shown = [_verdict_row(metric) for metric in arm.metrics[:rows]]
        yield table(header, shown, numbers=range(1, 7))
    if len(arm.metrics) > rows:
        yield f"and {len(arm.metrics) - rows:,} more metrics"
    notes = [f"{escape_text(metric.metric, chars=_NAME)}: {note}" for metric in arm.metrics for note in _notes(metric)]
    notes += [
        f"{escape_text(result.metric, chars=_NAME)}: {escape_text(line.text)}"
        for result in arm.pairwise
        for line in pairwise_lines(result)
    ]
    notes += [escape_text(note) for note in arm.notes]
    if notes:
        yield bullets(listed(notes, rows))


def _notes(metric: MetricComparison) -> Iterator[str]:
    for note in metric_notes(metric):
        yield escape_text(note)


def _verdict_row(metric: MetricComparison) -> tuple[str, ...]:
    before, after = means_text(metric)
    comparable = metric.verdict != "not_comparable"
    improved = metric.verdict == "improved"
    cells = (before, after, change_text(metric), interval_text(metric))
    p = format_p((metric.p_better if improved else metric.p) if comparable else None)
    adjusted = format_p(metric.p_adjusted if comparable and not improved else None)
    verdict = f"{_MARKS[metric.verdict]} {verdict_word(metric)}"
    return (escape_text(metric.metric, chars=_NAME), *map(figure, (*cells, p, adjusted)), verdict)


def limits(report: GateReport, shown: int) -> str | None:
    """Return the absolute limits, each with what the mean came to."""
    if report.summary is None or not report.summary.limits:
        return None
    several = len(report.summary.arms) > 1
    lines = [
        escape_text(f"{limit_text(limit)} ({limit.arm})" if several else limit_text(limit))
        for limit in report.summary.limits
    ]
    return f"**Limits**\n\n{bullets(listed(lines, shown))}"


def usage(arm: ArmComparison) -> str | None:
    """Return cost, tokens and latency per answer on both sides, None where neither is known."""
    before, after = arm.baseline_usage, arm.candidate_usage
    if before is None or after is None:
        return None
    rows = [
        (name, figure(spelt[0]), figure(spelt[1]), _relative(*values))
        for name, values, spelt in _usage_rows(before, after)
        if any(values)
    ]
    if before.errors or after.errors:
        rows.append(("errors", f"{before.errors:,}", f"{after.errors:,}", ""))
    return table(("per answer", "before", "after", "change"), rows, numbers=(1, 2, 3)) if rows else None


def _usage_rows(
    before: Usage, after: Usage
) -> Iterator[tuple[str, tuple[float | None, float | None], tuple[str, str]]]:
    cost = (before.cost_usd, after.cost_usd)
    yield "cost", cost, (format_cost(cost[0]), format_cost(cost[1]))
    for name, first, second in (
        ("latency p50", before.latency_p50_ms, after.latency_p50_ms),
        ("latency p95", before.latency_p95_ms, after.latency_p95_ms),
    ):
        yield name, (first, second), (format_latency(first), format_latency(second))
    for name, first, second in (
        ("tokens in", before.input_tokens, after.input_tokens),
        ("tokens out", before.output_tokens, after.output_tokens),
    ):
        yield name, (first, second), (_tokens(first), _tokens(second))


def _tokens(count: float | None) -> str:
    return MISSING if count is None else f"{count:,.1f}".removesuffix(".0")


def _relative(before: float | None, after: float | None) -> str:
    if before is None or after is None or before == 0:
        return MISSING
    return format_relative(after / before - 1)


def differences(comparison: RunComparison, shown: int) -> str | None:
    """Return what differs besides the scores, declared: prompt, model, parameters, dataset, metrics."""
    found: list[tuple[str | None, Difference]] = [(None, difference) for difference in comparison.differences]
    several = len(comparison.arms) > 1
    found += [(arm.candidate if several else None, item) for arm in comparison.arms for item in arm.differences]
    lines = [_difference(arm, item) for arm, item in found]
    lines += [f"prompt {escape_text(prompt.name, chars=_NAME)}: its text changed" for prompt in comparison.prompts]
    return f"**Differs between the two sides**\n\n{bullets(listed(lines, shown))}" if lines else None


def _difference(arm: str | None, item: Difference) -> str:
    where = "" if arm is None else f"{escape_text(arm, chars=_NAME)}: "
    values = " → ".join(escape_text(value, chars=_VALUE) for value in (item.before, item.after))
    return f"{where}{escape_text(item.what, chars=_NAME)}: {values}{' (blocks)' if item.blocking else ''}"


def not_compared(comparison: RunComparison, shown: int, ids: int) -> str | None:
    """Return the arms, metrics and cases that were left out, each with its reason."""
    lines = [escape_text(arm) for arm in comparison.unpaired_arms]
    lines += [
        f"metric {escape_text(metric.metric, chars=_NAME)}: {escape_text(metric.note or 'no case in common')}"
        for arm in comparison.arms
        for metric in arm.metrics
        if metric.verdict == "not_comparable"
    ]
    by_reason: dict[str, dict[str, None]] = {}
    for arm in comparison.arms:
        for case in arm.unpaired:
            by_reason.setdefault(case.reason, {})[case.case_id] = None
    for reason, cases in by_reason.items():
        names = listed([escape_text(case_id, chars=_NAME) for case_id in cases], ids)
        lines.append(f"{plural(len(cases), 'case')}: {escape_text(reason)}: {', '.join(names)}")
    lines = list(dict.fromkeys(lines))
    return folded("Not compared", bullets(listed(lines, shown))) if lines else None


def slices(report: GateReport, rows: int) -> str | None:
    """Return the changes by tag and cluster of the metrics that are not well; slices have no verdicts."""
    arms = compared_arms(report)
    found = [(arm, part) for arm in arms for part in arm.slices if part.metric in _doubtful(arm)]
    if not found:
        return None
    header = (*(("arm",) if len(arms) > 1 else ()), "slice", "metric", "cases", "change", "95% interval")
    cells = [(*((escape_text(arm.candidate, chars=_NAME),) if len(arms) > 1 else ()), *_slice(p)) for arm, p in found]
    text = table(header, cells[:rows], numbers=range(len(header) - 3, len(header)))
    more = f"\n\nand {len(cells) - rows:,} more" if len(cells) > rows else ""
    return folded("By tag and cluster", text + more)


def _doubtful(arm: ArmComparison) -> set[str]:
    return {metric.metric for metric in arm.metrics if metric.verdict in {"regressed", "inconclusive"}}


def _slice(part: SliceComparison) -> tuple[str, ...]:
    scale = (part.range_low, part.range_high)
    name = escape_text(f"{part.kind} {part.name}", chars=_NAME)
    known = (name, escape_text(part.metric, chars=_NAME), f"{part.n_cases:,}")
    if part.scale == "log":
        return (*known, format_relative(part.delta), MISSING)
    change = format_signed(part.delta, low=scale[0], high=scale[1])
    return (*known, change, format_interval(part.low, part.high, scale=scale))


def waivers(report: GateReport, shown: int) -> str | None:
    """Return the waivers, each with its reason, author and end; those that have expired are marked."""
    lines = [_waiver(waiver, report.judged_on) for waiver in report.waivers]
    return f"**Waivers**\n\n{bullets(listed(lines, shown))}" if lines else None


def _waiver(waiver: Waiver, today: date | None) -> str:
    over = today is not None and not waiver.is_active(today)
    until = f"{'expired on' if over else 'until'} {waiver.expires.isoformat()}"
    author = f" ({escape_text(waiver.author, chars=_NAME)})" if waiver.author else ""
    return f"{escape_text(waiver.metric, chars=_NAME)} {until}: {escape_text(waiver.reason)}{author}"


def origins(report: GateReport) -> str:
    """Return what was compared with what, how old the baseline is, and the command that repeats the decision."""
    parts = []
    if report.run is not None:
        commit = report.run.provenance.git_commit
        parts.append(f"Run {escape_text(report.run.run_id)}" + (f" at {escape_text(commit[:8])}" if commit else ""))
        parts.append(plural(report.run.counts.calls, "call") + f", {report.run.counts.ledger_hits:,} from the ledger")
    baseline = "none" if report.baseline_label is None else escape_text(report.baseline_label)
    age = None if report.comparison is None else report.comparison.age_days
    parts.append(f"baseline {baseline}" + ("" if age is None else f", its answers {age_text(age)} old"))
    decision = run_decision(report.run)
    if decision is not None:
        parts += [escape_text(line) for line in decided_lines(decision)]
    text = "; ".join(parts)
    return f"{text}\n\n{fence(one_line(report.reproduce), 'sh')}" if report.reproduce else text
