"""One worker of a run: makes the calls it is handed and scores the answers; what it did is kept by the driver.

The class knows nothing of Ray, which makes an actor of it.
"""

from __future__ import annotations

import asyncio
import os
import platform
import socket
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from retest.distributed.files import Luggage, unpack_files
from retest.distributed.proxies import NoTable, RemoteBudget, RemoteLedger, RemoteWriter
from retest.distributed.setup import Facts, Opened, Orders, Setup
from retest.distributed.turns import Desk, Place, shared
from retest.distributed.wire import RUN_BUDGET, Link, Post, Reply, Shard
from retest.errors import Problem, RetestError
from retest.metrics.base import Metric
from retest.metrics.registry import build_metric
from retest.runner.callers import judge_callers
from retest.runner.events import CallRetried, EndpointLimit, Event
from retest.runner.execute import Backends, Execution, ExecutionOptions
from retest.runner.feed import Chunks
from retest.runner.judging import JudgeCaller, JudgingContext
from retest.runner.plan import RunPlan
from retest.runner.redact import Redactor
from retest.runner.score import Scorer
from retest.runner.stopping import Admission, Budget, Limits, StopReason, StopSignal
from retest.targets.base import Target
from retest.targets.credentials import Scrubber, environment_secrets
from retest.targets.registry import TargetContext, open_target


def facts() -> Facts:
    """Return what this process is."""
    return Facts(retest=metadata.version("retest"), python=platform.python_version(), node=socket.gethostname())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tools:
    """What a worker has opened."""

    targets: Sequence[Target]
    judges: Mapping[str, Target]
    metrics: Mapping[str, Metric[Any]]
    redactor: Redactor


