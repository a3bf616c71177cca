"""Pairwise metrics in a comparison of two runs: finds both sides' answers, has them judged, hands over the results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from retest.domain.pairwise import PAIRWISE, PairwiseResult
from retest.domain.run import Run, RunArm, RunMetric
from retest.domain.scores import RunScores
from retest.workflows.workspace import Workspace

if TYPE_CHECKING:
    from retest.store.database import Store
    from retest.workflows.pairwise import ArmAnswers, PairwiseTask  # loads pydantic, which most comparisons do without


class PairwiseAsker(Protocol):
    """Who has pairs of answers judged; `retest.workflows.pairwise.PairwiseJudging` does."""

    def judge(self, tasks: Sequence[PairwiseTask], base_dir: Path) -> list[PairwiseResult]:
        """Return the result of each task."""
        ...


class AnsweredSide(Protocol):
    """One side of a comparison with its answers, in a store or beside its scores."""

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
        """Return answers that came with the scores."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedArms:
    """Two arms of two runs, and the cases to compare."""

    baseline: AnsweredSide
    candidate: AnsweredSide
    first: RunArm
    second: RunArm
    case_ids: Sequence[str]
    clusters: Mapping[str, str] | None = None


def judge_paired(
    arms: PairedArms, metrics: Sequence[RunMetric], asker: PairwiseAsker | None, base_dir: Path
) -> dict[str, PairwiseResult]:
    """Return metric name -> result of every pairwise metric; nothing where nobody is to be asked.

    What a run's judges said of its own arms is kept with the run.

    Raises:
        RetestError: a judge cannot be opened, or the store cannot be written.
    """
    wanted = [metric for metric in metrics if metric.metric == PAIRWISE and metric.judging is not None]
    if not wanted or not arms.case_ids:
        return {}
    kept = _kept(arms)
    wanted = [metric for metric in wanted if metric.name not in kept]
    if not wanted or asker is None:
        return kept
    from retest.workflows.pairwise import PairwiseTask

    before, after = _answers(arms.baseline, arms.first, arms), _answers(arms.candidate, arms.second, arms)
    if not before.answers or not after.cases:
        return kept
    tasks = [
        PairwiseTask(metric=metric, baseline=before, candidate=after, case_ids=arms.case_ids, clusters=arms.clusters)
        for metric in wanted
    ]
    return kept | {result.metric: result for result in asker.judge(tasks, base_dir)}


def _kept(arms: PairedArms) -> dict[str, PairwiseResult]:
    """Return the results of two arms of one and the same run, none of arms of two runs."""
    before, after = arms.baseline.run, arms.candidate.run
    if before is None or after is None or before.run_id != after.run_id:
        return {}
    from retest.workflows.run_pairwise import stored_pairs

    names = (arms.first.name, arms.second.name)
    return {result.metric: result for result in stored_pairs(after) if (result.baseline, result.candidate) == names}


def _answers(side: AnsweredSide, arm: RunArm, arms: PairedArms) -> ArmAnswers:
    from retest.workflows.pairwise import given_answers, stored_answers

    if side.store is not None and side.run is not None:
        return stored_answers(side.store, side.run, arm.name, frozenset(arms.case_ids))
    return given_answers(arm.name, side.outputs)


class PairwiseOnDemand:
    """Has pairs judged where a comparison needs it; what that takes is loaded only then."""

    def __init__(self, workspace: Workspace, *, offline: bool = False) -> None:
        self._workspace = workspace
        self._offline = offline

    def judge(self, tasks: Sequence[PairwiseTask], base_dir: Path) -> list[PairwiseResult]:
        """Return the result of each task; see `retest.workflows.pairwise.PairwiseJudging`."""
        from retest.workflows.pairwise import PairwiseJudging

        return PairwiseJudging(self._workspace, offline=self._offline).judge(tasks, base_dir)
