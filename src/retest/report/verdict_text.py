"""What a gate decided, in plain sentences that every format shares; each format escapes them for itself."""

from __future__ import annotations

import math
import posixpath
from collections.abc import Iterator, Sequence

from retest.domain.comparison import ArmComparison, CaseChange, MetricComparison
from retest.domain.gate import GateReason, GateReport, Outcome, Waiver
from retest.domain.run import RunArm
from retest.domain.summary import LimitResult
from retest.errors import ExitCode, worst_exit_code
from retest.report.numbers import (
    MISSING,
    format_interval,
    format_points,
    format_relative,
    format_relative_interval,
    format_signed,
    format_value,
)

OUTCOME_WORDS: dict[Outcome, str] = {
    "passed": "passed",
    "failed": "failed",
    "inconclusive": "inconclusive",
    "incomplete": "incomplete",
    "nothing_to_judge": "nothing to judge",
    "interrupted": "interrupted",
}


def overall_exit_code(reports: Sequence[GateReport]) -> ExitCode:
    """Return the code that wins over all suites; no suite at all is nothing to judge."""
    return worst_exit_code(*(ExitCode(report.exit_code) for report in reports))


def by_urgency(reports: Sequence[GateReport]) -> list[GateReport]:
    """Return the reports with those first that did not pass, the order kept otherwise."""
    return sorted(reports, key=lambda report: report.outcome == "passed")


def leading_report(reports: Sequence[GateReport]) -> GateReport | None:
    """Return the first report with the exit code that wins, None where there is no report."""
    code = overall_exit_code(reports)
    return next((report for report in reports if report.exit_code == code), None)


def blocks(reason: GateReason) -> bool:
    """Return whether a reason counts against the outcome: it blocks, and no waiver lifts it."""
    return reason.blocking and reason.waived_by is None


def ordered_reasons(report: GateReport) -> list[GateReason]:
    """Return the reasons with those first that decided, the order kept otherwise."""
    return sorted(report.reasons, key=lambda reason: not blocks(reason))


def headline(report: GateReport) -> str:
    """Return the first thing that decided, in one sentence with its numbers."""
    reasons = ordered_reasons(report)
    if report.outcome != "passed":
        return reason_text(report, reasons[0]) if reasons else f"{OUTCOME_WORDS[report.outcome]}, without a reason"
    if report.comparison is None:
        return "passed, not compared with a baseline"
    return summary_of_verdicts(report)


def reason_text(report: GateReport, reason: GateReason) -> str:
    """Return a reason's sentence with what it is about: the metric, the case.

    A regression is said from the comparison, in points where its scale is 0 to 1.
    """
    metric = compared_metric(report, reason)
    if reason.kind == "regressed" and metric is not None and metric.delta is not None:
        return f"{metric.metric} regressed by {_size(metric)}{_expired(report, metric.metric)}"
    about = [name for name in (reason.metric, reason.case_id) if name is not None]
    return f"{', '.join(about)}: {reason.message}" if about else reason.message


def _expired(report: GateReport, metric: str) -> str:
    own = [waiver for waiver in report.waivers if waiver.metric == metric]
    today = report.judged_on
    if not own or today is None or any(waiver.is_active(today) for waiver in own):
        return ""
    return f"; its waiver expired on {max(waiver.expires for waiver in own).isoformat()}"


def _size(metric: MetricComparison) -> str:
    if _is_unit(metric) and metric.delta is not None and metric.low is not None and metric.high is not None:
        ends = ", ".join(format_points(end, signed=True) for end in (metric.low, metric.high))
        return f"{format_points(metric.delta)} points [{ends}]"
    return f"{change_text(metric).lstrip('+-')} {interval_text(metric)}".removesuffix(f" {MISSING}")


def _is_unit(metric: MetricComparison) -> bool:
    return metric.scale == "linear" and (metric.range_low, metric.range_high) == (0.0, 1.0)


def summary_of_verdicts(report: GateReport) -> str:
    """Return how many metrics came to each verdict, such as ``2 not worse, 1 improved``."""
    counts: dict[str, int] = {}
    for arm in compared_arms(report):
        for metric in arm.metrics:
            word = metric.verdict.replace("_", " ")
            counts[word] = counts.get(word, 0) + 1
    return ", ".join(f"{count:,} {word}" for word, count in counts.items()) or "no metric compared"


def compared_arms(report: GateReport) -> Sequence[ArmComparison]:
    """Return the compared arms, none where there was no comparison."""
    return () if report.comparison is None else report.comparison.arms


def compared_metric(report: GateReport, reason: GateReason) -> MetricComparison | None:
    """Return the comparison that a reason is about, None where it is about something else."""
    found = (
        metric
        for arm in compared_arms(report)
        if reason.arm in {None, arm.candidate}
        for metric in arm.metrics
        if metric.metric == reason.metric
    )
    return next(found, None)


def change_text(metric: MetricComparison) -> str:
    """Return the change in the metric's own terms: a difference, or per cent on a log scale."""
    if metric.scale == "log":
        return format_relative(metric.delta)
    return format_signed(metric.delta, low=metric.range_low, high=metric.range_high)


def interval_text(metric: MetricComparison) -> str:
    """Return the interval of the change."""
    if metric.low is None or metric.high is None:
        return MISSING
    if metric.scale == "log":
        return format_relative_interval(metric.low, metric.high)
    return format_interval(metric.low, metric.high, scale=(metric.range_low, metric.range_high))


def means_text(metric: MetricComparison) -> tuple[str, str]:
    """Return the means before and after."""
    scale = {"low": metric.range_low, "high": metric.range_high}
    return format_value(metric.baseline_mean, **scale), format_value(metric.candidate_mean, **scale)


