"""A second chance for what is in flight when work is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator

from retest.runner.stopping import StopSignal


@contextlib.asynccontextmanager
async def grace_period(stop: StopSignal, grace_s: float) -> AsyncIterator[None]:
    """After an interrupt, what is done within has `grace_s` to end; then, or at a second one, it is cancelled.

    Raises:
        asyncio.CancelledError: it was given up.
    """
    task = asyncio.current_task()
    assert task is not None, "a coroutine runs in a task"  # noqa: S101 - tells the type checker
    watch = asyncio.create_task(_give_up(task, stop, grace_s))
    try:
        yield
    finally:
        watch.cancel()
        await asyncio.wait([watch])


async def _give_up(task: asyncio.Task[object], stop: StopSignal, grace_s: float) -> None:
    await stop.wait()
    # A spent budget is nobody in a hurry: what is in flight ends as it would have.
    await stop.wait_for_hurry(grace_s if stop.reason == "interrupt" else math.inf)
    task.cancel()
