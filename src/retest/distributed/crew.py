"""The workers of a run as the driver knows them, whatever they run on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from retest.distributed.setup import Orders
from retest.distributed.wire import Post, Reply
from retest.runner.stopping import StopReason


class WorkerLostError(Exception):
    """A worker is gone: killed, out of memory, or on a node that is."""


class Hand(Protocol):
    """One worker that is open and waits for its orders. Each method may find that it is gone."""

    @property
    def name(self) -> str:
        """Return a name that no other worker of the run ever had."""
        ...

    async def start(self, orders: Orders) -> None:
        """Let it begin."""
        ...

    async def take(self) -> Post:
        """Return what it wants, once there is anything.

        Raises:
            WorkerLostError: it is gone.
        """
        ...

    async def deliver(self, replies: Sequence[Reply]) -> None:
        """Answer it."""
        ...

    async def stop(self, reason: StopReason, message: str) -> None:
        """Let it take no new calls; a second interrupt also gives up those in flight."""
        ...

    async def discard(self) -> None:
        """Make sure that it does nothing any more, and give up its places."""
        ...


class Crew(Protocol):
    """The workers, and where more come from."""

    @property
    def hands(self) -> Sequence[Hand]:
        """Return the workers that were there at the beginning."""
        ...

    def before_close(self, work: Callable[[], Awaitable[None]]) -> None:
        """Let something be done before the workers end."""
        ...

    async def hire(self) -> Hand:
        """Return one more worker, opened; waits for room in the cluster.

        Raises:
            RetestError: it is of no use.
        """
        ...
