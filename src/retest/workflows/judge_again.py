"""Has stored answers judged again: both sides of a comparison in one session, so that a judge's drift falls on both.

What is judged stays as it was; only the judgments are new. They are recorded under a draw that stands for the session,
so that the same comparison made again reads them from the ledger and comes to the same verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from retest.domain.case import Case
from retest.domain.json_value import JsonValue, content_hash
from retest.domain.pairwise import PAIRWISE
from retest.domain.run import Run, RunArm, RunMetric
from retest.domain.sample import MetricFailure
from retest.domain.scores import CaseScores, RunScores
from retest.errors import IncompleteError, Problem, RetestError
from retest.workflows.workspace import Workspace

if TYPE_CHECKING:
    from retest.metrics.base import Metric  # loads pydantic, which most comparisons do without
    from retest.store.database import Store
    from retest.store.records import StoredSample
    from retest.workflows.judge_session import JudgeSession

_BATCH = 500  # samples asked about at the same time, at most; each judge keeps to its own concurrency


class StoredSide(Protocol):
    """One side of a comparison with its answers in a store."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class AgainJob:
    """What is to be judged again: these metrics on the paired cases of these arms, by the candidate's definitions."""

    metrics: Sequence[RunMetric]
    baseline: StoredSide
    candidate: StoredSide
    arms: Sequence[tuple[RunArm, RunArm]]
    cases: Mapping[str, Case]
    base_dir: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedAgain:
    """Metric -> arm -> scores of each side, and what that took."""

    baseline: Mapping[str, Mapping[str, CaseScores]] = field(default_factory=dict)
    candidate: Mapping[str, Mapping[str, CaseScores]] = field(default_factory=dict)
    calls: int = 0
    ledger_hits: int = 0
    cost_usd: float | None = 0.0


def is_judged(metric: RunMetric) -> bool:
    """Return whether a model scored a metric's samples one by one."""
    return metric.judging is not None and metric.metric != PAIRWISE


def session_draw(baseline: RunScores, candidate: RunScores) -> int:
    """Return the draw of judgments that belongs to a comparison: the same for the same baseline and candidate."""
    parts: list[JsonValue] = ["again", baseline.label, baseline.fingerprint, candidate.fingerprint, candidate.draw]
    return int(content_hash(parts)[:12], 16) + 1  # never 0, which is the runs' own


class JudgeAgain:
    """Asks judges for comparisons.

    `sessions`: also where the definition is the same on both sides, for they were judged at different times.
    The limits are the candidate's run's as well: what that has spent is not there any more.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        offline: bool = False,
        sessions: bool = True,
        max_cost_usd: float | None = None,
        max_calls: int | None = None,
    ) -> None:
        self.offline = offline
        self.sessions = sessions and not offline
        self._workspace = workspace
        setting: float | None = workspace.settings["max_cost_usd"]
        self._max_cost_usd = setting if max_cost_usd is None else max_cost_usd
        self._max_calls = max_calls

    def judge(self, job: AgainJob) -> JudgedAgain:
        """Return both sides' scores, judged now or read from an earlier session of the same comparison.

        Raises:
            IncompleteError: a judge stopped before everything was judged.
            RetestError: a judge cannot be opened, or the store cannot be written.
        """
        from retest.workflows.judge_session import run_apart

        return run_apart(lambda: self._judge(job))

    async def _judge(self, job: AgainJob) -> JudgedAgain:
        from retest.workflows.judge_session import SessionOptions, judge_session
        from retest.workflows.judges import asked_judges

        built = build_judges(job)
        judges = asked_judges(metric_spec for metric_spec, _ in built.values())
        calls, cost_usd = _spent(job.candidate.run)
        options = SessionOptions(
            run_id=self._workspace.new_run_id(),
            draw=session_draw(job.baseline.scores, job.candidate.scores),
            offline=self.offline,
            max_calls=None if self._max_calls is None else max(0, self._max_calls - calls),
            max_cost_usd=None if self._max_cost_usd is None else max(0.0, self._max_cost_usd - cost_usd),
        )
        metrics = {name: metric for name, (_, metric) in built.items()}
        with self._workspace.open_store() as store:
            async with judge_session(judges, store, self._workspace, options) as session:
                before = await _score_side(job.baseline, [arm.name for arm, _ in job.arms], job, metrics, session)
                after = await _score_side(job.candidate, [arm.name for _, arm in job.arms], job, metrics, session)
                use = session.use()
        return JudgedAgain(
            baseline=before, candidate=after, calls=use.calls, ledger_hits=use.ledger_hits, cost_usd=use.cost_usd
        )


def _spent(run: Run | None) -> tuple[int, float]:
    """Return the calls and the dollars of a run, its judges' too."""
    if run is None:
        return 0, 0.0
    judges = run.counts.judges.values()
    calls = run.counts.calls + sum(judge.calls for judge in judges)
    return calls, (run.counts.cost_usd or 0.0) + sum(judge.cost_usd or 0.0 for judge in judges)


