"""Ctrl-C and SIGTERM on their way to whatever makes calls, wherever in the program that is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retest.runner.stopping import StopSignal  # loads asyncio, which many commands do without


class Interrupts:
    """Tells every `StopSignal` that listens; each on its own event loop, whichever thread that runs in."""

    def __init__(self) -> None:
        self._listening: list[Callable[[], None]] = []

    def interrupt(self) -> bool:
        """Tell all who listen; return whether anybody does. May be called from a signal handler."""
        told = list(self._listening)
        for tell in told:
            tell()
        return bool(told)

    @contextmanager
    def telling(self, stop: StopSignal) -> Iterator[None]:
        """Stop with `stop` at an interrupt, as long as this lasts; to be entered on its event loop."""
        import asyncio

        loop = asyncio.get_running_loop()

        def tell() -> None:
            with suppress(RuntimeError):  # the loop has just been closed: there is nothing left to stop
                loop.call_soon_threadsafe(stop.stop, "interrupt", "interrupted")

        self._listening.append(tell)
        try:
            yield
        finally:
            self._listening.remove(tell)
