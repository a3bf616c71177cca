"""Asks a pairwise judge about the answers of two arms: which sample meets which, both orders, errors as missing data.

Samples meet by `sample_index`: the first answer of one side with the first of the other, and so on. An answer without a
counterpart (an error, or fewer samples on the other side) is left out and counted.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from retest.decision.pairwise import JudgedArms, sum_up
from retest.domain.case import Case
from retest.domain.json_value import content_hash
from retest.domain.pairwise import PAIRWISE, JudgedPair, JudgeUse, PairVote, PairwiseResult
from retest.domain.run import Run, RunMetric
from retest.domain.sample import Response
from retest.metrics.judge.base import judge_label
from retest.metrics.judge.pairwise import AnswerPair, PairAnswer, PairwiseJudge
from retest.workflows.judge_session import JudgeSession, SessionOptions, judge_session, run_apart
from retest.workflows.workspace import Workspace

if TYPE_CHECKING:
    from retest.store.database import Store  # loads SQLAlchemy


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmAnswers:
    """The answers of one arm: case id -> sample index -> answer; `cases` where the run's cases are known."""

    arm: str
    answers: Mapping[str, Mapping[int, PairAnswer]]
    cases: Mapping[str, Case] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairwiseTask:
    """Two arms to compare on one pairwise metric, over these cases."""

    metric: RunMetric
    baseline: ArmAnswers
    candidate: ArmAnswers
    case_ids: Sequence[str]
    clusters: Mapping[str, str] | None = None


def stored_answers(store: Store, run: Run, arm: str, case_ids: Collection[str] | None = None) -> ArmAnswers:
    """Return the answers of one arm of a stored run; errors have none."""
    from retest.store.records import SampleFilter

    answers: dict[str, dict[int, PairAnswer]] = {}
    cases: dict[str, Case] = {}
    for sample in store.iter_samples(run.run_id, SampleFilter(arm=arm)):
        if case_ids is not None and sample.case_id not in case_ids:
            continue
        cases[sample.case_id] = sample.case
        if isinstance(sample.outcome, Response):
            text = sample.outcome.output or sample.outcome.refusal or ""
            found = PairAnswer(text=text, key=sample.key or _key(sample.case_id, sample.sample_index, text))
            answers.setdefault(sample.case_id, {})[sample.sample_index] = found
    return ArmAnswers(arm=arm, answers=answers, cases=cases)


def given_answers(arm: str, outputs: Mapping[tuple[str, str], Sequence[str | None]]) -> ArmAnswers:
    """Return the answers that a baseline file holds: they are told apart by their content, for it has no keys."""
    answers = {
        case_id: {
            index: PairAnswer(text=text, key=_key(case_id, index, text))
            for index, text in enumerate(texts)
            if text is not None
        }
        for (name, case_id), texts in outputs.items()
        if name == arm
    }
    return ArmAnswers(arm=arm, answers=answers)


def _key(case_id: str, index: int, text: str) -> str:
    return content_hash(["answer", case_id, index, text])[:40]


def pairwise_metrics(metrics: Sequence[RunMetric]) -> tuple[RunMetric, ...]:
    """Return the metrics that compare two answers."""
    return tuple(metric for metric in metrics if metric.metric == PAIRWISE)


def build_pairwise(metric: RunMetric, base_dir: Path) -> PairwiseJudge:
    """Return the judge that a run's metric describes; paths in its endpoint's options start at `base_dir`."""
    from retest.domain.judge import judging_from
    from retest.metrics.base import MetricContext

    if metric.judging is None:
        raise ValueError(f"{metric.name} was run without a judge")
    judging = judging_from(metric.judging, base_dir)
    options = PairwiseJudge.Options.model_validate(dict(metric.options))
    return PairwiseJudge(options, MetricContext(name=metric.name, base_dir=base_dir, judging=judging))


