"""Compares two runs: what is comparable first, then one verdict per metric, then the cases behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from retest.decision.align import (
    ArmPairs,
    ArmSide,
    CasePairs,
    MetricPlan,
    arm_differences,
    blocked_by,
    pair_arms,
    pair_cases,
    plan_metrics,
    run_differences,
    unsampled,
)
from retest.decision.changed_cases import find_changed_cases
from retest.decision.decide import JudgedMetric, MetricScores, Policy, judge_metrics
from retest.decision.drift import mark_drift
from retest.decision.metric_scores import metric_scores, short_of_samples
from retest.decision.pairwise import pairwise_scores
from retest.decision.slices import compare_slices
from retest.domain.comparison import Answer, ArmComparison, ChangedCase, ComparedRun, Difference, RunComparison
from retest.domain.json_value import content_hash
from retest.domain.pairwise import PAIRWISE, PairwiseResult
from retest.domain.run import Run, RunArm
from retest.domain.scores import ArmCalls, CaseScores, RunScores
from retest.domain.self_test import MeasuredDrift
from retest.domain.sequential import SequentialDecision
from retest.domain.suite import GatePolicy
from retest.runner.score_processes import ProcessOptions
from retest.workflows.changed_answers import attach_answers
from retest.workflows.compare_figures import compare_figures
from retest.workflows.compare_usage import compare_usage
from retest.workflows.diff_notes import answers_age, comparison_warnings, look_notes, prompt_changes, repeat_notes
from retest.workflows.judge_again import JudgeAgain
from retest.workflows.measured_drift import read_drifts
from retest.workflows.pairwise_sides import PairedArms, PairwiseAsker, judge_paired
from retest.workflows.read_scores import read_run_scores
from retest.workflows.renewed_scores import Means, Renewed, renew_scores
from retest.workflows.stored_decision import judged_together, keep_verdicts
from retest.workflows.stored_gate import read_stored_gate

if TYPE_CHECKING:
    from retest.store.database import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffOptions:
    """What a person asks of a comparison.

    Attributes:
        arms: names of the arms to pair, baseline's and candidate's; None pairs arms of equal name.
        metrics: only these; none means all.
        limit: changed cases to show, for each pair of arms.
        answers: of those, how many with an answer of each side; None for all.
        gate: the policy with alpha and margins; None for the one that the candidate's suite had.
        pairwise: who has pairs of answers judged; None leaves pairwise metrics without a verdict.
        again: who has stored answers judged again; None compares the judgments that are there.
        run_code: metrics that run the user's code may score anew; not where the files are a stranger's.
        processes: how many may score anew beside this one; None for no other.
    """

    arms: tuple[str, str] | None = None
    metrics: tuple[str, ...] = ()
    limit: int = 10
    answers: int | None = None
    gate: GatePolicy | None = None
    pairwise: PairwiseAsker | None = None
    again: JudgeAgain | None = None
    run_code: bool = True
    processes: ProcessOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a comparison: its scores, and where its stored outputs are; None where only scores are known.

    `outputs` are answers that came with the scores, for showing: (arm, case id) -> texts in the order of the scores.
    `drifts` came with them too: (arm, metric) -> what was measured, for where the store knows of none.
    """

    scores: RunScores
    store: Store | None = None
    run: Run | None = None
    outputs: Mapping[tuple[str, str], Sequence[str | None]] = field(default_factory=dict)
    drifts: Mapping[tuple[str, str], MeasuredDrift] = field(default_factory=dict)


