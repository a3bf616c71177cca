"""Has a judge judge labelled cases, through the ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from retest.domain.json_value import content_hash
from retest.domain.pairwise import OrderVerdict, PairVote
from retest.domain.sample import MetricFailure, Response, Score
from retest.domain.suite import MetricSpec
from retest.errors import IncompleteError, Problem
from retest.metrics.judge.base import JudgedSample, JudgeMetric
from retest.metrics.judge.pairwise import AnswerPair, PairAnswer, PairwiseJudge
from retest.metrics.registry import build_metric
from retest.workflows.calibrate import Judgment, pair_judgment
from retest.workflows.judge_session import JudgeSession, SessionOptions, judge_session, run_apart
from retest.workflows.labelled_cases import LabelledCase
from retest.workflows.workspace import Workspace

if TYPE_CHECKING:
    from retest.store.database import Store  # loads SQLAlchemy

_WORTH = {"first": 1.0, "second": 0.0, "tie": 0.5}


def ask_labelled(
    spec: MetricSpec,
    cases: Sequence[LabelledCase],
    workspace: Workspace,
    *,
    fresh: bool = False,
    offline: bool = False,
    tell: Callable[[int, int], None] | None = None,
) -> list[Judgment]:
    """Return a judgment of each case, in order; a judge's error is a judgment without a value.

    What several people labelled is judged once.

    Args:
        spec: the judging metric.
        cases: with their answers.
        workspace: its ledger keeps what is paid for.
        fresh: ask anew, though the ledger has the judgments.
        offline: ask nobody; what the ledger lacks is missing.
        tell: is told how many cases are judged, of how many.

    Raises:
        RetestError: a judge cannot be opened, or stopped midway (a refused key, a spent budget).
    """

    def options(store: Store) -> SessionOptions:
        return SessionOptions(
            run_id=workspace.new_run_id(),
            draw=store.allocate_draw(f"calibrate {spec.name}") if fresh else 0,
            offline=offline,
            max_cost_usd=workspace.settings["max_cost_usd"],
            tell=tell,
        )

    keys = [_keys(case) for case in cases]
    unique = dict(zip(keys, cases, strict=True))
    found = run_apart(lambda: _ask_labelled(spec, list(unique.values()), workspace, options))
    by_key = dict(zip(unique, found, strict=True))
    return [by_key[key] for key in keys]


async def _ask_labelled(
    spec: MetricSpec,
    cases: Sequence[LabelledCase],
    workspace: Workspace,
    options: Callable[[Store], SessionOptions],
) -> list[Judgment]:
    metric = build_metric(spec)
    assert isinstance(metric, JudgeMetric), "only metrics that ask a model are calibrated"  # noqa: S101 - for the type checker
    with workspace.open_store() as store:
        async with judge_session(metric.judging.judges, store, workspace, options(store)) as session:
            found = await session.each(cases, lambda case: _judge(metric, case, session))
    if session.stop.is_set:
        raise IncompleteError(_stopped(session, sum(each is not None for each in found), len(cases)))
    return [each or Judgment(value=None, failure="not asked") for each in found]


def _stopped(session: JudgeSession, done: int, wanted: int) -> Problem:
    return Problem(
        slug="calibrate-stopped",
        message=f"the calibration stopped after {done} of {wanted} cases: {session.stop.message}",
        fix="mend the judge, and run the same command again: what is paid for is kept",
    )


async def _judge(metric: JudgeMetric, case: LabelledCase, session: JudgeSession) -> Judgment:  # type: ignore[type-arg] # whatever its options
    if isinstance(metric, PairwiseJudge):
        return _of_votes(await metric.compare(_pair(case), session.callers))
    sample = JudgedSample(case=case.case, response=Response(output=case.answers[0]), key=_key(case, 0))
    outcome = await metric.judge(sample, session.callers)
    if isinstance(outcome, MetricFailure):
        return Judgment(value=None, failure=outcome.message)
    assert isinstance(outcome, Score), "an outcome is a score or a failure"  # noqa: S101 - for the type checker
    return Judgment(value=outcome.value)


def _pair(case: LabelledCase) -> AnswerPair:
    """Return the pair with the first answer in the baseline's place."""
    first, second = (PairAnswer(text=text, key=_key(case, index)) for index, text in enumerate(case.answers))
    return AnswerPair(case=case.case, baseline=first, candidate=second)


def _key(case: LabelledCase, index: int) -> str:
    return content_hash(["labelled", case.case.case_id, index, case.answers[index]])[:40]


def _keys(case: LabelledCase) -> tuple[str, ...]:
    return (case.case.content_hash, *(_key(case, index) for index in range(len(case.answers))))


def _of_votes(votes: Sequence[PairVote]) -> Judgment:
    """Return the judgment of all votes: the answer that more of them prefer; equally many are a tie."""
    known = [1 - score for vote in votes if (score := vote.score) is not None]
    failure = next((vote.failure for vote in votes if vote.failure), None)
    as_given, swapped = (
        _order([vote.baseline_first for vote in votes]),
        _order([vote.candidate_first for vote in votes]),
    )
    if len(votes) == 1 or not known:
        return pair_judgment(as_given, None if swapped is None else 1 - swapped, failure)
    return Judgment(
        value=_decided(sum(known) / len(known)),
        as_given=as_given,
        swapped=None if swapped is None else 1 - swapped,
    )


def _order(verdicts: Sequence[OrderVerdict | None]) -> float | None:
    """Return which place won in one order: 1 the first, 0 the second, .5 neither; None where nobody said."""
    places = [_WORTH[verdict.place] for verdict in verdicts if verdict is not None]
    return _decided(sum(places) / len(places)) if places else None


def _decided(share: float) -> float:
    return 0.5 if share == 0.5 else float(share > 0.5)  # noqa: PLR2004 - half for each is a tie
