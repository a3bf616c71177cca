"""The start of scoring processes: how many there may be, known from the first one on."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

import pytest

from retest.domain.case import Case
from retest.domain.sample import Response
from retest.domain.suite import MetricSpec
from retest.metrics.registry import build_metric
from retest.runner.score import Scorer
from retest.runner.score_processes import Cores, ProcessOptions, ScoreProcesses
from support.processes import alive
from support.waiting import wait_until

BATCH = [(Case(case_id="a", vars={}, content_hash="", expected="x"), Response(output="x"))] * 2


def test_an_interrupt_while_processes_start_leaves_none() -> None:
    """They are known, and ended, from the first one on, and the loop waits for no thread that waits for them."""

    async def interrupted() -> list[int]:
        processes = ScoreProcesses({}, ProcessOptions(limit=2))
        scoring = asyncio.gather(processes.rows(BATCH, lambda batch: [{} for _ in batch]))
        await asyncio.to_thread(wait_until, lambda: bool(processes.pool and processes.pool.pids), timeout_s=60)
        scoring.cancel()
        with suppress(asyncio.CancelledError):
            await scoring
        processes.close()
        assert processes.pool is not None
        return processes.pool.pids

    pids = asyncio.run(interrupted())
    wait_until(lambda: not any(map(alive, pids)), timeout_s=60)


def test_batches_at_the_same_time_share_the_processes_that_are_starting() -> None:
    """The second one starts no others."""
    scorer = Scorer({"m": build_metric(MetricSpec(name="m", metric="exact_match"))}, processes=ProcessOptions(limit=2))
    threads = threading.active_count()

    async def score() -> None:
        await asyncio.gather(*(scorer.score_batch(BATCH) for _ in range(3)))
        assert scorer.pool is not None
        assert len(scorer.pool.pids) <= 2

    try:
        asyncio.run(score())
    finally:
        scorer.close()
    wait_until(lambda: threading.active_count() <= threads, timeout_s=60)


AUTO = ProcessOptions()


class Who:
    """Somebody who scores."""


def taken(cores: int, *asked: ProcessOptions) -> list[int]:
    """Return how many processes each of some gets who score at the same time, one after the other."""
    shared, scorers = Cores(lambda: cores), [Who() for _ in asked]
    for scorer in scorers:
        shared.enter(scorer)
    return [shared.take(scorer, options) for scorer, options in zip(scorers, asked, strict=True)]


@pytest.mark.parametrize(
    ("cores", "asked", "expected"),
    [
        (8, [AUTO], [8]),
        (64, [AUTO], [16]),  # more would wait for this process to serve them
        (1, [AUTO], [1]),
        (8, [AUTO, AUTO], [4, 4]),
        (2, [AUTO, AUTO], [2, 1]),
        (16, [AUTO] * 3, [6, 6, 4]),
        (8, [ProcessOptions(limit=6), AUTO], [6, 2]),
        (8, [ProcessOptions(limit=12), AUTO], [12, 1]),
        (2, [ProcessOptions(limit=1), AUTO], [1, 2]),
        (16, [ProcessOptions(programs=16)], [1]),
        (16, [ProcessOptions(programs=4)], [4]),
        (16, [ProcessOptions(programs=4, limit=3)], [3]),
    ],
)
def test_who_scores_at_the_same_time_shares_the_cores(
    cores: int, asked: list[ProcessOptions], expected: list[int]
) -> None:
    """Evenly, and together no more than there are; whoever was told a number has that."""
    assert taken(cores, *asked) == expected


def test_what_one_has_given_back_the_next_may_have() -> None:
    """Also where it was forgotten to give it back."""
    shared, first, second = Cores(lambda: 4), Who(), Who()
    assert (shared.take(first, AUTO), shared.take(second, AUTO)) == (4, 1)
    shared.leave(first)
    shared.leave(second)
    assert shared.take(second, AUTO) == 4
    del second
    assert shared.take(first, AUTO) == 4
