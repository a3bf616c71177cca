"""Worker processes that score by the same metrics; what one of them loses is given back to be scored here."""

from __future__ import annotations

import asyncio
import pickle
import queue
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from retest.domain.case import Case
from retest.domain.sample import CallOutcome
from retest.metrics.base import Metric
from retest.metrics.worker_process import WorkerError, WorkerProcess
from retest.runner.score import Row
from retest.runner.score_worker import PROTOCOL, recipe

Batch = Sequence[tuple[Case, CallOutcome]]
Rows = list[Row] | None
"""The scores of a batch; None where no worker could make them."""

# Importing the libraries takes seconds on a busy machine.
_LOAD_TIMEOUT_S = 120.0
_GOODBYE_S = 5.0
_MOST = 25  # samples sent at once: so few that all workers end a batch at nearly the same time


class ScorePool:
    """Workers, each with a thread that asks it. Belongs to no event loop."""

    def __init__(self, metrics: Mapping[str, Metric[Any]], count: int) -> None:
        """Start `count` workers, which are ready some time later."""
        self._setup = pickle.dumps({name: recipe(metric) for name, metric in metrics.items()}, PROTOCOL)
        self._jobs: queue.SimpleQueue[tuple[Batch, Future[Rows]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._workers: list[WorkerProcess] = []
        self._living, self._ready, self._closed = count, 0, False
        self._losses: list[str] = []
        self._settled = threading.Event()
        self._threads = [threading.Thread(target=self._serve, daemon=True, name="scoring") for _ in range(count)]
        for thread in self._threads:
            thread.start()

    @property
    def is_ready(self) -> bool:
        """Return whether some worker can score."""
        return self._ready > 0

    @property
    def pids(self) -> list[int]:
        """Return the numbers of the processes that were started."""
        return [worker.pid for worker in self._workers]

    def wait_until_ready(self) -> None:
        """Wait until a worker can score, or none ever will."""
        self._settled.wait()

    def losses(self) -> list[str]:
        """Return why workers were lost, each once."""
        with self._lock:
            found, self._losses = self._losses, []
        return found

    async def score(self, batch: Batch) -> list[Row | None]:
        """Return the rows of a batch, in order; None for what must be scored elsewhere."""
        size = max(1, min(_MOST, -(-len(batch) // (2 * len(self._threads)))))
        parts = [batch[start : start + size] for start in range(0, len(batch), size)]
        found = await asyncio.gather(*(asyncio.wrap_future(self._put(part)) for part in parts))
        rows: list[Row | None] = []
        for part, scored in zip(parts, found, strict=True):
            rows += [None] * len(part) if scored is None else scored
        return rows

    def close(self) -> None:
        """End the workers, whatever they are doing; may be called twice."""
        with self._lock:
            self._closed = True
            for worker in self._workers:
                worker.kill()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(_GOODBYE_S)

    def _put(self, part: Batch) -> Future[Rows]:
        job: Future[Rows] = Future()
        with self._lock:
            if self._living and not self._closed:
                self._jobs.put((part, job))
            else:
                job.set_result(None)
        return job

    def _serve(self) -> None:
        """Start a worker and hand it one job after the other, until it is lost or the pool is closed."""
        worker: WorkerProcess | None = None
        try:
            worker = self._started()
            self._set_up(worker)
            while (job := self._jobs.get()) is not None:
                _do(*job, worker)
        except Exception as error:  # noqa: BLE001 - of any kind: whoever waits must hear that nobody works any more
            self._lose(str(error) if isinstance(error, WorkerError) else f"{type(error).__name__}: {error}")
        finally:
            if worker is not None:
                worker.stop()

    def _started(self) -> WorkerProcess:
        with self._lock:
            if self._closed:
                raise WorkerError("the pool is closed")
            worker = WorkerProcess("retest.runner.score_worker")
            self._workers.append(worker)
        return worker

    def _set_up(self, worker: WorkerProcess) -> None:
        """Have a worker build the metrics.

        Raises:
            WorkerError: it cannot.
        """
        worker.send(self._setup)
        problem = worker.receive(_LOAD_TIMEOUT_S, "loading the metrics took").decode()
        if problem:
            raise WorkerError(problem)
        self._ready += 1
        self._settled.set()

    def _lose(self, why: str) -> None:
        """Note that a worker is no more; without any, what waits is given back."""
        with self._lock:
            self._living -= 1
            if not self._closed:
                self._losses.append(why)
            if self._living:
                return
            self._ready = 0
            self._settled.set()
            while not self._jobs.empty():
                job = self._jobs.get()
                if job is not None and job[1].set_running_or_notify_cancel():
                    job[1].set_result(None)


def _do(part: Batch, job: Future[Rows], worker: WorkerProcess) -> None:
    """Have a worker score a batch.

    Raises:
        WorkerError: it died of it, or was killed meanwhile; the batch is given back, as after any other error.
    """
    if not job.set_running_or_notify_cancel():
        return
    rows: Rows = None
    try:
        worker.send(pickle.dumps(part, PROTOCOL))
        answer = worker.receive(None, "scoring took")
        rows = pickle.loads(answer) if answer else None  # noqa: S301 - from a process that runs retest's own code
    except (pickle.PicklingError, TypeError, AttributeError, RecursionError):
        rows = None  # a sample that holds something odd: it is scored here
    finally:
        job.set_result(rows)
