"""A plan taken in parts: samples by the wave, so that somebody may look in between and say that it is enough."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from retest.domain.case import Case
from retest.runner.plan import PlannedCall, RunPlan
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


class Watcher(Protocol):
    """Who divides a plan into waves, and looks after each of them."""

    def waves(self, cases: Sequence[tuple[int, Case]]) -> Sequence[Wave]:
        """Return the waves over a run's cases; together they hold every sample of the plan once."""
        ...

    def is_enough(self, wave: int, table: RunTable) -> bool:
        """Return whether the samples after this wave (from 0) decide, so that no further wave is needed."""
        ...
