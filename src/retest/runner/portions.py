"""Work on many things, done in portions between which the event loop takes answers in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

PORTION = 40  # prompts rendered, or texts redacted, in one go: some 2 ms

T = TypeVar("T")
R = TypeVar("R")


async def in_portions(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Return what the work makes of each item, in their order."""
    made: list[R] = []
    for start in range(0, len(items), PORTION):
        if start:
            await asyncio.sleep(0)
        made += [work(item) for item in items[start : start + PORTION]]
    return made