def stored_side(store: Store, run: Run) -> Side:
    """Return a stored run as one side of a comparison."""
    return Side(scores=read_run_scores(store, run), store=store, run=run)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Both sides with what they have in common."""

    baseline: Side
    candidate: Side
    pairs: CasePairs
    plans: tuple[MetricPlan, ...]
    gate: GatePolicy
    drifts: Mapping[tuple[str, str], MeasuredDrift] = field(default_factory=dict)
    renewed: Renewed = field(default_factory=Renewed)
    base_dir: Path = Path()
    decision: SequentialDecision | None = None


def diff_runs(baseline: Side, candidate: Side, options: DiffOptions, *, cwd: Path, now: datetime) -> RunComparison:
    """Compare two runs arm by arm.

    A candidate that was sampled until decided against this baseline keeps its verdicts.

    Args:
        baseline: the run compared against.
        candidate: the run under test; its suite's gate gives alpha and margins.
        options: which arms and metrics.
        cwd: where the suite's path starts, for metrics that must be built again.
        now: for the age of the baseline's answers.

    Raises:
        UsageError: an arm or metric that is asked for is in neither run.
    """
    before, after = baseline.scores, candidate.scores
    sides, arms = align_runs(baseline, candidate, options, cwd=cwd)
    compared = [_compare_arms(sides, first, second, options) for first, second in arms.pairs]
    age = answers_age(before, [first for first, _ in arms.pairs], now)
    return RunComparison(
        baseline=_compared_run(before),
        candidate=_compared_run(after),
        arms=tuple(compared),
        differences=run_differences(before, after, sides.pairs),
        prompts=tuple(prompt_changes(arms.pairs)),
        unpaired_arms=arms.unpaired,
        age_days=None if age is None else age / timedelta(days=1),
        warnings=tuple(comparison_warnings(baseline, candidate, arms.pairs, age)),
    )


def align_runs(baseline: Side, candidate: Side, options: DiffOptions, *, cwd: Path) -> tuple[Sides, ArmPairs]:
    """Return both sides with what they have in common, scores made anew where that is due, and the arms that pair.

    Raises:
        UsageError: an arm or metric that is asked for is in neither run.
    """
    before, after = baseline.scores, candidate.scores
    pairs = pair_cases(before.cases, after.cases)
    arms = pair_arms(before, after, options.arms)
    sides = Sides(
        baseline=baseline,
        candidate=candidate,
        pairs=pairs,
        plans=plan_metrics(before, after, pairs, options.metrics),
        gate=options.gate or _stored_gate(candidate),
        drifts=read_drifts(candidate.store, after.suite) or baseline.drifts,
        decision=judged_together(baseline, candidate),
    )
    renewed = renew_scores(
        baseline,
        candidate,
        sides.plans,
        pairs,
        arms.pairs,
        Means(cwd=cwd, again=options.again, run_code=options.run_code, processes=options.processes),
    )
    return replace(sides, renewed=renewed, base_dir=(cwd / after.suite_path).parent), arms


def _stored_gate(candidate: Side) -> GatePolicy:
    return GatePolicy() if candidate.run is None else read_stored_gate(candidate.run)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmScores:
    """Two arms' scores, ready to be judged, and what was found out on the way.

    Attributes:
        metrics: of every plan, in order; one that cannot be compared has a note and no scores.
        blocked: why the arms must not be compared at all.
        silent: what changed without being asked for.
    """

    metrics: tuple[MetricScores, ...]
    clusters: Mapping[str, str] | None
    pairwise: Mapping[str, PairwiseResult]
    differences: tuple[Difference, ...] = ()
    silent: tuple[str, ...] = ()
    blocked: str | None = None


def score_arms(sides: Sides, first: RunArm, second: RunArm, options: DiffOptions) -> ArmScores:
    """Return the scores of two arms on the cases that both sides have."""
    before, after = sides.baseline.scores, sides.candidate.scores
    calls_before, calls_after = before.calls.get(first.name, ArmCalls()), after.calls.get(second.name, ArmCalls())
    differences, silent = arm_differences(
        ArmSide(arm=first, calls=calls_before), ArmSide(arm=second, calls=calls_after), sides.gate.require_same
    )
    blocked = blocked_by(differences)
    clusters = {**(before.clusters() or {}), **(after.clusters() or {})} or None
    pairwise = {} if blocked else _judge_pairs(sides, first, second, clusters, options)
    metrics = [
        _pair_scores(sides, plan, pairwise, blocked)
        if plan.metric.metric == PAIRWISE
        else _metric_scores(sides, plan, first, second, blocked)
        for plan in sides.plans
    ]
    return ArmScores(
        metrics=tuple(metrics),
        clusters=clusters,
        pairwise=pairwise,
        differences=differences,
        silent=silent,
        blocked=blocked,
    )


def _compare_arms(sides: Sides, first: RunArm, second: RunArm, options: DiffOptions) -> ArmComparison:
    before, after = sides.baseline.scores, sides.candidate.scores
    found = score_arms(sides, first, second, options)
    scores, blocked = found.metrics, found.blocked
    left_out = unsampled(
        sides.pairs, {"baseline": _scored(scores, "baseline"), "candidate": _scored(scores, "candidate")}
    )
    policy = Policy(
        alpha=sides.gate.alpha,
        case_share=sides.gate.case_share,
        seed=_seed(sides, first, second),
        clusters=found.clusters,
    )
    metrics = [plan.metric for plan in sides.plans]
    tested = keep_verdicts(judge_metrics(scores, policy), sides.decision, (first.name, second.name), metrics)
    judged = mark_drift(tested, _drifts(sides, second), policy)
    missing = {case.case_id for case in left_out}
    paired = [case_id for case_id in sides.pairs.paired if case_id not in missing]
    calls = before.calls.get(first.name, ArmCalls()), after.calls.get(second.name, ArmCalls())
    usage = (None, None) if blocked else compare_usage(*calls, paired, sides.pairs.paired)
    comparison = ArmComparison(
        baseline=first.name,
        candidate=second.name,
        metrics=tuple(metric.comparison for metric in judged),
        differences=found.differences,
        slices=compare_slices(judged, {case_id: after.cases[case_id] for case_id in paired}),
        baseline_usage=usage[0],
        candidate_usage=usage[1],
        n_cases=len(paired) if blocked is None else 0,
        unpaired=(*sides.pairs.unpaired, *((*left_out, *short_of_samples(scores)) if blocked is None else ())),
        notes=(*look_notes(sides.decision), *found.silent, *repeat_notes(before, after, first, second)),
        pairwise=tuple(found.pairwise.values()),
        figures=() if blocked else compare_figures(sides, first, second, found.clusters),
    )
    return _with_cases(comparison, sides, judged, options)


def _judge_pairs(
    sides: Sides, first: RunArm, second: RunArm, clusters: Mapping[str, str] | None, options: DiffOptions
) -> dict[str, PairwiseResult]:
    arms = PairedArms(
        baseline=sides.baseline,
        candidate=sides.candidate,
        first=first,
        second=second,
        case_ids=sides.pairs.paired,
        clusters=clusters,
    )
    metrics = [plan.metric for plan in sides.plans if plan.refusal is None]
    return judge_paired(arms, metrics, options.pairwise, sides.base_dir)


def _pair_scores(
    sides: Sides, plan: MetricPlan, pairwise: Mapping[str, PairwiseResult], blocked: str | None
) -> MetricScores:
    """Return what a pairwise judge said of both sides' answers, as scores."""
    name, own = plan.metric.name, sides.gate.metrics.get(plan.metric.name)
    result = pairwise.get(name)
    if result is None:
        unjudged = "no judge compared the answers: `retest diff` has it done, where both sides' answers are stored"
        return MetricScores(metric=name, baseline={}, candidate={}, note=blocked or plan.refusal or unjudged)
    return pairwise_scores(result, margin=None if own is None else own.margin)


