"""Gates one suite whose baseline is run beside it, the calls of both interleaved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from retest.domain.gate import GateReport
from retest.domain.suite import Suite
from retest.errors import ExitCode, IncompleteError, NothingToJudgeError, Problem
from retest.workflows.baseline import GIT_PREFIX, Baseline, SuitePlace, resolve_baseline
from retest.workflows.compare_revisions import Contender, completeness
from retest.workflows.fresh_baseline import open_baseline_sides
from retest.workflows.gate import report_interrupted, report_no_baseline, report_run, report_unmet_judges
from retest.workflows.gate_suite import GateJob
from retest.workflows.judge_demands import unmet_suite_judges
from retest.workflows.revision_sides import RevisionSide
from retest.workflows.run import RunOptions

SERIES = "fresh-baseline"

RunBoth = Callable[[Sequence[RevisionSide], RunOptions], list[Contender]]


def gate_beside(
    suite: Suite,
    job: GateJob,
    overrides: Sequence[str],
    run_both: RunBoth,
    tell: Callable[[Iterable[Problem]], None],
    *,
    fresh: bool,
) -> GateReport:
    """Return the report on one suite whose baseline was run beside it.

    Args:
        suite: checked.
        job: by what it is judged.
        overrides: apply to both sides.
        run_both: runs both sides at once with the options given.
        tell: is given the problems that the report does not hold.
        fresh: both take fresh draws; else what the ledger has is not asked again, and the verdict is sticky.

    Raises:
        RetestError: a side could not be run, or the baseline's did not come to its end.
    """
    try:
        baseline = _baseline(suite, job)
        unmet = unmet_suite_judges(suite, job.workspace.cwd)
        if unmet:  # before both sides are paid for
            label = baseline if isinstance(baseline, str) else baseline.label
            return report_unmet_judges(suite, unmet, label, job.terms(suite), reproduce=job.reproduce(suite))
        with open_baseline_sides(suite, baseline, job.workspace, overrides) as sides:
            options = job.run_options(suite)
            options = replace(options, fresh=True, series=SERIES) if fresh else options
            first, second = run_both(sides, options)
            report = _report(suite, job, first, second, fresh=fresh)
            return _marked(report, first, second) if fresh else report
    except NothingToJudgeError as error:
        tell(error.problems)
        return report_no_baseline(suite, error, job.terms(suite), reproduce=job.reproduce(suite))


def _baseline(suite: Suite, job: GateJob) -> Baseline | str:
    if job.baseline is not None and job.baseline.startswith(GIT_PREFIX):
        return job.baseline
    place = SuitePlace(suite=suite.name, path=suite.path, cwd=job.workspace.cwd)
    with job.workspace.open_store() as store:  # of what it finds, the definition alone is used, and that is read
        return resolve_baseline(store, place, job.baseline)


def _report(suite: Suite, job: GateJob, first: Contender, second: Contender, *, fresh: bool) -> GateReport:
    from retest.workflows.diff import stored_side

    run, summary, terms = second.outcome.run, second.outcome.summary, job.terms(suite)
    if fresh:
        terms = replace(terms, again=None)  # both sides were judged anew just now, side by side
    base = first.outcome.run
    assert run is not None, "a gate never runs dry"  # noqa: S101 - tells the type checker
    assert summary is not None, "a run has one"  # noqa: S101 - tells the type checker
    assert base is not None, "nor does its baseline"  # noqa: S101 - tells the type checker
    if "interrupt" in {first.outcome.stop_reason, second.outcome.stop_reason}:
        return report_interrupted(suite, run, summary, terms, reproduce=second.outcome.command)
    if completeness(first.outcome) is not ExitCode.PASSED:
        raise _incomplete(first)
    with job.workspace.open_store() as store:
        baseline = Baseline(side=stored_side(store, base), origin="run")
        return report_run(suite, stored_side(store, run), summary, baseline, terms, reproduce=job.reproduce(suite))


def _marked(report: GateReport, first: Contender, second: Contender) -> GateReport:
    """Return the report with the note that its answers are new ones: the verdict on the kept answers may differ.

    Its command repeats the comparison; typed again, the gate would ask for other answers.
    """
    comparison = report.comparison
    if comparison is None:
        return report
    note = f"both sides were sampled anew, in one session: the baseline is {first.label}, run again"
    return replace(
        report,
        comparison=replace(comparison, warnings=(note, *comparison.warnings)),
        reproduce=f"retest diff {first.outcome.plan.run_id} {second.outcome.plan.run_id}",
    )


def _incomplete(first: Contender) -> IncompleteError:
    outcome = first.outcome
    details = [outcome.stop_message] if outcome.stop_message else []
    if outcome.run is not None:
        answered = outcome.run.counts.samples - outcome.run.counts.errors
        details.append(f"{answered:,} of {outcome.run.planned:,} samples have an answer")
    return IncompleteError(
        Problem(
            slug="gate-baseline-incomplete",
            message=f"the baseline {first.label}, run again, is not complete ({outcome.plan.run_id})",
            details=tuple(details),
            fix=f"when that is mended, the same command goes on: {outcome.command}",
        )
    )
