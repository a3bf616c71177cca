"""Applies metrics to samples. A metric that raises is a MetricFailure on that sample, never a lost run."""

from __future__ import annotations

import asyncio
import gc
import inspect
import math
import sys
import traceback
from collections.abc import Awaitable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TypeAlias

from retest.domain.case import Case
from retest.domain.sample import CallOutcome, MetricFailure, Response, Score, ScoreOutcome
from retest.errors import StoreError
from retest.metrics.base import Metric
from retest.metrics.judge.base import JudgedSample, JudgeMetric
from retest.metrics.judge.caller import Caller, JudgingStoppedError
from retest.metrics.judge.together import ask_together
from retest.runner.score_processes import ProcessOptions, ScoreProcesses, may_move

if TYPE_CHECKING:
    from retest.runner.score_pool import ScorePool

Pending: TypeAlias = "ScoreOutcome | Awaitable[ScoreOutcome]"
Row: TypeAlias = "dict[str, ScoreOutcome]"


class Scorer:
    """The metrics of one run, by name, and whom those that ask a model may ask.

    With `processes`, metrics that score the same anywhere may move to processes of their own.
    """

    def __init__(
        self,
        metrics: Mapping[str, Metric[Any]],
        callers: Mapping[str, Caller] | None = None,
        processes: ProcessOptions | None = None,
    ) -> None:
        self.metrics = metrics
        self._callers = callers or {}
        moving = {name: metric for name, metric in metrics.items() if processes is not None and may_move(metric)}
        self._staying = {name: metric for name, metric in metrics.items() if name not in moving}
        self._moving = moving
        self._processes = ScoreProcesses(moving, processes) if moving and processes is not None else None
        self._has_begun = False

    async def score_batch(self, batch: Sequence[tuple[Case, CallOutcome]], keys: Sequence[str] = ()) -> list[Row]:
        """Return the scores of each sample, in order; an error in place of a response has none.

        Args:
            batch: case and outcome of each sample.
            keys: ledger key of each sample, which tells it from others that read alike.

        Raises:
            JudgingStoppedError: the run stops before every judgment is there.
        """
        rows = await self.start_batch(batch, keys)
        return await ask_together([finish_row(row) for row in rows])

    async def start_batch(
        self, batch: Sequence[tuple[Case, CallOutcome]], keys: Sequence[str] = ()
    ) -> list[dict[str, Pending]]:
        """Return a row per sample, in order: scores of rules, and what is still to be awaited.

        Rules run in a thread or in other processes, so that they never hold up the calls in flight.
        """
        if self._processes is None:
            return await asyncio.to_thread(self._start, batch, keys)
        moved = await self._processes.rows(batch, self._move)
        if not self._staying:
            return moved  # type: ignore[return-value] # rows of scores are rows of what may be awaited
        stayed = await asyncio.to_thread(self._start, batch, keys)
        return [self._in_order({**own, **row}) for own, row in zip(stayed, moved, strict=True)]

    @property
    def pool(self) -> ScorePool | None:
        """Return the processes that score, None while there are none."""
        return None if self._processes is None else self._processes.pool

    def close(self) -> None:
        """End the processes; the metrics are closed by who built them."""
        if self._processes is not None:
            self._processes.close()

    def _in_order(self, row: dict[str, Pending]) -> dict[str, Pending]:
        return {name: row[name] for name in self.metrics if name in row}

    def _move(self, batch: Sequence[tuple[Case, CallOutcome]]) -> list[Row]:
        with self._quiet():
            return score_rules(batch, self._moving)

    def _start(self, batch: Sequence[tuple[Case, CallOutcome]], keys: Sequence[str]) -> list[dict[str, Pending]]:
        named = keys or [""] * len(batch)
        with self._quiet():
            return [self._start_sample(case, outcome, key) for (case, outcome), key in zip(batch, named, strict=True)]

    def _quiet(self) -> AbstractContextManager[None]:
        """Return what the first batch is scored within: it loads libraries."""
        first, self._has_begun = not self._has_begun, True
        return loading_libraries() if first else nullcontext()

    def _start_sample(self, case: Case, outcome: CallOutcome, key: str) -> dict[str, Pending]:
        if not isinstance(outcome, Response):
            return {}
        metrics = self.metrics if self._processes is None else self._staying
        return {name: self._start_metric(metric, case, outcome, key) for name, metric in metrics.items()}

    def _start_metric(self, metric: Metric[Any], case: Case, response: Response, key: str) -> Pending:
        if isinstance(metric, JudgeMetric) and self._callers:
            return _Judgment(metric, JudgedSample(case=case, response=response, key=key), self._callers)
        return _scored(metric, case, response)


@contextmanager
def loading_libraries() -> Iterator[None]:
    """Keep the search for garbage from holding up the calls in flight while libraries are loaded, and afterwards.

    Going through all that nltk and its like consist of takes 100 ms each time, in which no answer is taken in.
    """
    modules, was_on = len(sys.modules), gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
        if len(sys.modules) > modules:
            gc.freeze()


def score_rules(batch: Sequence[tuple[Case, CallOutcome]], metrics: Mapping[str, Metric[Any]]) -> list[Row]:
    """Return the scores of each sample by metrics that await nothing."""
    rows: list[dict[str, Any]] = [
        {name: _scored(metric, case, outcome) for name, metric in metrics.items()}
        if isinstance(outcome, Response)
        else {}
        for case, outcome in batch
    ]
    return rows


def _scored(metric: Metric[Any], case: Case, response: Response) -> Pending:
    try:
        outcome = metric.score(case, response)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the user's code may raise anything
        return failure_from(error)
    return outcome if inspect.isawaitable(outcome) else checked(outcome)


class _Judgment(Awaitable[ScoreOutcome]):
    """A judgment to be made once it is awaited: one that never is leaves nothing behind."""

    def __init__(self, metric: JudgeMetric[Any], sample: JudgedSample, callers: Mapping[str, Caller]) -> None:
        self._metric, self._sample, self._callers = metric, sample, callers

    def __await__(self) -> Generator[Any, None, ScoreOutcome]:
        return self._metric.judge(self._sample, self._callers).__await__()


def is_settled(row: Mapping[str, Pending]) -> bool:
    """Return whether nothing of a row is still to be awaited."""
    return not any(inspect.isawaitable(pending) for pending in row.values())


async def finish_row(row: Mapping[str, Pending]) -> Row:
    """Await what a row still lacks, all of it at the same time.

    Raises:
        JudgingStoppedError: the run stops before every judgment is there.
        StoreError: a paid answer could not be made durable.
    """
    awaited = {name: pending for name, pending in row.items() if inspect.isawaitable(pending)}
    outcomes = await ask_together([_settle(pending) for pending in awaited.values()])
    found: dict[str, Any] = {**row, **dict(zip(awaited, outcomes, strict=True))}
    return found


async def _settle(pending: Awaitable[ScoreOutcome]) -> ScoreOutcome:
    try:
        return checked(await pending)
    except (JudgingStoppedError, StoreError):
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the user's code may raise anything
        return failure_from(error)


def checked(outcome: ScoreOutcome) -> ScoreOutcome:
    """Return the outcome, or a failure where its value is no finite number."""
    if isinstance(outcome, Score) and not math.isfinite(outcome.value):
        return MetricFailure(kind="not_finite", message=f"the metric returned {outcome.value}")
    return outcome


def failure_from(error: BaseException) -> MetricFailure:
    """Return a raised exception as data, with the place where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return MetricFailure(kind="raised", message=f"{type(error).__name__}: {error}{place}")
