"""Pairwise metrics within one run of several arms: every two arms that are compared at all, and their ranking."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any, cast

from retest.domain.json_value import JsonValue, content_hash
from retest.domain.pairwise import PAIRWISE, JudgeUse, PairwiseRanking, PairwiseResult, Share
from retest.domain.run import Run
from retest.workflows.arm_groups import arm_groups

if TYPE_CHECKING:
    from retest.metrics.base import Metric
    from retest.metrics.judge.pairwise import PairwiseJudge
    from retest.runner.judging import JudgeCaller
    from retest.runner.stopping import StopSignal
    from retest.store.database import Store  # loads SQLAlchemy

_WORKERS = 64  # pairs in work at once; each judge has limits of its own on calls in flight
_FEWEST = 3  # two versions need no ranking: their verdict says it


async def judge_run_pairs(
    store: Store,
    run: Run,
    metrics: Mapping[str, Metric[Any]],
    callers: Mapping[str, JudgeCaller],
    stop: StopSignal,
    *,
    grace_s: float,
) -> tuple[PairwiseResult, ...]:
    """Return what pairwise judges say of every two arms of a group; nothing where an interrupt ended it midway.

    Args:
        store: with the run's answers.
        run: its header.
        metrics: of the run, by name.
        callers: judges by name, with the run's budget.
        stop: nothing is asked where the run has stopped; the same command goes on.
        grace_s: how long judgments in flight may still arrive after an interrupt.

    Raises:
        StoreError: an answer could not be made durable.
    """
    from retest.runner.grace import grace_period

    try:
        async with grace_period(stop, grace_s):
            return await _judge_pairs(store, run, metrics, callers, stop)
    except asyncio.CancelledError:
        if not stop.is_set:
            raise
        return ()


async def _judge_pairs(
    store: Store, run: Run, metrics: Mapping[str, Metric[Any]], callers: Mapping[str, JudgeCaller], stop: StopSignal
) -> tuple[PairwiseResult, ...]:
    wanted = [metric for metric in run.metrics if metric.metric == PAIRWISE]
    pairs = [pair for group in arm_groups(run) for pair in combinations(group, 2)]
    if not wanted or not pairs or stop.is_set:
        return ()
    from retest.workflows.judge_session import JudgeSession
    from retest.workflows.pairwise import PairwiseTask, judge_task, stored_answers

    names = sorted({index for pair in pairs for index in pair})
    answers = {i: await asyncio.to_thread(stored_answers, store, run, run.arms[i].name) for i in names}
    cases = list(dict.fromkeys(case_id for arm in answers.values() for case_id in arm.cases))
    clusters = {
        case_id: case.cluster
        for arm in answers.values()
        for case_id, case in arm.cases.items()
        if case.cluster is not None
    }
    found: list[PairwiseResult] = []
    for metric in wanted:
        judge = cast("PairwiseJudge", metrics[metric.name])
        own = {one.name: callers[one.name] for one in judge.judging.judges}
        for first, second in pairs:
            session = JudgeSession(callers=own, stop=stop, concurrency=_WORKERS)
            task = PairwiseTask(
                metric=metric,
                baseline=answers[first],
                candidate=answers[second],
                case_ids=cases,
                clusters=clusters or None,
            )
            found.append(await judge_task(task, judge, session))
    return tuple(found)


def rank_run(run: Run, results: Sequence[PairwiseResult]) -> tuple[PairwiseRanking, ...]:
    """Return a Bradley-Terry ranking for each pairwise metric and group of more than two arms."""
    if not results:
        return ()
    from retest.decision.pairwise import rank_arms

    found: list[PairwiseRanking] = []
    for metric in dict.fromkeys(result.metric for result in results):
        for group in arm_groups(run):
            names = {run.arms[index].name for index in group}
            own = [each for each in results if each.metric == metric and {each.baseline, each.candidate} <= names]
            if len(names) >= _FEWEST and any(each.n_pairs for each in own):
                seed = int(content_hash([run.fingerprint, run.draw, metric])[:8], 16)
                found.append(rank_arms(metric, run.arms[group[0]].target_name, own, seed=seed))
    return tuple(found)


def stored_pairs(run: Run) -> tuple[PairwiseResult, ...]:
    """Return the results that a run's summary keeps; none where it compared no pairs."""
    documents = cast("Sequence[Mapping[str, Any]]", run.summary.get("pairwise") or ())
    return tuple(result_from(document) for document in documents)


def result_from(document: Mapping[str, Any]) -> PairwiseResult:
    """Return the result that `dataclasses.asdict` wrote."""
    values: dict[str, Any] = dict(document)
    for name in ("win", "tie", "loss", "flip_rate", "first_share"):
        values[name] = Share(**values[name])
    for name in ("judges", "failures"):
        values[name] = tuple(values[name])
    return PairwiseResult(**(values | {"use": JudgeUse(**values["use"])}))


def pair_documents(results: Sequence[PairwiseResult]) -> list[JsonValue]:
    """Return results as a run's summary keeps them."""
    import dataclasses

    return [cast("JsonValue", dataclasses.asdict(result)) for result in results]
