"""A worker process as its parent sees it: started, asked, ended, whatever becomes of it."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import BinaryIO

from retest.metrics.worker_pipes import read_message, write_message

_GOODBYE_S = 1.0


class WorkerError(Exception):
    """The worker ended, or took too long."""

    def __init__(self, message: str, kind: str = "raised") -> None:
        super().__init__(message)
        self.kind = kind


class WorkerProcess:
    """A running worker; its answers arrive through a thread, so that waiting can end on any system."""

    def __init__(self, module: str) -> None:
        """Start a module of retest.

        Raises:
            OSError: the system has no room for another process.
        """
        self._process = subprocess.Popen(  # noqa: S603 - this Python and a module of our own
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Ctrl-C is the parent's: it ends its workers itself, without their tracebacks.
            start_new_session=os.name == "posix",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._answers: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=_read, args=(self._process.stdout, self._answers.put), daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Return the process's number."""
        return self._process.pid

    def send(self, message: bytes) -> None:
        """Send one request.

        Raises:
            WorkerError: the process has ended.
        """
        assert self._process.stdin is not None  # noqa: S101 - opened as a pipe
        try:
            write_message(self._process.stdin, message)  # type: ignore[arg-type] # a pipe of bytes
        except (OSError, ValueError):
            raise WorkerError(self._how_it_ended()) from None

    def receive(self, timeout_s: float | None, what: str) -> bytes:
        """Return the next answer; without a time-out, wait as long as the process lives.

        Raises:
            WorkerError: none came in time, or the process has ended.
        """
        try:
            answer = self._answers.get(timeout=timeout_s)
        except queue.Empty:
            raise WorkerError(f"{what} longer than {timeout_s:g} s; its process was ended", "timeout") from None
        if answer is None:
            raise WorkerError(self._how_it_ended())
        return answer

    def stop(self) -> None:
        """End the process and what it started; may be called twice."""
        assert self._process.stdin is not None  # noqa: S101 - opened as a pipe
        assert self._process.stdout is not None  # noqa: S101 - opened as a pipe
        self.kill()
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.wait()
        self._reader.join(_GOODBYE_S)
        # A process that left the group and kept the pipe would make closing it wait for ever.
        if not self._reader.is_alive():
            self._process.stdout.close()

    def kill(self) -> None:
        """Kill the process and what it started; who waits for its answer hears of it. From any thread."""
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


def _read(pipe: BinaryIO, take: Callable[[bytes | None], None]) -> None:
    with contextlib.suppress(ValueError, OSError):
        while (message := read_message(pipe)) is not None:
            take(message)
    take(None)
