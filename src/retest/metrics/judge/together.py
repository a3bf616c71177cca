"""Questions asked at the same time: a stop of the run lets those in flight be answered and recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TypeVar

from retest.errors import StoreError
from retest.metrics.judge.caller import JudgingStoppedError

T = TypeVar("T")


async def ask_together(awaitables: Sequence[Awaitable[T]]) -> list[T]:
    """Await all at the same time; where one raises, the others are cancelled first.

    A stop cancels nothing: the others end by themselves, and calls in flight, which are paid for, are still recorded.

    Raises:
        JudgingStoppedError: the run stops before all of them are there.
        StoreError: a paid answer could not be made durable.
    """
    tasks = [asyncio.ensure_future(awaitable) for awaitable in awaitables]
    try:
        return list(await asyncio.gather(*tasks))
    except JudgingStoppedError:
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for unstored in (outcome for outcome in outcomes if isinstance(outcome, StoreError)):
            raise unstored from None
        raise
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
