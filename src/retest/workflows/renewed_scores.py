"""Which scores of two runs must be made anew before they compare, and those scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from retest.decision.align import CasePairs, MetricPlan
from retest.domain.case import Case
from retest.domain.run import Run, RunArm
from retest.domain.scores import CaseScores, RunScores
from retest.report.numbers import plural
from retest.runner.score_processes import ProcessOptions
from retest.runner.table import NOT_APPLICABLE
from retest.workflows.judge_again import AgainJob, JudgeAgain, is_judged
from retest.workflows.review_columns import REVIEW, dimension_of, review_columns

_ONE_SESSION = timedelta(hours=1)

if TYPE_CHECKING:
    from retest.metrics.base import Metric  # loads pydantic, which most comparisons do without
    from retest.store.database import Store


class SideLike(Protocol):
    """One side of a comparison; without a store nothing of it can be scored anew."""

    @property
    def scores(self) -> RunScores:
        """Return its scores."""
        ...

    @property
    def store(self) -> Store | None:
        """Return where its outputs are."""
        ...

    @property
    def run(self) -> Run | None:
        """Return the stored run."""
        ...

    @property
    def outputs(self) -> Mapping[tuple[str, str], Sequence[str | None]]:
        """Return answers that came with the scores, by arm and case."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewedMetric:
    """One metric's scores made anew, by arm; `refusal` says why that was impossible, `note` what was done.

    `left_out` are cases that cannot be compared on this metric, while the others can.
    """

    baseline: Mapping[str, CaseScores] = field(default_factory=dict)
    candidate: Mapping[str, CaseScores] = field(default_factory=dict)
    note: str | None = None
    refusal: str | None = None
    left_out: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewed:
    """All that was scored anew, by metric."""

    metrics: Mapping[str, RenewedMetric] = field(default_factory=dict)

    def of(self, metric: str) -> RenewedMetric:
        """Return what was scored anew of a metric: nothing, for most."""
        return self.metrics.get(metric, RenewedMetric())


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What scoring anew may use.

    Attributes:
        cwd: where the suite's path starts.
        again: has judges asked; None: nobody is.
        run_code: the user's own code may run.
        processes: how many may score beside this one; None for no other.
    """

    cwd: Path
    again: JudgeAgain | None = None
    run_code: bool = True
    processes: ProcessOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """A metric to score with; `both`: its definition is neither run's, so that both sides need it."""

    plan: MetricPlan
    metric: Metric[Any]
    both: bool


def renew_scores(
    baseline: SideLike,
    candidate: SideLike,
    plans: Sequence[MetricPlan],
    pairs: CasePairs,
    arms: Sequence[tuple[RunArm, RunArm]],
    means: Means,
) -> Renewed:
    """Score stored outputs anew where a metric's definition or a case's expected answer changed.

    Both sides end up judged by the candidate's definition against the candidate's expected answers. What a model
    scored is judged again where `means` say so, both sides in one session.
    """
    base_dir, again = (means.cwd / candidate.scores.suite_path).parent, means.again
    possible = [plan for plan in plans if plan.refusal is None and pairs.paired]
    job = AgainJob(
        metrics=[plan.metric for plan in possible if _is_due(plan, again)],
        baseline=baseline,
        candidate=candidate,
        arms=arms,
        cases=_candidate_cases(candidate, pairs) or {},
        base_dir=base_dir,
    )
    done = {**_session_notes(possible, baseline, candidate), **_judged_again(job, again)}
    done |= {
        plan.metric.name: _reviewed(plan, baseline, candidate, pairs)
        for plan in possible
        if plan.metric.metric == REVIEW
    }
    wanted = [plan for plan in possible if plan.rescoring != "none" and plan.metric.name not in done]
    if not wanted:
        return Renewed(metrics=done)
    with ExitStack() as stack:
        tasks: list[_Task] = []
        for plan in wanted:
            task = _build(plan, base_dir, pairs, run_code=means.run_code)
            if isinstance(task, RenewedMetric):
                done[plan.metric.name] = task
            else:
                stack.callback(task.metric.close)
                tasks.append(task)
        if tasks:
            done |= _score(baseline, candidate, tasks, pairs, arms, means.processes)
    return Renewed(metrics=done)


