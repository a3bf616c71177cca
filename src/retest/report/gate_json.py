"""A gate's report as JSON, for scripts: everything that was decided, in the shapes of ``retest run`` and ``diff``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import date

from retest.domain.gate import GateReport, Waiver
from retest.domain.run import Provenance, Run
from retest.domain.summary import RunSummary
from retest.errors import ExitCode
from retest.report.json_report import decision_json, dump_json, run_comparison_document, run_document
from retest.report.verdict_text import headline, overall_exit_code

FORMAT = 1
"""1: the first. A new number means that a name went or changed its meaning; new names come without one."""

_PRIVATE = ("user", "host", "pid")  # of provenance: reports are published


class JsonReporter:
    """JSON with a format number."""

    name = "json"

    def render(self, reports: Sequence[GateReport]) -> str:
        """Return one document for all suites."""
        return f"{dump_json(gate_document(reports))}\n"


def gate_document(reports: Sequence[GateReport]) -> dict[str, object]:
    """Return the exit code over all suites, and each suite's report."""
    return {
        "format": FORMAT,
        "exit_code": int(overall_exit_code(reports)),
        "suites": [report_document(report) for report in reports],
    }


def report_document(report: GateReport) -> dict[str, object]:
    """Return everything that a report holds; what it does not have is null."""
    code = ExitCode(report.exit_code)
    comparison = report.comparison
    return {
        "suite": report.suite,
        "suite_path": report.suite_path,
        "outcome": report.outcome,
        "exit_code": report.exit_code,
        "headline": headline(report),
        "reasons": [dataclasses.asdict(reason) for reason in report.reasons],
        "baseline": report.baseline_label,
        "comparison": None if comparison is None else run_comparison_document(comparison, code),
        "run": None if report.run is None else _run(report.run, report.summary),
        "summary": None if report.summary is None else _summary(report.summary),
        "waivers": [_waiver(waiver, report.judged_on) for waiver in report.waivers],
        "judged_on": report.judged_on and report.judged_on.isoformat(),
        "calls_saved": report.calls_saved,
        "until_decided": decision_json(report.run),
        "reproduce": report.reproduce,
    }


def _run(run: Run, summary: RunSummary | None) -> dict[str, object]:
    return {
        **run_document(run, summary or RunSummary()),
        "samples_per_case": run.samples_per_case,
        "prompts": {arm.name: {"path": arm.prompt_path, "hash": arm.prompt_hash} for arm in run.arms},
        "files": dict(run.files),
        "dataset_fingerprint": run.dataset_fingerprint,
        "provenance": _provenance(run.provenance),
        "tags": list(run.tags),
        "metadata": dict(run.metadata),
    }


def _provenance(provenance: Provenance) -> dict[str, object]:
    return {name: value for name, value in dataclasses.asdict(provenance).items() if name not in _PRIVATE}


def _waiver(waiver: Waiver, today: date | None) -> dict[str, object]:
    return dataclasses.asdict(waiver) | {
        "expires": waiver.expires.isoformat(),
        "created": waiver.created and waiver.created.isoformat(),
        "active": today is None or waiver.is_active(today),
    }


def _summary(summary: RunSummary) -> dict[str, object]:
    return {
        "limits": [dataclasses.asdict(limit) for limit in summary.limits],
        "worst": [dataclasses.asdict(case) for case in summary.worst],
        "notes": list(summary.notes),
        "extra": dict(summary.extra),
    }
