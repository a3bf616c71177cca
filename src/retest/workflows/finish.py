"""Closes a run: sums it up, judges its limits, settles its exit code, stores all three."""

from __future__ import annotations

import dataclasses
import heapq
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from retest.decision.limits import judge_limits, run_exit_code
from retest.domain.json_value import JsonValue
from retest.domain.pairwise import PAIRWISE, PairwiseResult
from retest.domain.run import Run, RunMetric
from retest.domain.sample import Response, Score
from retest.domain.sequential import SequentialDecision, decision_document
from retest.domain.suite import GatePolicy
from retest.domain.summary import RunSummary, WorstCase
from retest.errors import ExitCode
from retest.report.json_report import arm_document
from retest.runner.table import RunTable
from retest.workflows.review_columns import review_columns
from retest.workflows.run_pairwise import pair_documents, rank_run
from retest.workflows.summarise import case_values, summarise

if TYPE_CHECKING:
    from retest.domain.comparison import ArmComparison
    from retest.store.database import Store  # loads SQLAlchemy

_WORST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedRun:
    """A run with its aggregates and its exit code."""

    run: Run
    summary: RunSummary
    exit_code: ExitCode


def close_run(
    store: Store,
    run: Run,
    gate: GatePolicy,
    table: RunTable,
    pairwise: Sequence[PairwiseResult] = (),
    decision: SequentialDecision | None = None,
) -> ClosedRun:
    """Sum up and store the end of a run; `run.status` says how it ended, `pairwise` is what judges of pairs said.

    `decision` is what the looks came to, where it was sampled until decided; it may need fewer samples than planned.
    """
    stops = decision is not None and decision.stopped_early
    if decision is not None and stops:
        run = replace(run, planned=decision.samples + decision.rechecked_samples)
    summary = full_summary(store, run, gate, table, pairwise, decision)
    code = _exit_code(run, summary, gate)
    stored = stored_summary(summary)
    if decision is not None:
        stored["sequential"] = decision_document(decision)
    if stops:
        stored["planned"] = run.planned
    store.update_run(
        run.run_id,
        status=run.status,
        counts=run.counts,
        summary=stored,
        exit_code=int(code),
        finished_at=run.finished_at,
    )
    return ClosedRun(run=replace(run, exit_code=int(code), summary=stored), summary=summary, exit_code=code)


def full_summary(
    store: Store,
    run: Run,
    gate: GatePolicy,
    table: RunTable,
    pairwise: Sequence[PairwiseResult] = (),
    decision: SequentialDecision | None = None,
) -> RunSummary:
    """Return a run's aggregates with limits judged and the worst cases looked up.

    Answers that the ledger gave may have been reviewed before: the suite's own review columns show that.
    """
    review_columns(store, run).put_into(table)
    summary = summarise(run, table)
    return replace(
        summary,
        limits=judge_limits(summary.arms, gate),
        worst=tuple(worst_cases(store, run, summary, table)),
        comparisons=arm_comparisons(run, table, lambda: gate, pairwise, decision),
        pairwise=tuple(pairwise),
        rankings=rank_run(run, pairwise),
    )


def arm_comparisons(
    run: Run,
    table: RunTable,
    gate: Callable[[], GatePolicy],
    pairwise: Sequence[PairwiseResult],
    decision: SequentialDecision | None,
) -> tuple[ArmComparison, ...]:
    """Return how the arms of a run compare; one arm asks for no gate, and loads nothing that compares."""
    if len(run.arms) == 1:
        return ()
    from retest.workflows.compare_arms import compare_arms

    return compare_arms(run, table, gate(), pairwise, decision)


def _exit_code(run: Run, summary: RunSummary, gate: GatePolicy) -> ExitCode:
    if run.status == "interrupted":
        return ExitCode.INTERRUPTED
    if run.status == "incomplete":
        return ExitCode.INCOMPLETE
    return run_exit_code(summary, gate, run.planned)


def stored_summary(summary: RunSummary) -> dict[str, JsonValue]:
    """Return what the store keeps of a summary: enough to list and filter runs."""
    document: dict[str, object] = {
        "arms": {arm.name: arm_document(arm) for arm in summary.arms},
        "limits": [dataclasses.asdict(limit) for limit in summary.limits],
        "histograms": {
            arm.name: {
                metric.name: [metric.histogram_low, metric.histogram_high, list(metric.histogram)]
                for metric in arm.metrics
            }
            for arm in summary.arms
        },
        "notes": list(summary.notes),
        "pairwise": pair_documents(summary.pairwise),
    }
    return document  # type: ignore[return-value] # JSON by construction


def worst_cases(store: Store, run: Run, summary: RunSummary, table: RunTable) -> Iterator[WorstCase]:
    """Yield the cases with the worst values of the first metric, over all arms, one answer each."""
    metric = next((metric for metric in run.metrics if metric.metric != PAIRWISE), None)
    if metric is None:
        return
    worst = heapq.nsmallest(_WORST, _imperfect(metric, table), key=lambda found: _badness(metric, found))
    for value, case_index, arm_index in worst:
        arm, case_id = summary.arms[arm_index], table.case_ids[case_index]
        found = _worst_answer(store, run, metric, (arm.name, case_id))
        if found is not None:
            expected, output = found
            yield WorstCase(
                arm=arm.name, case_id=case_id, metric=metric.name, value=value, expected=expected, output=output
            )


def _imperfect(metric: RunMetric, table: RunTable) -> Iterator[tuple[float, int, int]]:
    """Yield (value, case index, arm index) of every case that is not as good as can be."""
    best = metric.high if metric.direction == "higher" else metric.low
    for arm_index, arm in enumerate(table.arms):
        values = case_values(metric, arm.metrics[metric.name], table).per_case
        for case_index, value in enumerate(values.tolist()):
            if not math.isnan(value) and value != best:
                yield value, case_index, arm_index


def _badness(metric: RunMetric, found: tuple[float, int, int]) -> tuple[float, int, int]:
    """Return what sorts the worst first, the arms of a case side by side."""
    value, case_index, arm_index = found
    return (value if metric.direction == "higher" else -value), case_index, arm_index


def _worst_answer(store: Store, run: Run, metric: RunMetric, place: tuple[str, str]) -> tuple[str | None, str] | None:
    """Return what was expected and the lowest-scored answer of a case (arm, case id)."""
    from retest.store.records import SampleFilter

    name, sign = metric.name, 1.0 if metric.direction == "higher" else -1.0
    arm, case_id = place
    worst: tuple[float, str | None, str] | None = None
    for sample in store.iter_samples(run.run_id, SampleFilter(arm=arm, case_id=case_id)):
        score = sample.scores.get(name)
        if isinstance(sample.outcome, Response) and isinstance(score, Score):
            expected = None if sample.case.expected is None else _short(sample.case.expected)
            if worst is None or sign * score.value < worst[0]:
                worst = (sign * score.value, expected, sample.outcome.output)
    return None if worst is None else worst[1:]


def _short(expected: JsonValue) -> str:
    return re.sub(r"\s+", " ", expected if isinstance(expected, str) else str(expected))[:200]
