"""Scores stored answers by other metrics, or by changed definitions; no target is called.

The new scores are added under their definition's signature and become the current ones when they are complete. What
another definition scored stays in the store.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Self

from retest.domain.judge import JudgeSpec
from retest.domain.rescoring import RescoredMetric, RescoredRun
from retest.domain.run import Run
from retest.domain.sample import MetricFailure, Response
from retest.domain.summary import RunSummary
from retest.errors import IncompleteError, Problem
from retest.metrics.base import Metric
from retest.metrics.judge.caller import Caller, JudgingStoppedError
from retest.runner.events import Listener, ignore_events
from retest.runner.redact import Redactor
from retest.runner.score import Scorer
from retest.runner.score_processes import ProcessOptions
from retest.runner.table import NOT_APPLICABLE
from retest.targets.credentials import Scrubber, environment_secrets
from retest.workflows.finish import full_summary, stored_summary
from retest.workflows.inspect import load_table, load_view
from retest.workflows.judge_session import SessionOptions, judge_session
from retest.workflows.rescore_metrics import ScoringMetric
from retest.workflows.run_pairwise import stored_pairs
from retest.workflows.scoring import process_options
from retest.workflows.stored_gate import read_stored_gate
from retest.workflows.workspace import Workspace

if TYPE_CHECKING:
    from retest.store.database import Store
    from retest.store.records import StoredSample
    from retest.store.rescored import RescoreWriter

_BATCH = 200


@dataclass(slots=True)
class _Tally:
    scored: int = 0
    kept: int = 0
    not_applicable: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    first_failure: str = ""

    def add(self, outcome: object) -> None:
        if not isinstance(outcome, MetricFailure):
            self.scored += 1
        elif outcome.kind in NOT_APPLICABLE:
            self.not_applicable += 1
        else:
            self.failures[outcome.kind] += 1
            self.first_failure = self.first_failure or outcome.message


class _Ahead:
    """Lets a batch be scored while the one before is stored and the next is read; two are on their way at most."""

    def __init__(self) -> None:
        self._tasks: deque[asyncio.Task[None]] = deque()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, at: object) -> None:
        if isinstance(error, asyncio.CancelledError):
            for task in self._tasks:
                task.cancel()
        # What was asked of judges is paid for: after an error too, whoever is on the way comes to an end.
        ended = await asyncio.gather(*self._tasks, return_exceptions=True)
        failed = next((each for each in ended if isinstance(each, BaseException)), None)
        if error is None and failed is not None:
            raise failed

    async def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin with a batch, once there is room."""
        task = asyncio.create_task(work)
        self._tasks.append(task)
        if len(self._tasks) > 1:
            await self._tasks.popleft()
        await asyncio.sleep(0)


class _Scorers:
    """A scorer for each set of metrics that some samples lack; nearly always one."""

    def __init__(
        self,
        metrics: Mapping[str, Metric[Any]],
        callers: Mapping[str, Caller],
        options: ProcessOptions,
        stack: ExitStack,
    ) -> None:
        self._metrics, self._callers, self._options, self._stack = metrics, callers, options, stack
        self._made: dict[frozenset[str], Scorer] = {}
        self.turn = asyncio.Lock()  # metrics score one batch at a time

    def of(self, due: frozenset[str]) -> Scorer:
        """Return what scores by these metrics."""
        if due not in self._made:
            metrics = {name: metric for name, metric in self._metrics.items() if name in due}
            self._made[due] = Scorer(metrics, self._callers, self._options)
            self._stack.callback(self._made[due].close)
        return self._made[due]


