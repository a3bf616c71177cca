"""Calls that wait for their turn."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from retest.domain.json_value import JsonValue
from retest.domain.sample import CallError, CallOutcome, Response, Usage
from retest.runner.events import EndpointLimit, Event
from retest.runner.paced import LimitNews, PacedTarget, paced
from retest.runner.stopping import StopSignal
from retest.targets.base import RateLimits, Request
from support.targets import make_request


class Endpoint:
    """Answers at once; notes when it was called."""

    def __init__(self, limits: RateLimits, tokens: int = 10) -> None:
        self.rate_limits = limits
        self.called: list[float] = []
        self._tokens = tokens

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """Return something."""
        return {"provider": "test"}

    async def call(self, request: Request) -> CallOutcome:
        """Note the time, and answer."""
        self.called.append(asyncio.get_running_loop().time())
        return Response(output=str(request.sample_index), usage=Usage(input_tokens=self._tokens, output_tokens=0))

    async def aclose(self) -> None:
        """Do nothing."""


def call_all(endpoint: Endpoint, requests: list[Request], stop: StopSignal | None = None) -> list[CallOutcome]:
    async def scenario() -> list[CallOutcome]:
        target = paced(endpoint, stop or StopSignal())
        return list(await asyncio.gather(*(target.call(request) for request in requests)))

    return asyncio.run(scenario())


def test_calls_a_minute_are_kept() -> None:
    """At 1,200 a minute eleven calls take half a second at least; all are made, in their order."""
    endpoint = Endpoint(RateLimits(requests_per_minute=1200))
    outcomes = call_all(endpoint, [make_request(sample_index=number) for number in range(11)])
    assert [outcome.output for outcome in outcomes if isinstance(outcome, Response)] == [str(n) for n in range(11)]
    assert endpoint.called[-1] - endpoint.called[0] > 0.48


def test_tokens_a_minute_are_kept() -> None:
    """Calls of some 110 tokens at 132,000 a minute are 20 a second."""
    endpoint = Endpoint(RateLimits(tokens_per_minute=132_000), tokens=110)
    call_all(endpoint, [make_request("x" * 40, params={"max_tokens": 100}) for _ in range(7)])
    assert endpoint.called[-1] - endpoint.called[0] > 0.25


def test_models_have_turns_of_their_own() -> None:
    """What one model is limited to holds up no other."""
    endpoint = Endpoint(RateLimits(requests_per_minute=1))
    outcomes = call_all(endpoint, [make_request(model="a"), make_request(model="b")])
    assert all(isinstance(outcome, Response) for outcome in outcomes)


def test_a_stop_ends_the_waiting_without_a_call() -> None:
    """What was waiting comes back as a refusal that may be tried again; nothing more is sent."""
    endpoint = Endpoint(RateLimits(requests_per_minute=1))

    async def scenario() -> CallOutcome:
        stop = StopSignal()
        target = paced(endpoint, stop)
        await target.call(make_request())
        waiting = asyncio.create_task(target.call(make_request()))
        await asyncio.sleep(0)
        stop.stop("interrupt", "")
        return await waiting

    outcome = asyncio.run(scenario())
    assert isinstance(outcome, CallError)
    assert (outcome.kind, outcome.retryable, len(endpoint.called)) == ("rate_limit", True, 1)


def test_a_cancelled_call_gives_its_turn_to_the_next() -> None:
    """Whoever gave up holds nobody up."""
    endpoint = Endpoint(RateLimits(requests_per_minute=600))

    async def scenario() -> CallOutcome:
        target = paced(endpoint, StopSignal())
        await target.call(make_request())
        given_up = asyncio.create_task(target.call(make_request()))
        last = asyncio.create_task(target.call(make_request(sample_index=9)))
        await asyncio.sleep(0)
        given_up.cancel()
        return await last

    outcome = asyncio.run(scenario())
    assert isinstance(outcome, Response)
    assert (outcome.output, len(endpoint.called)) == ("9", 2)


def test_a_target_without_limits_is_left_as_it_is() -> None:
    """Recordings and programs are never refused for their rate."""

    class Recording:
        identity: Mapping[str, JsonValue] = {}

        async def call(self, request: Request) -> CallOutcome:
            return Response(output=request.prompt_name)

        async def aclose(self) -> None:
            return

    target = Recording()
    assert paced(target, StopSignal()) is target
    assert isinstance(paced(Endpoint(RateLimits()), StopSignal()), PacedTarget)


def news(*limits: tuple[float, float | None]) -> list[str]:
    """Return what is told where so much is let through at those times."""
    told: list[Event] = []
    listener = LimitNews(told.append, "gpt", judge="")
    for now, limit in limits:
        listener.look(now, limit)
    return [event.message for event in told if isinstance(event, EndpointLimit)]


def test_a_limit_is_told_once_it_is_steady() -> None:
    """After five seconds, once, in two digits."""
    assert news((0, 50), (3, 49)) == []
    assert news((0, 50), (6, 48.3), (7, 48), (20, 52)) == ["limited by the endpoint to about 48 calls/s of gpt"]


def test_a_limit_is_told_again_only_when_it_is_another() -> None:
    """Half as much is news; a third more is not, nor is what lasts for a moment."""
    assert len(news((0, 50), (6, 50), (20, 65), (30, 65))) == 1
    assert len(news((0, 50), (6, 50), (20, 25), (21, 50), (30, 50))) == 1
    assert len(news((0, 50), (6, 50), (20, 25), (26, 25))) == 2


def test_no_limit_is_no_news() -> None:
    """As long as nobody waits for the endpoint."""
    assert news((0, None), (10, None), (20, None)) == []


def test_the_limit_of_a_judge_says_whose_it_is() -> None:
    """With few calls a second told as they are."""
    event = EndpointLimit(calls_per_s=0.512, judge="quality")
    assert event.message == "judge quality: limited by the endpoint to about 0.51 calls/s"


@pytest.mark.slow
def test_what_headers_announce_is_told_while_calls_wait() -> None:
    """Eight calls a second, for six seconds."""
    endpoint = Endpoint(RateLimits(requests_per_s=8.0))
    told: list[Event] = []

    async def scenario() -> None:
        target = paced(endpoint, StopSignal(), told.append)
        await asyncio.gather(*(target.call(make_request()) for _ in range(50)))

    asyncio.run(scenario())
    assert [event.message for event in told if isinstance(event, EndpointLimit)] == [
        "limited by the endpoint to about 8 calls/s of gpt-4o-mini"
    ]