def _drifts(sides: Sides, arm: RunArm) -> dict[str, MeasuredDrift]:
    """Return metric -> the drift measured for an arm, where the metric is still the same."""
    signatures = {plan.metric.name: plan.metric.signature for plan in sides.plans}
    return {
        metric: drift
        for (name, metric), drift in sides.drifts.items()
        if name == arm.name and signatures.get(metric) == drift.signature
    }


def _metric_scores(sides: Sides, plan: MetricPlan, first: RunArm, second: RunArm, blocked: str | None) -> MetricScores:
    metric, own = plan.metric, sides.gate.metrics.get(plan.metric.name)
    renewed = sides.renewed.of(metric.name)
    refusal = blocked or plan.refusal or renewed.refusal
    paired = [] if refusal else [case_id for case_id in sides.pairs.paired if case_id not in renewed.left_out]
    return metric_scores(
        metric,
        _paired_scores(sides.baseline.scores, first.name, metric.name, paired, renewed.baseline),
        _paired_scores(sides.candidate.scores, second.name, metric.name, paired, renewed.candidate),
        margin=None if own is None else own.margin,
        note=refusal or renewed.note,
    )


def _paired_scores(
    run: RunScores, arm: str, metric: str, paired: Sequence[str], renewed: Mapping[str, CaseScores]
) -> CaseScores:
    """Return the scores of the paired cases; those made anew stand in the place of the stored ones."""
    stored = run.scores.get(arm, {}).get(metric, {})
    anew = renewed.get(arm, {})
    return {
        case_id: anew[case_id] if case_id in anew else stored[case_id]
        for case_id in paired
        if case_id in anew or case_id in stored
    }