async def judge_task(task: PairwiseTask, judge: PairwiseJudge, session: JudgeSession) -> PairwiseResult:
    """Ask about every pair of answers, and sum up."""
    pairs, unpaired = _pairs(task)
    before = session.use()

    async def ask(place: tuple[str, int]) -> JudgedPair:
        case_id, index = place
        pair = _answer_pair(task, case_id, index)
        if pair.baseline.key == pair.candidate.key:
            return JudgedPair(case_id=case_id, sample_index=index, same=True)
        return JudgedPair(case_id=case_id, sample_index=index, votes=await judge.compare(pair, session.callers))

    found = await session.each(pairs, ask)
    judged = [
        JudgedPair(case_id=case_id, sample_index=index, votes=_unasked(judge, session)) if pair is None else pair
        for (case_id, index), pair in zip(pairs, found, strict=True)
    ]
    return sum_up(
        JudgedArms(
            metric=task.metric.name,
            baseline=task.baseline.arm,
            candidate=task.candidate.arm,
            definition=judge.definition.label,
            judges=tuple(judge_label(one) for one in judge.judging.judges),
            pairs=tuple(judged),
            unpaired=unpaired,
            use=_since(before, session.use()),
            clusters=task.clusters,
        )
    )


def _since(before: JudgeUse, now: JudgeUse) -> JudgeUse:
    """Return what was taken in between."""
    known = before.cost_usd is not None and now.cost_usd is not None
    return JudgeUse(
        calls=now.calls - before.calls,
        ledger_hits=now.ledger_hits - before.ledger_hits,
        input_tokens=now.input_tokens - before.input_tokens,
        output_tokens=now.output_tokens - before.output_tokens,
        cost_usd=(now.cost_usd or 0.0) - (before.cost_usd or 0.0) if known else None,
    )


def _pairs(task: PairwiseTask) -> tuple[list[tuple[str, int]], int]:
    """Return (case id, sample index) of every pair, and how many answers have no counterpart."""
    pairs: list[tuple[str, int]] = []
    unpaired = 0
    for case_id in task.case_ids:
        before, after = task.baseline.answers.get(case_id, {}), task.candidate.answers.get(case_id, {})
        both = sorted(before.keys() & after.keys())
        pairs += [(case_id, index) for index in both]
        unpaired += len(before) + len(after) - 2 * len(both)
    return pairs, unpaired


def _answer_pair(task: PairwiseTask, case_id: str, index: int) -> AnswerPair:
    case = task.candidate.cases.get(case_id) or task.baseline.cases[case_id]
    return AnswerPair(
        case=case,
        baseline=task.baseline.answers[case_id][index],
        candidate=task.candidate.answers[case_id][index],
    )


def _unasked(judge: PairwiseJudge, session: JudgeSession) -> tuple[PairVote, ...]:
    """Return the votes on a pair that nobody got to: missing, each with the reason."""
    reason = session.stop.message or "the judging stopped"
    return tuple(
        PairVote(judge=one.name, vote=0, baseline_first=None, candidate_first=None, failure=f"not asked: {reason}")
        for one in judge.judging.judges
    )


class PairwiseJudging:
    """Judges pairs for comparisons that are no runs: `diff`, `gate`, `compare`.

    What an earlier comparison paid for comes from the ledger, so the same two runs are judged once.
    """

    def __init__(self, workspace: Workspace, *, offline: bool = False) -> None:
        self._workspace = workspace
        self._offline = offline

    def judge(self, tasks: Sequence[PairwiseTask], base_dir: Path) -> list[PairwiseResult]:
        """Return the result of each task.

        Args:
            tasks: arms to compare.
            base_dir: where paths of the judges' options start.

        Raises:
            RetestError: a judge cannot be opened, or the store cannot be written.
        """
        if not tasks:
            return []
        return run_apart(lambda: self._judge(tasks, base_dir))

    async def _judge(self, tasks: Sequence[PairwiseTask], base_dir: Path) -> list[PairwiseResult]:
        options = SessionOptions(
            run_id=self._workspace.new_run_id(),
            offline=self._offline,
            max_cost_usd=self._workspace.settings["max_cost_usd"],
        )
        found = []
        with self._workspace.open_store() as store:
            for task in tasks:
                judge = build_pairwise(task.metric, base_dir)
                async with judge_session(judge.judging.judges, store, self._workspace, options) as session:
                    found.append(await judge_task(task, judge, session))
        return found
