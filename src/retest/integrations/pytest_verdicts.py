"""One suite run and judged, as texts: why the gate fails, and why each case that fails does."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from retest.domain.case import Case
from retest.domain.comparison import Answer, ArmComparison, ChangedCase
from retest.domain.gate import GateReport
from retest.domain.sample import CallError, MetricFailure
from retest.domain.suite import Suite
from retest.errors import RetestError
from retest.integrations.pytest_names import item_names
from retest.report.escape import one_line, visible
from retest.report.verdict_text import OUTCOME_WORDS, blocks, case_change_text, headline, metric_sentence, reason_text
from retest.workflows.check import check_suites
from retest.workflows.gate_suite import GateJob, gate_suite
from retest.workflows.run import run_suite

_CHARS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteVerdict:
    """Why the gate and the cases fail; what is empty or absent passed.

    Attributes:
        not_compared: why no case was judged at all; empty where they were.
        cases: case id -> text.
    """

    gate: str = ""
    not_compared: str = ""
    cases: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def unjudged(cls, why: str) -> Self:
        """Return the verdict on a suite that could not be judged: the gate fails, the cases are skipped."""
        return cls(gate=f"E   {visible(why)}", not_compared=why)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """Return what `document` wrote."""
        return cls(**document)

    def document(self) -> dict[str, Any]:
        """Return the verdict as JSON."""
        return asdict(self)


def judge_suite(path: Path, job: GateJob, only: Collection[str] | None = None) -> SuiteVerdict:
    """Run and judge the suite in a file; what keeps it from being judged is a verdict too.

    Args:
        path: of the suite.
        job: by what it is judged.
        only: names of the items whose cases are run; None for all of them.
    """
    try:
        # A project's own filters are for its own code: a warning of a library must not end a suite.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            checked = check_suites([str(path)], job.workspace)
            suite = checked.suites[0]
            job = job if only is None else _narrowed(job, suite, only)
            report = gate_suite(
                suite, job, lambda each, options: asyncio.run(run_suite(each, options, job.workspace)), lambda _: None
            )
    except RetestError as error:
        return SuiteVerdict.unjudged(str(error))
    if report.run is None:
        reasons = "; ".join(reason.message for reason in report.reasons)
        return SuiteVerdict.unjudged(f"nothing to judge (exit 5): {reasons}\nto set one: retest baseline set")
    return SuiteVerdict(gate=_gate_text(report), cases=_case_texts(suite, report, job))


def _narrowed(job: GateJob, suite: Suite, only: Collection[str]) -> GateJob:
    ids = frozenset(case_id for name, case_id in item_names(case.case_id for case in suite.cases) if name in only)
    return replace(job, options=replace(job.options, selection=replace(job.options.selection, ids=ids)))


def _gate_text(report: GateReport) -> str:
    if report.outcome == "passed":
        return ""
    word = OUTCOME_WORDS[report.outcome]
    lines = [f"gate of suite {report.suite} against {report.baseline_label}", ""]
    arms = () if report.comparison is None else report.comparison.arms
    lines += [f"    {arm.candidate}  {metric_sentence(metric)}" for arm in arms for metric in arm.metrics]
    why = [reason_text(report, reason) for reason in report.reasons if blocks(reason)] or [headline(report)]
    lines += [f"E   {word} (exit {report.exit_code}): {reason}" for reason in why]
    return visible("\n".join([*lines, "", f"to repeat: {report.reproduce}"]))


def _case_texts(suite: Suite, report: GateReport, job: GateJob) -> dict[str, str]:
    whys: dict[str, list[str]] = {}
    for case_id, why in (*_errors(report, job), *_rules(report), *_newly_failing(report)):
        whys.setdefault(case_id, []).append(why)
    if not whys:
        return {}
    return {case.case_id: _text(case, report, whys[case.case_id]) for case in suite.cases if case.case_id in whys}


def _errors(report: GateReport, job: GateJob) -> Iterator[tuple[str, str]]:
    assert report.run is not None, "it was run"  # noqa: S101 - tells the type checker
    with job.workspace.open_store(read_only=True) as store:
        for sample in store.iter_samples(report.run.run_id):
            if isinstance(sample.outcome, CallError):
                yield sample.case.case_id, f"no answer: {sample.outcome.kind}: {sample.outcome.message}"
                continue
            for name, score in sample.scores.items():
                if isinstance(score, MetricFailure) and score.kind not in {"not_applicable", "no_expected"}:
                    yield sample.case.case_id, f"{name} could not score an answer: {score.message}"


def _rules(report: GateReport) -> Iterator[tuple[str, str]]:
    for reason in report.reasons:
        if reason.case_id is not None and blocks(reason):
            yield reason.case_id, f"{reason.metric}: {reason.message}"


def _newly_failing(report: GateReport) -> Iterator[tuple[str, str]]:
    waived = {waiver.metric for waiver in report.waivers if report.judged_on and waiver.is_active(report.judged_on)}
    for arm in () if report.comparison is None else report.comparison.arms:
        for case in arm.changed:
            for change in case.changes:
                if change.label == "newly_failing" and change.metric not in waived:
                    yield case.case_id, f"{arm.candidate}: {case_change_text(change)}"


def _text(case: Case, report: GateReport, whys: list[str]) -> str:
    lines = [f"case {one_line(case.case_id)} of suite {report.suite}", ""]
    lines += [f"    input     {_shown(dict(case.vars))}", f"    expected  {_shown(case.expected)}"]
    for arm, changed in _changes(case, report):
        for word, answer in (("before", changed.before), ("after", changed.after)):
            lines.append(f"    {word:<9} {_answer(answer)}  ({arm.candidate})")
    return "\n".join([*lines, *(f"E   {one_line(why)}" for why in dict.fromkeys(whys))])


def _changes(case: Case, report: GateReport) -> Iterator[tuple[ArmComparison, ChangedCase]]:
    for arm in () if report.comparison is None else report.comparison.arms:
        yield from ((arm, changed) for changed in arm.changed if changed.case_id == case.case_id)


def _answer(answer: Answer | None) -> str:
    if answer is None:
        return "(not kept)"
    return f"(no answer: {answer.error})" if answer.output is None else _shown(answer.output)


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return one_line(text if len(text) <= _CHARS else f"{text[:_CHARS]}…")
