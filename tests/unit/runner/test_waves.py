"""Waves: a plan executed in parts gives what it gives in one go."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

from retest.domain.case import Case
from retest.domain.json_value import JsonValue
from retest.domain.prompt import Message
from retest.domain.run import SampleRecord
from retest.domain.sample import Response
from retest.runner.execute import Backends, Execution, ExecutionOptions
from retest.runner.plan import RunPlan
from retest.runner.score import Scorer
from retest.runner.waves import Wave, scheduled_waves, take_waves
from retest.store.base import LedgerEntry
from retest.targets.base import Request
from support.suites import make_suite

IDENTITY: dict[str, JsonValue] = {"base_url": "http://127.0.0.1"}
WAVES = (
    Wave(samples={"c2": (0, 1)}),
    Wave(samples={"c0": (0, 1), "c1": (0, 1), "c2": (1, 2)}),
    Wave(samples={"c0": (1, 2), "c1": (1, 2)}),
)


class _Echo:
    """A target that answers with the case's id."""

    identity = IDENTITY

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    async def call(self, request: Request) -> Response:
        self.asked.append((request.case.case_id, request.sample_index))
        return Response(output=request.case.case_id)

    async def aclose(self) -> None:
        return


class _Memory:
    """A ledger and a run's writer in memory."""

    def __init__(self) -> None:
        self.cases: list[int] = []
        self.stored: list[SampleRecord] = []
        self._known: dict[str, Response] = {}

    async def lookup(self, keys: Sequence[str]) -> Mapping[str, Response]:
        return {key: self._known[key] for key in keys if key in self._known}

    async def known(self, keys: Sequence[str]) -> frozenset[str]:
        return frozenset(keys) & self._known.keys()

    async def claim(self, keys: Sequence[str]) -> frozenset[str]:
        return frozenset(keys)

    async def record(self, entries: Sequence[LedgerEntry]) -> None:
        self._known.update((entry.key, entry.response) for entry in entries)

    async def release(self, keys: Sequence[str]) -> None:
        return

    async def add_cases(self, cases: Sequence[tuple[int, Case]]) -> None:
        self.cases += [index for index, _ in cases]

    async def unknown_messages(self, hashes: Collection[str]) -> frozenset[str]:
        return frozenset(hashes)

    async def add_messages(self, rendered: Mapping[str, Sequence[Message]]) -> None:
        return

    async def append(self, samples: Sequence[SampleRecord]) -> None:
        self.stored += samples


def _plan() -> RunPlan:
    return RunPlan(suite=make_suite(cases=3), identities=[IDENTITY], samples=2)


def _execution(memory: _Memory, target: _Echo) -> Execution:
    backends = Backends(targets=[target], ledger=memory, writer=memory, scorer=Scorer({}))
    return Execution(_plan(), backends, ExecutionOptions(concurrency=2))


def _places(memory: _Memory) -> list[tuple[int, int]]:
    return sorted((record.case_index, record.sample_index) for record in memory.stored)


def test_a_wave_holds_its_samples_of_its_cases() -> None:
    """In the plan's order, with the plan's keys."""
    calls = list(WAVES[1].calls(_plan()))
    assert [(call.case.case_id, call.sample_index) for call in calls] == [("c0", 0), ("c1", 0), ("c2", 1)]
    assert {call.key for call in calls} <= {call.key for call in _plan().calls()}


def test_all_waves_are_the_whole_plan() -> None:
    """One execution takes them one after the other: the same samples as in one go, and the counts are of all."""
    memory, target, plan = _Memory(), _Echo(), _plan()

    async def main() -> list[int]:
        execution = _execution(memory, target)
        await execution.store_cases(list(plan.cases()))
        return [(await execution.run(wave.calls(plan))).samples for wave in WAVES]

    assert asyncio.run(main()) == [1, 4, 6]
    assert _places(memory) == [(case, sample) for case in range(3) for sample in range(2)]
    assert len(target.asked) == 6


def test_cases_are_stored_before_waves_that_begin_elsewhere() -> None:
    """The first wave asks the last case; every case keeps its index."""
    memory, plan = _Memory(), _plan()

    async def main() -> list[str]:
        execution = _execution(memory, _Echo())
        await execution.store_cases(list(plan.cases()))
        await execution.run(WAVES[0].calls(plan))
        return execution.table.case_ids

    assert asyncio.run(main()) == ["c0", "c1", "c2"]
    assert (memory.cases, _places(memory)) == ([0, 1, 2], [(2, 0)])


def test_waves_taken_again_cost_nothing() -> None:
    """After a crash the ledger replays the earlier waves."""
    memory, target, plan = _Memory(), _Echo(), _plan()

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
    target, watcher, plan = _Echo(), _Enough(2), _plan()
    assert asyncio.run(take_waves(_execution(_Memory(), target), plan, watcher)) == 2
    assert len(target.asked) == 4
    assert watcher.seen == [(0, False), (1, False)]


def test_a_wave_that_is_cut_short_is_the_last() -> None:
    """The watcher is told, so that nobody waits for this run any more."""
    target, watcher, plan = _Echo(), _Enough(3), _plan()
    execution = _execution(_Memory(), target)
    execution.stop.stop("interrupt", "interrupted")
    assert asyncio.run(take_waves(execution, plan, watcher)) == 1
    assert (target.asked, watcher.seen) == ([], [(0, True)])
