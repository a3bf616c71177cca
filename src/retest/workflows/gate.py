"""Judges a finished run against a baseline: compares, gathers what the policy asks about, and reports."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from retest.decision.gate import GateDecision, GateFacts, GuardedCase, UnmetJudge, judge_gate
from retest.domain.comparison import RunComparison
from retest.domain.gate import GateReason, GateReport, Waiver
from retest.domain.run import Run, RunMetric
from retest.domain.scores import ArmCalls, RunScores
from retest.domain.sequential import read_decision
from retest.domain.suite import GatePolicy, Suite
from retest.domain.summary import RunSummary
from retest.errors import ExitCode, NothingToJudgeError
from retest.runner.score_processes import ProcessOptions
from retest.workflows.baseline import Baseline
from retest.workflows.diff import DiffOptions, Side, diff_runs
from retest.workflows.judge_again import JudgeAgain
from retest.workflows.judge_demands import unmet_judges
from retest.workflows.pairwise_sides import PairwiseAsker
from retest.workflows.review_columns import without_automatic
from retest.workflows.run import RunOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A run judged: the comparison (None without a baseline) and the decision."""

    comparison: RunComparison | None
    decision: GateDecision


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """By what a run is judged.

    Attributes:
        waivers: of every suite.
        cwd: where the suite's path starts.
        now: for the age of the baseline and for waivers.
        shown_cases: changed cases that the report holds, for each pair of arms.
        pairwise: who has pairs of answers judged.
        again: who has both sides judged again in one session, where the policy wants that.
        run_code: metrics that run the user's code may score anew.
        processes: how many may score anew beside this one; None for no other.
    """

    policy: GatePolicy
    waivers: tuple[Waiver, ...]
    cwd: Path
    now: datetime
    shown_cases: int = 10
    pairwise: PairwiseAsker | None = None
    again: JudgeAgain | None = None
    run_code: bool = True
    processes: ProcessOptions | None = None


def judge_run(candidate: Side, summary: RunSummary, baseline: Baseline | None, terms: Terms) -> Judged:
    """Compare a stored run with a baseline and decide by the policy; the same two runs always get the same decision."""
    run = candidate.run
    assert run is not None, "a candidate is a stored run"  # noqa: S101 - tells the type checker
    comparison = None
    if baseline is not None:
        again = terms.again if terms.policy.judge_again else None
        wish = DiffOptions(
            gate=terms.policy,
            limit=terms.shown_cases,
            pairwise=terms.pairwise,
            again=again,
            run_code=terms.run_code,
            processes=terms.processes,
        )
        # Reviews decide where the suite asks for them; whoever reviews an answer adds no metric to the gate.
        sides = [replace(side, scores=without_automatic(side.scores)) for side in (baseline.side, candidate)]
        comparison = diff_runs(sides[0], sides[1], wish, cwd=terms.cwd, now=terms.now)
    facts = GateFacts(
        summary=summary,
        status=run.status,
        planned=run.planned,
        comparison=comparison,
        guarded=tuple(guarded_cases(candidate.scores, terms.policy.never_fail)),
        judges=unmet_judges(run, terms.policy, terms.cwd),
        latency_ms={arm.name: _mean_latency(candidate.scores.calls.get(arm.name, ArmCalls())) for arm in run.arms},
        waivers=own_waivers(terms.waivers, run.suite),
        today=terms.now.date(),
    )
    return Judged(comparison=comparison, decision=judge_gate(facts, terms.policy))


def own_waivers(waivers: Sequence[Waiver], suite: str) -> tuple[Waiver, ...]:
    """Return the waivers of one suite."""
    return tuple(waiver for waiver in waivers if waiver.suite == suite)


def guarded_cases(scores: RunScores, never_fail: Sequence[str]) -> Iterator[GuardedCase]:
    """Yield the cases whose id or tag is named, once a metric that says what passes."""
    wanted = set(never_fail)
    deciding = [metric for metric in scores.metrics if metric.decides_passing]
    for case_id, case in scores.cases.items():
        if wanted & {case_id, *case.tags}:
            for arm in scores.arms:
                yield from _guarded(scores, arm.name, case_id, deciding)


