"""Workers that fail in ways that nobody thought of are lost like any other; nobody waits for them."""

from __future__ import annotations

import asyncio
from typing import Any

from retest.domain.case import Case
from retest.domain.sample import Response, Score, ScoreOutcome
from retest.domain.suite import MetricSpec
from retest.metrics.registry import build_metric
from retest.runner.score import Scorer
from retest.runner.score_processes import ProcessOptions


class Saboteur:
    """A value that has whoever reads it answer with nonsense from then on."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what is done where it is read."""
        return exec, ("import pickle; pickle.dumps = lambda *_: b'nonsense'",)


def test_workers_that_answer_nonsense_are_done_without() -> None:
    """Whatever ends the last of them, what waits is scored here, and nothing waits for ever."""
    told: list[str] = []
    case = Case(case_id="a", vars={"odd": Saboteur()}, content_hash="", expected="x")  # type: ignore[dict-item]
    batch = [(case, Response(output="x"))] * 8
    scorer = Scorer(
        {"m": build_metric(MetricSpec(name="m", metric="exact_match"))},
        processes=ProcessOptions(limit=2, tell=told.append),
    )

    async def score() -> list[dict[str, ScoreOutcome]]:
        first = await asyncio.wait_for(scorer.score_batch(batch), 60)
        return first + await asyncio.wait_for(scorer.score_batch(batch), 60)

    try:
        assert asyncio.run(score()) == [{"m": Score(value=1.0)}] * 16
    finally:
        scorer.close()
    assert len(told) == 1