def metric_sentence(metric: MetricComparison) -> str:
    """Return one metric as a sentence: before, after, change with interval, verdict, cases."""
    if metric.verdict == "not_comparable":
        return f"{metric.metric}: not comparable: {metric.note or 'no case in common'}"
    before, after = means_text(metric)
    change = f"{change_text(metric)}, 95% interval {interval_text(metric)}"
    return f"{metric.metric}: {before} → {after} ({change}) over {metric.n_cases:,} cases: {verdict_word(metric)}"


def verdict_word(metric: MetricComparison) -> str:
    """Return the verdict in words."""
    return metric.verdict.replace("_", " ")


def metric_notes(metric: MetricComparison) -> Iterator[str]:
    """Yield what a reader must know beside a verdict: notes, what could have been missed, missing samples."""
    if metric.note is not None and metric.verdict != "not_comparable":
        yield metric.note
    if metric.verdict == "inconclusive" and metric.mde is not None:
        yield _missed(metric, metric.mde)
    drift = drift_text(metric)
    if drift is not None:
        yield drift
    if metric.missing_low is not None and metric.missing_high is not None:
        ends = format_interval(metric.missing_low, metric.missing_high, scale=(metric.range_low, metric.range_high))
        yield f"samples are missing; with them the change lies within {ends}"


def drift_text(metric: MetricComparison) -> str | None:
    """Return how a regression compares with the drift between equal runs; None where no drift is known."""
    if metric.verdict != "regressed" or metric.drift_limit is None:
        return None
    size = f"{metric.drift_limit:.1%}" if metric.scale == "log" else format_value(metric.drift_limit, low=None)
    if metric.within_drift:
        return f"within the drift that retest aa measured: equal runs differ by up to {size}; run both sides in one go"
    return f"beyond the drift that retest aa measured: equal runs differ by up to {size}"


def _missed(metric: MetricComparison, mde: float) -> str:
    kind = "rise" if metric.direction == "lower" else "drop"
    bounded = metric.range_low is not None and metric.range_high is not None
    width = (metric.range_high or 0.0) - (metric.range_low or 0.0) if bounded else math.inf
    if metric.scale == "linear" and mde >= width:
        return f"a {kind} of any size could have been missed"
    size = f"{mde:.1%}" if metric.scale == "log" else format_value(mde, low=None)
    return f"a {kind} of less than {size} could have been missed"


def limit_text(limit: LimitResult) -> str:
    """Return a limit and what the mean, or the figure, came to."""
    value = format_value(limit.mean, low=None)
    interval = format_interval(limit.low, limit.high, scale=(None, None))
    judgement = "cannot be computed" if limit.mean is None else limit.judgement
    return f"{limit.metric} {limit.limit} {limit.value:g}: {limit.subject} {value} {interval}, {judgement}"


def case_change_text(change: CaseChange) -> str:
    """Return what one metric of one case went through: k of n passes, or means."""
    label = "may be chance" if change.label == "suspect" else change.label.replace("_", " ")
    if change.passed_before is not None and change.passed_after is not None:
        before = f"{change.passed_before} of {change.samples_before}"
        return f"{change.metric} passed {before} → {change.passed_after} of {change.samples_after}, {label}"
    means = (format_value(value, low=None) for value in (change.baseline_mean, change.candidate_mean))
    return f"{change.metric} {' → '.join(means)}, {label}"


def prompt_path(report: GateReport, arm: str | None) -> str:
    """Return the file to point at: the arm's prompt, else the first prompt that has a file, else the suite."""
    arms: Sequence[RunArm] = () if report.run is None else report.run.arms
    named = [known for known in arms if arm in {None, known.name}]
    return next((known.prompt_path for known in named if known.prompt_path is not None), report.suite_path)


def waiver_text(report: GateReport, waiver: Waiver) -> str:
    """Return a waiver on one line: its metric, until when, why and by whom; whether it is over."""
    active = report.judged_on is None or waiver.is_active(report.judged_on)
    until = f"until {waiver.expires}" if active else f"expired on {waiver.expires}: it lifts nothing any more"
    by = f" ({waiver.author})" if waiver.author else ""
    return f"{waiver.metric} {until}: {waiver.reason}{by}"


def idle_waivers(report: GateReport) -> list[Waiver]:
    """Return the waivers that no reason speaks of: they lifted nothing, and still stand."""
    spoken_of = {reason.metric for reason in report.reasons}
    return [waiver for waiver in report.waivers if waiver.metric not in spoken_of]


def from_root(report: GateReport, path: str) -> str:
    """Return a path as seen from the repository's root, where GitHub looks for it."""
    return path if not report.folder or posixpath.isabs(path) else posixpath.normpath(report.folder + path)


def prompt_line(report: GateReport, path: str) -> int:
    """Return the line of the file to point at: the first that differs from the baseline's prompt, else the first."""
    prompts = () if report.comparison is None else report.comparison.prompts
    change = next((prompt for prompt in prompts if prompt.after_path == path), None)
    if change is None:
        return 1
    before, after = change.before.splitlines(), change.after.splitlines()
    differing = (number for number, (old, new) in enumerate(zip(before, after, strict=False), start=1) if old != new)
    return min(next(differing, len(before) + 1), max(len(after), 1))


def age_text(days: float) -> str:
    """Return an age in the unit a person would use."""
    if days >= 1:
        return "1 day" if int(days) == 1 else f"{int(days):,} days"
    hours = int(days * 24)
    return "less than an hour" if hours < 1 else "1 hour" if hours == 1 else f"{hours} hours"
