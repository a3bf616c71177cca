"""An endpoint with a token bucket and callers that wait for their turn, simulated: minutes pass in no time."""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque
from dataclasses import dataclass, field

from retest.domain.sample import CallError
from retest.runner.pace import Pace
from retest.runner.pacing import RetryPolicy
from retest.targets.base import RateLimits
from retest.targets.rate_headers import read_limits

_TICK_S = 0.005
_REFUSAL_S = 0.04  # refusals come sooner than answers
_RETRY = RetryPolicy()


@dataclass(slots=True, kw_only=True)
class Bucket:
    """Lets `rate` calls a second through, and `burst` at once; `at_random` refuses a share whatever the rate.

    What it `announces` is in the headers of answers and refusals; by `retry_after_s` refusals say when to come back.
    """

    rate: float = 1e9
    burst: float = 1e9
    at_random: float = 0.0
    announces: bool = False
    retry_after_s: float | None = None
    left: float = field(default=-1.0)
    asked: float = 0.0

    def admits(self, now: float, rng: random.Random) -> bool:
        """Return whether a call is let through."""
        left = self.burst if self.left < 0 else min(self.burst, self.left + (now - self.asked) * self.rate)
        self.asked = now
        admitted = left >= 1 and rng.random() >= self.at_random
        self.left = left - 1 if admitted else left
        return admitted

    def ceiling(self) -> float:
        """Return the calls a second that follow from the headers; no limit where there are none."""
        if not self.announces:
            return float("inf")
        headers = {
            "x-ratelimit-limit-requests": f"{self.burst:.0f}",
            "x-ratelimit-remaining-requests": f"{int(self.left)}",
            "x-ratelimit-reset-requests": f"{(self.burst - int(self.left)) / self.rate:.3f}s",
        }
        allowed = read_limits(headers, RateLimits()).requests_per_s
        return float("inf") if allowed is None else allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Calls that so many processes share, with so many workers together; the rate may change at times.

    Each process starts `apart_s` after the one before; all end once `lasts_s` have passed.
    """

    calls: int = 10**9
    workers: int = 128
    latency_s: float = 0.05
    processes: int = 1
    changes: tuple[tuple[float, float], ...] = ()  # when, and to how many calls a second; in order of time
    failures_until_s: float = 0.0  # answers are server errors until then
    refusal_s: float = _REFUSAL_S
    apart_s: float = 0.0
    lasts_s: float = float("inf")


@dataclass(slots=True, kw_only=True)
class Simulated:
    """What came of it."""

    seconds: float = 0.0
    sent: int = 0
    refused: int = 0
    answered: int = 0
    shares: list[int] = field(default_factory=list)  # answers of each process

    @property
    def share_refused(self) -> float:
        """Return the refusals among all that was sent."""
        return self.refused / self.sent


@dataclass(slots=True)
class _Call:
    attempts: int = 0
    sent: float = 0.0
    ceiling: float = float("inf")  # that came with its answer


@dataclass(slots=True)
class _Process:
    pace: Pace
    waiting: deque[_Call] = field(default_factory=deque)
    timer: bool = False


class Simulation:
    """Discrete events in order of time."""

    def __init__(self, bucket: Bucket, load: Load, seed: int = 1) -> None:
        self.result = Simulated()
        self._bucket, self._load = bucket, load
        self._rng = random.Random(seed)  # noqa: S311 - latencies, no secrets
        self._order = itertools.count()
        self._events: list[tuple[float, int, str, int, _Call]] = []
        self._left = load.calls
        self._processes = [_Process(Pace(number * load.apart_s)) for number in range(load.processes)]
        self.result.shares = [0] * load.processes
        for number in range(load.workers):
            process = number % load.processes
            self._at(process * load.apart_s, "want", process, _Call())

    @property
    def paces(self) -> list[Pace]:
        """Return the pace of each process."""
        return [process.pace for process in self._processes]

    def run(self) -> Simulated:
        """Let the time pass until every call is answered."""
        while self._events and self.result.answered < self._load.calls:
            now, _, kind, number, call = heapq.heappop(self._events)
            if now > self._load.lasts_s:
                break
            getattr(self, f"_{kind}")(now, number, call)
            self.result.seconds = now
        return self.result

    def _at(self, when: float, kind: str, number: int, call: _Call) -> None:
        heapq.heappush(self._events, (when, next(self._order), kind, number, call))

    def _want(self, now: float, number: int, _call: _Call) -> None:
        if self._left:
            self._left -= 1
            self._turn(now, number, _Call())

    def _turn(self, now: float, number: int, call: _Call) -> None:
        process = self._processes[number]
        if not process.waiting and process.pace.take(now, waiting=False):
            self._send(now, number, call)
        else:
            process.waiting.append(call)
            self._arm(now, number)

    def _arm(self, now: float, number: int) -> None:
        process = self._processes[number]
        if process.waiting and not process.timer:
            process.timer = True
            self._at(now + min(0.25, max(_TICK_S, process.pace.next_s())), "tick", number, _Call())

    def _tick(self, now: float, number: int, _call: _Call) -> None:
        process = self._processes[number]
        process.timer = False
        while process.waiting and process.pace.take(now, waiting=True):
            self._send(now, number, process.waiting.popleft())
        self._arm(now, number)

    def _send(self, now: float, number: int, call: _Call) -> None:
        for when, rate in self._load.changes:
            if now >= when:
                self._bucket.rate = rate
        self.result.sent += 1
        call.sent = now
        jitter = self._rng.uniform(0.7, 1.3)
        admitted = self._bucket.admits(now, self._rng)
        call.ceiling = self._bucket.ceiling()
        if admitted:
            kind = "fail" if now < self._load.failures_until_s else "answer"
            self._at(now + self._load.latency_s * jitter, kind, number, call)
        else:
            self._at(now + min(self._load.latency_s, self._load.refusal_s) * jitter, "refuse", number, call)

    def _answer(self, now: float, number: int, call: _Call) -> None:
        self.result.answered += 1
        self.result.shares[number] += 1
        pace = self._processes[number].pace
        pace.answered(now, call.sent)
        pace.ceiling = call.ceiling
        self._want(now, number, call)

    def _fail(self, now: float, number: int, call: _Call) -> None:
        self._processes[number].pace.failed(now)
        self._again(now, number, call, CallError(kind="server_error", message="", retryable=True))

    def _refuse(self, now: float, number: int, call: _Call) -> None:
        self.result.refused += 1
        pace = self._processes[number].pace
        pace.refused(now, call.sent)
        pace.ceiling = call.ceiling
        after_s = self._bucket.retry_after_s
        self._again(now, number, call, CallError(kind="rate_limit", message="", retryable=True, retry_after_s=after_s))

    def _again(self, now: float, number: int, call: _Call, error: CallError) -> None:
        call.attempts += 1
        wait_s = _RETRY.wait_before_retry(error, min(call.attempts, 4), 0.0, self._rng, paced=True)
        assert wait_s is not None
        self._at(now + wait_s, "turn", number, call)
