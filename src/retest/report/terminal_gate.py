"""A gate's report on the terminal: the verdict first, then the numbers, the reasons, and what was not compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from rich.console import Group, RenderableType
from rich.text import Text

from retest.domain.comparison import ArmComparison, MetricComparison, RunComparison
from retest.domain.gate import GateReason, GateReport, Outcome, Waiver
from retest.report.decided_text import decided_lines, run_decision
from retest.report.escape import one_line
from retest.report.numbers import plural
from retest.report.terminal_comparison import comparison_head, difference_text, verdict_notes, verdict_table
from retest.report.terminal_pairwise import pairwise_notes
from retest.report.verdict_text import waiver_text

_WORDS: dict[Outcome, tuple[str, str]] = {
    "passed": ("PASSED", "bold green"),
    "failed": ("FAILED", "bold red"),
    "inconclusive": ("INCONCLUSIVE", "bold yellow"),
    "incomplete": ("INCOMPLETE", "bold red"),
    "nothing_to_judge": ("NOTHING TO JUDGE", "bold yellow"),
    "interrupted": ("INTERRUPTED", "bold yellow"),
}
_SHOWN = 8  # reasons and case ids without --verbose
_VALUE = 60  # characters of what differs


def gate_report(report: GateReport, *, verbose: bool = False) -> RenderableType:
    """Return everything that `retest gate` shows of one suite."""
    blocks: list[list[RenderableType]] = [[*_head(report)]]
    if report.comparison is not None:
        blocks += [_arm_block(arm, report.reasons) for arm in report.comparison.arms]
    blocks.append(list(_reason_lines(report.reasons, verbose=verbose)))
    if report.comparison is not None:
        blocks.append(list(_changed_lines(report.comparison)))
        blocks.append(list(_left_out(report.comparison, verbose=verbose)))
    blocks.append([_waiver_line(waiver, report) for waiver in report.waivers])
    blocks.append(list(_next_lines(report)))
    return Group(*(part for block in blocks if block for part in (*block, Text())))


def _head(report: GateReport) -> Iterator[Text]:
    word, style = _WORDS[report.outcome]
    line = Text.assemble((word, style), "  ", (one_line(report.suite), "bold"))
    blocking = sum(reason.blocking for reason in report.reasons)
    line.append(f"  {_summary(report, blocking)}")
    yield line
    if report.baseline_label is not None and report.run is not None:
        sides = f"{one_line(report.run.run_id)} against the baseline {one_line(report.baseline_label)}"
        yield Text(f"{sides}{_age(report.comparison)}", "dim")
    decision = run_decision(report.run)
    if decision is not None:
        yield from (Text(one_line(line), "cyan") for line in decided_lines(decision))
    if report.comparison is not None:
        yield from (Text(f"warning: {one_line(warning)}", "yellow") for warning in report.comparison.warnings)


def _summary(report: GateReport, blocking: int) -> str:
    if blocking:
        return plural(blocking, "reason") + f" below (exit {report.exit_code})"
    cases = max((arm.n_cases for arm in report.comparison.arms), default=0) if report.comparison is not None else 0
    waived = sum(reason.waived_by is not None for reason in report.reasons)
    lifted = f", {plural(waived, 'failure')} waived" if waived else ""
    return f"{plural(cases, 'case')} compared{lifted}"


def _age(comparison: RunComparison | None) -> str:
    if comparison is None or comparison.age_days is None or comparison.age_days < 1:
        return ""
    return f", whose answers are {plural(int(comparison.age_days), 'day')} old"


def _arm_block(arm: ArmComparison, reasons: Sequence[GateReason]) -> list[RenderableType]:
    head = comparison_head(arm)
    head.append(f"  {plural(arm.n_cases, 'case')} in common", "dim")
    differences = [Text(f"differs: {difference_text(item, _VALUE)}", "cyan") for item in arm.differences]
    notes = [Text(f"note: {one_line(note)}", "yellow") for note in arm.notes]
    said = [*verdict_notes(_unsaid(arm, reasons)), *pairwise_notes(arm.pairwise)]
    return [head, *differences, verdict_table(arm.metrics), *said, *notes]


def _unsaid(arm: ArmComparison, reasons: Sequence[GateReason]) -> list[MetricComparison]:
    """Return the metrics without the drop that could have been missed where a reason below says it."""
    below = {reason.metric for reason in reasons if reason.kind == "unproven" and reason.arm == arm.candidate}
    return [
        replace(metric, mde=None) if metric.verdict == "inconclusive" and metric.metric in below else metric
        for metric in arm.metrics
    ]


def _reason_lines(reasons: Sequence[GateReason], *, verbose: bool) -> Iterator[Text]:
    """Yield what decided, all of it, then what is only said."""
    blocking = [reason for reason in reasons if reason.blocking]
    said = [reason for reason in reasons if not reason.blocking]
    shown = blocking if verbose else blocking[: 3 * _SHOWN]
    for reason in shown:
        yield Text.assemble(("✗ ", "bold red"), _place(reason), one_line(reason.message))
    for reason in said if verbose else said[:_SHOWN]:
        lifted = f"; waived: {one_line(reason.waived_by)}" if reason.waived_by is not None else ""
        yield Text.assemble(("· ", "yellow"), _place(reason), one_line(reason.message), lifted)
    more = len(reasons) - len(shown) - (len(said) if verbose else min(len(said), _SHOWN))
    if more:
        yield Text(f"{plural(more, 'more reason')}; --verbose shows all", "dim")


def _place(reason: GateReason) -> str:
    parts = [one_line(part) for part in (reason.arm, reason.metric, reason.case_id) if part]
    return f"{' · '.join(parts)}: " if parts else ""


def _changed_lines(comparison: RunComparison) -> Iterator[Text]:
    for arm in comparison.arms:
        worse = [case.case_id for case in arm.changed if case.is_worse]
        if arm.n_worse and worse:
            yield Text(f"got worse ({arm.n_worse}): {_ids(worse, arm.n_worse)}", "red")
        if arm.flaky:
            yield Text(f"flaky, as before: {_ids(arm.flaky, len(arm.flaky))}", "dim")


def _ids(ids: Sequence[str], total: int) -> str:
    shown = ", ".join(one_line(case_id) for case_id in ids[:_SHOWN])
    return shown if total <= min(len(ids), _SHOWN) else f"{shown}, …"


def _left_out(comparison: RunComparison, *, verbose: bool) -> Iterator[Text]:
    """Yield what was not compared, and why."""
    unpaired = dict.fromkeys(case for arm in comparison.arms for case in arm.unpaired)
    for reason, count in Counter(case.reason for case in unpaired).items():
        ids = [case.case_id for case in unpaired if case.reason == reason]
        names = ", ".join(one_line(case_id) for case_id in ids) if verbose else _ids(ids, count)
        yield Text(f"not compared: {plural(count, 'case')} ({one_line(reason)}): {names}", "dim")


def _waiver_line(waiver: Waiver, report: GateReport) -> Text:
    active = report.judged_on is None or waiver.is_active(report.judged_on)
    return Text(f"waiver: {one_line(waiver_text(report, waiver))}", "" if active else "yellow")


def _next_lines(report: GateReport) -> Iterator[Text]:
    if report.outcome == "failed" and report.comparison is not None and report.run is not None:
        yield Text(f"the changed answers: retest show {one_line(report.run.run_id)} --failures", "dim")
    if report.reproduce:
        yield Text(f"again: {one_line(report.reproduce)}", "dim")
