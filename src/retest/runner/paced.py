"""Calls wait for their turn: one pace for each endpoint and model, however many workers there are.

Each call waits by itself, in the order of arrival. Nothing waits for a refused call but that call.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from retest.domain.json_value import JsonValue
from retest.domain.sample import CallError, CallOutcome, Response
from retest.runner.events import EndpointLimit, Listener, ignore_events
from retest.runner.pace import Pace
from retest.runner.stopping import StopSignal
from retest.targets.base import RateLimited, RateLimits, Request, Target

_TICK_S = 0.005  # calls let go within it go together: a timer for each would cost more than it gives
_LOOK_S = 0.25  # how often a stop is looked for
_MINUTE_S = 60.0
_CHARACTERS_PER_TOKEN = 4
_ASSUMED_OUTPUT_TOKENS = 256
_WEIGHT = 0.05  # of the last call in the mean of tokens
_STEADY_S = 5.0  # that a limit holds before it is told
_ALIKE = 1.5  # times as many calls a second are told as the same limit
_TROUBLE = frozenset({"server_error", "timeout"})
_STOPPED = CallError(kind="rate_limit", message="the run stopped while the call waited for its turn", retryable=True)


class TakesTurns(Protocol):
    """Who says when a call to one endpoint and model may go."""

    async def wait(self, request: Request) -> bool:
        """Return once the call may go; False where the run stopped first."""
        ...

    def note(self, outcome: CallOutcome, sent: float, limits: RateLimits) -> None:
        """Take in what a call that was sent at that time (of the loop's clock) came to."""
        ...


MakeTurns: TypeAlias = Callable[[str | None, RateLimits], TakesTurns]  # of the calls to one model


class LimitNews:
    """Tells what an endpoint lets through: once it is steady, and again only when it is something else.

    Args:
        tell: is told.
        model: of the calls.
        judge: whose calls; empty for those of a target.
    """

    def __init__(self, tell: Listener, model: str | None, judge: str = "") -> None:
        self._tell, self._model, self._judge = tell, model, judge
        self._told: float | None = None
        self._new_since: float | None = None

    def look(self, now: float, calls_per_s: float | None) -> None:
        """Take in what is let through by now; None where that is not known, or no limit."""
        if calls_per_s is None or (self._told and self._told / _ALIKE < calls_per_s < self._told * _ALIKE):
            self._new_since = None
        elif self._new_since is None:
            self._new_since = now
        elif now - self._new_since >= _STEADY_S:
            self._told, self._new_since = calls_per_s, None
            self._tell(EndpointLimit(calls_per_s=calls_per_s, model=self._model, judge=self._judge))


class Turns:
    """Turns of the calls to one endpoint and model.

    Args:
        stop: ends all waiting.
        limits: what the suite sets and the endpoint says.
        news: is told what the endpoint lets through.
    """

    def __init__(self, stop: StopSignal, limits: RateLimits, news: LimitNews | None = None) -> None:
        self._stop = stop
        self._news = news
        self._loop = asyncio.get_running_loop()
        self._pace = Pace(self._loop.time())
        self._waiting: deque[asyncio.Future[bool]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._tokens = 0.0
        self._limits = limits

    async def wait(self, request: Request) -> bool:
        """Return once the call may go; False where the run stopped first."""
        if not self._tokens:
            self._tokens = _estimated_tokens(request)
            self._pace.ceiling = self._ceiling()
        if not self._waiting and self._pace.take(self._loop.time(), waiting=False):
            return True
        turn: asyncio.Future[bool] = self._loop.create_future()
        self._waiting.append(turn)
        self._arm()
        return await turn

    def note(self, outcome: CallOutcome, sent: float, limits: RateLimits) -> None:
        """Take in what a call that was sent at that time (of the loop's clock) came to."""
        now = self._loop.time()
        if isinstance(outcome, Response):
            self._pace.answered(now, sent)
            used = (outcome.usage.input_tokens or 0) + (outcome.usage.output_tokens or 0)
            self._tokens += _WEIGHT * (used - self._tokens) if used else 0.0
        elif outcome.kind == "rate_limit":
            self._pace.refused(now, sent)
        elif outcome.kind in _TROUBLE:
            self._pace.failed(now)
        self._limits = limits
        self._pace.ceiling = self._ceiling()
        if self._news is not None and self._waiting:
            self._news.look(now, self._limit(now))

    def _limit(self, now: float) -> float | None:
        """Return the calls a second to which the endpoint holds the waiting ones, None where it does not."""
        announced = self._announced()
        return announced if announced <= self._own() and announced <= self._pace.rate else self._pace.limit(now)

    def _ceiling(self) -> float:
        """Return the calls a second that limits of calls and of tokens allow."""
        return min(self._own(), self._announced())

    def _own(self) -> float:
        """Return the calls a second that the suite allows."""
        calls, tokens = self._limits.requests_per_minute, self._limits.tokens_per_minute
        return self._least(calls and calls / _MINUTE_S, tokens and tokens / _MINUTE_S)

    def _announced(self) -> float:
        """Return the calls a second that the endpoint says it lets through."""
        return self._least(self._limits.requests_per_s, self._limits.tokens_per_s)

    def _least(self, calls_per_s: float | None, tokens_per_s: float | None) -> float:
        by_tokens = None if tokens_per_s is None else tokens_per_s / max(1.0, self._tokens)
        return min((rate for rate in (calls_per_s, by_tokens) if rate is not None), default=float("inf"))

    def _arm(self) -> None:
        if self._timer is None and self._waiting:
            wait_s = min(_LOOK_S, max(_TICK_S, self._pace.next_s()))
            self._timer = self._loop.call_later(wait_s, self._let_go)

    def _let_go(self) -> None:
        """Let those go whose turn it is; all of them, with nothing to do, where something else than money ended it."""
        self._timer = None
        now = self._loop.time()
        while self._waiting:
            if self._waiting[0].done():  # whoever waited was cancelled
                self._waiting.popleft()
            elif self._stop.is_set and self._stop.reason != "budget":  # who waits here is within the budget
                self._waiting.popleft().set_result(False)
            elif self._pace.take(now, waiting=True):
                self._waiting.popleft().set_result(True)
            else:
                break
        self._arm()


class PacedTarget:
    """A target whose calls wait for their turn, apart for each model; satisfies `Target`."""

    def __init__(self, target: Target, limited: RateLimited, make_turns: MakeTurns) -> None:
        self._target = target
        self._limited = limited
        self._make_turns = make_turns
        self._turns: dict[str | None, TakesTurns] = {}

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """Return the target's own: pacing changes no answer."""
        return self._target.identity

    async def call(self, request: Request) -> CallOutcome:
        """Return the outcome of one attempt, made when its turn has come."""
        turns = self._turns.get(request.model)
        if turns is None:
            turns = self._turns[request.model] = self._make_turns(request.model, self._limited.rate_limits)
        if not await turns.wait(request):
            return _STOPPED
        sent = asyncio.get_running_loop().time()
        outcome = await self._target.call(request)
        turns.note(outcome, sent, self._limited.rate_limits)
        return outcome

    async def aclose(self) -> None:
        """Close the target."""
        await self._target.aclose()


def paced(target: Target, stop: StopSignal, tell: Listener = ignore_events, judge: str = "") -> Target:
    """Return the target with turns where it may be refused for its rate; any other as it is."""
    if not isinstance(target, RateLimited):
        return target
    return PacedTarget(target, target, lambda model, limits: Turns(stop, limits, LimitNews(tell, model, judge)))


def _estimated_tokens(request: Request) -> float:
    """Return about how many tokens a call takes, until answers say it."""
    characters = sum(len(str(message.get("content", ""))) for message in request.messages)
    limit = next(
        (request.params[name] for name in ("max_tokens", "max_completion_tokens") if name in request.params), 0
    )
    output = limit if isinstance(limit, int) and limit else _ASSUMED_OUTPUT_TOKENS
    return characters / _CHARACTERS_PER_TOKEN + output
