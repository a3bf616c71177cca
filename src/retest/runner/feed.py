"""Hands a plan's calls on: what is paid for already, and what was claimed and is to be fetched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from retest.domain.case import Case
from retest.domain.prompt import Message
from retest.domain.sample import CallError, CallOutcome, Response
from retest.runner.events import Listener, WaitingForOthers
from retest.runner.fetched import Fetched
from retest.runner.plan import PlannedCall, RunPlan
from retest.runner.portions import PORTION, in_portions
from retest.runner.stopping import StopSignal
from retest.runner.table import RunTable
from retest.store.base import Ledger, RunWriter

_CHUNK = 1000  # calls looked up at once, for each look costs a commit
_CLAIMED = 400  # calls claimed at once: what is claimed long before it is called waits for nobody else to call it
_POLL_S = 0.5  # how often a key that another process is fetching is looked for
_OFFLINE = CallError(kind="offline", message="not in the ledger, and --offline forbids calls")

Chunks = AsyncIterator[Sequence[PlannedCall]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exits:
    """Where calls go: `known` takes one whose outcome is there, `claimed` one that is ours to fetch."""

    known: Callable[[PlannedCall, CallOutcome], Awaitable[None]]
    claimed: Callable[[PlannedCall], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """What a feed looks calls up in, and where it puts the cases and messages that they bring."""

    ledger: Ledger
    writer: RunWriter
    table: RunTable


class Feed:
    """Feeds one execution of a plan, case by case; `offline_arms` may not call, nor may any where all is `fetched`."""

    def __init__(
        self,
        plan: RunPlan,
        shelf: Shelf,
        exits: Exits,
        stop: StopSignal,
        *,
        offline_arms: frozenset[int],
        fetched: Fetched | None = None,
    ) -> None:
        self._plan = plan
        self._ledger, self._writer, self._table = shelf.ledger, shelf.writer, shelf.table
        self._exits = exits
        self._stop = stop
        self._offline_arms = offline_arms
        self._fetched = fetched
        self._stored_cases = -1

    async def store_cases(self, cases: Sequence[tuple[int, Case]]) -> None:
        """Store every case before the first call, where calls do not come in the order of the cases."""
        kept = await in_portions(self._kept, cases)
        for start in range(0, len(kept), _CHUNK):
            await self._writer.add_cases(kept[start : start + _CHUNK])
        self._table.add_cases(kept)
        self._stored_cases = max((index for index, _ in cases), default=-1)

    async def take(self, chunks: Chunks, tell: Listener) -> None:
        """Hand the calls on, to the end or until stopped; what other processes are fetching comes last."""
        foreign: list[PlannedCall] = []
        while not self._stop.is_set and (chunk := await anext(chunks, None)) is not None:
            # At once, so that they share the store's attention; what is stored comes before what refers to it.
            _, _, hits = await asyncio.gather(
                self._store_cases(chunk), self._store_messages(chunk), self._look_up(chunk)
            )
            foreign += await self._hand_on(chunk, hits)
        await self._wait_for_others(foreign, tell)

    async def _look_up(self, chunk: Sequence[PlannedCall]) -> Mapping[str, Response]:
        return await self._ledger.lookup([call.key for call in chunk])

    async def _hand_on(self, chunk: Sequence[PlannedCall], hits: Mapping[str, Response]) -> list[PlannedCall]:
        """Pass on what the ledger has and what is ours to fetch; return what others are fetching."""
        missing = [call for call in chunk if call.key not in hits]
        for call in chunk:
            if call.key in hits:
                await self._exits.known(call, hits[call.key])
        if self._fetched is not None:
            for call in missing:
                if call.key in self._fetched.errors:
                    await self._exits.known(call, self._fetched.errors[call.key])
            return []
        offline = [call for call in missing if call.arm_index in self._offline_arms]
        for call in offline:
            await self._exits.known(call, _OFFLINE)
        return await self._claim([call for call in missing if call.arm_index not in self._offline_arms])

    async def _claim(self, calls: Sequence[PlannedCall]) -> list[PlannedCall]:
        """Claim the calls and pass on those that are ours; return the others."""
        foreign: list[PlannedCall] = []
        for start in range(0, len(calls), _CLAIMED):
            some = calls[start : start + _CLAIMED]
            granted = await self._ledger.claim([call.key for call in some])
            for call in some:
                if call.key in granted:
                    await self._exits.claimed(call)
            foreign += [call for call in some if call.key not in granted]
        return foreign

    async def _wait_for_others(self, foreign: list[PlannedCall], tell: Listener) -> None:
        """Wait for what other processes are fetching; take over what they give up."""
        if foreign:
            tell(WaitingForOthers(keys=len(foreign)))
        while foreign and await self._stop.sleep(_POLL_S):
            still: list[PlannedCall] = []
            for start in range(0, len(foreign), _CHUNK):
                chunk = foreign[start : start + _CHUNK]
                still += await self._hand_on(chunk, await self._look_up(chunk))
            foreign = still

    async def _store_cases(self, chunk: Sequence[PlannedCall]) -> None:
        """Store the cases that the chunk brings in."""
        cases = {call.case_index: call.case for call in chunk if call.case_index > self._stored_cases}
        if cases:
            self._stored_cases = max(cases)
            kept = await in_portions(self._kept, list(cases.items()))
            self._table.add_cases(kept)
            await self._writer.add_cases(kept)

    async def _store_messages(self, chunk: Sequence[PlannedCall]) -> None:
        """Store the rendered messages that the chunk brings in; no others are rendered."""
        by_hash = {call.messages_hash: call for call in chunk}
        unknown = await self._writer.unknown_messages(by_hash.keys())
        rendered = await in_portions(self._rendered, [by_hash[name] for name in unknown])
        if rendered:
            await self._writer.add_messages(dict(rendered))

    def _kept(self, case: tuple[int, Case]) -> tuple[int, Case]:
        """Return a case under its index as it may be stored."""
        return case[0], self._plan.redactor.case(case[1])

    def _rendered(self, call: PlannedCall) -> tuple[str, Sequence[Message]]:
        """Return hash and messages of a call as they may be stored."""
        return call.messages_hash, self._plan.redactor.messages(call.messages, call.case)


async def chunked(calls: Iterable[PlannedCall]) -> Chunks:
    """Yield calls in chunks, rendered in portions between which answers are taken in."""
    waiting = iter(calls)
    while True:
        chunk: list[PlannedCall] = []
        while len(chunk) < _CHUNK and (portion := list(islice(waiting, PORTION))):
            chunk += portion
            await asyncio.sleep(0)
        if not chunk:
            return
        yield chunk
