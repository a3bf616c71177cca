"""Applies metrics to samples. A metric that raises is a MetricFailure on that sample, never a lost run."""

from __future__ import annotations

import asyncio
import inspect
import math
import traceback
from collections.abc import Awaitable, Generator, Mapping, Sequence
from typing import Any, TypeAlias

from retest.domain.case import Case
from retest.domain.sample import CallOutcome, MetricFailure, Response, Score, ScoreOutcome
from retest.errors import StoreError
from retest.metrics.base import Metric
from retest.metrics.judge.base import JudgedSample, JudgeMetric
from retest.metrics.judge.caller import Caller, JudgingStoppedError
from retest.metrics.judge.together import ask_together

Pending: TypeAlias = "ScoreOutcome | Awaitable[ScoreOutcome]"
Row: TypeAlias = "dict[str, ScoreOutcome]"


class Scorer:
    """The metrics of one run, by name, and whom those that ask a model may ask."""

    def __init__(self, metrics: Mapping[str, Metric[Any]], callers: Mapping[str, Caller] | None = None) -> None:
        self.metrics = metrics
        self._callers = callers or {}

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

        Rules run in a thread, so that they never hold up the calls in flight.
        """
        named = keys or [""] * len(batch)
        return await asyncio.to_thread(
            lambda: [self._start(case, outcome, key) for (case, outcome), key in zip(batch, named, strict=True)]
        )

    def close(self) -> None:
        """Release what the metrics hold."""
        for metric in self.metrics.values():
            metric.close()

    def _start(self, case: Case, outcome: CallOutcome, key: str) -> dict[str, Pending]:
        if not isinstance(outcome, Response):
            return {}
        return {name: self._start_metric(metric, case, outcome, key) for name, metric in self.metrics.items()}

    def _start_metric(self, metric: Metric[Any], case: Case, response: Response, key: str) -> Pending:
        try:
            if isinstance(metric, JudgeMetric) and self._callers:
                return _Judgment(metric, JudgedSample(case=case, response=response, key=key), self._callers)
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
