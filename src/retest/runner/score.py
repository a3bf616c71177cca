"""Applies metrics to samples. A metric that raises is a MetricFailure on that sample, never a lost run."""

from __future__ import annotations

import asyncio
import inspect
import math
import traceback
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, TypeAlias

from retest.domain.case import Case
from retest.domain.sample import CallOutcome, MetricFailure, Response, Score, ScoreOutcome
from retest.metrics.base import Metric

Pending: TypeAlias = "ScoreOutcome | Awaitable[ScoreOutcome]"


class Scorer:
    """The metrics of one run, by name."""

    def __init__(self, metrics: Mapping[str, Metric[Any]]) -> None:
        self.metrics = metrics

    async def score_batch(self, batch: Sequence[tuple[Case, CallOutcome]]) -> list[dict[str, ScoreOutcome]]:
        """Return the scores of each sample, in order; an error in place of a response has none.

        Rules run in a thread, so that they never hold up the calls in flight; awaitables are awaited here.
        """
        pending = await asyncio.to_thread(self._start_batch, batch)
        return [{name: await _settle(outcome) for name, outcome in row.items()} for row in pending]

    def close(self) -> None:
        """Release what the metrics hold."""
        for metric in self.metrics.values():
            metric.close()

    def _start_batch(self, batch: Sequence[tuple[Case, CallOutcome]]) -> list[dict[str, Pending]]:
        return [self._start(case, outcome) for case, outcome in batch]

    def _start(self, case: Case, outcome: CallOutcome) -> dict[str, Pending]:
        if not isinstance(outcome, Response):
            return {}
        return {name: _start_metric(metric, case, outcome) for name, metric in self.metrics.items()}


def _start_metric(metric: Metric[Any], case: Case, response: Response) -> Pending:
    try:
        outcome = metric.score(case, response)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the user's code may raise anything
        return failure_from(error)
    return outcome if inspect.isawaitable(outcome) else checked(outcome)


async def _settle(pending: Pending) -> ScoreOutcome:
    if not inspect.isawaitable(pending):
        return pending
    try:
        return checked(await pending)
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
