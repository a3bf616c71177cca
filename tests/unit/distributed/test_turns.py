"""One pace for each endpoint, however many workers call it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from retest.distributed.turns import Desk, Line, Outcome, PaceDesk, Place, shared
from retest.domain.json_value import JsonValue
from retest.domain.sample import CallError, CallOutcome, Response, Usage
from retest.runner.events import EndpointLimit, Event, Listener, ignore_events
from retest.runner.stopping import StopSignal
from retest.targets.base import RateLimits, Request, Target
from support.targets import make_request


class Endpoint:
    """Answers at once, and refuses the calls that it is told to; notes when it was called, by whichever worker."""

    def __init__(self, limits: RateLimits | None = None, refused: Sequence[int] = ()) -> None:
        self.rate_limits = limits or RateLimits()
        self.called: list[float] = []
        self._refused = refused

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """Return something."""
        return {"provider": "test"}

    async def call(self, request: Request) -> CallOutcome:
        """Note the time, and answer or refuse."""
        self.called.append(asyncio.get_running_loop().time())
        if len(self.called) in self._refused:
            return CallError(kind="rate_limit", message="too many", retryable=True)
        return Response(output=request.prompt_name, usage=Usage(input_tokens=10, output_tokens=0))

    async def aclose(self) -> None:
        """Do nothing."""


class Unsteady:
    """A desk that cannot be reached at first."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.failures = 1

    async def lease(self, line: Line, waiting: int, like: Request, limits: RateLimits) -> int:
        """Fail, or lease."""
        self.failures -= 1
        if self.failures >= 0:
            raise ConnectionError
        return await self._desk.lease(line, waiting, like, limits)

    async def report(self, line: Line, outcomes: Sequence[Outcome], limits: RateLimits) -> Sequence[Event]:
        """Fail."""
        raise ConnectionError

    async def forget(self, worker: str) -> None:
        """Do nothing."""


def workers(
    endpoint: Endpoint, desk: Desk, number: int, stop: StopSignal | None = None, tell: Listener = ignore_events
) -> list[Target]:
    """Return the endpoint as so many workers have it."""
    places = [Place(worker=f"worker {n}", desk=desk, stop=stop or StopSignal(), tell=tell) for n in range(number)]
    return [shared(endpoint, place) for place in places]


def test_a_limit_holds_for_all_workers_together() -> None:
    """At 1,200 calls a minute, 15 calls of three workers take 0.7 s, not a third of it."""
    endpoint = Endpoint(RateLimits(requests_per_minute=1200))

    async def scenario() -> list[CallOutcome]:
        targets = workers(endpoint, PaceDesk(), 3)
        return await asyncio.gather(*(target.call(make_request()) for target in targets for _ in range(5)))

    outcomes = asyncio.run(scenario())
    assert all(isinstance(outcome, Response) for outcome in outcomes)
    assert endpoint.called[-1] - endpoint.called[0] > 0.65


def test_what_any_worker_is_told_counts_for_the_one_pace() -> None:
    """Answers and refusals of two workers are noted under one endpoint, with the time at which they were sent."""
    heard: list[tuple[Line, Outcome]] = []

    class Hearing(PaceDesk):
        async def report(self, line: Line, outcomes: Sequence[Outcome], limits: RateLimits) -> Sequence[Event]:
            heard.extend((line, outcome) for outcome in outcomes)
            return await super().report(line, outcomes, limits)

    endpoint, desk = Endpoint(refused=[2]), Hearing()

    async def scenario() -> None:
        one, other = workers(endpoint, desk, 2)
        await one.call(make_request())
        await other.call(make_request())
        async with asyncio.timeout(10):
            while len(heard) < 2:  # noqa: ASYNC110 - reports come in batches
                await asyncio.sleep(0.01)

    asyncio.run(scenario())
    assert [type(item.outcome) for _, item in heard] == [Response, CallError]
    assert [line.worker for line, _ in heard] == ["worker 0", "worker 1"]
    assert len({line.endpoint for line, _ in heard}) == len(desk._turns) == 1
    assert all(0 < item.age_s < 10 for _, item in heard)


@pytest.mark.slow
def test_what_an_endpoint_lets_through_is_told_once_for_all_workers() -> None:
    """Calls of two workers wait for the same limit for six seconds; the run is told of it by one of them."""
    endpoint = Endpoint(RateLimits(requests_per_s=8.0))
    told: list[Event] = []

    async def scenario() -> None:
        targets = workers(endpoint, PaceDesk(), 2, tell=told.append)
        await asyncio.gather(*(target.call(make_request()) for target in targets for _ in range(25)))

    asyncio.run(scenario())
    assert [event.message for event in told if isinstance(event, EndpointLimit)] == [
        "limited by the endpoint to about 8 calls/s of gpt-4o-mini"
    ]


