"""Orders: calls that are collected into files, and handed to a provider so that none is ever paid for twice.

The store knows a batch and its calls before anything is sent, the file's name before a batch of it is created, and our
own name for the batch is in its metadata at the provider. Whoever comes after a crash looks there before creating it.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import IO, TypeVar

from retest.domain.batch import NEVER_SENT, Batch
from retest.domain.json_value import JsonValue
from retest.domain.sample import CallError
from retest.errors import IncompleteError, Problem
from retest.runner.events import BatchNews, Listener
from retest.runner.pacing import RetryPolicy
from retest.runner.stopping import StopSignal
from retest.store.batches import NewBatch, StoredBatches
from retest.store.ledger import BATCH_MARGIN_S, StoredLedger
from retest.targets.batching import MOST_BYTES, MOST_REQUESTS, BatchCallError, Batcher, BatchState
from retest.targets.call_errors import bad_response

T = TypeVar("T")

_UNCERTAIN = frozenset({"bad_response"})  # not to be tried again, but nobody knows what the server has done


class StoppedError(Exception):
    """The run was stopped in the middle of a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What handing over and looking after batches takes.

    Attributes:
        settle_s: a batch that was created less long ago may not be in the provider's list yet.
        poll_s: the interval between looks.
        grace_s: how long a request may still take after an interrupt.
    """

    suite: str
    run_id: str
    ledger: StoredLedger
    batches: StoredBatches
    stop: StopSignal
    tell: Listener
    now: Callable[[], datetime]
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    settle_s: float = 60.0
    poll_s: float = 30.0
    grace_s: float = 10.0

    async def ask(self, work: Callable[[], Awaitable[T]]) -> T:
        """Return what a request came to, tried again where that may help.

        Raises:
            BatchCallError: it failed for good.
            StoppedError: the run was stopped first.
        """
        attempt, waited_s = 0, 0.0
        rng = random.Random()  # noqa: S311 - jitter only
        while True:
            attempt += 1
            try:
                return await self._unless_stopped(work())
            except BatchCallError as failed:
                wait_s = self.retry.wait_before_retry(failed.error, attempt, waited_s, rng)
                if wait_s is None:
                    raise
            await self.sleep(wait_s)
            waited_s += wait_s

    async def sleep(self, seconds: float) -> None:
        """Wait.

        Raises:
            StoppedError: the run was stopped meanwhile.
        """
        if not await self.stop.sleep(seconds):
            raise StoppedError

    async def _unless_stopped(self, work: Awaitable[T]) -> T:
        task = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(self._wait_for_the_end())
        try:
            await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise StoppedError
            return task.result()
        finally:
            stopping.cancel()
            task.cancel()

    async def _wait_for_the_end(self) -> None:
        await self.stop.wait()
        await self.stop.wait_for_hurry(self.grace_s)


class Order:
    """Calls for one model of one target, in a file that has no name and is gone when it is closed."""

    def __init__(self, batcher: Batcher, model: str | None, identity: Mapping[str, JsonValue], most: int) -> None:
        self.batcher = batcher
        self.model = model
        self.identity = identity
        self.keys: list[str] = []
        with _room_for_files():
            self.file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the order
        self._most = min(most, MOST_REQUESTS)
        self._bytes = 0

    def has_room(self, line: bytes) -> bool:
        """Return whether one more call fits what a provider takes in one file."""
        return len(self.keys) < self._most and self._bytes + len(line) <= MOST_BYTES

    def add(self, key: str, line: bytes) -> None:
        """Add a call.

        Raises:
            IncompleteError: there is no room for temporary files.
        """
        self.keys.append(key)
        with _room_for_files():
            self.file.write(line)
        self._bytes += len(line)

    def complete(self) -> None:
        """Have all of it in the file.

        Raises:
            IncompleteError: there is no room for temporary files.
        """
        with _room_for_files():
            self.file.flush()

    def close(self) -> None:
        """Throw the file away."""
        with suppress(OSError):  # what could not be written need not be
            self.file.close()


@contextmanager
def _room_for_files() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise IncompleteError(
            Problem(
                slug="batch-no-room",
                message=f"the file of a batch cannot be written: {error.strerror or error}",
                fix="make room where temporary files go (TMPDIR); nothing was sent, and the same command goes on",
            )
        ) from error


async def hand_over(desk: Desk, order: Order) -> Batch:
    """Note an order in the store, upload it and start its batch; return it as it then is.

    Raises:
        BatchCallError: the provider refused it: nothing is out, and its calls are free again. Or what became of it is
            not known: then it stays noted.
        IncompleteError: there is no room for temporary files.
        StoppedError: the run was stopped; what is noted is gone on with by the next process.
    """
    order.complete()
    token = f"retest-{secrets.token_hex(8)}"
    new = NewBatch(
        token=token,
        run_id=desk.run_id,
        suite=desk.suite,
        place=order.batcher.place,
        endpoint=order.batcher.endpoint,
        model=order.model,
        identity=order.identity,
    )
    batch = await desk.batches.hold(new, order.keys, desk.ledger)
    try:
        file_id = await desk.ask(lambda: order.batcher.upload(order.file, f"{token}.jsonl"))
    except (BatchCallError, StoppedError) as failed:
        await desk.batches.end(batch, status=NEVER_SENT, note=str(failed) or "interrupted")
        raise
    batch = await desk.batches.update(batch, file_id=file_id)
    return await _start(desk, order.batcher, batch)


async def _start(desk: Desk, batcher: Batcher, batch: Batch) -> Batch:
    """Start the batch of a file that was uploaded just now; return it as it then is."""
    may_be_there = False

    async def once() -> tuple[BatchState, bool]:
        nonlocal may_be_there
        if may_be_there:
            await desk.sleep(desk.settle_s)
            found = await batcher.find(batch.token, batch.file_id or "", batch.created_at)
            if found is not None:
                return found, True
        try:
            return await batcher.create(batch.file_id or "", batch.token), False
        except BatchCallError as failed:
            # Whether it was created after all shows in the list, a little later.
            may_be_there = may_be_there or failed.error.kind != "rate_limit"
            raise

    try:
        state, was_found = await desk.ask(once)
    except BatchCallError as failed:
        if _is_refusal(failed.error):
            await desk.batches.end(batch, status=NEVER_SENT, note=failed.error.message)
        raise
    batch = await desk.batches.update(batch, batch_id=state.batch_id, **known_of(batch, state))
    desk.tell(BatchNews(what="found" if was_found else "sent", batch=batch))
    return batch


async def find_created(desk: Desk, batcher: Batcher, batch: Batch) -> BatchState | None:
    """Return how a batch is doing of which a process that is gone noted no name at the provider; None: it has none.

    When that process asked for it is not known: the provider's list may show it only after a while from now.

    Raises:
        BatchCallError: the provider does not say.
        StoppedError: the run was stopped first.
    """
    if batch.file_id is None:
        return None
    found = await look_up(desk, batcher, batch)
    if found is None:
        await desk.sleep(desk.settle_s)
        found = await look_up(desk, batcher, batch)
    return found


async def look_up(desk: Desk, batcher: Batcher, batch: Batch) -> BatchState | None:
    """Return what the provider's list has of a batch now.

    Raises:
        BatchCallError: the provider does not say.
        StoppedError: the run was stopped first.
    """
    file_id = batch.file_id
    return None if file_id is None else await desk.ask(lambda: batcher.find(batch.token, file_id, batch.created_at))


def known_of(batch: Batch, state: BatchState) -> dict[str, object]:
    """Return what a provider's description changes of a batch."""
    return {
        "status": state.status,
        "answered": state.answered,
        "failed": state.failed,
        "expires_at": state.expires_at or batch.expires_at,
    }


def refuse_overdue(desk: Desk, batch: Batch) -> None:
    """Refuse to go on waiting for a batch long past its provider's time.

    Raises:
        BatchCallError: it is.
    """
    if desk.now() > batch.expires_at + timedelta(seconds=BATCH_MARGIN_S):
        message = f"it had until {batch.expires_at:%Y-%m-%d %H:%M} UTC, and the provider says {batch.status!r}"
        raise BatchCallError(bad_response(message))


def _is_refusal(error: CallError) -> bool:
    """Return whether a request has certainly done nothing."""
    return not error.retryable and error.kind not in _UNCERTAIN
