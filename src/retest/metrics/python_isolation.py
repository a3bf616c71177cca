"""Runs a user's metric function in a worker process, which is killed and replaced when a call takes too long."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from retest.domain.case import Case
from retest.domain.sample import MetricFailure, Response, ScoreOutcome
from retest.errors import SuiteError
from retest.metrics.python_file import FunctionPlace
from retest.metrics.python_function import Settings
from retest.metrics.python_result import Declared
from retest.metrics.python_wire import call_message, line_of, read_outcome, read_ready, setup_message

# Loading may import a large library; a file that never ends loading must end all the same.
LOAD_TIMEOUT_S = 120.0
_GOODBYE_S = 1.0


class WorkerError(Exception):
    """The worker ended, or took too long and was ended."""

    def __init__(self, message: str, kind: str = "raised") -> None:
        super().__init__(message)
        self.kind = kind


class IsolatedFunction:
    """One function in one worker process at a time, started at once so that mistakes show before any call."""

    def __init__(self, place: FunctionPlace, settings: Settings, timeout_s: float) -> None:
        self._place = place
        self._timeout_s = timeout_s
        self._setup = setup_message(place, settings)
        # Batches are scored in threads; the worker answers one request at a time.
        self._lock = threading.Lock()
        self._worker: _Worker | None = None
        self.declared = self._started()

    def __call__(self, case: Case, response: Response) -> ScoreOutcome:
        """Return the worker's answer; a time-out or the worker's end is a failure of this sample alone."""
        request = line_of(call_message(case, response))
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

    def _asked(self, request: str) -> ScoreOutcome:
        assert self._worker is not None  # noqa: S101 - started by the caller
        self._worker.send(request)
        return read_outcome(self._worker.receive(self._timeout_s, f"{self._place.function} took"))

    def _started(self) -> Declared:
        worker = self._worker = _Worker()
        try:
            worker.send(line_of(self._setup))
            ready = read_ready(worker.receive(LOAD_TIMEOUT_S, "loading took"))
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


class _Worker:
    """A running worker process; its answers arrive through a thread, so that waiting can end on any system."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "retest.metrics.python_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="ascii",
            # Ctrl-C is the parent's: it ends its workers itself, without their tracebacks.
            start_new_session=os.name == "posix",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=_read, args=(self._process.stdout, self._answers), daemon=True)
        self._reader.start()

    def send(self, line: str) -> None:
        """Send one request.

        Raises:
            WorkerError: the process has ended.
        """
        assert self._process.stdin is not None  # noqa: S101 - opened as a pipe
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except (BrokenPipeError, OSError):
            raise WorkerError(self._how_it_ended()) from None

    def receive(self, timeout_s: float, what: str) -> dict[str, Any]:
        """Return the next answer.

        Raises:
            WorkerError: none came in time, or the process has ended.
        """
        try:
            line = self._answers.get(timeout=timeout_s)
        except queue.Empty:
            raise WorkerError(f"{what} longer than {timeout_s:g} s; its process was ended", "timeout") from None
        if line is None:
            raise WorkerError(self._how_it_ended())
        answer: dict[str, Any] = json.loads(line)
        return answer

    def stop(self) -> None:
        """End the process and what it started."""
        assert self._process.stdin is not None  # noqa: S101 - opened as a pipe
        assert self._process.stdout is not None  # noqa: S101 - opened as a pipe
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._kill()
        self._process.wait()
        self._reader.join(_GOODBYE_S)
        # A process that left the group and kept the pipe would make closing it wait for ever.
        if not self._reader.is_alive():
            self._process.stdout.close()

    def _kill(self) -> None:
        if self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.name == "posix":
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()

    def _how_it_ended(self) -> str:
        try:
            code = self._process.wait(_GOODBYE_S)
        except subprocess.TimeoutExpired:
            return "the worker process closed its output"
        return f"the worker process ended with exit code {code}"


def _read(lines: Iterable[str], answers: queue.SimpleQueue[str | None]) -> None:
    with contextlib.suppress(ValueError, OSError):
        for line in lines:
            answers.put(line)
    answers.put(None)
