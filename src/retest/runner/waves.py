"""A plan taken in parts: samples by the wave, so that somebody may look in between and say that it is enough."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from retest.domain.case import Case
from retest.domain.run import RunCounts
from retest.runner.plan import PlannedCall, RunPlan
from retest.runner.stopping import StopSignal
from retest.runner.table import RunTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """One part of a plan: case id -> the samples before and after it. A case that is not named has no part in it."""

    samples: Mapping[str, tuple[int, int]]

    def calls(self, plan: RunPlan) -> Iterator[PlannedCall]:
        """Yield the plan's calls that belong to the wave, in the plan's order; other cases are not rendered."""
        for call in plan.calls(self.samples.keys()):
            first, end = self.samples[call.case.case_id]
            if first <= call.sample_index < end:
                yield call


def scheduled_waves(
    case_ids: Sequence[str], schedule: Sequence[Sequence[int]], *, most: int, whole: Collection[str] = ()
) -> list[Wave]:
    """Return a wave for each look of a schedule.

    Args:
        case_ids: in the schedule's order.
        schedule: look -> samples per case after it.
        most: samples that a case has.
        whole: cases that take all their samples in the first wave.
    """
    waves = []
    before = [0] * len(case_ids)
    for counts in schedule:
        after = [
            most if case_id in whole else min(count, most) for case_id, count in zip(case_ids, counts, strict=True)
        ]
        steps = zip(case_ids, before, after, strict=True)
        waves.append(Wave(samples={case_id: (start, end) for case_id, start, end in steps if end > start}))
        before = after
    return waves


class Watcher(Protocol):
    """Who divides a plan into waves, and looks after each of them."""

    @property
    def waves(self) -> Sequence[Wave]:
        """Return the waves; together they hold every sample that the plan can need, once."""
        ...

    async def is_enough(self, wave: int, *, stopped: bool) -> bool:
        """Return whether no further wave is needed.

        Args:
            wave: that was just taken, from 0.
            stopped: it was cut short, so that there is nothing to look at, and none follows.
        """
        ...


class Takes(Protocol):
    """An execution as far as waves need it."""

    @property
    def stop(self) -> StopSignal:
        """Return what cuts it short."""
        ...

    async def store_cases(self, cases: Sequence[tuple[int, Case]]) -> None:
        """Store every case before the first call."""
        ...

    async def run(self, calls: Iterable[PlannedCall] | None = None) -> RunCounts:
        """Execute these calls."""
        ...


class Executes(Takes, Protocol):
    """An execution as far as a run needs it, wherever its calls are made."""

    @property
    def table(self) -> RunTable:
        """Return the scores of what is stored."""
        ...

    def counts(self) -> RunCounts:
        """Return what has been done so far."""
        ...


async def take_waves(execution: Takes, plan: RunPlan, watcher: Watcher) -> int:
    """Execute wave after wave until the watcher has seen enough; return how many were begun.

    Raises:
        StoreError: responses could not be made durable.
    """
    await execution.store_cases(list(plan.cases()))
    taken = 0
    for taken, wave in enumerate(watcher.waves, start=1):
        await execution.run(wave.calls(plan))
        if await watcher.is_enough(taken - 1, stopped=execution.stop.is_set):
            break
    return taken