def _reviewed(plan: MetricPlan, baseline: SideLike, candidate: SideLike, pairs: CasePairs) -> RenewedMetric:
    """Return what people said of the baseline's answers in a dimension that its suite did not ask for yet.

    Nobody can make reviews anew; the note says how many cases have one on both sides.
    """
    name = plan.metric.name
    before = dict(_own_scores(baseline, name))
    if plan.rescoring == "baseline" and baseline.store is not None and baseline.run is not None:
        before |= _other_column(baseline.store, baseline.run, dimension_of(plan.metric))
    sides = [_reviewed_cases(scores, pairs) for scores in (before, _own_scores(candidate, name))]
    both, n_paired = len(sides[0] & sides[1]), len(pairs.paired)
    if not both:
        said = f"{len(sides[0])} of the baseline's {n_paired} cases and {len(sides[1])} of the candidate's are reviewed"
        return RenewedMetric(
            refusal=f"no case is reviewed on both sides: {said}; retest review queue lists what is due"
        )
    few = "" if both == n_paired else f" of {n_paired}; retest review queue lists what is due"
    return RenewedMetric(baseline=before, note=f"cases reviewed on both sides: {both}{few}")


def _own_scores(side: SideLike, metric: str) -> Mapping[str, CaseScores]:
    return {arm: scores[metric] for arm, scores in side.scores.scores.items() if metric in scores}


def _other_column(store: Store, run: Run, dimension: str) -> dict[str, CaseScores]:
    """Return arm -> what was said in a dimension, whatever its column is called."""
    columns = review_columns(store, run)
    column = next(
        (each for each in columns.run.metrics if each.metric == REVIEW and dimension_of(each) == dimension), None
    )
    ids = [case.case_id for _, case in store.iter_cases(run.run_id)]
    if column is None:
        return {}
    return {arm.name: columns.case_scores(column.name, index, ids) for index, arm in enumerate(run.arms)}


def _reviewed_cases(scores: Mapping[str, CaseScores], pairs: CasePairs) -> set[str]:
    paired = set(pairs.paired)
    return {case_id for of_arm in scores.values() for case_id in of_arm if case_id in paired}


def _is_due(plan: MetricPlan, again: JudgeAgain | None) -> bool:
    """Return whether a metric is to be judged again."""
    return again is not None and is_judged(plan.metric) and (again.sessions or plan.rescoring != "none")


def _judged_again(job: AgainJob, again: JudgeAgain | None) -> dict[str, RenewedMetric]:
    if again is None or not job.metrics or not job.cases or job.baseline.run is None:
        return {}
    found = again.judge(job)
    note = f"judged again on both sides in one session: {plural(found.calls, 'call')}"
    note += f", {found.ledger_hits:,} from the ledger" if found.ledger_hits else ""
    return {
        metric.name: RenewedMetric(
            baseline=found.baseline.get(metric.name, {}), candidate=found.candidate.get(metric.name, {}), note=note
        )
        for metric in job.metrics
    }


def _session_notes(plans: Sequence[MetricPlan], baseline: SideLike, candidate: SideLike) -> dict[str, RenewedMetric]:
    """Return a note on each judged metric whose sides were judged at different times."""
    apart = abs(candidate.scores.started_at - baseline.scores.started_at) > _ONE_SESSION
    note = "each side was judged in a session of its own: a judge that drifts looks like a change"
    judged = [plan.metric.name for plan in plans if is_judged(plan.metric) and plan.rescoring == "none"]
    return {name: RenewedMetric(note=note) for name in judged} if apart else {}


def _build(plan: MetricPlan, base_dir: Path, pairs: CasePairs, *, run_code: bool) -> _Task | RenewedMetric:
    from retest.workflows.score_again import Unbuildable, rebuild_metric

    built = rebuild_metric(plan.metric, base_dir, run_code=run_code)
    if not isinstance(built, Unbuildable):
        return _Task(plan=plan, metric=built, both=built.signature() != plan.metric.signature)
    if plan.rescoring == "baseline":
        return RenewedMetric(refusal=f"its definition changed, and it cannot be scored anew: {built.reason}")
    note = f"{_changed_answers(pairs)}, which are left out: they cannot be scored anew: {built.reason}"
    return RenewedMetric(note=note, left_out=pairs.reworded)


def _score(
    baseline: SideLike,
    candidate: SideLike,
    tasks: Sequence[_Task],
    pairs: CasePairs,
    arms: Sequence[tuple[RunArm, RunArm]],
    processes: ProcessOptions | None,
) -> dict[str, RenewedMetric]:
    cases = _candidate_cases(candidate, pairs)
    if cases is None or not _has_outputs(baseline):
        return {task.plan.metric.name: _unscored(task, pairs) for task in tasks}
    first, second = [arm.name for arm, _ in arms], [arm.name for _, arm in arms]
    stored = {task.plan.metric.name: _stored_scores(baseline, first, task) for task in tasks}
    whole = [
        task
        for task in tasks
        if task.both or (task.plan.rescoring == "baseline" and stored[task.plan.metric.name] is None)
    ]
    partly = [task for task in tasks if task not in whole]
    scored = partial(_side_scores, processes=processes)
    before = scored(baseline, first, whole, cases)
    reworded = scored(baseline, first, partly, {case_id: cases[case_id] for case_id in pairs.reworded})
    before |= {name: _patched(stored[name] or {}, anew) for name, anew in reworded.items()}
    after = scored(candidate, second, [task for task in whole if task.both], cases)
    return {
        task.plan.metric.name: RenewedMetric(
            baseline=before.get(task.plan.metric.name, {}),
            candidate=after.get(task.plan.metric.name, {}),
            note=_note(task, pairs, is_stored=stored[task.plan.metric.name] is not None),
        )
        for task in tasks
    }


