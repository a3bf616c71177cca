"""One pace for each endpoint and model over all workers: they lease turns, and report what calls came to, in batches.

The desk keeps the same `Turns` that a single process has, and a place in its line for every call that waits in any
worker; so a rate limit is found once, and no worker outruns another.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Protocol

from retest.domain.case import Case
from retest.domain.json_value import JsonValue, content_hash
from retest.domain.sample import CallOutcome, Response
from retest.runner.events import Event, Listener, ignore_events
from retest.runner.paced import LimitNews, PacedTarget, TakesTurns, Turns
from retest.runner.stopping import StopSignal
from retest.targets.base import RateLimited, RateLimits, Request, Target

_LONGEST_WAIT_S = 2.0  # of one lease, so that a desk that was started anew learns who waits
_GATHER_S = 0.01  # calls that begin to wait within it ask together
_REPORT_S = 0.05  # outcomes within it are reported together
_AGAIN_S = 0.2  # after a desk could not be reached
_NO_CASE = Case(case_id="", vars={}, content_hash="")


@dataclass(frozen=True, slots=True)
class Line:
    """The line of calls from one worker to one endpoint and model; `judge` is whose calls, empty for a target's."""

    worker: str
    endpoint: str
    model: str | None = None
    judge: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call came to, without its text, and the seconds since it was sent."""

    outcome: CallOutcome
    age_s: float


class Desk(Protocol):
    """Who gives turns; an actor, or an object in this process."""

    async def lease(self, line: Line, waiting: int, like: Request, limits: RateLimits) -> int:
        """Return how many of a worker's waiting calls may go now; waits for the first, but not for long."""
        ...

    async def report(self, line: Line, outcomes: Sequence[Outcome], limits: RateLimits) -> Sequence[Event]:
        """Take in what calls came to; return what the run is to be told of their endpoint."""
        ...

    async def forget(self, worker: str) -> None:
        """Give up the places of a worker that is gone."""
        ...


@dataclass(slots=True)
class _Seat:
    """A worker's places in a line."""

    pending: set[asyncio.Task[None]] = field(default_factory=set)
    granted: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class PaceDesk:
    """Gives the turns of all workers of a run."""

    def __init__(self) -> None:
        self._stop = StopSignal()  # never set: workers stop waiting by themselves
        self._turns: dict[str, Turns] = {}
        self._seats: dict[Line, _Seat] = {}
        self._events: list[Event] = []

    async def lease(self, line: Line, waiting: int, like: Request, limits: RateLimits) -> int:
        """Return how many of a worker's waiting calls may go now; waits for the first, but not for long.

        Args:
            line: whose calls, and whither.
            waiting: all calls that wait there now, those of earlier leases too.
            like: one of them, by which tokens are estimated until answers say it.
            limits: as the endpoint last said.
        """
        turns = self._turns_of(line, limits)
        seat = self._seats.setdefault(line, _Seat())
        for _ in range(waiting - len(seat.pending) - seat.granted):
            task = asyncio.create_task(self._wait(turns, seat, like))
            seat.pending.add(task)
            task.add_done_callback(seat.pending.discard)
        await asyncio.sleep(0)  # those whose turn it is already go together
        if not seat.granted:
            seat.changed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(seat.changed.wait(), _LONGEST_WAIT_S)
        granted, seat.granted = seat.granted, 0
        return granted

    async def report(self, line: Line, outcomes: Sequence[Outcome], limits: RateLimits) -> Sequence[Event]:
        """Take in what calls came to; return what the run is to be told, which whoever reports passes on."""
        turns = self._turns_of(line, limits)
        now = asyncio.get_running_loop().time()
        for item in outcomes:
            turns.note(item.outcome, now - item.age_s, limits)
        events, self._events = self._events, []
        return events

    async def forget(self, worker: str) -> None:
        """Give up the places of a worker that is gone."""
        for line in [line for line in self._seats if line.worker == worker]:
            for task in self._seats.pop(line).pending:
                task.cancel()

    def _turns_of(self, line: Line, limits: RateLimits) -> Turns:
        turns = self._turns.get(line.endpoint)
        if turns is None:
            news = LimitNews(self._hear, line.model, line.judge)
            turns = self._turns[line.endpoint] = Turns(self._stop, limits, news)
        return turns

    def _hear(self, event: Event) -> None:
        self._events.append(event)

    async def _wait(self, turns: Turns, seat: _Seat, like: Request) -> None:
        await turns.wait(like)
        seat.granted += 1
        seat.changed.set()


