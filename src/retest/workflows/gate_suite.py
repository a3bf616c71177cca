"""Gates one suite, whole: finds its baseline, has the suite run, and judges the run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from retest.domain.gate import GateReport, Waiver
from retest.domain.suite import Suite
from retest.errors import NothingToJudgeError, Problem
from retest.workflows.baseline import Baseline, SuitePlace, resolve_baseline
from retest.workflows.gate import (
    Terms,
    own_waivers,
    report_interrupted,
    report_no_baseline,
    report_run,
    report_unmet_judges,
    reproduce_command,
)
from retest.workflows.judge_again import JudgeAgain
from retest.workflows.judge_demands import unmet_suite_judges
from retest.workflows.pairwise_sides import PairwiseOnDemand
from retest.workflows.run import RunOptions, RunOutcome
from retest.workflows.scoring import process_options
from retest.workflows.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class GateJob:
    """By what suites are gated.

    Attributes:
        options: how a suite is run.
        baseline: to compare with; None for each suite's own.
        waivers: of every suite.
        shown_cases: changed cases that a report holds, for each pair of arms.
    """

    workspace: Workspace
    options: RunOptions
    baseline: str | None = None
    waivers: tuple[Waiver, ...] = ()
    shown_cases: int = 10

    def terms(self, suite: Suite) -> Terms:
        """Return by what a run of this suite is judged."""
        workspace = self.workspace
        return Terms(
            policy=suite.gate,
            waivers=self.waivers,
            cwd=workspace.cwd,
            now=workspace.clock(),
            shown_cases=self.shown_cases,
            run_code=workspace.untrusted is None,
            processes=process_options(workspace.settings),
            pairwise=PairwiseOnDemand(workspace, offline=self.options.offline),
            again=JudgeAgain(
                workspace,
                offline=self.options.offline,
                max_cost_usd=self.options.max_cost_usd,
                max_calls=self.options.max_calls,
            ),
        )

    def run_options(self, suite: Suite, baseline: str | None = None) -> RunOptions:
        """Return how a suite is run; one that is sampled until decided is told against what, and what is waived."""
        wish = self.options.until_decided
        if wish is None:
            return self.options
        today = self.workspace.clock().date()
        waived = frozenset(each.metric for each in own_waivers(self.waivers, suite.name) if each.is_active(today))
        return replace(self.options, until_decided=replace(wish, baseline=baseline, waived=waived))

    def reproduce(self, suite: Suite) -> str:
        """Return the command that repeats the decision on this suite."""
        return reproduce_command(suite, self.baseline, self.options)


def gate_suite(
    suite: Suite,
    job: GateJob,
    run: Callable[[Suite, RunOptions], RunOutcome],
    tell: Callable[[Iterable[Problem]], None],
) -> GateReport:
    """Return the report on one suite; without a baseline, or with a judge that may not gate, nothing is run.

    Args:
        suite: checked.
        job: by what it is judged.
        run: runs the suite with the options given.
        tell: is given the problems that the report does not hold.

    Raises:
        RetestError: it could not be run, or the baseline is damaged.
    """
    place = SuitePlace(suite=suite.name, path=suite.path, cwd=job.workspace.cwd)
    # Before any call: without a baseline, or by judges that may not gate, nothing would be judged, and the calls would
    # be paid for in vain.
    with job.workspace.open_store() as store:
        try:
            baseline = resolve_baseline(store, place, job.baseline)
        except NothingToJudgeError as error:
            tell(error.problems)
            return report_no_baseline(suite, error, job.terms(suite), reproduce=job.reproduce(suite))
    unmet = unmet_suite_judges(suite, job.workspace.cwd)
    if unmet:
        return report_unmet_judges(suite, unmet, baseline.label, job.terms(suite), reproduce=job.reproduce(suite))
    name = _name_of(baseline, job)
    outcome = run(suite, job.run_options(suite, name))
    tell(_stopped(outcome, job.reproduce(suite)))
    return _judge(outcome, job, place, name)


def _judge(outcome: RunOutcome, job: GateJob, place: SuitePlace, baseline: str | None) -> GateReport:
    from retest.workflows.diff import stored_side

    suite, run, summary = outcome.suite, outcome.run, outcome.summary
    assert run is not None, "a gate never runs dry"  # noqa: S101 - tells the type checker
    assert summary is not None, "a run has one"  # noqa: S101 - tells the type checker
    terms, reproduce = job.terms(suite), job.reproduce(suite)
    if outcome.stop_reason == "interrupt":
        return report_interrupted(suite, run, summary, terms, reproduce=reproduce)
    with job.workspace.open_store() as store:
        again = resolve_baseline(store, place, baseline)
        return report_run(suite, stored_side(store, run), summary, again, terms, reproduce=reproduce)


def _name_of(baseline: Baseline, job: GateJob) -> str | None:
    """Return what names the same baseline after the run: ``latest`` would be the candidate itself by then."""
    return baseline.label if baseline.origin == "run" else job.baseline


def _stopped(outcome: RunOutcome, resume: str) -> Iterator[Problem]:
    if outcome.stop_reason is not None and outcome.stop_reason != "interrupt":
        yield Problem(
            slug="gate-run-stopped",
            message="the run ended before all its samples were there",
            details=(outcome.stop_message,),
            fix=f"resume with: {resume}",
        )
