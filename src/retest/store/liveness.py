"""Tells whether the process that holds claims is still there.

A lease alone answers late (a killed process is noticed when its lease ends) and wrongly (a clock that jumps ends every
lease). On the same machine the process table answers at once and the monotonic clock does not jump; only between
machines does the lease by the shared clock decide.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessId:
    """One process for good: `machine` is "" where it cannot be known, `started` tells a reused pid apart."""

    machine: str
    pid: int
    started: int


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
        """Return whether the owner lives: its process exists and it was heard of within its lease."""
        if not self.process.machine or owner.process.machine != self.process.machine:
            return now_wall_s - owner.beat_wall_s <= owner.lease_s
        if not self.is_running(owner.process):
            return False
        return self.monotonic() - owner.beat_monotonic_s <= owner.lease_s


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