def _guarded(scores: RunScores, arm: str, case_id: str, metrics: Sequence[RunMetric]) -> Iterator[GuardedCase]:
    """Yield one entry a metric that has something to say on the case; one empty entry where none has."""
    judged = False
    for metric in metrics:
        values = scores.scores.get(arm, {}).get(metric.name, {}).get(case_id)
        if values is None:
            continue
        judged = True
        known = [value for value in values if value is not None]
        failed = sum(metric.passes(value) is False for value in known)
        yield GuardedCase(arm=arm, case_id=case_id, metric=metric.name, failed=failed, samples=len(known))
    if not judged:
        name = metrics[0].name if metrics else ""
        yield GuardedCase(arm=arm, case_id=case_id, metric=name, failed=0, samples=0)


def _mean_latency(calls: ArmCalls) -> float | None:
    known = [one.latency_ms for answers in calls.answers.values() for one in answers if one.latency_ms is not None]
    return sum(known) / len(known) if known else None


def report_run(
    suite: Suite, candidate: Side, summary: RunSummary, baseline: Baseline, terms: Terms, *, reproduce: str
) -> GateReport:
    """Return the gate's report on a run of a suite."""
    judged = judge_run(candidate, summary, baseline, terms)
    return replace(
        _empty_report(suite, terms, reproduce),
        outcome=judged.decision.outcome,
        exit_code=int(judged.decision.exit_code),
        reasons=judged.decision.reasons,
        run=candidate.run,
        summary=summary,
        comparison=judged.comparison,
        baseline_label=baseline.label,
        calls_saved=_calls_saved(candidate.run),
    )


def _calls_saved(run: Run | None) -> int | None:
    """Return what an early decision saved; None where no decision came early."""
    decision = None if run is None else read_decision(run.summary)
    return decision.calls_saved if decision is not None and decision.stopped_early else None


def report_interrupted(suite: Suite, run: Run, summary: RunSummary, terms: Terms, *, reproduce: str) -> GateReport:
    """Return the report on a run that a person stopped: nothing is judged, the same command goes on."""
    message = f"interrupted: {run.counts.samples} of {run.planned} samples are there"
    return replace(
        _empty_report(suite, terms, reproduce),
        outcome="interrupted",
        exit_code=int(ExitCode.INTERRUPTED),
        reasons=(GateReason(kind="errors", message=message, blocking=True),),
        run=run,
        summary=summary,
    )


def report_unmet_judges(
    suite: Suite, unmet: Sequence[UnmetJudge], baseline: str, terms: Terms, *, reproduce: str
) -> GateReport:
    """Return the report on a suite that was not run, for what its judges say may not gate."""
    decision = GateReason(kind="judge", message="", blocking=True)
    reasons = tuple(
        replace(decision, message=f"the judge may not gate: {judge.message}", metric=judge.metric) for judge in unmet
    )
    return replace(
        _empty_report(suite, terms, reproduce),
        outcome="failed",
        exit_code=int(ExitCode.GATE_FAILED),
        reasons=reasons,
        baseline_label=baseline,
    )


def report_no_baseline(suite: Suite, error: NothingToJudgeError, terms: Terms, *, reproduce: str) -> GateReport:
    """Return the report on a suite that was not run, for there is nothing to compare it with."""
    reasons = tuple(GateReason(kind="baseline", message=problem.message, blocking=True) for problem in error.problems)
    return replace(_empty_report(suite, terms, reproduce), reasons=reasons)


def _empty_report(suite: Suite, terms: Terms, reproduce: str) -> GateReport:
    return GateReport(
        suite=suite.name,
        suite_path=suite.path,
        outcome="nothing_to_judge",
        exit_code=int(ExitCode.NOTHING_TO_JUDGE),
        reasons=(),
        waivers=own_waivers(terms.waivers, suite.name),
        reproduce=reproduce,
        judged_on=terms.now.date(),
    )


def reproduce_command(suite: Suite, baseline: str | None, options: RunOptions) -> str:
    """Return the command that repeats the decision."""
    words = ["retest", "gate", suite.path]
    if baseline is not None:
        words += ["--baseline", baseline]
    if options.samples is not None:
        words += ["--samples", str(options.samples)]
    if options.batch:
        words.append("--batch")
    if options.until_decided is not None:
        words += ["--until-decided", *(["--recheck"] if options.until_decided.recheck else [])]
    return shlex.join(words)
