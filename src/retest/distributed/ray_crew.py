"""Workers as Ray actors, one to a processor, spread over the nodes; and the actor that gives them turns."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, TypeVar

from retest.distributed.crew import Hand, WorkerLostError
from retest.distributed.ray_cluster import connect, import_ray
from retest.distributed.setup import Facts, Opened, Orders, Setup
from retest.distributed.turns import Line, Outcome, PaceDesk
from retest.distributed.wire import Post, Reply
from retest.distributed.worker import Worker, facts
from retest.errors import Problem, UsageError
from retest.runner.events import Event
from retest.runner.stopping import StopReason
from retest.targets.base import RateLimits, Request

_ROOM_WITHIN_S = 120.0  # in which a cluster finds a place for the first worker, its start included
_FAREWELL_S = 5.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RayDesk:
    """The desk's actor as workers call it; satisfies `Desk`."""

    actor: Any

    async def lease(self, line: Line, waiting: int, like: Request, limits: RateLimits) -> int:
        """Return how many of a worker's waiting calls may go now."""
        granted: int = await self.actor.lease.remote(line, waiting, like, limits)
        return granted

    async def report(self, line: Line, outcomes: Sequence[Outcome], limits: RateLimits) -> Sequence[Event]:
        """Take in what calls came to; return what the run is to be told of their endpoint."""
        events: Sequence[Event] = await self.actor.report.remote(line, outcomes, limits)
        return events

    async def forget(self, worker: str) -> None:
        """Give up the places of a worker that is gone."""
        await self.actor.forget.remote(worker)


class RayHand:
    """One worker's actor as the driver calls it; satisfies `Hand`."""

    def __init__(self, name: str, actor: Any, desk: RayDesk, kill: Any) -> None:
        self._name = name
        self._actor = actor
        self._desk = desk
        self._kill = kill

    @property
    def name(self) -> str:
        """Return a name that no other worker of the run ever had."""
        return self._name

    async def open(self, setup: Setup, variables: Mapping[str, str | None]) -> None:
        """Open what the suite names, and hold it against what the driver has.

        Raises:
            RetestError: it is of no use here.
        """
        there: Facts = await _reached(self._actor.describe.remote())
        check_versions(there)
        opened: Opened = await _reached(self._actor.open.remote(setup, variables))
        check_same(setup, opened, there.node)

    async def start(self, orders: Orders) -> None:
        """Let it begin."""
        await _reached(self._actor.start.remote(orders, self._desk))

    async def take(self) -> Post:
        """Return what it wants, once there is anything."""
        return await _reached(self._actor.take.remote())

    async def deliver(self, replies: Sequence[Reply]) -> None:
        """Answer it."""
        await _reached(self._actor.deliver.remote(replies))

    async def stop(self, reason: StopReason, message: str) -> None:
        """Let it take no new calls."""
        await _reached(self._actor.stop.remote(reason, message))

    async def discard(self) -> None:
        """End its process, whatever it does, and give up its places."""
        with suppress(Exception):
            self._kill(self._actor)
        with suppress(Exception):
            await asyncio.wait_for(self._desk.forget(self._name), _FAREWELL_S)

    async def close(self) -> None:
        """Let it close what it has open; then end its process."""
        with suppress(Exception):
            await asyncio.wait_for(self._actor.close.remote(), _FAREWELL_S)
        with suppress(Exception):
            self._kill(self._actor)