def build_judges(job: AgainJob) -> dict[str, tuple[Any, Metric[Any]]]:
    """Return name -> spec and metric, as the candidate's run defined them.

    Raises:
        RetestError: a stored definition cannot be read by this version.
    """
    from retest.domain.judge import judging_from
    from retest.domain.suite import MetricSpec
    from retest.metrics.registry import build_metric

    found: dict[str, tuple[Any, Metric[Any]]] = {}
    for stored in job.metrics:
        assert stored.judging is not None, "only judged metrics come here"  # noqa: S101 - tells the type checker
        spec = MetricSpec(
            name=stored.name,
            metric=stored.metric,
            options=stored.options,
            judging=judging_from(stored.judging, job.base_dir),
            base_dir=job.base_dir,
        )
        found[stored.name] = spec, build_metric(spec)
    return found


async def _score_side(
    side: StoredSide,
    arms: Sequence[str],
    job: AgainJob,
    metrics: Mapping[str, Metric[Any]],
    session: JudgeSession,
) -> dict[str, dict[str, CaseScores]]:
    from retest.metrics.judge.caller import JudgingStoppedError
    from retest.runner.score import Scorer
    from retest.workflows.score_again import Outputs, put_score

    if side.store is None or side.run is None:
        return {}
    scorer = Scorer(metrics, session.callers)
    why: dict[str, str] = {}
    found: dict[str, dict[str, dict[str, list[float | None]]]] = {
        name: {arm: {} for arm in dict.fromkeys(arms)} for name in metrics
    }
    for arm in dict.fromkeys(arms):
        outputs = Outputs(store=side.store, run=side.run, arm=arm, case_ids=job.cases.keys())
        for batch in _batches(outputs.read()):
            try:
                rows = await scorer.score_batch(
                    [(job.cases[sample.case_id], sample.outcome) for sample in batch],
                    [sample.key or f"{sample.case_id}|{sample.sample_index}" for sample in batch],
                )
            except JudgingStoppedError:
                raise _stopped(session.stop.message) from None
            for sample, row in zip(batch, rows, strict=True):
                for name, scores in found.items():
                    outcome = row.get(name)
                    put_score(scores[arm], sample.case_id, outcome)
                    if isinstance(outcome, MetricFailure):
                        why.setdefault(name, outcome.message)
    if session.stop.is_set:
        raise _stopped(session.stop.message)
    _refuse_unjudged(found, why)
    return {name: dict(scores) for name, scores in found.items()}


def _refuse_unjudged(found: Mapping[str, Mapping[str, CaseScores]], why: Mapping[str, str]) -> None:
    """Refuse a metric by which nothing at all was judged: that is the judge's fault, and not nothing to judge.

    Raises:
        IncompleteError: there is one.
    """
    for name, message in why.items():
        scores = (score for cases in found[name].values() for values in cases.values() for score in values)
        if all(score is None for score in scores):
            raise _stopped(f"{name}: {message}")


def _batches(samples: Iterable[StoredSample]) -> Iterator[Sequence[StoredSample]]:
    iterator = iter(samples)
    while batch := list(islice(iterator, _BATCH)):
        yield batch


def _stopped(why: str) -> RetestError:
    return IncompleteError(
        Problem(
            slug="judging-again-stopped",
            message="both sides could not be judged again in one session, so nothing is compared",
            details=(why,) if why else (),
            fix="when that is mended, the same command goes on where it stopped",
        )
    )
