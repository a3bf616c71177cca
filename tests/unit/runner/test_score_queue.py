"""Samples leave in order, however long their judgments take."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any

import pytest

from retest.domain.sample import Score
from retest.errors import Problem, StoreError
from retest.metrics.judge.caller import JudgingStoppedError
from retest.runner.score_queue import ScoreQueue


async def later(value: float, delay_s: float = 0.0, error: BaseException | None = None) -> Score:
    await asyncio.sleep(delay_s)
    if error is not None:
        raise error
    return Score(value=value)


def row(pending: Score | Awaitable[Score]) -> Mapping[str, Any]:
    return {"m": pending}


async def drain(queue: ScoreQueue[int]) -> list[list[int]]:
    batches = []
    while (taken := await queue.take()) is not None:
        batches.append([item for item, _ in taken])
    return batches


def test_samples_keep_their_order() -> None:
    """The slow first one holds back those behind it, and nothing is lost."""

    async def scenario() -> list[list[int]]:
        queue: ScoreQueue[int] = ScoreQueue(most=3)
        rows = [row(later(0, 0.05)), row(later(1)), row(Score(value=2)), row(later(3, 0.02)), row(Score(value=4))]
        await queue.put(range(5), rows)
        await queue.close()
        return await drain(queue)

    batches = asyncio.run(scenario())
    assert [item for batch in batches for item in batch] == [0, 1, 2, 3, 4]
    assert max(map(len, batches)) <= 3


def test_scored_samples_go_on_while_a_later_one_is_judged() -> None:
    """What is complete is not held back by what comes behind it."""

    async def scenario() -> list[int]:
        queue: ScoreQueue[int] = ScoreQueue(most=10)
        await queue.put([0, 1, 2], [row(Score(value=0)), row(Score(value=1)), row(later(2, 5.0))])
        taken = await asyncio.wait_for(queue.take(), 1)
        queue.abandon()
        return [item for item, _ in taken or ()]

    assert asyncio.run(scenario()) == [0, 1]


def test_the_backlog_is_bounded() -> None:
    """Beyond it, whoever scores waits."""

    async def scenario() -> bool:
        queue: ScoreQueue[int] = ScoreQueue(most=10, backlog=2)
        adding = asyncio.create_task(queue.put(range(3), [row(later(n, 0.05)) for n in range(3)]))
        await asyncio.sleep(0.01)
        waits = not adding.done()
        await queue.take()
        await adding
        queue.abandon()
        return waits

    assert asyncio.run(scenario())


def test_a_judgment_that_was_given_up_leaves_its_sample_out() -> None:
    """Stopped or abandoned, it is judged by the next command; the others are stored."""

    async def scenario() -> list[list[int]]:
        queue: ScoreQueue[int] = ScoreQueue(most=10)
        await queue.put([0, 1, 2], [row(later(0, 0, JudgingStoppedError())), row(Score(value=1)), row(later(2, 9.0))])
        await queue.close()
        await asyncio.sleep(0.01)
        queue.abandon()
        return await drain(queue)

    assert [item for batch in asyncio.run(scenario()) for item in batch] == [1]


def test_a_store_that_fails_is_heard_of() -> None:
    """An answer that could not be made durable ends the run."""

    async def scenario() -> None:
        queue: ScoreQueue[int] = ScoreQueue(most=10)
        full = StoreError(Problem(slug="store-full", message="the disk is full"))
        await queue.put([0, 1], [row(later(0, 0, full)), row(later(1, 0, full))])
        try:
            await queue.take()
        finally:
            queue.abandon()

    with pytest.raises(StoreError):
        asyncio.run(scenario())
