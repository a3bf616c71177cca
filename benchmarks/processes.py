"""Runs commands to their end and says what they used: processor time, wall-clock time, memory."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests"


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What one process used; `cpu_s` is user and system time together."""

    cpu_s: float
    wall_s: float
    peak_mb: float


def run(argv: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None) -> Used:
    """Run a command, which must end with code 0.

    Raises:
        RuntimeError: it ended otherwise.
    """
    start = time.perf_counter()
    with subprocess.Popen(argv, cwd=cwd, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(argv)} ended with code {process.returncode}")
    return Used(cpu_s=usage.ru_utime + usage.ru_stime, wall_s=wall_s, peak_mb=usage.ru_maxrss / 1024)


def side_by_side(commands: Mapping[str, tuple[Sequence[str], Path]], rounds: int) -> dict[str, Used]:
    """Run commands in turn, round after round, and return the medians: what disturbs one disturbs all.

    Args:
        commands: name -> argv and working folder.
        rounds: how often each is run, after one more run that is not counted.
    """
    taken: dict[str, list[Used]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, (argv, cwd) in commands.items():
            used = run(argv, cwd)
            if number:
                taken[name].append(used)
    return {name: median(runs) for name, runs in taken.items()}


def median(runs: Sequence[Used]) -> Used:
    """Return the medians."""
    return Used(
        cpu_s=statistics.median(used.cpu_s for used in runs),
        wall_s=statistics.median(used.wall_s for used in runs),
        peak_mb=statistics.median(used.peak_mb for used in runs),
    )


def pinned(core: int) -> list[str]:
    """Return what to put before a command so that it stays on a core; nothing where that is impossible."""
    if shutil.which("taskset") is None or (os.cpu_count() or 1) < 2:
        return []
    return ["taskset", "-c", str(core)]
