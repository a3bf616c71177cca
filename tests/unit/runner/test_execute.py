"""An execution keeps what it paid for, whatever else is slow or breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from retest.domain.case import Case
from retest.domain.sample import CallOutcome, Response
from retest.errors import Problem, SuiteError
from retest.runner.execute import Backends, Execution, ExecutionOptions
from retest.runner.plan import PlannedCall, RunPlan
from retest.runner.score import Pending, Scorer
from retest.store.base import LedgerEntry
from retest.targets.base import Request
from support.executing import IDENTITY, Echo, Memory
from support.suites import make_suite

MANY = 6000  # samples: more than an execution lets wait to be scored
PATIENCE_S = 60.0


class _Held(Echo):
    """A target that answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked_once = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def call(self, request: Request) -> Response:
        self.asked_once.set()
        await self.may_answer.wait()
        return await super().call(request)


class _Witness(Memory):
    """A memory that says when something was recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.recorded = asyncio.Event()

    async def record(self, entries: Sequence[LedgerEntry]) -> None:
        await super().record(entries)
        self.recorded.set()


class _Stuck(Scorer):
    """A scorer that begins when it is told to."""

    def __init__(self) -> None:
        super().__init__({})
        self.called = asyncio.Event()
        self.may_begin = asyncio.Event()

    async def start_batch(
        self, batch: Sequence[tuple[Case, CallOutcome]], keys: Sequence[str] = ()
    ) -> list[dict[str, Pending]]:
        self.called.set()
        await self.may_begin.wait()
        return await super().start_batch(batch, keys)


def _plan(cases: int) -> RunPlan:
    return RunPlan(suite=make_suite(cases=cases), identities=[IDENTITY], samples=1)


def test_an_answer_reaches_the_disk_while_scoring_is_far_behind() -> None:
    """As many answers from the ledger as may wait do; the one that was paid for is recorded at once all the same."""

    async def main() -> tuple[bool, int]:
        plan, memory, target, scorer = _plan(MANY), _Witness(), _Held(), _Stuck()
        calls = list(plan.calls())
        await memory.record([LedgerEntry(key=call.key, response=Response(output="known")) for call in calls[1:]])
        memory.recorded.clear()
        backends = Backends(targets=[target], ledger=memory, writer=memory, scorer=scorer)
        execution = Execution(plan, backends, ExecutionOptions(concurrency=1))
        running = asyncio.create_task(execution.run())
        async with asyncio.timeout(PATIENCE_S):
            await target.asked_once.wait()
            await scorer.called.wait()
            for _ in range(MANY):  # all that can go on does
                await asyncio.sleep(0)
            target.may_answer.set()
            await memory.recorded.wait()
            was_scored = scorer.may_begin.is_set()
            scorer.may_begin.set()
            counts = await running
        return was_scored, counts.samples

    assert asyncio.run(main()) == (False, MANY)


def test_what_is_in_flight_when_a_file_has_changed_is_kept() -> None:
    """The answer that comes after the mistake was found is recorded and stored; then the mistake is told."""

    async def main() -> Memory:
        plan, memory, target = _plan(2), _Witness(), _Held()

        async def calls() -> AsyncIterator[Sequence[PlannedCall]]:
            yield [next(iter(plan.calls()))]
            await target.asked_once.wait()
            asyncio.get_running_loop().call_soon(target.may_answer.set)
            raise SuiteError(Problem(slug="dataset-changed", message="the dataset changed while it was read"))

        backends = Backends(targets=[target], ledger=memory, writer=memory, scorer=Scorer({}))
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(SuiteError, match="changed while"):
                await Execution(plan, backends, ExecutionOptions(concurrency=2)).run(calls())
        return memory

    memory = asyncio.run(main())
    assert len(memory.stored) == 1
    assert isinstance(memory.stored[0].outcome, Response)


def test_a_call_that_cannot_be_made_ready_ends_the_run_without_the_rest() -> None:
    """Calls that wait are given back, none of them is made, and the mistake is told."""

    class _Changed(Echo):
        async def call(self, request: Request) -> Response:
            await super().call(request)
            raise SuiteError(Problem(slug="dataset-changed", message="the image changed"))

    async def main() -> int:
        plan, memory, target = _plan(500), Memory(), _Changed()
        backends = Backends(targets=[target], ledger=memory, writer=memory, scorer=Scorer({}))
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(SuiteError, match="image changed"):
                await Execution(plan, backends, ExecutionOptions(concurrency=2)).run()
        return len(target.asked)

    assert asyncio.run(main()) <= 2
