"""Figures of two compared arms, before and after, over the cases that both have."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from retest.decision.align import CasePairs, MetricPlan
from retest.domain.case import Case
from retest.domain.figures import FigureChange
from retest.domain.run import RunArm
from retest.domain.sample import CallOutcome
from retest.runner.figure_facts import FIGURE_METRICS, FigureFacts
from retest.workflows.renewed_scores import SideLike

if TYPE_CHECKING:
    from retest.workflows.diff import Sides

_BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class FigurePair:
    """Two arms whose figures are compared.

    Attributes:
        clusters: case id -> cluster, where clusters are declared.
        base_dir: where relative paths in options start.
    """

    baseline: SideLike
    candidate: SideLike
    first: RunArm
    second: RunArm
    pairs: CasePairs
    clusters: Mapping[str, str] | None
    base_dir: Path = Path()

    @property
    def sides(self) -> tuple[tuple[SideLike, str], tuple[SideLike, str]]:
        """Return both sides with the names of their arms."""
        return (self.baseline, self.first.name), (self.candidate, self.second.name)


def compare_figures(
    sides: Sides, first: RunArm, second: RunArm, clusters: Mapping[str, str] | None
) -> tuple[FigureChange, ...]:
    """Return every figure of every metric that can be compared; nothing of one whose answers would have to be there.

    Both sides count by the candidate's definition and its expected answers: from what the scores keep where they were
    made so, else from the stored answers, scored anew.
    """
    pair = FigurePair(
        baseline=sides.baseline,
        candidate=sides.candidate,
        first=first,
        second=second,
        pairs=sides.pairs,
        clusters=clusters,
        base_dir=sides.base_dir,
    )
    wanted = [plan for plan in sides.plans if plan.metric.metric in FIGURE_METRICS and plan.refusal is None]
    return tuple(change for plan in wanted for change in _changes(pair, plan))


def _changes(pair: FigurePair, plan: MetricPlan) -> tuple[FigureChange, ...]:
    from retest.workflows.figures import fact_rows, figure_changes, figures_makeup

    makeup, facts = figures_makeup(plan.metric), _facts(pair, plan)
    if makeup is None or facts is None:
        return ()
    numbers = list(pair.pairs.paired)
    clusters = None
    if pair.clusters is not None:
        clusters = [f"cluster {pair.clusters[one]}" if one in pair.clusters else f"case {one}" for one in numbers]
    rows = [fact_rows(side, makeup, 1) for side in facts]
    return figure_changes(plan.metric, rows[0], rows[1], makeup, clusters)


def _facts(pair: FigurePair, plan: MetricPlan) -> tuple[FigureFacts, FigureFacts] | None:
    """Return what both sides' figures are computed from, by case number; None where one side cannot be had."""
    stored = [_stored(pair, plan, number) for number in (0, 1)]
    if stored[0] is not None and stored[1] is not None:
        return stored[0], stored[1]
    anew = [_anew(pair, plan, number) for number in (0, 1)]
    if anew[0] is not None and anew[1] is not None:
        return anew[0], anew[1]
    return None


def _stored(pair: FigurePair, plan: MetricPlan, number: int) -> FigureFacts | None:
    """Return what a side's scores keep; None where they were made by another definition or another expected answer."""
    side, arm = pair.sides[number]
    if side.store is None or side.run is None or (number == 0 and pair.pairs.reworded):
        return None
    rows = side.store.rescoring.details(side.run.run_id, plan.metric, arm)
    if rows is None:
        return None
    numbers = {case_id: place for place, case_id in enumerate(pair.pairs.paired)}
    # As the store numbers them: scores that were read from a baseline file have their cases in another order.
    ids = [case.case_id for _, case in side.store.iter_cases(side.run.run_id)]
    facts = FigureFacts(plan.metric.metric)
    for row in rows:
        place = numbers.get(ids[row.case_index])
        if place is not None:
            facts.put_details(place, row.details)
    return facts if facts.places or not rows else None  # scores of an earlier version keep other things


def _anew(pair: FigurePair, plan: MetricPlan, number: int) -> FigureFacts | None:
    """Return what scores made anew from a side's answers keep; None where the answers are not here."""
    from retest.runner.score import Scorer
    from retest.workflows.score_again import Unbuildable, rebuild_metric

    metric = rebuild_metric(plan.metric, pair.base_dir, run_code=False)  # none that keeps figures does
    cases = _candidate_cases(pair)
    if isinstance(metric, Unbuildable) or cases is None:
        return None
    numbers = {case_id: place for place, case_id in enumerate(pair.pairs.paired)}
    facts = FigureFacts(plan.metric.metric)
    scorer = Scorer({plan.metric.name: metric})
    samples = _samples(pair, number, cases)
    while batch := list(islice(samples, _BATCH)):
        scored = asyncio.run(scorer.score_batch([(cases[case_id], outcome) for case_id, outcome in batch]))
        for (case_id, _), row in zip(batch, scored, strict=True):
            if plan.metric.name in row:
                facts.put(numbers[case_id], row[plan.metric.name])
    return facts if facts.places else None


def _candidate_cases(pair: FigurePair) -> dict[str, Case] | None:
    side = pair.candidate
    if side.store is None or side.run is None:
        return None
    paired = set(pair.pairs.paired)
    return {case.case_id: case for _, case in side.store.iter_cases(side.run.run_id) if case.case_id in paired}


def _samples(pair: FigurePair, number: int, cases: Mapping[str, Case]) -> Iterator[tuple[str, CallOutcome]]:
    from retest.workflows.score_again import GivenOutputs, Outputs

    side, arm = pair.sides[number]
    outputs: Outputs | GivenOutputs = GivenOutputs(texts=side.outputs, arm=arm, case_ids=cases.keys())
    if side.store is not None and side.run is not None:
        outputs = Outputs(store=side.store, run=side.run, arm=arm, case_ids=cases.keys())
    return ((sample.case_id, sample.outcome) for sample in outputs.read())
