"""An endpoint with a token bucket and callers that wait for their turn, simulated: minutes pass in no time."""

from __future__ import annotations

import heapq
import itertools
import random
from dataclasses import dataclass, field

from retest.runner.pace import Pace

_TICK_S = 0.005
_REFUSAL_S = 0.04  # refusals come sooner than answers


@dataclass(slots=True, kw_only=True)
class Bucket:
    """Lets `rate` calls a second through, and `burst` at once; `at_random` refuses a share whatever the rate."""

    rate: float = 1e9
    burst: float = 1e9
    at_random: float = 0.0
    left: float = field(default=-1.0)
    asked: float = 0.0

    def admits(self, now: float, rng: random.Random) -> bool:
        """Return whether a call is let through."""
        left = self.burst if self.left < 0 else min(self.burst, self.left + (now - self.asked) * self.rate)
        self.asked = now
        admitted = left >= 1 and rng.random() >= self.at_random
        self.left = left - 1 if admitted else left
        return admitted


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Calls that so many processes share, with so many workers together; the rate may change at a time."""

    calls: int
    workers: int = 128
    latency_s: float = 0.05
    processes: int = 1
    change: tuple[float, float] | None = None  # when, and to how many calls a second
    failures_until_s: float = 0.0  # answers are server errors until then


@dataclass(slots=True, kw_only=True)
class Simulated:
    """What came of it."""

    seconds: float = 0.0
    sent: int = 0
    refused: int = 0
    answered: int = 0
    rates: list[float] = field(default_factory=list)

    @property
    def share_refused(self) -> float:
        """Return the refusals among all that was sent."""
        return self.refused / self.sent


@dataclass(slots=True)
class _Process:
    pace: Pace
    waiting: int = 0
    timer: bool = False


class Simulation:
    """Discrete events in order of time."""

    def __init__(self, bucket: Bucket, load: Load, seed: int = 1) -> None:
        self.result = Simulated()
        self._bucket, self._load = bucket, load
        self._rng = random.Random(seed)  # noqa: S311 - latencies, no secrets
        self._order = itertools.count()
        self._events: list[tuple[float, int, str, int, float]] = []
        self._left = load.calls
        self._processes = [_Process(Pace(0.0)) for _ in range(load.processes)]
        for number in range(load.workers):
            self._at(0.0, "want", number % load.processes)

    def run(self) -> Simulated:
        """Let the time pass until every call is answered."""
        while self._events and self.result.answered < self._load.calls:
            now, _, kind, number, sent = heapq.heappop(self._events)
            getattr(self, f"_{kind}")(now, number, sent)
            self.result.seconds = now
        self.result.rates = [process.pace.rate for process in self._processes]
        return self.result

    def _at(self, when: float, kind: str, number: int, sent: float = 0.0) -> None:
        heapq.heappush(self._events, (when, next(self._order), kind, number, sent))

    def _want(self, now: float, number: int, _sent: float) -> None:
        if self._left:
            self._left -= 1
            self._turn(now, number, 0.0)

    def _turn(self, now: float, number: int, _sent: float) -> None:
        process = self._processes[number]
        if not process.waiting and process.pace.take(now, waiting=False):
            self._send(now, number, 0.0)
        else:
            process.waiting += 1
            self._arm(now, number)

    def _arm(self, now: float, number: int) -> None:
        process = self._processes[number]
        if process.waiting and not process.timer:
            process.timer = True
            self._at(now + min(0.25, max(_TICK_S, process.pace.next_s())), "tick", number)

    def _tick(self, now: float, number: int, _sent: float) -> None:
        process = self._processes[number]
        process.timer = False
        while process.waiting and process.pace.take(now, waiting=True):
            process.waiting -= 1
            self._send(now, number, 0.0)
        self._arm(now, number)

    def _send(self, now: float, number: int, _sent: float) -> None:
        change = self._load.change
        if change is not None and now >= change[0]:
            self._bucket.rate = change[1]
        self.result.sent += 1
        jitter = self._rng.uniform(0.7, 1.3)
        if not self._bucket.admits(now, self._rng):
            self._at(now + min(self._load.latency_s, _REFUSAL_S) * jitter, "refuse", number, now)
        else:
            kind = "fail" if now < self._load.failures_until_s else "answer"
            self._at(now + self._load.latency_s * jitter, kind, number, now)

    def _answer(self, now: float, number: int, sent: float) -> None:
        self.result.answered += 1
        self._processes[number].pace.answered(now, sent)
        self._want(now, number, 0.0)

    def _fail(self, now: float, number: int, _sent: float) -> None:
        self._processes[number].pace.failed(now)
        self._at(now + self._rng.uniform(0.01, 0.04), "turn", number)

    def _refuse(self, now: float, number: int, sent: float) -> None:
        self.result.refused += 1
        self._processes[number].pace.refused(now, sent)
        self._at(now + self._rng.uniform(0.01, 0.04), "turn", number)
