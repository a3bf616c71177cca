"""Whether an owner lives is decided by the process table and the lease, whatever the wall clock does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from retest.store.liveness import Observer, OwnerState, ProcessId, Watch, is_running, this_process

HERE = ProcessId(machine="here", pid=1, started=1)
THERE = ProcessId(machine="there", pid=2, started=2)
UNKNOWN = ProcessId(machine="", pid=3, started=0)
BOOTED = ProcessId(machine="host boot-1 pid:[1]", pid=4, started=4)
CONTAINER = ProcessId(machine="other boot-1 pid:[2]", pid=5, started=5)
NOW_WALL_S = 1_000_000.0
NOW_MONOTONIC_S = 500.0


def owner(process: ProcessId, *, wall_age_s: float = 0.0, monotonic_age_s: float = 0.0) -> OwnerState:
    """Return an owner that was last heard of so long ago, by either clock."""
    return OwnerState(
        process=process,
        beat_wall_s=NOW_WALL_S - wall_age_s,
        beat_monotonic_s=NOW_MONOTONIC_S - monotonic_age_s,
        lease_s=60.0,
    )


@pytest.mark.parametrize(
    ("state", "runs", "alive"),
    [
        # on this machine: the process must be there, and heard of within its lease
        (owner(HERE), True, True),
        (owner(HERE), False, False),
        (owner(HERE, monotonic_age_s=60.0), True, True),
        (owner(HERE, monotonic_age_s=61.0), True, False),
        # a wall clock that jumped does not matter here
        (owner(HERE, wall_age_s=9999.0), True, True),
        (owner(HERE, wall_age_s=-9999.0, monotonic_age_s=61.0), True, False),
        # on another machine only the lease by the shared clock can tell
        (owner(THERE, wall_age_s=60.0), False, True),
        (owner(THERE, wall_age_s=61.0), True, False),
        (owner(THERE, monotonic_age_s=9999.0), True, True),
        # a machine that cannot be told is another machine
        (owner(UNKNOWN, wall_age_s=59.0), False, True),
        (owner(UNKNOWN, wall_age_s=61.0), True, False),
        # a beat from the future was noted by a clock that has been set since
        (owner(THERE, wall_age_s=-60.0), False, True),
        (owner(THERE, wall_age_s=-86_400.0), False, False),
    ],
)
def test_an_owner_lives_while_it_is_heard_of(state: OwnerState, runs: bool, alive: bool) -> None:  # noqa: FBT001 - columns of a table
    """Process, machine and both clocks decide as the table says."""
    observer = Observer(process=replace(HERE, pid=9), is_running=lambda _: runs, monotonic=lambda: NOW_MONOTONIC_S)
    assert observer.sees_alive(state, NOW_WALL_S) is alive


def test_an_observer_that_cannot_tell_its_machine_trusts_the_lease() -> None:
    """Two unknown machines are not taken for the same."""
    observer = Observer(process=UNKNOWN, is_running=lambda _: False, monotonic=lambda: NOW_MONOTONIC_S)
    assert observer.sees_alive(owner(UNKNOWN), NOW_WALL_S)


@pytest.mark.parametrize(("monotonic_age_s", "alive"), [(60.0, True), (61.0, False)])
@pytest.mark.parametrize("wall_age_s", [0.0, 9999.0, -9999.0])
def test_containers_of_one_machine_share_the_clock_that_does_not_jump(
    wall_age_s: float, monotonic_age_s: float, *, alive: bool
) -> None:
    """Their processes are not to be seen; their lease is by the clock since boot, whatever either's date says."""
    observer = Observer(process=BOOTED, is_running=lambda _: False, monotonic=lambda: NOW_MONOTONIC_S)
    state = owner(CONTAINER, wall_age_s=wall_age_s, monotonic_age_s=monotonic_age_s)
    assert observer.sees_alive(state, NOW_WALL_S) is alive
    assert not observer.needs_watching(state)


def test_who_beats_while_watched_is_alive_whatever_its_clock_says() -> None:
    """An owner on another machine is silent once half a lease has passed for us without a new beat."""
    now = [0.0]
    watch = Watch(monotonic=lambda: now[0])
    state = owner(THERE, wall_age_s=86_400.0)
    assert not watch.hears_nothing(1, state)
    now[0] = 29.0
    assert not watch.hears_nothing(1, state)
    state = replace(state, beat_wall_s=state.beat_wall_s + 20.0)
    now[0] = 31.0
    assert not watch.hears_nothing(1, state)
    assert not watch.hears_nothing(2, state), "another owner with the same beat"
    now[0] = 61.0
    assert watch.hears_nothing(1, state)


linux_only = pytest.mark.skipif(sys.platform != "linux", reason="the process table is read from /proc")


@linux_only
def test_this_process_runs() -> None:
    """A process sees itself."""
    assert is_running(this_process())
    assert this_process().machine


@linux_only
def test_a_reused_pid_is_another_process() -> None:
    """The same number with another start is not the same process."""
    assert not is_running(replace(this_process(), started=1))


@linux_only
def test_a_killed_process_does_not_run_even_before_its_parent_noticed() -> None:
    """A zombie holds nothing."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    started = int(Path(f"/proc/{child.pid}/stat").read_text("utf-8").rsplit(")", 1)[1].split()[19])
    process = ProcessId(machine=this_process().machine, pid=child.pid, started=started)
    assert is_running(process)
    os.kill(child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, and still in the table
    assert not is_running(process)
    child.wait()
