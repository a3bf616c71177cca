"""Why a run stops before its plan is done: an interrupt, a refused key, a spent budget."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal, Protocol

StopReason = Literal["interrupt", "refused", "failing", "judge", "budget", "batch"]


class StopSignal:
    """Set once, by whoever first has a reason; the reason stays."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._hurry = asyncio.Event()
        self.reason: StopReason | None = None
        self.message = ""

    @property
    def is_set(self) -> bool:
        """Return whether no new call may start."""
        return self.reason is not None

    def stop(self, reason: StopReason, message: str) -> None:
        """Take no new calls; a second interrupt also gives up those in flight."""
        if self.is_set:
            if reason == "interrupt":
                self._hurry.set()
            return
        self.reason, self.message = reason, message
        self._event.set()

    async def wait(self) -> None:
        """Return once stopped."""
        await self._event.wait()

    async def wait_for_hurry(self, timeout_s: float) -> None:
        """Return after the grace period, or at a second interrupt."""
        await _wait_at_most(self._hurry, timeout_s)

    async def sleep(self, seconds: float) -> bool:
        """Sleep unless stopped; return whether the run goes on."""
        await _wait_at_most(self._event, seconds)
        return not self.is_set


async def _wait_at_most(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a run may use; None is no limit. `estimated_call_usd` stands in until a call's cost is known."""

    max_calls: int | None = None
    max_cost_usd: float | None = None
    estimated_call_usd: float = 0.0


class Admission(Protocol):
    """Who says whether one more call may be made."""

    @property
    def in_flight(self) -> int:
        """Return the calls that were admitted and are not settled."""
        ...

    async def admit(self) -> bool:
        """Count one more call in, or refuse it."""
        ...

    def settle(self, cost_usd: float | None) -> None:
        """Count one call as done at its cost; None is unknown."""
        ...


class Budget:
    """Admits calls as long as what is spent, what is in flight and one more stay within the limits."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.started = 0
        self.settled = 0
        self.spent_usd = 0.0

    @property
    def in_flight(self) -> int:
        """Return the calls that were admitted and are not settled."""
        return self.started - self.settled

    @property
    def is_limited(self) -> bool:
        """Return whether it can refuse anything."""
        return self._limits.max_calls is not None or self._limits.max_cost_usd is not None

    async def admit(self) -> bool:
        """Count one more call in, or refuse it."""
        if self._limits.max_calls is not None and self.started >= self._limits.max_calls:
            return False
        if self._limits.max_cost_usd is not None:
            reserved = self._call_usd() * (self.in_flight + 1)
            if self.spent_usd + reserved > self._limits.max_cost_usd:
                return False
        self.started += 1
        return True

    def settle(self, cost_usd: float | None) -> None:
        """Count one call as done at its cost (unknown counts as nothing; the plan has refused unknown prices)."""
        self.settled += 1
        self.spent_usd += cost_usd or 0.0

    def commit(self, calls: int) -> None:
        """Count calls in that are out already, whatever the limits say."""
        self.started += calls

    def give_back(self, calls: int) -> None:
        """Count calls out again that were never made."""
        self.started -= calls

    def _call_usd(self) -> float:
        mean = self.spent_usd / self.settled if self.settled else 0.0
        return max(mean, self._limits.estimated_call_usd)