def test_what_is_told_of_an_endpoint_comes_with_the_next_report() -> None:
    """The desk hands each line out once, to whichever worker reports next, whose calls say whose limit it is."""
    desk, line = PaceDesk(), Line("worker 1", "endpoint", "gpt-4o-mini", "quality")
    limit = EndpointLimit(calls_per_s=8, model=line.model, judge=line.judge)

    async def scenario() -> list[Sequence[Event]]:
        desk._hear(limit)
        return [await desk.report(line, [], RateLimits()) for _ in range(2)]

    assert asyncio.run(scenario()) == [[limit], []]


def test_turns_are_leased_in_batches() -> None:
    """A hundred calls that wait at the same time take a few leases, not a hundred."""
    leases: list[int] = []

    class Counting(PaceDesk):
        async def lease(self, line: Line, waiting: int, like: Request, limits: RateLimits) -> int:
            granted = await super().lease(line, waiting, like, limits)
            leases.append(granted)
            return granted

    endpoint = Endpoint(RateLimits())

    async def scenario() -> None:
        (target,) = workers(endpoint, Counting(), 1)
        await asyncio.gather(*(target.call(make_request()) for _ in range(30)))

    asyncio.run(scenario())
    assert sum(leases) == 30
    assert len(endpoint.called) == 30


def test_a_stop_ends_all_waiting() -> None:
    """Calls that wait for their turn when the run stops are not made."""
    endpoint = Endpoint(RateLimits(requests_per_minute=1))
    stop = StopSignal()

    async def scenario() -> list[CallOutcome]:
        (target,) = workers(endpoint, PaceDesk(), 1, stop)
        waiting = [asyncio.create_task(target.call(make_request())) for _ in range(4)]
        while not endpoint.called:  # noqa: ASYNC110 - it notes times
            await asyncio.sleep(0.005)
        stop.stop("interrupt", "interrupted")
        async with asyncio.timeout(5):
            return await asyncio.gather(*waiting)

    outcomes = asyncio.run(scenario())
    assert len(endpoint.called) == 1
    assert sum(isinstance(outcome, CallError) for outcome in outcomes) == 3


def test_a_budget_lets_those_go_that_wait() -> None:
    """Who waits for its turn when the budget is used up is within it."""
    endpoint = Endpoint(RateLimits(requests_per_minute=2400))
    stop = StopSignal()

    async def scenario() -> list[CallOutcome]:
        (target,) = workers(endpoint, PaceDesk(), 1, stop)
        waiting = [asyncio.create_task(target.call(make_request())) for _ in range(6)]
        await asyncio.sleep(0)
        stop.stop("budget", "the budget is used up")
        async with asyncio.timeout(10):
            return await asyncio.gather(*waiting)

    assert all(isinstance(outcome, Response) for outcome in asyncio.run(scenario()))


def test_a_desk_that_fails_is_asked_again() -> None:
    """A desk that is being started anew costs time and no call."""
    endpoint = Endpoint()

    async def scenario() -> CallOutcome:
        (target,) = workers(endpoint, Unsteady(PaceDesk()), 1)
        async with asyncio.timeout(10):
            return await target.call(make_request())

    assert isinstance(asyncio.run(scenario()), Response)


def test_places_of_a_lost_worker_are_given_up() -> None:
    """What a killed worker waited for goes to nobody, and holds nobody up."""
    desk = PaceDesk()
    endpoint = Endpoint(RateLimits(requests_per_minute=600))

    async def scenario() -> None:
        lost, other = workers(endpoint, desk, 2)
        gone = [asyncio.create_task(lost.call(make_request())) for _ in range(200)]
        while not endpoint.called:  # noqa: ASYNC110 - it notes times
            await asyncio.sleep(0.005)
        for task in gone:
            task.cancel()
        await desk.forget("worker 0")
        async with asyncio.timeout(10):  # of 200 places at ten a second
            await other.call(make_request())

    asyncio.run(scenario())


def test_a_target_that_is_never_refused_waits_for_nothing() -> None:
    """A target without rate limits is left as it is."""

    class Plain:
        identity: Mapping[str, JsonValue] = {"provider": "plain"}

        async def call(self, request: Request) -> CallOutcome:
            return Response(output="")

        async def aclose(self) -> None:
            return

    plain = Plain()
    assert shared(plain, Place(worker="worker 1", desk=PaceDesk(), stop=StopSignal())) is plain
