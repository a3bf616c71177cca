"""What `retest gate` does once its flags are read: check, run and judge one suite after the other, show, exit."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from retest.cli.console import print_json, print_problems, stdout
from retest.cli.run_suites import Display, run_one
from retest.domain.gate import GateReport
from retest.domain.suite import Suite
from retest.errors import ExitCode, RetestError, SuiteError, worst_exit_code
from retest.report.json_report import problem_document
from retest.report.unjudged import unjudged_report
from retest.workflows.check import check_suites
from retest.workflows.gate_suite import GateJob, gate_suite
from retest.workflows.run import RunOptions, RunOutcome
from retest.workflows.untrusted import refuse_links
from retest.workflows.waivers import read_waivers, waiver_file
from retest.workflows.workspace import Workspace

if TYPE_CHECKING:
    from retest.runner.events import Listener
    from retest.runner.stopping import StopSignal
    from retest.workflows.compare_revisions import Contender
    from retest.workflows.revision_sides import RevisionSide


@dataclass(frozen=True, slots=True, kw_only=True)
class GateWish:
    """What a person asks of a gate: another baseline than the suite's own, how to run, which reports to write.

    With `fresh_baseline` both sides are sampled anew, side by side.
    """

    baseline: str | None
    run: RunOptions
    fresh_baseline: bool = False
    reports: Mapping[str, Path | None] = field(default_factory=dict)


def gate_selected(
    selectors: Sequence[str], overrides: Sequence[str], wish: GateWish, workspace: Workspace, display: Display
) -> ExitCode:
    """Gate the selected suites and return the exit code of all.

    Raises:
        RetestError: nothing could be judged; with ``--json`` the problems are printed as JSON first.
    """
    files = [path for path in wish.reports.values() if path is not None]
    refuse_links(workspace.untrusted, workspace.cwd, [*files, Path(wish.baseline or ".")])
    try:
        checked = check_suites(selectors, workspace, overrides)
        if not display.quiet:
            print_problems(checked.warnings)
        if checked.errors:
            raise SuiteError(*checked.errors)
        gate = _Gate(wish, workspace, display, overrides)
        for suite in checked.suites:
            gate.judge(suite, alone=len(checked.suites) == 1)
            if gate.interrupted:
                break
    except RetestError as error:
        # No report may read as if it had passed, so what could not even begin is a report too.
        named = ", ".join(selectors) or str(workspace.settings["suites"])
        _write_reports([unjudged_report(named, named, error)], wish, workspace, display)
        if display.as_json:
            print_json(problem_document(error.problems, error.exit_code))
        raise
    _write_reports([*gate.reports, *gate.unjudged], wish, workspace, display)
    return _finish(gate, display)


def _write_reports(reports: Sequence[GateReport], wish: GateWish, workspace: Workspace, display: Display) -> None:
    if not wish.reports:
        return
    from retest.report.write_reports import write_reports

    if "html" in wish.reports:
        from retest.workflows.gate_page import with_pages

        reports = with_pages(reports, workspace)
    if {"github", "sarif"} & wish.reports.keys():
        from retest.workflows.report_paths import below_root

        reports = below_root(reports, workspace.cwd)
    summary = workspace.env.get("GITHUB_STEP_SUMMARY")
    # With --json stdout is one object; a workflow reads annotations from stderr just as well.
    stream = sys.stderr if display.as_json else sys.stdout
    write_reports(reports, wish.reports, stream=stream, summary=Path(summary) if summary else None)


def _finish(gate: _Gate, display: Display) -> ExitCode:
    codes = [ExitCode(report.exit_code) for report in gate.reports] + [error.exit_code for error in gate.failures]
    code = worst_exit_code(*codes)
    if display.as_json:
        print_json(_document(gate, code))
    return code


def _document(gate: _Gate, code: ExitCode) -> dict[str, object]:
    """Return the report of the one suite there is; or all under `suites`, with what kept others from being judged."""
    from retest.report.gate_json import gate_document, report_document

    if len(gate.reports) == 1 and not gate.failures:
        return report_document(gate.reports[0])
    problems = [problem for error in gate.failures for problem in error.problems]
    return {
        **gate_document(gate.reports),
        "exit_code": int(code),
        "problems": problem_document(problems, code)["problems"],
    }


class _Gate:
    """Judges suites one by one; one that cannot be judged does not keep the others from it."""

    def __init__(self, wish: GateWish, workspace: Workspace, display: Display, overrides: Sequence[str] = ()) -> None:
        self._wish, self._workspace, self._display, self._overrides = wish, workspace, display, overrides
        waivers = read_waivers(waiver_file(workspace.cwd))
        self._job = GateJob(workspace=workspace, options=wish.run, baseline=wish.baseline, waivers=waivers)
        self.reports: list[GateReport] = []
        self.failures: list[RetestError] = []
        self.unjudged: list[GateReport] = []
        self.interrupted = False

    def judge(self, suite: Suite, *, alone: bool) -> None:
        """Judge one suite, and show the report."""
        try:
            report = self._report(suite)
        except RetestError as error:
            if alone:
                raise
            print_problems(error.problems)
            self.failures.append(error)
            reproduce = self._job.reproduce(suite)
            self.unjudged.append(unjudged_report(suite.name, suite.path, error, reproduce=reproduce))
            return
        self.reports.append(report)
        self.interrupted = report.outcome == "interrupted"
        if not self._display.as_json:
            from retest.report.terminal_gate import gate_report

            stdout().print(gate_report(report, verbose=self._display.verbose))

    def _report(self, suite: Suite) -> GateReport:
        from retest.workflows.base_revision import BASE_PREFIX, look_at_base

        job, fresh = self._job, self._wish.fresh_baseline
        beside = fresh
        if job.baseline is not None and job.baseline.startswith(BASE_PREFIX):
            revision = job.baseline.removeprefix(BASE_PREFIX)
            kind = look_at_base(suite, revision, self._workspace)
            job = replace(job, baseline=None if kind == "new" else f"git:{revision}")
            beside = kind == "suite" or fresh
        if not beside:
            return gate_suite(suite, job, self._run, print_problems)
        from retest.workflows.gate_beside import gate_beside

        report = gate_beside(suite, job, self._overrides, self._run_both, print_problems, fresh=fresh)
        return report if fresh else replace(report, reproduce=self._job.reproduce(suite))

    def _run_both(self, sides: Sequence[RevisionSide], options: RunOptions) -> list[Contender]:
        from retest.cli.compare_versions import run_with_progress
        from retest.workflows.compare_revisions import run_sides

        name = next(iter(sides[1].suites))

        async def run(listener: Listener, stop: StopSignal) -> list[Contender]:
            return await run_sides(sides, name, options, listener, stop)

        return run_with_progress(run, self._display)

    def _run(self, suite: Suite, options: RunOptions) -> RunOutcome:
        return run_one(suite, options, self._workspace, self._display)
