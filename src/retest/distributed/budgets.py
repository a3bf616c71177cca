"""The run's budgets as workers draw on them: each call that was admitted is settled, a lost worker's as well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from retest.distributed.wire import RUN_BUDGET
from retest.runner.judging import JudgeCaller
from retest.runner.stopping import Admission


@dataclass(slots=True)
class _Settled:
    """What the calls of one budget came to."""

    calls: int = 0
    cost_usd: float = 0.0

    @property
    def mean_usd(self) -> float | None:
        """Return the mean cost of a call, None where there was none."""
        return self.cost_usd / self.calls if self.calls else None


class SharedBudgets:
    """The budget of the run, and those of judges."""

    def __init__(self, run: Admission, judges: Mapping[str, JudgeCaller]) -> None:
        self._run = run
        self._judges = judges
        self._open: Counter[tuple[str, str]] = Counter()  # (worker, budget) -> admitted and not settled
        self._settled: dict[str, _Settled] = {}

    async def admit(self, worker: str, name: str) -> bool:
        """Count one more call of a worker in, or refuse it."""
        admitted = await self._budget(name).admit()
        self._open[worker, name] += admitted
        return admitted

    def settle(self, worker: str, name: str, cost_usd: float | None) -> None:
        """Count one call of a worker as done at its cost."""
        self._open[worker, name] -= 1
        self._budget(name).settle(cost_usd)
        settled = self._settled.setdefault(name, _Settled())
        settled.calls += 1
        settled.cost_usd += cost_usd or 0.0

    def lose(self, worker: str) -> None:
        """Settle what a worker that is gone had in flight at the mean cost of a call, for it was probably paid for."""
        for (whose, name), calls in list(self._open.items()):
            if whose == worker:
                del self._open[whose, name]
                mean_usd = self._settled.get(name, _Settled()).mean_usd
                for _ in range(calls):
                    self._budget(name).settle(mean_usd)

    def _budget(self, name: str) -> Admission:
        return self._run if name == RUN_BUDGET else self._judges[name].budget
