"""The scorer: what happens to judgments under way when another of the batch ends the run."""

from __future__ import annotations

import asyncio

import pytest

from retest.domain.sample import Score, ScoreOutcome
from retest.errors import Problem, StoreError
from retest.metrics.judge.caller import JudgingStoppedError
from retest.runner.score import finish_row


async def fail(error: Exception) -> ScoreOutcome:
    raise error


def test_a_stop_waits_for_the_calls_in_flight() -> None:
    """They are paid for: whoever asked records them before the stop is heard of."""
    recorded: list[str] = []

    async def pay() -> ScoreOutcome:
        await asyncio.sleep(0.05)
        recorded.append("paid")
        return Score(value=1.0)

    with pytest.raises(JudgingStoppedError):
        asyncio.run(finish_row({"stopped": fail(JudgingStoppedError()), "paid": pay()}))
    assert recorded == ["paid"]


def test_an_answer_that_could_not_be_kept_is_heard_of_although_the_run_stops() -> None:
    """A full disk is the graver news."""

    async def keep() -> ScoreOutcome:
        await asyncio.sleep(0.01)
        raise StoreError(Problem(slug="store-full", message="the disk is full"))

    with pytest.raises(StoreError, match="the disk is full"):
        asyncio.run(finish_row({"stopped": fail(JudgingStoppedError()), "paid": keep()}))