class RayCrew:
    """The workers of one run on a cluster.

    Args:
        address: of the cluster.
        setup: of all workers.
        variables: of the environment, as `Worker.open` takes them.
        workers: how many; None is one for each free processor.
        processors: that a worker takes: a part of one where several runs take place at the same time.
    """

    def __init__(
        self,
        address: str,
        setup: Setup,
        variables: Mapping[str, str | None],
        *,
        workers: int | None = None,
        processors: float = 1.0,
    ) -> None:
        self.hands: list[Hand] = []
        self._address = address
        self._setup = setup
        self._variables = variables
        self._wanted = workers
        self._processors = processors
        self._numbers = count(1)
        self._all: list[RayHand] = []
        self._ray: Any = None
        self._desk: RayDesk | None = None
        self._first_of_all: list[Callable[[], Awaitable[None]]] = []
        self._disconnect: Callable[[], None] = lambda: None

    async def open(self, most: int) -> None:
        """Connect, and open as many workers as were asked for, else one for each free processor.

        Args:
            most: more have nothing to do.

        Raises:
            UsageError: the cluster cannot be reached, or a worker is of no use.
        """
        self._disconnect = await asyncio.to_thread(connect, self._address)
        self._ray = import_ray()
        free = int(self._ray.available_resources().get("CPU", 0))
        number = max(1, min(self._wanted or free, most))
        self._desk = RayDesk(self._pinned(PaceDesk))
        try:
            async with asyncio.timeout(_ROOM_WITHIN_S):
                self.hands = list(await asyncio.gather(*(self.hire() for _ in range(number))))
        except TimeoutError:
            raise _no_room(number, free) from None
        except WorkerLostError as error:
            raise UsageError(_unusable("a worker", str(error))) from None

    async def hire(self) -> Hand:
        """Return one more worker, opened; waits for room in the cluster."""
        assert self._desk is not None, "opened first"  # noqa: S101 - tells the type checker
        name = f"worker {next(self._numbers)}"
        actor = self._ray.remote(Worker).options(num_cpus=self._processors, scheduling_strategy="SPREAD").remote(name)
        hand = RayHand(name, actor, self._desk, self._kill)
        self._all.append(hand)
        await hand.open(self._setup, self._variables)
        return hand

    def before_close(self, work: Callable[[], Awaitable[None]]) -> None:
        """Let something be done before the workers end."""
        self._first_of_all.append(work)

    async def close(self) -> None:
        """End all workers, and the connection."""
        for work in self._first_of_all:
            await work()
        await asyncio.gather(*(hand.close() for hand in self._all))
        if self._desk is not None:
            with suppress(Exception):
                self._kill(self._desk.actor)
        await asyncio.to_thread(self._disconnect)

    def _pinned(self, cls: type) -> Any:
        """Return an actor on this node, which lives as long as the driver does."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(self._ray.get_runtime_context().get_node_id(), soft=False)
        options = {"num_cpus": 0, "max_restarts": -1, "max_concurrency": 10_000, "scheduling_strategy": here}
        return self._ray.remote(cls).options(**options).remote()

    def _kill(self, actor: Any) -> None:
        self._ray.kill(actor, no_restart=True)


async def _reached(call: Awaitable[T]) -> T:
    """Return what an actor answers.

    Raises:
        WorkerLostError: there is nobody any more.
    """
    from ray.exceptions import RayError

    try:
        return await call
    except RayError as error:
        if "No module named 'retest" in str(error):
            raise UsageError(_unusable("a node", "retest, in this version, is not installed there")) from None
        raise WorkerLostError(" ".join(str(error).split())[:300]) from None


def check_versions(there: Facts) -> None:
    """Refuse a node that would not understand what it is sent.

    Raises:
        UsageError: another version of retest or of Python runs there.
    """
    here = facts()
    if there.retest != here.retest or there.python.rpartition(".")[0] != here.python.rpartition(".")[0]:
        reason = f"it has retest {there.retest} on Python {there.python}, and here are {here.retest} on {here.python}"
        raise UsageError(_unusable(there.node, reason))


def check_same(setup: Setup, opened: Opened, node: str) -> None:
    """Refuse a worker whose answers or scores would not be those of this machine.

    Raises:
        UsageError: it could not open what the suite names, or has another target, judge or metric.
    """
    if opened.problems:
        raise UsageError(*(replace(problem, message=f"on {node}: {problem.message}") for problem in opened.problems))
    named = {arm.name: arm.target.name for arm in setup.suite.arms}
    for (arm, target), here, there in zip(named.items(), setup.identities, opened.identities, strict=True):
        if dict(here) != dict(there):
            raise UsageError(_differs(f"target '{target}' of {arm}", node))
    for name, identity in setup.judge_identities.items():
        if dict(identity) != dict(opened.judge_identities[name]):
            raise UsageError(_differs(f"judge '{name}'", node))
    for name, signature in setup.signatures.items():
        if signature != opened.signatures[name]:
            raise UsageError(_differs(f"metric '{name}' ({signature}, there {opened.signatures[name]})", node))


def _differs(what: str, node: str) -> Problem:
    return Problem(
        slug="ray-node-differs",
        message=f"{what} is not the same on {node} as here",
        details=("answers and scores of such a worker would not be this suite's",),
        fix="install the same libraries there; see docs/distributed.md for files that a suite needs",
    )


def _unusable(node: str, reason: str) -> Problem:
    return Problem(
        slug="ray-node-unusable",
        message=f"{node} of the Ray cluster cannot take part: {reason}",
        fix="install the same version of retest on each node, in the Python that runs Ray there",
    )


def _no_room(number: int, free: int) -> UsageError:
    return UsageError(
        Problem(
            slug="ray-no-room",
            message=f"the Ray cluster had no room for {number} workers within {_ROOM_WITHIN_S:g} s",
            details=(f"it had {free} free processors at first; each worker takes one",),
            fix="ask for fewer with --workers, or wait until others are done",
        )
    )