class SharedTurns:
    """The turns of one worker's calls to one endpoint and model; satisfies `TakesTurns`."""

    def __init__(self, desk: Desk, line: Line, stop: StopSignal, limits: RateLimits, tell: Listener) -> None:
        self._desk = desk
        self._tell = tell
        self._line = line
        self._stop = stop
        self._limits = limits
        self._waiting: deque[asyncio.Future[bool]] = deque()
        self._outcomes: list[tuple[CallOutcome, float]] = []
        self._leasing: asyncio.Task[None] | None = None
        self._reporting: asyncio.Task[None] | None = None

    async def wait(self, request: Request) -> bool:
        """Return once the call may go; False where the run stopped first."""
        if self._is_over():
            return False
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        if self._leasing is None or self._leasing.done():
            self._leasing = asyncio.create_task(self._lease(replace(request, case=_NO_CASE)))
        return await turn

    def note(self, outcome: CallOutcome, sent: float, limits: RateLimits) -> None:
        """Take in what a call that was sent at that time (of the loop's clock) came to."""
        self._limits = limits
        bare = Response(output="", usage=outcome.usage) if isinstance(outcome, Response) else outcome
        self._outcomes.append((bare, sent))
        if self._reporting is None or self._reporting.done():
            self._reporting = asyncio.create_task(self._report())

    def _is_over(self) -> bool:
        return self._stop.is_set and self._stop.reason != "budget"  # who waits then is within the budget

    async def _lease(self, like: Request) -> None:
        stopped = asyncio.create_task(self._stop.wait())
        try:
            while self._forget_cancelled() and not self._is_over():
                await asyncio.sleep(_GATHER_S)
                asking = asyncio.create_task(self._ask_desk(like))
                await asyncio.wait({asking} if stopped.done() else {asking, stopped}, return_when="FIRST_COMPLETED")
                if not asking.done() and not self._is_over():
                    await asyncio.wait([asking])
                if asking.done():
                    self._let_go(asking.result())
                else:
                    asking.cancel()
        finally:
            stopped.cancel()
            if self._is_over():
                self._let_go(len(self._waiting), may_go=False)

    async def _ask_desk(self, like: Request) -> int:
        waiting = sum(not turn.done() for turn in self._waiting)
        try:
            return await self._desk.lease(self._line, waiting, like, self._limits) if waiting else 0
        except Exception:  # noqa: BLE001 - whatever became of the desk: another is started in its place
            await asyncio.sleep(_AGAIN_S)
            return 0

    def _forget_cancelled(self) -> int:
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft()
        return len(self._waiting)

    def _let_go(self, number: int, *, may_go: bool = True) -> None:
        while number and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(may_go)
                number -= 1

    async def _report(self) -> None:
        loop = asyncio.get_running_loop()
        while self._outcomes:
            await asyncio.sleep(_REPORT_S)
            outcomes, self._outcomes = self._outcomes, []
            now = loop.time()
            with suppress(Exception):  # a desk that is started anew learns the pace from later calls
                bare = [Outcome(outcome, now - sent) for outcome, sent in outcomes]
                for event in await self._desk.report(self._line, bare, self._limits):
                    self._tell(event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where calls of one worker wait for their turns.

    Attributes:
        worker: its name.
        desk: gives turns.
        stop: ends all waiting.
        tell: is told what the endpoint lets through.
    """

    worker: str
    desk: Desk
    stop: StopSignal
    tell: Listener = ignore_events


def shared(target: Target, place: Place, judge: str = "") -> Target:
    """Return the target with turns from the desk where it may be refused for its rate; any other as it is.

    Args:
        target: of this worker.
        place: where its calls wait.
        judge: whose target; empty for one of the suite's, which has its turns apart.
    """
    if not isinstance(target, RateLimited):
        return target

    def make(model: str | None, limits: RateLimits) -> TakesTurns:
        named: list[JsonValue] = [judge, dict(target.identity), model]
        line = Line(place.worker, content_hash(named), model, judge)
        return SharedTurns(place.desk, line, place.stop, limits, place.tell)

    return PacedTarget(target, target, make)