def _scored(scores: Sequence[MetricScores], side: str) -> frozenset[str]:
    """Return the cases with a score of any metric on a side."""
    return frozenset(
        case_id
        for metric in scores
        for case_id, samples in (metric.baseline if side == "baseline" else metric.candidate).items()
        if any(score is not None for score in samples)
    )


def _with_cases(
    comparison: ArmComparison, sides: Sides, judged: Sequence[JudgedMetric], options: DiffOptions
) -> ArmComparison:
    changed = find_changed_cases(
        [
            (metric, plan.metric)
            for metric, plan in zip(judged, sides.plans, strict=True)
            if plan.metric.metric != PAIRWISE  # one value a case cannot show which case changed
        ],
        seed=0,
    )
    shown = changed.cases[: options.limit]
    full = len(shown) if options.answers is None else options.answers
    return replace(
        comparison,
        changed=(*(_with_answers(case, comparison, sides) for case in shown[:full]), *shown[full:]),
        n_worse=changed.count("newly_failing", "worse"),
        n_better=changed.count("newly_passing", "better"),
        flaky=changed.flaky,
    )


def _with_answers(case: ChangedCase, comparison: ArmComparison, sides: Sides) -> ChangedCase:
    before, after = sides.baseline, sides.candidate
    metric = next(plan.metric for plan in sides.plans if plan.metric.name == case.changes[0].metric)
    return attach_answers(
        case,
        metric,
        _reader(before, comparison.baseline, case.case_id),
        _reader(after, comparison.candidate, case.case_id),
    )


def _reader(side: Side, arm: str, case_id: str) -> Callable[[str], list[tuple[Answer, float | None]]]:
    def read(metric: str) -> list[tuple[Answer, float | None]]:
        from retest.workflows.changed_answers import given_answers, read_answers

        if side.store is None or side.run is None:
            return given_answers(side.outputs.get((arm, case_id), ()), side.scores.scores[arm][metric].get(case_id, ()))
        return read_answers(side.store, side.run, (arm, case_id), metric)

    return read


def _seed(sides: Sides, first: RunArm, second: RunArm) -> int:
    """Return a seed made from what is compared: the same two runs, in either order, always give the same verdict."""
    before, after = sides.baseline.scores, sides.candidate.scores
    parts = sorted([f"{before.fingerprint} {first.prompt_hash}", f"{after.fingerprint} {second.prompt_hash}"])
    return int(content_hash(parts)[:8], 16)


def _compared_run(run: RunScores) -> ComparedRun:
    oldest = [calls.oldest for calls in run.calls.values() if calls.oldest is not None]
    return ComparedRun(
        label=run.label,
        suite=run.suite,
        started_at=run.started_at,
        status=run.status,
        revision=run.revision,
        oldest_answer=min(oldest, default=None),
    )
