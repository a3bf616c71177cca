"""Limits that endpoints announce in headers."""

from __future__ import annotations

import pytest

from retest.targets.base import RateLimits
from retest.targets.rate_headers import read_limits, seconds
from support.openai_server import OpenAIServer, ok
from support.targets import make_request, open_with


def headers(what: str, limit: str, remaining: str, reset: str) -> dict[str, str]:
    return {
        f"x-ratelimit-limit-{what}": limit,
        f"x-ratelimit-remaining-{what}": remaining,
        f"x-ratelimit-reset-{what}": reset,
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [("20ms", 0.02), ("1s", 1.0), ("6m0s", 360.0), ("1.5", 1.5), ("1h2m3s", 3723.0), ("soon", None), ("", None)],
)
def test_durations_are_read_as_endpoints_write_them(text: str, expected: float | None) -> None:
    """With units, without, or not at all."""
    assert seconds(text) == expected


def test_a_limit_that_is_nearly_used_up_says_its_rate() -> None:
    """Of 600 a minute 60 are left, and all are back in 54 s: ten a second."""
    found = read_limits(headers("requests", "600", "60", "54s"), RateLimits(requests_per_minute=1000))
    assert (found.requests_per_s, found.requests_per_minute) == (10.0, 1000)


def test_a_limit_of_which_much_is_left_says_nothing() -> None:
    """There is nothing to hold back for."""
    assert read_limits(headers("tokens", "90000", "80000", "1s"), RateLimits()) == RateLimits()


@pytest.mark.parametrize("values", [("x", "0", "1s"), ("600", "-1", "1s"), ("600", "1", "never"), ("600", "1", "0s")])
def test_nonsense_in_headers_is_no_limit(values: tuple[str, str, str]) -> None:
    """Whatever a gateway writes there."""
    assert read_limits(headers("requests", *values), RateLimits()) == RateLimits()


def test_the_headers_of_an_answer_reach_the_runner() -> None:
    """With what the suite sets for the target."""
    import asyncio

    async def scenario(server: OpenAIServer) -> RateLimits:
        target = open_with("openai", {"base_url": server.base_url, "requests_per_minute": 90}, env={})
        await target.call(make_request())
        await target.aclose()
        limits: RateLimits = target.rate_limits  # type: ignore[attr-defined] # not every target has any
        return limits

    with OpenAIServer([ok(headers=headers("tokens", "1000", "0", "10s"))]) as server:
        assert asyncio.run(scenario(server)) == RateLimits(requests_per_minute=90, tokens_per_s=100.0)
