"""Latency, tokens and cost: what is unknown is never 0."""

from __future__ import annotations

from typing import Any

import pytest

from retest.domain.sample import MetricFailure, Response, Score, Usage
from retest.metrics.budget import METRICS, Cost, Latency, Tokens
from support.scoring import built, case

USAGE = Usage(input_tokens=10, output_tokens=5, cached_tokens=4, reasoning_tokens=0)


@pytest.mark.parametrize(
    ("metric", "response", "value"),
    [
        (built(Latency), Response(output="", latency_ms=812.5), 812.5),
        (built(Cost), Response(output="", cost_usd=0.0), 0),  # known to be free
        (built(Cost), Response(output="", cost_usd=0.0031), 0.0031),
        (built(Tokens), Response(output="", usage=USAGE), 15),
        (built(Tokens, count="input"), Response(output="", usage=USAGE), 10),
        (built(Tokens, count="output"), Response(output="", usage=USAGE), 5),
        (built(Tokens, count="cached"), Response(output="", usage=USAGE), 4),
        (built(Tokens, count="reasoning"), Response(output="", usage=USAGE), 0),
    ],
)
def test_known_amounts(metric: Any, response: Response, value: float) -> None:
    """What was recorded is the value."""
    assert metric.score(case(), response) == Score(value=value)


@pytest.mark.parametrize(
    ("metric", "response"),
    [
        (built(Latency), Response(output="")),
        (built(Latency), Response(output="", latency_ms=float("nan"))),
        (built(Latency), Response(output="", latency_ms=-1.0)),
        (built(Cost), Response(output="")),
        (built(Tokens), Response(output="")),
        (built(Tokens), Response(output="", usage=Usage(input_tokens=10))),
        (built(Tokens, count="cached"), Response(output="", usage=Usage(input_tokens=10, output_tokens=5))),
    ],
)
def test_unknown_amounts_are_failures(metric: Any, response: Response) -> None:
    """An unknown price is not a price of 0, nor is half a sum the sum."""
    outcome = metric.score(case(), response)
    assert isinstance(outcome, MetricFailure)
    assert outcome.kind == "unknown"


@pytest.mark.parametrize("cls", METRICS)
def test_less_is_better_on_the_log_scale(cls: Any) -> None:
    """Twice as slow is the same step everywhere."""
    assert (cls.info.direction, cls.info.scale, cls.info.low, cls.info.high) == ("lower", "log", 0, None)