class Rescoring:
    """Scores the answers of runs by the same metrics."""

    def __init__(
        self,
        store: Store,
        workspace: Workspace,
        metrics: Sequence[ScoringMetric],
        *,
        tell: Callable[[str, int], None] | None = None,
        listener: Listener = ignore_events,
    ) -> None:
        self._store = store
        self._workspace = workspace
        self._redactor = Redactor(scrubber=Scrubber(environment_secrets(workspace.env)))
        self._metrics = {each.stored.name: each for each in metrics}
        self._tell = tell or (lambda _run, _done: None)
        self._listener = listener

    def score(self, run: Run, role: str = "named") -> RescoredRun:
        """Score a run's answers and make the definitions its current ones.

        Raises:
            UsageError: a live process is writing the run, or a judge cannot be opened.
            IncompleteError: a judge stopped; the same command goes on.
        """
        before = load_view(self._store, run)
        known = {metric.name: metric for metric in before.run.metrics}
        stored = [each.stored for each in self._metrics.values()]
        writer = self._store.rescoring.start(run.run_id, stored)
        tallies, without_answer = asyncio.run(self._score(run, writer))
        writer.finish()
        after = self._sum_up(run)
        means_before, means = _means(before.summary), _means(after)
        return RescoredRun(
            run=run,
            role=role,
            without_answer=without_answer,
            metrics=tuple(
                RescoredMetric(
                    metric=metric,
                    before=known.get(metric.name),
                    scored=tallies[metric.name].scored,
                    kept=tallies[metric.name].kept,
                    not_applicable=tallies[metric.name].not_applicable,
                    failures=dict(tallies[metric.name].failures),
                    first_failure=tallies[metric.name].first_failure,
                    means_before=means_before.get(metric.name, {}),
                    means=means.get(metric.name, {}),
                )
                for metric in stored
            ),
        )

    async def _score(self, run: Run, writer: RescoreWriter) -> tuple[dict[str, _Tally], int]:
        judges = _asked_judges(self._metrics.values())
        if not judges:
            return await self._score_all(run, writer, {})
        options = SessionOptions(
            run_id=self._workspace.new_run_id(),
            draw=run.draw,
            max_cost_usd=self._workspace.settings["max_cost_usd"],
        )
        async with judge_session(judges, self._store, self._workspace, options) as session:
            try:
                found = await self._score_all(run, writer, session.callers)
            except JudgingStoppedError:
                raise _stopped(run, session.stop.message) from None
            if session.stop.is_set:  # what was in flight at the stop has failed without being at fault
                raise _stopped(run, session.stop.message)
            return found

    async def _score_all(
        self, run: Run, writer: RescoreWriter, callers: Mapping[str, Caller]
    ) -> tuple[dict[str, _Tally], int]:
        tallies = {name: _Tally() for name in self._metrics}
        done = without_answer = 0
        options = process_options(self._workspace.settings, run.counts.samples, self._listener)
        with ExitStack() as stack:
            scorers = _Scorers({name: each.metric for name, each in self._metrics.items()}, callers, options, stack)
            async with _Ahead() as ahead:
                for batch in _batches(self._store.iter_samples(run.run_id)):
                    answered = [sample for sample in batch if isinstance(sample.outcome, Response)]
                    without_answer += len(batch) - len(answered)
                    await ahead.begin(self._score_batch(answered, writer, scorers, tallies))
                    done += len(batch)
                    self._tell(run.run_id, done)
        return tallies, without_answer

    async def _score_batch(
        self,
        batch: Sequence[StoredSample],
        writer: RescoreWriter,
        scorers: _Scorers,
        tallies: Mapping[str, _Tally],
    ) -> None:
        from retest.store.rescored import PlacedScores

        for due, samples in _by_due(batch, self._metrics, writer).items():
            for name in self._metrics.keys() - due:
                tallies[name].kept += len(samples)
            if not due:
                continue
            async with scorers.turn:
                raw = await scorers.of(due).score_batch(
                    [(sample.case, sample.outcome) for sample in samples],
                    [sample.key or f"{sample.case_id}|{sample.sample_index}" for sample in samples],
                )
                rows = [self._redactor.scores(row) for row in raw]
                for row in rows:
                    for name, outcome in row.items():
                        tallies[name].add(outcome)
            await asyncio.to_thread(
                writer.add,
                [PlacedScores(place=_place(sample), scores=row) for sample, row in zip(samples, rows, strict=True)],
            )

    def _sum_up(self, run: Run) -> RunSummary:
        """Store what the run adds up to now; how it ended stays as it was."""
        renewed = self._store.get_run(run.run_id)
        table = load_table(self._store, renewed)
        summary = full_summary(self._store, renewed, read_stored_gate(renewed), table, stored_pairs(renewed))
        self._store.update_run(run.run_id, summary=stored_summary(summary))
        return summary


def _asked_judges(metrics: Iterable[ScoringMetric]) -> tuple[JudgeSpec, ...]:
    """Return the judges that some metric asks, each once."""
    return tuple({judge.name: judge for metric in metrics for judge in metric.judges}.values())


def rescore_runs(
    store: Store,
    workspace: Workspace,
    runs: Sequence[tuple[Run, str]],
    metrics: Sequence[ScoringMetric],
    tell: Callable[[str, int], None] | None = None,
    listener: Listener = ignore_events,
) -> list[RescoredRun]:
    """Score runs, each with why it is, by the same metrics, and close those; the listener hears notices.

    Raises:
        RetestError: as `Rescoring.score`.
    """
    with ExitStack() as stack:
        for metric in metrics:
            stack.callback(metric.metric.close)
        rescoring = Rescoring(store, workspace, metrics, tell=tell, listener=listener)
        return [rescoring.score(run, role) for run, role in runs]


def baseline_to_rescore(store: Store, run: Run, metrics: Sequence[ScoringMetric]) -> Run | None:
    """Return the suite's baseline where it was not scored by these definitions, so that like compares with like."""
    named = store.baseline(run.suite)
    if named is None or named.run.run_id == run.run_id:
        return None
    current = {metric.name: metric.signature for metric in named.run.metrics}
    is_due = any(current.get(each.stored.name) != each.stored.signature for each in metrics)
    return named.run if is_due else None


def _by_due(
    batch: Sequence[StoredSample], metrics: Mapping[str, ScoringMetric], writer: RescoreWriter
) -> dict[frozenset[str], list[StoredSample]]:
    """Return samples by the metrics that have no score of them yet."""
    found: dict[frozenset[str], list[StoredSample]] = {}
    for sample in batch:
        due = frozenset(name for name in metrics if _place(sample) not in writer.scored[name])
        found.setdefault(due, []).append(sample)
    return found


def _place(sample: StoredSample) -> tuple[int, int, int]:
    return sample.arm_index, sample.case_index, sample.sample_index


def _means(summary: RunSummary) -> dict[str, dict[str, float | None]]:
    found: dict[str, dict[str, float | None]] = {}
    for arm in summary.arms:
        for metric in arm.metrics:
            found.setdefault(metric.name, {})[arm.name] = metric.mean
    return found


def _batches(samples: Iterable[StoredSample]) -> Iterator[list[StoredSample]]:
    iterator = iter(samples)
    while batch := list(islice(iterator, _BATCH)):
        yield batch


def _stopped(run: Run, why: str) -> IncompleteError:
    return IncompleteError(
        Problem(
            slug="rescore-stopped",
            message=f"run {run.run_id} could not be judged to the end; its scores are as they were",
            details=(why,) if why else (),
            fix="when that is mended, the same command goes on: what was judged is kept",
        )
    )
