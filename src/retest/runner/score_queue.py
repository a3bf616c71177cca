"""Samples on their way from scoring to the store: judged side by side, stored in their order."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from retest.domain.sample import ScoreOutcome
from retest.metrics.judge.caller import JudgingStoppedError
from retest.runner.score import Pending, Row, finish_row, is_settled

_BACKLOG = (
    4000  # samples that judges may be behind; targets wait beyond, for the judges then decide how long a run takes
)

T = TypeVar("T")


class _Entry(NamedTuple, Generic[T]):
    """A sample with its scores, or with the task that will have them."""

    item: T
    row: Row | asyncio.Task[Row]

    @property
    def is_ready(self) -> bool:
        return not isinstance(self.row, asyncio.Task) or self.row.done()


class ScoreQueue(Generic[T]):
    """Takes samples whose judgments may still be under way, gives them out in order as they are complete.

    A sample whose judgment was given up, because the run stopped, is left out: the same command judges it later.
    """

    def __init__(self, *, most: int, backlog: int = _BACKLOG) -> None:
        self._most = most
        self._entries: asyncio.Queue[_Entry[T] | None] = asyncio.Queue(backlog)
        self._held: _Entry[T] | None = None
        self._under_way: set[asyncio.Task[Row]] = set()
        self._open = True

    async def put(self, items: Sequence[T], rows: Sequence[Mapping[str, Pending]]) -> None:
        """Add samples, each with its row of scores; waits while too many are being judged."""
        for item, row in zip(items, rows, strict=True):
            entry = _Entry(item, self._finished(row))
            if self._entries.full():
                await self._entries.put(entry)
            else:
                self._entries.put_nowait(entry)

    async def close(self) -> None:
        """Say that nothing more comes."""
        await self._entries.put(None)

    async def take(self) -> list[tuple[T, Row]] | None:
        """Return the next samples that are complete, None once there are no more.

        Raises:
            StoreError: a judge's answer could not be made durable.
        """
        entry = self._held or (await self._entries.get() if self._open else None)
        self._held = None
        if entry is None:
            self._open = False
            return None
        taken = await self._add([], entry)
        while len(taken) < self._most and self._open and not self._entries.empty():
            entry = self._entries.get_nowait()
            if entry is None:
                self._open = False
            elif not entry.is_ready:
                self._held = entry
                break
            else:
                await self._add(taken, entry)
        return taken

    def abandon(self) -> None:
        """Give up the judgments under way."""
        for task in self._under_way:
            task.cancel()

    def _finished(self, row: Mapping[str, Pending]) -> Row | asyncio.Task[Row]:
        if is_settled(row):
            settled: dict[str, ScoreOutcome] = dict(row)  # type: ignore[arg-type] # nothing in it is awaitable
            return settled
        task = asyncio.create_task(finish_row(row))
        self._under_way.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Row]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # seen: where an earlier sample ended the run, nobody takes this one

    async def _add(self, taken: list[tuple[T, Row]], entry: _Entry[T]) -> list[tuple[T, Row]]:
        row = entry.row
        if isinstance(row, asyncio.Task):
            await asyncio.wait([row])
            if row.cancelled() or isinstance(row.exception(), JudgingStoppedError):
                return taken
            row = row.result()
        taken.append((entry.item, row))
        return taken