def _has_outputs(side: SideLike) -> bool:
    return (side.run is not None and side.store is not None) or bool(side.outputs)


def _unscored(task: _Task, pairs: CasePairs) -> RenewedMetric:
    """Return what is left of a metric whose outputs are not there: the cases whose scores still hold, or nothing."""
    missing = "its outputs are not here: retest baseline export --outputs writes a file that has them"
    if task.both or task.plan.rescoring == "baseline":
        return RenewedMetric(refusal=f"its definition changed, and it cannot be scored anew: {missing}")
    note = f"{_changed_answers(pairs)}, which are left out: they cannot be scored anew: {missing}"
    return RenewedMetric(note=note, left_out=pairs.reworded)


def _candidate_cases(candidate: SideLike, pairs: CasePairs) -> dict[str, Case] | None:
    if candidate.store is None or candidate.run is None:
        return None
    paired = set(pairs.paired)
    return {
        case.case_id: case for _, case in candidate.store.iter_cases(candidate.run.run_id) if case.case_id in paired
    }


def _side_scores(
    side: SideLike,
    arms: Sequence[str],
    tasks: Sequence[_Task],
    cases: Mapping[str, Case],
    *,
    processes: ProcessOptions | None,
) -> dict[str, dict[str, CaseScores]]:
    """Return metric -> arm -> scores made anew of one side."""
    from retest.workflows.score_again import GivenOutputs, Outputs, score_outputs

    if not tasks or not _has_outputs(side):
        return {}
    metrics = {task.plan.metric.name: task.metric for task in tasks}
    found: dict[str, dict[str, CaseScores]] = {name: {} for name in metrics}
    for arm in dict.fromkeys(arms):
        outputs: Outputs | GivenOutputs = GivenOutputs(texts=side.outputs, arm=arm, case_ids=cases.keys())
        if side.store is not None and side.run is not None:
            outputs = Outputs(store=side.store, run=side.run, arm=arm, case_ids=cases.keys())
        for name, scores in score_outputs(outputs, metrics, cases, processes).items():
            found[name][arm] = scores
    return found


def _stored_scores(side: SideLike, arms: Sequence[str], task: _Task) -> dict[str, CaseScores] | None:
    """Return arm -> the scores that `retest rescore` made by this definition, None where there are none to use."""
    if side.store is None or side.run is None or task.both or task.plan.rescoring != "baseline":
        return None
    ids = [case.case_id for _, case in side.store.iter_cases(side.run.run_id)]
    found: dict[str, CaseScores] = {}
    for arm in dict.fromkeys(arms):
        rows = side.store.rescoring.read(side.run.run_id, task.plan.metric, arm)
        if rows is None:
            return None
        scores: dict[str, list[float | None]] = {}
        for row in rows:
            if row.failure not in NOT_APPLICABLE:
                scores.setdefault(ids[row.case_index], []).append(row.value)
        for case_id, errors in side.scores.calls[arm].errors.items():
            scores.setdefault(case_id, []).extend([None] * errors)
        found[arm] = scores
    return found


def _patched(stored: Mapping[str, CaseScores], anew: Mapping[str, CaseScores]) -> dict[str, CaseScores]:
    """Return the stored scores of each arm with those of some cases made anew."""
    return {arm: {**stored.get(arm, {}), **scores} for arm, scores in anew.items()}


def _note(task: _Task, pairs: CasePairs, *, is_stored: bool) -> str:
    if task.both:
        return "scored anew on both sides from the stored outputs, by today's definition"
    if is_stored:
        return "the baseline was scored by the candidate's definition too, by retest rescore"
    if task.plan.rescoring == "baseline":
        return "the baseline was scored anew from its stored outputs, by the candidate's definition"
    return f"{_changed_answers(pairs)}: there the baseline was scored anew from its stored outputs"


def _changed_answers(pairs: CasePairs) -> str:
    n_cases = len(pairs.reworded)
    return "1 expected answer changed" if n_cases == 1 else f"{n_cases} expected answers changed"
