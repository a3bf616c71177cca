"""Runs `python -m retest` as a fork of a process that has the imports behind it: a tenth of what a start costs."""

from __future__ import annotations

import atexit
import itertools
import json
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import IO

import pytest

_SERVER = Path(__file__).with_name("fork_server.py")
# Two servers in turn: strings hash otherwise in each, as in any two processes, so that no output may depend on it.
_TURNS = itertools.cycle(range(2))
# What commands look up themselves. Of the rest, a library may have read something when the server imported it.
_LOOKED_UP_LATE = re.compile(r"RETEST_\w+|\w+_(KEY|TOKEN)")
_ONE_IN = 50


def read_early(env: Mapping[str, str]) -> dict[str, str]:
    """Return what may be looked at before a command runs: a fork comes too late for it."""
    return {name: value for name, value in env.items() if not _LOOKED_UP_LATE.fullmatch(name)}


def is_for_a_process(args: Sequence[str], test: str) -> bool:
    """Return whether a command is one of the few that start anew though they could be forks; always the same ones.

    Imports in the order of one command, and the end of an interpreter, are nowhere else.
    """
    return zlib.crc32(" ".join([test, *args[:1]]).encode()) % _ONE_IN == 0


def run_forked(
    args: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout_s: float
) -> subprocess.CompletedProcess[bytes]:
    """Run a retest command to its end; stdin is the caller's.

    Raises:
        subprocess.TimeoutExpired: It took longer, and is killed.
    """
    request = json.dumps({"args": args, "cwd": str(cwd), "env": dict(env)}).encode()
    server = _server(next(_TURNS), tuple(read_early(env).items()))
    with ExitStack() as stack:
        told, tells = (stack.enter_context(end) for end in _pair())
        (out, its_out), (err, its_err) = _pipe(stack), _pipe(stack)
        socket.send_fds(server, [request], [tells.fileno(), 0, its_out.fileno(), its_err.fileno()])
        for end in (tells, its_out, its_err):
            end.close()
        pid = int(told.recv(64) or pytest.fail("the fork server is gone; why is in its error output"))
        deadline = time.monotonic() + timeout_s
        try:
            texts = _read_to_end([out, err], deadline)
            told.settimeout(max(0.001, deadline - time.monotonic()))
            code = int(told.recv(64))
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(["retest", *args], timeout_s) from None
    return subprocess.CompletedProcess(["retest", *args], code, *texts)


@cache
def _server(_turn: int, env: tuple[tuple[str, str], ...]) -> socket.socket:
    """Return where a server takes its requests; it ends when this process does."""
    asks, is_asked = _pair()
    with is_asked:
        process = subprocess.Popen(
            [sys.executable, str(_SERVER), str(is_asked.fileno())],
            pass_fds=[is_asked.fileno()],
            # NumPy's algebra shall start no threads: they would be missing in a fork.
            env={"OPENBLAS_NUM_THREADS": "1", **dict(env)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
    atexit.register(_stop, process, asks)
    return asks


def _stop(process: subprocess.Popen[bytes], asks: socket.socket) -> None:
    asks.close()
    process.wait(10)


def _pair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def _pipe(stack: ExitStack) -> tuple[IO[bytes], IO[bytes]]:
    reading, writing = os.pipe()
    return stack.enter_context(os.fdopen(reading, "rb", 0)), stack.enter_context(os.fdopen(writing, "wb", 0))


def _read_to_end(files: Sequence[IO[bytes]], deadline: float) -> list[bytes]:
    """Return all that is written to each of these pipes."""
    texts = {file: bytearray() for file in files}
    with selectors.DefaultSelector() as waiting:
        for file in files:
            waiting.register(file, selectors.EVENT_READ, file)
        while waiting.get_map():
            ready = waiting.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            for key, _ in ready:
                part = os.read(key.fd, 2**16)
                texts[key.data] += part
                if not part:
                    waiting.unregister(key.fileobj)
    return [bytes(text) for text in texts.values()]
