"""Workers in this process instead of a cluster's: what goes between is pickled too, and they can be killed."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TypeVar

from retest.distributed.crew import Hand, WorkerLostError
from retest.distributed.execution import SpreadExecution
from retest.distributed.setup import Opened, Orders, Setup
from retest.distributed.turns import PaceDesk
from retest.distributed.wire import Post, Reply
from retest.distributed.worker import Worker
from retest.domain.run import Run
from retest.errors import UsageError
from retest.runner.events import Event
from retest.runner.execute import Backends
from retest.runner.score import Scorer
from retest.runner.stopping import StopReason, StopSignal
from retest.store.database import Store, open_store
from retest.workflows.check import check_suites
from retest.workflows.distributed import Spread, crew_orders, crew_setup
from retest.workflows.judges import judging_context, judging_options
from retest.workflows.run import RunOptions, SuiteRun
from retest.workflows.settings import load_settings
from retest.workflows.workspace import Workspace

T = TypeVar("T")


class LocalHand:
    """A worker in this process; satisfies `Hand`."""

    def __init__(self, name: str, desk: PaceDesk) -> None:
        self.name = name
        self.worker = Worker(name)
        self._desk = desk
        self._dead = asyncio.Event()

    def kill(self) -> None:
        """End it as a killed process ends: nothing that it was about to say is heard."""
        self._dead.set()
        self.worker._link.close()
        for task in self.worker._tasks:
            task.cancel()

    async def open(self, setup: Setup, variables: Mapping[str, str | None]) -> Opened:
        """Open what the suite names."""
        opened = await self.worker.open(copied(setup), copied(dict(variables)))
        assert not opened.problems, opened.problems
        return copied(opened)

    async def start(self, orders: Orders) -> None:
        """Let it begin."""
        await self._reach(self.worker.start(copied(orders), self._desk))

    async def take(self) -> Post:
        """Return what it wants, once there is anything."""
        return copied(await self._reach(self.worker.take()))

    async def deliver(self, replies: Sequence[Reply]) -> None:
        """Answer it."""
        await self._reach(self.worker.deliver(copied(list(replies))))

    async def stop(self, reason: StopReason, message: str) -> None:
        """Let it take no new calls."""
        await self._reach(self.worker.stop(reason, message))

    async def discard(self) -> None:
        """Make sure that it does nothing any more."""
        self.kill()
        await self._desk.forget(self.name)

    async def _reach(self, call: Awaitable[T]) -> T:
        task, dead = asyncio.ensure_future(call), asyncio.ensure_future(self._dead.wait())
        try:
            await asyncio.wait({task, dead}, return_when=asyncio.FIRST_COMPLETED)
            if dead.done():
                raise WorkerLostError("it was killed")
            return task.result()
        finally:
            task.cancel()
            dead.cancel()


class LocalCrew:
    """Workers in this process; `on_hire` is told of each, and with a `refusal` there are no more."""

    def __init__(self, setup: Setup, variables: Mapping[str, str | None]) -> None:
        self.hands: list[Hand] = []
        self.all: list[LocalHand] = []
        self.desk = PaceDesk()
        self.on_hire: Callable[[LocalHand], None] = lambda _hand: None
        self.refusal: UsageError | None = None
        self._setup, self._variables = setup, variables
        self._numbers = count(1)
        self._closing: list[Callable[[], Awaitable[None]]] = []

    async def hire(self) -> Hand:
        """Return one more worker, opened."""
        if self.refusal is not None:
            raise self.refusal
        hand = LocalHand(f"worker {next(self._numbers)}", self.desk)
        self.all.append(hand)
        await hand.open(self._setup, self._variables)
        self.on_hire(hand)
        return hand

    def before_close(self, work: Callable[[], Awaitable[None]]) -> None:
        """Let something be done before the workers end."""
        self._closing.append(work)

    async def close(self) -> None:
        """End all workers."""
        for work in self._closing:
            await work()
        for hand in self.all:
            await hand.worker.close()
            await self.desk.forget(hand.name)


@dataclass(kw_only=True)
class SpreadRun:
    """A run that is about to be spread over a crew."""

    crew: LocalCrew
    execution: SpreadExecution
    stop: StopSignal
    store: Store
    run: Run
    events: list[Event] = field(default_factory=list)


@asynccontextmanager
async def spread_run(
    root: Path, *, workers: int = 2, env: Mapping[str, str] | None = None, **options: object
) -> AsyncIterator[SpreadRun]:
    """Prepare the project's suite for workers in this process; `options` are of `RunOptions`, or settings."""
    flags: dict[str, object | None] = {
        name: options.pop(name) for name in ("concurrency", "attempts", "grace_s") if name in options
    }
    settings = load_settings(root, {}, flags)
    workspace = Workspace(cwd=root, settings=settings, env=env or {"OPENAI_API_KEY": "sk-of-the-test"})
    (suite,) = check_suites([], workspace).suites
    stop, events = StopSignal(), list[Event]()
    wanted = RunOptions(**options)  # type: ignore[arg-type] # the tests' own
    async with AsyncExitStack() as stack:
        store = stack.enter_context(open_store(str(root / "spread.db")))
        suite_run = SuiteRun(suite, wanted, workspace, events.append)
        prepared = await suite_run.prepare(stack, store, stop)
        how = suite_run._execution_options(prepared, None)
        crew = LocalCrew(crew_setup(prepared, workspace, how.concurrency), dict(workspace.env))
        stack.push_async_callback(crew.close)
        for _ in range(workers):
            crew.hands.append(await crew.hire())
        judging = judging_options(workspace, prepared.ready.run_id, draw=prepared.plan.draw)
        context = judging_context(prepared.ledger, judging, budget=how.budget, stop=stop)
        callers = prepared.judges.callers(context)
        planned = prepared.ready.planned
        run = suite_run._header(prepared.ready.run_id, prepared.plan, prepared.metrics, planned=planned)
        writer = store.start_run(run, owner=run.run_id)
        scorer = Scorer(prepared.metrics, callers)
        backends = Backends(
            targets=prepared.targets, ledger=prepared.ledger, writer=writer, scorer=scorer, judges=callers
        )
        spread = Spread(crew, crew_orders(prepared, workspace, how, offline=wanted.offline))
        execution = spread(prepared.plan, backends, how, events.append, stop)
        yield SpreadRun(crew=crew, execution=execution, stop=stop, store=store, run=run, events=events)
        counts = execution.counts()
        store.update_run(run.run_id, status="incomplete" if stop.is_set else "complete", counts=counts)


def copied(value: T) -> T:
    """Return what arrives in another process."""
    again: T = pickle.loads(pickle.dumps(value))  # noqa: S301 - our own
    return again
