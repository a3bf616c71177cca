"""Waiting for something that another process does."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(holds: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Wait until a condition holds; fails after the time-out."""
    end = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end, "the condition never held"
        time.sleep(0.02)
