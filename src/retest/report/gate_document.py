"""A gate's report as JSON, for scripts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from retest.domain.gate import GateReport, Waiver
from retest.errors import ExitCode
from retest.report.json_report import run_comparison_document, run_document


def gates_document(reports: Sequence[GateReport], code: ExitCode) -> dict[str, object]:
    """Return the one report there is, or all under `suites` with the exit code of all."""
    documents = [gate_document(report) for report in reports]
    if len(documents) == 1 and documents[0]["exit_code"] == int(code):
        return documents[0]
    return {"suites": documents, "exit_code": int(code)}


def gate_document(report: GateReport) -> dict[str, object]:
    """Return one suite's decision with all that it stands on."""
    document: dict[str, object] = {
        "suite": report.suite,
        "suite_path": report.suite_path,
        "outcome": report.outcome,
        "exit_code": report.exit_code,
        "baseline": report.baseline_label,
        "reasons": [dataclasses.asdict(reason) for reason in report.reasons],
        "waivers": [_waiver(waiver, report) for waiver in report.waivers],
        "reproduce": report.reproduce,
        "run": None,
        "comparison": None,
    }
    if report.run is not None and report.summary is not None:
        document["run"] = run_document(report.run, report.summary)
    if report.comparison is not None:
        document["comparison"] = run_comparison_document(report.comparison, ExitCode(report.exit_code))
    return document


def _waiver(waiver: Waiver, report: GateReport) -> dict[str, object]:
    return {
        "suite": waiver.suite,
        "metric": waiver.metric,
        "reason": waiver.reason,
        "expires": waiver.expires.isoformat(),
        "author": waiver.author,
        "created": None if waiver.created is None else waiver.created.isoformat(),
        "active": report.judged_on is None or waiver.is_active(report.judged_on),
    }
