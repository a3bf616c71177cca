"""What `retest gate` does once its flags are read: check, run and judge one suite after the other, show, exit."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from retest.cli.console import print_json, print_problems, stdout
from retest.cli.run_suites import Display, run_one
from retest.domain.gate import GateReport
from retest.domain.suite import Suite
from retest.errors import ExitCode, NothingToJudgeError, Problem, RetestError, SuiteError, worst_exit_code
from retest.report.json_report import problem_document
from retest.report.unjudged import unjudged_report
from retest.workflows.baseline import Baseline, SuitePlace, resolve_baseline
from retest.workflows.check import check_suites
from retest.workflows.gate import Terms, report_interrupted, report_no_baseline, report_run, reproduce_command
from retest.workflows.run import RunOptions, RunOutcome
from retest.workflows.waivers import read_waivers, waiver_file
from retest.workflows.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class GateWish:
    """What a person asks of a gate: another baseline than the suite's own, how to run, which reports to write."""

    baseline: str | None
    run: RunOptions
    reports: Mapping[str, Path | None] = field(default_factory=dict)


def gate_selected(
    selectors: Sequence[str], overrides: Sequence[str], wish: GateWish, workspace: Workspace, display: Display
) -> ExitCode:
    """Gate the selected suites and return the exit code of all.

    Raises:
        RetestError: nothing could be judged; with ``--json`` the problems are printed as JSON first.
    """
    try:
        checked = check_suites(selectors, workspace, overrides)
        if not display.quiet:
            print_problems(checked.warnings)
        if checked.errors:
            raise SuiteError(*checked.errors)
        gate = _Gate(wish, workspace, display)
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

    def __init__(self, wish: GateWish, workspace: Workspace, display: Display) -> None:
        self._wish, self._workspace, self._display = wish, workspace, display
        self._waivers = read_waivers(waiver_file(workspace.cwd))
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
            self.unjudged.append(unjudged_report(suite.name, suite.path, error, reproduce=self._reproduce(suite)))
            return
        self.reports.append(report)
        self.interrupted = report.outcome == "interrupted"
        if not self._display.as_json:
            from retest.report.terminal_gate import gate_report

            stdout().print(gate_report(report, verbose=self._display.verbose))

    def _report(self, suite: Suite) -> GateReport:
        place = SuitePlace(suite=suite.name, path=suite.path, cwd=self._workspace.cwd)
        # Before any call: without a baseline nothing would be judged, and the calls would be paid for in vain.
        with self._workspace.open_store() as store:
            try:
                baseline = resolve_baseline(store, place, self._wish.baseline)
            except NothingToJudgeError as error:
                print_problems(error.problems)
                return report_no_baseline(suite, error, self._terms(suite), reproduce=self._reproduce(suite))
        outcome = run_one(suite, self._wish.run, self._workspace, self._display)
        return self._judge_outcome(suite, place, baseline, outcome)

    def _judge_outcome(self, suite: Suite, place: SuitePlace, baseline: Baseline, outcome: RunOutcome) -> GateReport:
        from retest.workflows.diff import stored_side

        run, summary = outcome.run, outcome.summary
        assert run is not None, "a gate never runs dry"  # noqa: S101 - tells the type checker
        assert summary is not None, "a run has one"  # noqa: S101 - tells the type checker
        print_problems(_stopped(outcome, self._reproduce(suite)))
        terms, reproduce = self._terms(suite), self._reproduce(suite)
        if outcome.stop_reason == "interrupt":
            return report_interrupted(suite, run, summary, terms, reproduce=reproduce)
        with self._workspace.open_store() as store:
            again = resolve_baseline(store, place, self._baseline_name(baseline))
            return report_run(suite, stored_side(store, run), summary, again, terms, reproduce=reproduce)

    def _baseline_name(self, baseline: Baseline) -> str | None:
        """Return what names the same baseline after the run: ``latest`` would be the candidate itself by then."""
        return baseline.label if baseline.origin == "run" else self._wish.baseline

    def _terms(self, suite: Suite) -> Terms:
        return Terms(policy=suite.gate, waivers=self._waivers, cwd=self._workspace.cwd, now=self._workspace.clock())

    def _reproduce(self, suite: Suite) -> str:
        return reproduce_command(suite, self._wish.baseline, self._wish.run.samples)


def _stopped(outcome: RunOutcome, resume: str) -> Iterator[Problem]:
    if outcome.stop_reason is not None and outcome.stop_reason != "interrupt":
        yield Problem(
            slug="gate-run-stopped",
            message="the run ended before all its samples were there",
            details=(outcome.stop_message,),
            fix=f"resume with: {resume}",
        )