class Worker:
    """Makes calls and scores answers for one run."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._stack = AsyncExitStack()
        self._setup: Setup | None = None
        self._tools: _Tools | None = None
        self._link = Link()
        self._stop: StopSignal | None = None
        self._callers: Mapping[str, JudgeCaller] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def describe(self) -> Facts:
        """Return what runs here; asked before anything else, for other versions may not understand the rest."""
        return facts()

    async def open(self, setup: Setup, variables: Mapping[str, str | None]) -> Opened:
        """Open what the suite names.

        Args:
            setup: the same for all workers.
            variables: of the driver's environment, which take the place of this node's; None where there is none. They
                hold keys: they are held in memory and said nowhere.
        """
        try:
            setup = await asyncio.to_thread(self._unpacked, setup)
            tools = await self._open(setup, self._environment(variables))
        except RetestError as error:
            return Opened(problems=error.problems)
        self._setup, self._tools = setup, tools
        return Opened(
            identities=[target.identity for target in tools.targets],
            judge_identities={name: target.identity for name, target in tools.judges.items()},
            signatures={name: metric.signature() for name, metric in tools.metrics.items()},
        )

    async def start(self, orders: Orders, desk: Desk) -> None:
        """Begin to ask for shards and work through them."""
        assert self._setup is not None and self._tools is not None, "opened first"  # noqa: S101, PT018 - tells the type checker
        self._stop = StopSignal()
        ledger = RemoteLedger(self._link)
        execution = self._execution(orders, desk, ledger, self._setup, self._tools)
        self._tasks = [
            asyncio.create_task(self._work(execution, ledger)),
            asyncio.create_task(self._say_stop(self._stop)),
        ]

    async def take(self) -> Post:
        """Return what this worker wants of the driver, once there is anything."""
        asks = await self._link.take()
        return Post(asks, {name: judge.account.counts() for name, judge in self._callers.items()})

    async def deliver(self, replies: Sequence[Reply]) -> None:
        """Hand out the driver's answers."""
        self._link.deliver(replies)

    async def stop(self, reason: StopReason, message: str) -> None:
        """Take no new calls; a second interrupt also gives up those in flight."""
        if self._stop is not None:
            self._stop.stop(reason, message)

    async def close(self) -> None:
        """End what goes on, close what is open."""
        self._link.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()

    # -- opening ---------------------------------------------------------------------------------------------------

    def _environment(self, variables: Mapping[str, str | None]) -> dict[str, str]:
        env = {**os.environ, **{name: value for name, value in variables.items() if value is not None}}
        return {name: value for name, value in env.items() if variables.get(name, value) is not None}

    def _unpacked(self, setup: Setup) -> Setup:
        """Return the set-up with its files where they are on this node; those that came along go with the worker."""
        if setup.luggage.is_here():
            return setup
        folder = Path(self._stack.enter_context(TemporaryDirectory(prefix="retest-files-", ignore_cleanup_errors=True)))
        suite, judges = unpack_files(setup.luggage, folder, setup.suite, setup.judges)
        return replace(setup, suite=suite, judges=tuple(judges), luggage=Luggage(files={}))

    async def _open(self, setup: Setup, env: Mapping[str, str]) -> _Tools:
        context = TargetContext(env=env, prices=setup.prices, concurrency=setup.connections)
        opened: dict[int, Target] = {}
        for spec in [arm.target for arm in setup.suite.arms] + [judge.target for judge in setup.judges]:
            if id(spec) not in opened:
                target = await asyncio.to_thread(open_target, spec, context)
                self._stack.push_async_callback(target.aclose)
                opened[id(spec)] = target
        metrics: dict[str, Metric[Any]] = {}
        for metric_spec in setup.suite.metrics:
            metric = await asyncio.to_thread(build_metric, metric_spec)
            self._stack.callback(metric.close)
            metrics[metric_spec.name] = metric
        return _Tools(
            targets=[opened[id(arm.target)] for arm in setup.suite.arms],
            judges={judge.name: opened[id(judge.target)] for judge in setup.judges},
            metrics=metrics,
            redactor=Redactor(setup.suite.redact, Scrubber(environment_secrets(env))),
        )

    # -- working ---------------------------------------------------------------------------------------------------

    def _execution(self, orders: Orders, desk: Desk, ledger: RemoteLedger, setup: Setup, tools: _Tools) -> Execution:
        assert self._stop is not None, "started"  # noqa: S101 - tells the type checker
        stop, link = self._stop, self._link

        def budget(name: str, *, limited: bool) -> Admission:
            return RemoteBudget(link, name) if limited else Budget(Limits())

        place = Place(worker=self._name, desk=desk, stop=stop, tell=self._tell)
        run_budget = budget(RUN_BUDGET, limited=orders.limited)
        context = JudgingContext(
            ledger=ledger,
            options=orders.judging,
            budget=run_budget,
            budgets={name: budget(name, limited=True) for name in orders.limited_judges},
            stop=stop,
            listener=self._tell,
        )
        judges = {name: shared(target, place, name) for name, target in tools.judges.items()}
        self._callers = judge_callers(setup.judges, judges, context)
        turned = {id(target): shared(target, place) for target in tools.targets}
        backends = Backends(
            targets=[turned[id(target)] for target in tools.targets],
            ledger=ledger,
            writer=RemoteWriter(link),
            scorer=Scorer(tools.metrics, self._callers),
            judges=self._callers,
            table=NoTable(),
        )
        options = ExecutionOptions(
            concurrency=orders.concurrency,
            budget=run_budget,
            retry=orders.retry,
            offline_arms=orders.offline_arms,
            grace_s=orders.grace_s,
            streak_limit=orders.streak_limit,
        )
        plan = RunPlan(
            suite=setup.suite,
            identities=setup.identities,
            samples=setup.samples,
            draw=setup.draw,
            redactor=tools.redactor,
        )
        return Execution(plan, backends, options, self._tell, stop)

    async def _work(self, execution: Execution, ledger: RemoteLedger) -> None:
        try:
            while True:
                shard: Shard = await self._link.ask("next_shard", True)  # noqa: FBT003 - however long it takes
                await execution.run(self._chunks(shard, ledger))
        except RetestError as error:
            self._link.tell("failed", type(error), error.problems)
        except Exception as error:  # noqa: BLE001 - the driver ends the run, and says what happened
            self._link.tell("failed", RetestError, (_broken(self._name, error),))

    async def _chunks(self, first: Shard, ledger: RemoteLedger) -> Chunks:
        """Yield a shard, and those that the driver has at hand when it is used up."""
        shard: Shard | None = first
        while shard is not None:
            ledger.take_in(shard)
            yield shard.planned()
            shard = await self._link.ask("next_shard", False)  # noqa: FBT003 - or nothing

    async def _say_stop(self, stop: StopSignal) -> None:
        await stop.wait()
        self._link.tell("stopped", stop.reason, stop.message)

    def _tell(self, event: Event) -> None:
        if isinstance(event, CallRetried | EndpointLimit):  # the driver tells all else itself
            self._link.tell("event", event)


def _broken(name: str, error: Exception) -> Problem:
    return Problem(slug="ray-worker-broke", message=f"{name} broke off: {type(error).__name__}: {error}")
