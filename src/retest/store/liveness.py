"""Tells whether the process that holds claims is still there.

A lease alone answers late (a killed process is noticed when its lease ends) and wrongly (a clock that jumps ends every
lease). On the same machine the process table answers at once and the monotonic clock does not jump; containers of one
machine share that clock. Only between machines does the lease by the shared clock decide, and whoever would take over
what costs money first watches for a beat itself: two clocks need not agree.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessId:
    """One process for good: `machine` is "" where it cannot be known, `started` tells a reused pid apart.

    `machine` is made of host name, boot and process namespace, with spaces between.
    """

    machine: str
    pid: int
    started: int

    @property
    def boot(self) -> str:
        """Return what processes with the same monotonic clock have in common; "" where it cannot be known."""
        parts = self.machine.split(" ")
        return parts[-2] if len(parts) > 2 else ""  # noqa: PLR2004 - host name, boot, namespace


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerState:
    """An owner of claims as stored; `beat_wall_s` by the store's clock, `beat_monotonic_s` by its machine's."""

    process: ProcessId
    beat_wall_s: float
    beat_monotonic_s: float
    lease_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Observer:
    """Who asks, and how it looks: replaced in tests."""

    process: ProcessId
    is_running: Callable[[ProcessId], bool]
    monotonic: Callable[[], float] = time.monotonic

    def sees_alive(self, owner: OwnerState, now_wall_s: float) -> bool:
        """Return whether the owner lives: its process exists and it was heard of within its lease.

        A beat that lies further ahead than a lease was noted before a clock was set back: nothing is known of it.
        """
        if self.is_here(owner):
            return self.is_running(owner.process) and self._heard(owner)
        if self._shares_clock(owner):
            return self._heard(owner)
        return abs(now_wall_s - owner.beat_wall_s) <= owner.lease_s

    def needs_watching(self, owner: OwnerState) -> bool:
        """Return whether only the lease by a clock that others set can tell."""
        return not (self.is_here(owner) or self._shares_clock(owner))

    def is_here(self, owner: OwnerState) -> bool:
        """Return whether the owner's process would be in the process table that we see."""
        return bool(self.process.machine) and owner.process.machine == self.process.machine

    def _shares_clock(self, owner: OwnerState) -> bool:
        return bool(self.process.boot) and owner.process.boot == self.process.boot

    def _heard(self, owner: OwnerState) -> bool:
        return self.monotonic() - owner.beat_monotonic_s <= owner.lease_s


@dataclass(slots=True, kw_only=True)
class Watch:
    """Watches owners on other machines for a beat, by our own clock.

    Attributes:
        monotonic: seconds that never jump.
        seen: number of the owner -> its last beat, and when we first saw that one.
    """

    monotonic: Callable[[], float] = time.monotonic
    seen: dict[int, tuple[float, float]] = field(default_factory=dict)

    def hears_nothing(self, number: int, owner: OwnerState) -> bool:
        """Return whether the owner has not beaten for half a lease that we watched; it beats every third of one."""
        beat, since = self.seen.get(number, (None, 0.0))
        now = self.monotonic()
        if beat != owner.beat_wall_s:
            self.seen[number] = (owner.beat_wall_s, now)
            return False
        return now - since >= owner.lease_s / 2


@cache
def _machine() -> str:
    """Return a name that changes with every boot and process namespace; "" where the system has no such thing."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        namespace = Path("/proc/self/ns/pid").readlink()
    except OSError:
        return ""
    return f"{socket.gethostname()} {boot} {namespace}"


def this_process() -> ProcessId:
    """Return the running process."""
    pid = os.getpid()
    return ProcessId(machine=_machine(), pid=pid, started=_start_tick(pid) or 0)


def is_running(process: ProcessId) -> bool:
    """Return whether a process of this machine exists, is no zombie, and is the same one."""
    return _start_tick(process.pid) == process.started


def _start_tick(pid: int) -> int | None:
    """Return when the process started, in clock ticks since boot; None where it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The command's name stands in parentheses and may hold anything; what follows is fixed: state, then numbers.
    fields = stat[stat.rindex(b")") + 2 :].split()
    return None if fields[0] in {b"Z", b"X"} else int(fields[19])


def this_observer() -> Observer:
    """Return the observer that looks from this process."""
    return Observer(process=this_process(), is_running=is_running)
