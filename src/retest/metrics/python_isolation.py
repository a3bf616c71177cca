"""Runs a user's metric function in a worker process, which is killed and replaced when a call takes too long."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace

from retest.domain.case import Case
from retest.domain.sample import MetricFailure, Response, ScoreOutcome
from retest.errors import SuiteError
from retest.metrics.python_file import FunctionPlace
from retest.metrics.python_function import Settings
from retest.metrics.python_result import Declared
from retest.metrics.python_wire import (
    call_message,
    message_of,
    message_read,
    read_outcome,
    read_ready,
    setup_message,
)
from retest.metrics.worker_process import WorkerError, WorkerProcess

# Loading may import a large library; a file that never ends loading must end all the same.
LOAD_TIMEOUT_S = 120.0


class IsolatedFunction:
    """One function in one worker process at a time, started at once so that mistakes show before any call."""

    def __init__(self, place: FunctionPlace, settings: Settings, timeout_s: float) -> None:
        self._place = place
        self._timeout_s = timeout_s
        self._setup = setup_message(place, settings)
        # Batches are scored in threads; the worker answers one request at a time.
        self._lock = threading.Lock()
        self._worker: WorkerProcess | None = None
        self.declared = self._started()

    def __call__(self, case: Case, response: Response) -> ScoreOutcome:
        """Return the worker's answer; a time-out or the worker's end is a failure of this sample alone."""
        request = message_of(call_message(case, response))
        with self._lock:
            try:
                if self._worker is None:
                    self._started()
                return self._asked(request)
            except WorkerError as error:
                self._stop()
                return MetricFailure(kind=error.kind, message=str(error))
            except SuiteError as error:
                return MetricFailure(kind="raised", message=error.problems[0].message)

    def close(self) -> None:
        """End the worker; may be called twice."""
        with self._lock:
            self._stop()

    def _asked(self, request: bytes) -> ScoreOutcome:
        assert self._worker is not None  # noqa: S101 - started by the caller
        self._worker.send(request)
        return read_outcome(message_read(self._worker.receive(self._timeout_s, f"{self._place.function} took")))

    def _started(self) -> Declared:
        worker = self._worker = _lasting_worker("retest.metrics.python_worker")
        try:
            worker.send(message_of(self._setup))
            ready = read_ready(message_read(worker.receive(LOAD_TIMEOUT_S, "loading took")))
        except WorkerError as error:
            self._stop()
            raise self._place.problem(
                slug="metric-python-worker", message=f"the worker process cannot start: {error}"
            ) from None
        if isinstance(ready, Declared):
            return ready
        self._stop()
        raise SuiteError(replace(ready))

    def _stop(self) -> None:
        if self._worker is not None:
            self._worker.stop()
            self._worker = None


def _lasting_worker(module: str) -> WorkerProcess:
    """Return a started worker that outlives the calling thread: on Linux it ends with the thread that started it.

    Raises:
        OSError: the system has no room for another process.
    """
    started: Future[WorkerProcess] = Future()

    def keep() -> None:
        try:
            worker = WorkerProcess(module)
        except Exception as error:  # noqa: BLE001 - of any kind: raised by who waits for it
            started.set_exception(error)
            return
        started.set_result(worker)
        if sys.platform == "linux":
            with suppress(ChildProcessError):  # somebody else has learnt of its end
                os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)

    threading.Thread(target=keep, daemon=True, name="retest-worker-keeper").start()
    return started.result()
