"""A gate as logical tests, for formats that know tests: one a metric, a limit, a guarded case, and the gate itself.

Names stay the same from run to run, so that a server can show a test's history. A test fails exactly where a reason
that blocks is about it; what is left over fails the test named ``gate``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from retest.domain.comparison import ArmComparison, ChangedCase, MetricComparison
from retest.domain.gate import GateReason, GateReport
from retest.domain.summary import LimitResult
from retest.report.verdict_text import (
    OUTCOME_WORDS,
    blocks,
    case_change_text,
    compared_arms,
    headline,
    limit_text,
    metric_notes,
    metric_sentence,
    reason_text,
)

Status = Literal["passed", "failed", "error", "skipped"]

_CASES = 10  # changed cases told in the text of a metric that failed
_CHARS = 1_000  # of each answer


@dataclass(frozen=True, slots=True, kw_only=True)
class LogicalTest:
    """One test: `kind` is what went wrong (``regressed``, ``limit``...), `message` one line, `text` all there is."""

    name: str
    status: Status
    kind: str = ""
    message: str = ""
    text: str = ""


def logical_tests(report: GateReport) -> list[LogicalTest]:
    """Return the tests of a suite; at least one fails or has an error wherever the outcome is not ``passed``."""
    blocking = [reason for reason in report.reasons if blocks(reason)]
    tests = [*_metric_tests(report, blocking), *_limit_tests(report, blocking), *_case_tests(report, blocking)]
    explained = any(test.status == "failed" for test in tests)
    return [*tests, _gate_test(report, [reason for reason in blocking if not _is_told(report, reason)], explained)]


def _is_told(report: GateReport, reason: GateReason) -> bool:
    """Return whether a metric's, a limit's or a case's own test tells this reason."""
    if reason.case_id is not None:
        return True
    if reason.kind == "not_comparable" or reason.metric is None:
        return False
    return any(_is_about(reason, arm, metric) for arm, metric in _metrics(report)) or any(
        _is_about_limit(reason, limit) for limit in _limits(report)
    )


def _metrics(report: GateReport) -> Iterator[tuple[str, MetricComparison]]:
    yield from ((arm.candidate, metric) for arm in compared_arms(report) for metric in arm.metrics)


def _limits(report: GateReport) -> Sequence[LimitResult]:
    return () if report.summary is None else report.summary.limits


def _is_about(reason: GateReason, arm: str, metric: MetricComparison) -> bool:
    """Return whether a reason is about a comparison; what is unproven may also be a limit, which has its own test."""
    if reason.case_id is not None or (reason.arm, reason.metric) != (arm, metric.metric):
        return False
    if reason.kind == "unproven":
        return metric.verdict in {"inconclusive", "regressed"}
    return reason.kind not in {"limit", "not_comparable"}


def _is_about_limit(reason: GateReason, limit: LimitResult) -> bool:
    same = reason.case_id is None and (reason.arm, reason.metric) == (limit.arm, limit.metric)
    wanted = {"fail": "limit", "inconclusive": "unproven"}.get(limit.judgement)
    if limit.mean is None:  # nothing to judge is no pass
        wanted = "not_comparable"
    return same and reason.kind == wanted


def _metric_tests(report: GateReport, blocking: Sequence[GateReason]) -> Iterator[LogicalTest]:
    for arm in compared_arms(report):
        for metric in arm.metrics:
            name = f"{arm.candidate}: {metric.metric}"
            sentence = metric_sentence(metric)
            about = [reason for reason in blocking if _is_about(reason, arm.candidate, metric)]
            if about:
                text = "\n".join([sentence, *metric_notes(metric), *_fallen_cases(arm, metric.metric)])
                yield _failed(report, name, about, text)
            elif metric.verdict == "not_comparable":
                yield LogicalTest(name=name, status="skipped", kind="not_comparable", message=sentence)
            else:
                text = "\n".join([sentence, *metric_notes(metric), *_lifted(report, arm, metric)])
                yield LogicalTest(name=name, status="passed", text=text)


def _lifted(report: GateReport, arm: ArmComparison, metric: MetricComparison) -> Iterator[str]:
    for reason in report.reasons:
        if reason.waived_by is not None and _is_about(reason, arm.candidate, metric):
            yield f"waived: {reason.waived_by}"


def _failed(report: GateReport, name: str, about: Sequence[GateReason], text: str) -> LogicalTest:
    messages = [reason_text(report, reason) for reason in about]
    everything = "\n".join([*messages, text]) if text else "\n".join(messages)
    return LogicalTest(name=name, status="failed", kind=about[0].kind, message=messages[0], text=everything)


def _limit_tests(report: GateReport, blocking: Sequence[GateReason]) -> Iterator[LogicalTest]:
    for limit in _limits(report):
        name = f"{limit.arm}: {limit.metric} {limit.limit}"
        about = [reason for reason in blocking if _is_about_limit(reason, limit)]
        if about:
            yield _failed(report, name, about, limit_text(limit))
        else:
            yield LogicalTest(name=name, status="passed", text=limit_text(limit))


def _case_tests(report: GateReport, blocking: Sequence[GateReason]) -> Iterator[LogicalTest]:
    by_name: dict[str, list[GateReason]] = {}
    for reason in blocking:
        if reason.case_id is not None:
            parts = [part for part in (reason.arm, reason.metric) if part is not None]
            by_name.setdefault(f"{': '.join(parts)} case {reason.case_id}", []).append(reason)
    for name, reasons in by_name.items():
        yield _failed(report, name, reasons, "\n".join(_answers_of(report, reasons[0])))


def _answers_of(report: GateReport, reason: GateReason) -> Iterator[str]:
    for arm in compared_arms(report):
        if reason.arm in {None, arm.candidate}:
            for case in arm.changed:
                if case.case_id == reason.case_id:
                    yield from _case_lines(case)


def _fallen_cases(arm: ArmComparison, metric: str) -> Iterator[str]:
    worse = [case for case in arm.changed if case.is_worse and any(change.metric == metric for change in case.changes)]
    for case in worse[:_CASES]:
        yield ""
        yield from _case_lines(case)
    if len(worse) > _CASES:
        yield f"and {len(worse) - _CASES:,} more cases"


def _case_lines(case: ChangedCase) -> Iterator[str]:
    yield f"{case.case_id}: {'; '.join(case_change_text(change) for change in case.changes)}"
    for word, answer in (("before", case.before), ("after", case.after)):
        if answer is not None:
            said = f"(no answer: {answer.error})" if answer.output is None else answer.output
            yield f"{word}: {said if len(said) <= _CHARS else said[:_CHARS] + '…'}"


def _gate_test(report: GateReport, left: Sequence[GateReason], explained: bool) -> LogicalTest:  # noqa: FBT001 - one caller
    """Return the test of the gate as a whole: it tells what no other test tells, and never passes without reason."""
    said = [reason_text(report, reason) for reason in left]
    text = "\n".join([*said, *([f"to repeat: {report.reproduce}"] if report.reproduce else [])])
    if report.outcome == "passed" or (explained and not left):
        return LogicalTest(name="gate", status="passed", text=f"{headline(report)}\n{text}".strip())
    status: Status = "failed" if report.outcome in {"failed", "inconclusive"} else "error"
    message = f"{OUTCOME_WORDS[report.outcome]}: {said[0] if said else headline(report)}"
    return LogicalTest(name="gate", status=status, kind=report.outcome, message=message, text=text or message)
