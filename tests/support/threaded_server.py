"""A server whose loop runs in a thread of its own, so that a test and what it calls may block."""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

_LIMIT_S = 10


class ThreadedServer(ABC):
    """A context manager; within, it listens on loopback."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name=type(self).__name__)

    def __enter__(self) -> Self:
        """Start listening."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(_LIMIT_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop; requests still in flight are cut off."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(_LIMIT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_LIMIT_S)
        self._loop.close()

    @abstractmethod
    async def _start(self) -> None:
        """Listen; the port is known afterwards."""

    @abstractmethod
    async def _stop(self) -> None:
        """Listen no more, and cut connections off."""
