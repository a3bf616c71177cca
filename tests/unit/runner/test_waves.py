"""Waves: a plan executed in parts gives what it gives in one go."""

from __future__ import annotations

import asyncio

from retest.runner.execute import Backends, Execution, ExecutionOptions
from retest.runner.plan import RunPlan
from retest.runner.score import Scorer
from retest.runner.waves import Wave, scheduled_waves, take_waves
from support.executing import IDENTITY, Echo, Memory
from support.suites import make_suite

WAVES = (
    Wave(samples={"c2": (0, 1)}),
    Wave(samples={"c0": (0, 1), "c1": (0, 1), "c2": (1, 2)}),
    Wave(samples={"c0": (1, 2), "c1": (1, 2)}),
)


def _plan() -> RunPlan:
    return RunPlan(suite=make_suite(cases=3), identities=[IDENTITY], samples=2)


def _execution(memory: Memory, target: Echo) -> Execution:
    backends = Backends(targets=[target], ledger=memory, writer=memory, scorer=Scorer({}))
    return Execution(_plan(), backends, ExecutionOptions(concurrency=2))


def _places(memory: Memory) -> list[tuple[int, int]]:
    return sorted((record.case_index, record.sample_index) for record in memory.stored)


def test_a_wave_holds_its_samples_of_its_cases() -> None:
    """In the plan's order, with the plan's keys."""
    calls = list(WAVES[1].calls(_plan()))
    assert [(call.case.case_id, call.sample_index) for call in calls] == [("c0", 0), ("c1", 0), ("c2", 1)]
    assert {call.key for call in calls} <= {call.key for call in _plan().calls()}


def test_all_waves_are_the_whole_plan() -> None:
    """One execution takes them one after the other: the same samples as in one go, and the counts are of all."""
    memory, target, plan = Memory(), Echo(), _plan()

    async def main() -> list[int]:
        execution = _execution(memory, target)
        await execution.store_cases(list(plan.cases()))
        return [(await execution.run(wave.calls(plan))).samples for wave in WAVES]

    assert asyncio.run(main()) == [1, 4, 6]
    assert _places(memory) == [(case, sample) for case in range(3) for sample in range(2)]
    assert len(target.asked) == 6


def test_cases_are_stored_before_waves_that_begin_elsewhere() -> None:
    """The first wave asks the last case; every case keeps its index."""
    memory, plan = Memory(), _plan()

    async def main() -> list[str]:
        execution = _execution(memory, Echo())
        await execution.store_cases(list(plan.cases()))
        await execution.run(WAVES[0].calls(plan))
        return execution.table.case_ids

    assert asyncio.run(main()) == ["c0", "c1", "c2"]
    assert (memory.cases, _places(memory)) == ([0, 1, 2], [(2, 0)])


def test_waves_taken_again_cost_nothing() -> None:
    """After a crash the ledger replays the earlier waves."""
    memory, target, plan = Memory(), Echo(), _plan()

    async def main() -> int:
        await _execution(memory, target).run(WAVES[1].calls(plan))
        counts = await _execution(memory, target).run(WAVES[1].calls(plan))
        return counts.ledger_hits

    assert asyncio.run(main()) == 3
    assert len(target.asked) == 3


def test_a_schedule_becomes_waves() -> None:
    """Each holds what its look adds; some cases take all their samples first, and nobody more than there are."""
    waves = scheduled_waves(["a", "b", "c"], [(1, 0, 1), (1, 1, 2), (3, 3, 3)], most=2, whole={"b"})
    assert [wave.samples for wave in waves] == [
        {"a": (0, 1), "b": (0, 2), "c": (0, 1)},
        {"c": (1, 2)},
        {"a": (1, 2)},
    ]


class _Enough:
    """A watcher that has seen enough after so many waves."""

    waves = WAVES

    def __init__(self, after: int) -> None:
        self._after = after
        self.seen: list[tuple[int, bool]] = []

    async def is_enough(self, wave: int, *, stopped: bool) -> bool:
        self.seen.append((wave, stopped))
        return stopped or wave + 1 >= self._after


def test_waves_end_when_enough_was_seen() -> None:
    """The rest of the plan is not called."""
    target, watcher, plan = Echo(), _Enough(2), _plan()
    assert asyncio.run(take_waves(_execution(Memory(), target), plan, watcher)) == 2
    assert len(target.asked) == 4
    assert watcher.seen == [(0, False), (1, False)]


def test_a_wave_that_is_cut_short_is_the_last() -> None:
    """The watcher is told, so that nobody waits for this run any more."""
    target, watcher, plan = Echo(), _Enough(3), _plan()
    execution = _execution(Memory(), target)
    execution.stop.stop("interrupt", "interrupted")
    assert asyncio.run(take_waves(execution, plan, watcher)) == 1
    assert (target.asked, watcher.seen) == ([], [(0, True)])
