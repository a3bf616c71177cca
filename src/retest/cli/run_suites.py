"""What `retest run` does once its flags are read: check, run one suite after the other, show, exit."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass

from retest.cli.console import print_json, print_problems, stderr, stdout
from retest.cli.progress import RunProgress
from retest.domain.run import Run
from retest.domain.suite import Suite
from retest.domain.summary import RunSummary
from retest.errors import ExitCode, Problem, RetestError, SuiteError, worst_exit_code
from retest.report.batches import left_line
from retest.report.json_report import plan_document, problem_document, run_document
from retest.report.numbers import format_share, plural
from retest.runner.stopping import StopSignal
from retest.workflows.check import check_suites
from retest.workflows.run import RunOptions, RunOutcome, run_suite
from retest.workflows.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Display:
    """How much is shown, and to whom."""

    as_json: bool = False
    quiet: bool = False
    verbose: bool = False


def run_selected(
    selectors: Sequence[str],
    overrides: Sequence[str],
    run_options: RunOptions,
    workspace: Workspace,
    display: Display,
) -> ExitCode:
    """Check the selected suites, run the sound ones if all are sound, and return the exit code of all.

    Raises:
        RetestError: nothing could be run.
    """
    checked = check_suites(selectors, workspace, overrides)
    if not display.quiet:
        print_problems(checked.warnings)
    if checked.errors:
        raise SuiteError(*checked.errors)
    outcomes, failures = _run_all(checked.suites, run_options, workspace, display)
    code = worst_exit_code(*(outcome.exit_code for outcome in outcomes), *(error.exit_code for error in failures))
    if display.as_json:
        _print_documents(outcomes, failures, code)
    return code


def _run_all(
    suites: Sequence[Suite], run_options: RunOptions, workspace: Workspace, display: Display
) -> tuple[list[RunOutcome], list[RetestError]]:
    """Run one suite after the other; one that cannot run does not keep the others from running."""
    outcomes: list[RunOutcome] = []
    failures: list[RetestError] = []
    for suite in suites:
        try:
            outcome = run_one(suite, run_options, workspace, display)
        except RetestError as error:
            if len(suites) == 1:
                raise
            print_problems(error.problems)
            failures.append(error)
            continue
        outcomes.append(outcome)
        _show(outcome, display)
        if outcome.stop_reason == "interrupt":
            break
    return outcomes, failures


def run_one(suite: Suite, run_options: RunOptions, workspace: Workspace, display: Display) -> RunOutcome:
    """Run one suite with progress on stderr; Ctrl-C and SIGTERM stop it in order."""

    async def _main(progress: RunProgress) -> RunOutcome:
        stop = StopSignal()
        with workspace.interrupts.telling(stop):
            return await run_suite(suite, run_options, workspace, listener=progress, stop=stop)

    quiet = display.quiet or (display.as_json and not stderr().is_terminal)
    # What a metric or target of the user prints must not get between the results (or into the JSON) on stdout.
    with RunProgress(quiet=quiet, verbose=display.verbose) as progress, redirect_stdout(sys.stderr):
        return asyncio.run(_main(progress))


def _show(outcome: RunOutcome, display: Display) -> None:
    from retest.report.terminal import run_result

    if outcome.run is not None and outcome.summary is not None and not display.as_json:
        stdout().print(run_result(outcome.run, outcome.summary, verbose=display.verbose))
    _say_how_it_ended(outcome)


def _say_how_it_ended(outcome: RunOutcome) -> None:
    if outcome.run is None or outcome.summary is None:
        return
    if outcome.stop_reason is not None:
        _say_why_it_stopped(outcome, outcome.run)
    elif outcome.exit_code is ExitCode.INCOMPLETE:
        print_problems([_too_many_errors(outcome, outcome.run, outcome.summary)])
    elif outcome.exit_code is ExitCode.NOTHING_TO_JUDGE:
        print_problems([_nothing_judged(outcome.summary)])


def _nothing_judged(summary: RunSummary) -> Problem:
    """Return what had nothing to judge: a limit, where other metrics had something."""
    empty = list(dict.fromkeys(limit.metric for limit in summary.limits if limit.mean is None))
    has_scores = any(metric.n_samples for arm in summary.arms for metric in arm.metrics)
    message = "no metric had anything to judge"
    if empty and has_scores:
        message = f"no answer has a score that the limit on {', '.join(empty)} could judge"
    return Problem(slug="run-nothing-judged", message=message)


def _too_many_errors(outcome: RunOutcome, run: Run, summary: RunSummary) -> Problem:
    """Return what failed too often: calls, or metrics on answers that came."""
    details = [f"{run.counts.errors:,} of {run.planned:,} samples have no answer"] if run.counts.errors else []
    details += [
        f"{arm.name}: {metric.name} could not score {plural(metric.failures, 'answer')}"
        for arm in summary.arms
        for metric in arm.metrics
        if metric.failures
    ]
    details.append(f"gate.max_error_rate allows {format_share(outcome.suite.gate.max_error_rate)}")
    again = f"when that is mended, the same command goes on: {outcome.command}"
    message = "too many calls or metrics failed: what is left does not stand for the suite"
    return Problem(slug="run-too-many-errors", message=message, details=tuple(details), fix=again)


def _say_why_it_stopped(outcome: RunOutcome, run: Run) -> None:
    slug, what = _STOPPED[outcome.stop_reason or "interrupt"]
    details = [] if outcome.stop_reason == "interrupt" else [outcome.stop_message]
    kept = f"{run.counts.samples - run.counts.errors:,} of {run.planned:,} samples have an answer, which is stored"
    details += [left_line(batch) for batch in outcome.batches]
    fix = f"resume with: {outcome.command}"
    if "--max-cost" in outcome.command and outcome.stop_reason == "budget":
        fix += ", with a higher --max-cost: what is spent counts against it"
    problem = Problem(slug=slug, message=what, details=(*details, kept), fix=fix)
    print_problems([problem])


_STOPPED = {
    "interrupt": ("run-interrupted", "the run was interrupted"),
    "refused": ("run-refused", "the endpoint refuses every call"),
    "failing": ("run-failing", "the endpoint keeps failing"),
    "judge": ("run-judge", "a judge gives no verdicts: nothing was judged by it, so nothing passed or failed"),
    "budget": ("run-budget", "the budget ended the run"),
    "batch": ("run-batch", "a batch gave no more answers"),
}


def _print_documents(outcomes: Sequence[RunOutcome], failures: Sequence[RetestError], code: ExitCode) -> None:
    documents = [
        run_document(outcome.run, outcome.summary)
        if outcome.run is not None and outcome.summary is not None
        else plan_document(outcome.plan)
        for outcome in outcomes
    ]
    documents += [problem_document(error.problems, error.exit_code) for error in failures]
    if len(documents) == 1:
        print_json(documents[0])
    else:
        print_json({"suites": documents, "exit_code": int(code)})
