"""When scoring moves to processes of its own, how many those are, and which metrics go there."""

from __future__ import annotations

import asyncio
import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from retest.metrics.base import Metric  # loads pydantic, which who only passes options on does without
    from retest.runner.score import Row
    from retest.runner.score_pool import Batch, ScorePool

# A worker takes about a second of processor time to load, and the memory of the libraries.
_WORTH_S = 4.0
_LEAST_SAMPLES = 200
# Where calls decide how long a run takes, scoring faster gains nothing.
_LEAST_SHARE = 0.25
_MOST_PROCESSES = 16
_CGROUPS = Path("/sys/fs/cgroup")


def _ignore(_message: str) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessOptions:
    """How much may be scored in processes of its own.

    Attributes:
        limit: how many processes; None for one per core where that pays, 1 for none besides this one.
        programs: how many programs like this one share the machine, as far as is known.
        samples: how many are to be scored in all, as far as is known.
        tell: hears, once, that processes were lost.
    """

    limit: int | None = None
    programs: int = 1
    samples: int | None = None
    tell: Callable[[str], None] = _ignore


def may_move(metric: Metric[Any]) -> bool:
    """Return whether a metric scores the same in any process.

    Not so the user's own code, which may keep what it likes, nor what asks a model, whose answers go through the ledger
    of this process; nor a class that is not retest's own, for nobody else could build it.
    """
    from retest.metrics.registry import metric_classes

    info = metric.info
    return not info.needs_model and not info.runs_code and metric_classes().get(info.name) is type(metric)


class Cores:
    """The cores, shared by all that score in this program at the same time, such as the sides of a comparison."""

    def __init__(self, count: Callable[[], int]) -> None:
        """Take as many cores as `count` returns when it comes to that."""
        self._count = count
        self._lock = threading.Lock()
        self._taken: WeakKeyDictionary[object, int] = WeakKeyDictionary()

    def enter(self, scorer: object) -> None:
        """Count with a scorer from now on."""
        with self._lock:
            self._taken.setdefault(scorer, 0)

    def take(self, scorer: object, options: ProcessOptions) -> int:
        """Return how many processes a scorer has from now on: as many as it was told, else its share of the cores.

        With few cores the first has two: two that have one each would have none that scores beside its calls.
        """
        with self._lock:
            cores = min(self._count() // options.programs, _MOST_PROCESSES)
            left = cores - sum(taken for other, taken in self._taken.items() if other is not scorer)
            share = min(left, max(2, math.ceil(cores / max(1, len(self._taken)))))
            count = max(1, share if options.limit is None else options.limit)
            self._taken[scorer] = count if count > 1 else 0
        return count

    def leave(self, scorer: object) -> None:
        """Give back what a scorer had; may be called twice."""
        with self._lock:
            self._taken.pop(scorer, None)


class ScoreProcesses:
    """Scores batches by metrics that may move: here at first, in processes of its own as soon as that pays."""

    def __init__(self, metrics: Mapping[str, Metric[Any]], options: ProcessOptions) -> None:
        self._metrics = metrics
        self._options = options
        self._spent = Spent()
        self.pool: ScorePool | None = None
        self._told = False

    async def rows(self, batch: Batch, score_here: Callable[[Batch], list[Row]]) -> list[Row]:
        """Return the rows of a batch; what processes could not score is scored here."""
        pool = self.pool = self.pool or self._started(len(batch))
        if pool is not None and self._options.limit is not None and not pool.is_ready:
            await _settled(pool)  # asked for, so not to be outrun by this process
        if pool is None or not pool.is_ready:
            self._tell(pool)
            return await asyncio.to_thread(self._scored_here, batch, score_here)
        found = await pool.score(batch)
        self._tell(pool)
        lost = [place for place, row in enumerate(found) if row is None]
        if lost:
            here = await asyncio.to_thread(score_here, [batch[place] for place in lost])
            found = list(found)
            for place, row in zip(lost, here, strict=True):
                found[place] = row
        return found  # type: ignore[return-value] # none is lost any more

    def close(self) -> None:
        """End the processes, also those that are only starting; may be called twice."""
        if self.pool is not None:
            self.pool.close()
        _CORES.leave(self)

    def _started(self, waiting: int) -> ScorePool | None:
        """Return processes that are starting, None where they would not pay."""
        _CORES.enter(self)
        if self._options.limit is None and not self._is_worth(waiting):
            return None
        count = _CORES.take(self, self._options)
        if count == 1:  # one more instead of this one would gain nothing
            return None
        from retest.runner.score_pool import ScorePool

        return ScorePool(self._metrics, count)

    def _is_worth(self, waiting: int) -> bool:
        known = self._options.samples
        return self._spent.is_worth(max(waiting, self._spent.seen if known is None else known - self._spent.seen))

    def _scored_here(self, batch: Batch, score_here: Callable[[Batch], list[Row]]) -> list[Row]:
        began, cpu_began = time.monotonic(), time.thread_time()
        rows = score_here(batch)
        self._spent.add(len(batch), time.thread_time() - cpu_began, began)
        return rows

    def _tell(self, pool: ScorePool | None) -> None:
        losses = [] if pool is None else pool.losses()
        if losses and not self._told:
            self._told = True
            self._options.tell(f"a scoring process was lost, and what it had is scored again: {losses[0]}")


async def _settled(pool: ScorePool) -> None:
    """Wait until a pool can score, or never will."""
    try:
        await asyncio.to_thread(pool.wait_until_ready)
    except asyncio.CancelledError:
        pool.close()  # which ends the waiting: a loop that ends waits for its threads
        raise


class Spent:
    """What scoring in this process has taken so far, without the first batch: it loads libraries."""

    def __init__(self) -> None:
        self.seen = 0
        self._samples = 0
        self._cpu_s = self._busy_s = 0.0
        self._began: float | None = None

    def add(self, samples: int, cpu_s: float, began: float, ended: float | None = None) -> None:
        """Count a batch that began, and ended, at these times of the monotonic clock; now, if not given."""
        if self.seen:
            self._samples += samples
            self._cpu_s += cpu_s
            self._began = began if self._began is None else self._began
            self._ended = time.monotonic() if ended is None else ended
            self._busy_s += self._ended - began
        self.seen += samples

    def is_worth(self, left: int) -> bool:
        """Return whether what is left takes so long that processes are worth their start."""
        if self._began is None or self._samples < _LEAST_SAMPLES:
            return False
        a_sample_s = self._cpu_s / self._samples
        return a_sample_s * left >= _WORTH_S and self._busy_s >= _LEAST_SHARE * (self._ended - self._began)


def usable_cores(cgroups: Path = _CGROUPS) -> int:
    """Return how many cores this process may use: by its affinity, and by the limit of its container."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    return max(1, math.ceil(min(cores, _quota(cgroups))))


def _quota(cgroups: Path) -> float:
    """Return how many cores the container's limit comes to; without one, infinity."""
    try:
        parts = (cgroups / "cpu.max").read_text("ascii").split()  # version 2: "200000 100000", or "max 100000"
    except (OSError, ValueError):
        try:
            parts = [(cgroups / "cpu" / f"cpu.cfs_{name}_us").read_text("ascii") for name in ("quota", "period")]
        except (OSError, ValueError):
            return math.inf
    try:
        quota, period = map(int, parts)
    except ValueError:
        return math.inf
    return quota / period if quota > 0 < period else math.inf


_CORES = Cores(usable_cores)
