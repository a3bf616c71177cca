"""Ctrl-C and SIGTERM: the first stops in order what makes calls, the second gives up what is in flight."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from retest.runner.interrupts import Interrupts

INTERRUPTS: Final = Interrupts()  # of this process: signals are the process's too


@contextmanager
def handled() -> Iterator[None]:
    """Handle both signals as long as a command runs; what was set before is set again.

    Where nothing makes calls, either ends the command at once as `KeyboardInterrupt`.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    if not INTERRUPTS.interrupt():
        raise KeyboardInterrupt
