"""What a run and its worker processes send each other: messages with their length before them; and the worker's end.

A worker is a program of its own (``python -m``), so that the program that uses retest is never imported again, and
nothing that its threads hold is copied.
"""

from __future__ import annotations

import os
import queue
import select
import signal
import struct
import sys
import threading
from collections.abc import Callable
from typing import BinaryIO

_PR_SET_PDEATHSIG = 1
_LENGTH = struct.Struct(">Q")
_end = os._exit  # as it is before code of the user's is loaded


def write_message(pipe: BinaryIO, message: bytes) -> None:
    """Send one message."""
    pipe.write(_LENGTH.pack(len(message)))
    pipe.write(message)
    pipe.flush()


def read_message(pipe: BinaryIO) -> bytes | None:
    """Return the next message, None at the end, also where it comes in the middle of one."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    message = pipe.read(length)
    return message if len(message) == length else None


class Parent:
    """The worker's way to the process that started it: what were standard input and output.

    What the worker's own code prints goes to standard error, and its input is empty. When the parent is gone, perhaps
    killed, the worker ends: on Linux at once, whatever it is doing, elsewhere as soon as its code lets other threads
    run. On Linux it ends with the *thread* that started it, which therefore has to stay as long.
    """

    def __init__(self) -> None:
        requests = os.fdopen(os.dup(0), "rb")
        self._answers = os.fdopen(os.dup(1), "wb")
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        _end_with_parent(requests.fileno())
        self._incoming: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=_read, args=(requests, self._incoming.put), daemon=True).start()

    def receive(self) -> bytes:
        """Return the next request."""
        return self._incoming.get()

    def send(self, answer: bytes) -> None:
        """Send an answer."""
        write_message(self._answers, answer)


def _end_with_parent(requests: int) -> None:
    """Have the system kill this process when the thread that started it ends: code that holds the GIL stops no kernel.

    Args:
        requests: the pipe from the parent.
    """
    if sys.platform != "linux":
        return
    try:
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
    except (ImportError, OSError, AttributeError):  # a Python without; there remains the end of the pipe
        return
    # Had the parent been gone before, no signal would come; its end of the pipe is closed then.
    poll = select.poll()
    poll.register(requests, 0)
    if poll.poll(0):
        _end(0)


def _read(requests: BinaryIO, take: Callable[[bytes], None]) -> None:
    while (message := read_message(requests)) is not None:
        take(message)
    # The code that the worker runs may be in an endless loop, which no exception ends.
    _end(0)
