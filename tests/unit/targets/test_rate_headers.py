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


def test_a_limit_that_is_used_up_says_its_rate() -> None:
    """Of 600 a minute none is left, and all are back in 60 s: ten a second, of which others may want their part."""
    found = read_limits(headers("requests", "600", "0", "60s"), RateLimits(requests_per_minute=1000))
    assert (found.requests_per_s, found.requests_per_minute) == (3.0, 1000)


def test_what_is_left_of_a_limit_is_used_little_by_little() -> None:
    """Of 600 a minute 312 are left: beside what refills, all but a reserve goes within ten seconds."""
    found = read_limits(headers("requests", "600", "312", "28.8s"), RateLimits())
    assert found.requests_per_s == pytest.approx(10 + 25.2)


@pytest.mark.parametrize(("remaining", "allowed"), [(60, 10.0), (30, 6.5), (0, 3.0)])
def test_the_less_is_left_the_less_goes(remaining: int, allowed: float) -> None:
    """Of 600 a minute a tenth is kept back, so that processes which share a key see each other by it."""
    found = read_limits(headers("requests", "600", str(remaining), f"{(600 - remaining) / 10}s"), RateLimits())
    assert found.requests_per_s == pytest.approx(allowed)


def test_a_limit_of_a_few_calls_is_used_as_it_refills() -> None:
    """What is left of three a minute says little."""
    found = read_limits(headers("requests", "3", "0", "60s"), RateLimits())
    assert found.requests_per_s == pytest.approx(0.85 * 3 / 60)


def test_an_untouched_limit_says_nothing() -> None:
    """How fast it refills is not to be seen."""
    assert read_limits(headers("tokens", "90000", "90000", "0s"), RateLimits()) == RateLimits()
    assert read_limits(headers("tokens", "90000", "90000", "1s"), RateLimits()) == RateLimits()


@pytest.mark.parametrize("values", [("x", "0", "1s"), ("600", "-1", "1s"), ("600", "1", "never"), ("600", "1", "0s")])
def test_nonsense_in_headers_is_no_limit(values: tuple[str, str, str]) -> None:
    """Whatever a gateway writes there."""
    assert read_limits(headers("requests", *values), RateLimits()) == RateLimits()


@pytest.mark.parametrize("provider", ["openai", "http"])
def test_the_headers_of_an_answer_reach_the_runner(provider: str) -> None:
    """With what the suite sets for the target."""
    import asyncio

    async def scenario(server: OpenAIServer) -> RateLimits:
        address = {"base_url": server.base_url} if provider == "openai" else {"url": f"{server.origin}/ask"}
        target = open_with(provider, {**address, "requests_per_minute": 90}, env={})
        await target.call(make_request())
        await target.aclose()
        limits: RateLimits = target.rate_limits  # type: ignore[attr-defined] # not every target has any
        return limits

    with OpenAIServer([ok(headers=headers("tokens", "1000", "0", "10s"))]) as server:
        assert asyncio.run(scenario(server)) == RateLimits(requests_per_minute=90, tokens_per_s=30.0)
