"""Ledger, writer and budget as a worker has them: the driver's, at the other end of a link."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from retest.distributed.wire import Link, ScoredRow, Shard
from retest.domain.case import Case
from retest.domain.prompt import Message
from retest.domain.run import SampleRecord
from retest.domain.sample import CallError, Response
from retest.runner.table import RunTable
from retest.store.base import LedgerEntry


class RemoteLedger:
    """A ledger of which a shard brings its part along; for other keys (those of judges) the driver is asked."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._paid: dict[str, Response] = {}
        self._claimed: set[str] = set()

    def take_in(self, shard: Shard) -> None:
        """Remember what a shard says of its keys, until they are looked up and claimed."""
        self._paid.update(shard.paid)
        self._claimed.update(call.key for call in shard.calls if call.key not in shard.paid)

    async def lookup(self, keys: Sequence[str]) -> Mapping[str, Response]:
        """Return the responses that are already there, by key."""
        found = {key: self._paid.pop(key) for key in keys if key in self._paid}
        unknown = [key for key in keys if key not in found and key not in self._claimed]
        if unknown:
            found.update(await self._link.ask("lookup", unknown))
        return found

    async def known(self, keys: Sequence[str]) -> frozenset[str]:
        """Return which of the keys are already there."""
        found: frozenset[str] = await self._link.ask("known", list(keys))
        return found

    async def claim(self, keys: Sequence[str]) -> frozenset[str]:
        """Take the keys to fetch; return those now ours."""
        ours = {key for key in keys if key in self._claimed}
        self._claimed -= ours
        others = [key for key in keys if key not in ours]
        if others:
            ours |= await self._link.ask("claim", others)
        return frozenset(ours)

    async def record(self, entries: Sequence[LedgerEntry]) -> None:
        """Write responses; durable where the driver keeps them when this returns."""
        await self._link.ask("record", list(entries))

    async def release(self, keys: Sequence[str]) -> None:
        """Give up claims whose calls failed."""
        await self._link.ask("release", list(keys))


class RemoteWriter:
    """A run's writer; the driver has stored the cases and messages before it handed them out."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def add_cases(self, cases: Sequence[tuple[int, Case]]) -> None:
        """Do nothing: they are there."""

    async def unknown_messages(self, hashes: Collection[str]) -> frozenset[str]:  # noqa: ARG002 - the Protocol's
        """Return none: they are all there."""
        return frozenset()

    async def add_messages(self, rendered: Mapping[str, Sequence[Message]]) -> None:
        """Do nothing: they are there."""

    async def append(self, samples: Sequence[SampleRecord]) -> None:
        """Store samples with their scores."""
        rows = [
            ScoredRow(
                (sample.arm_index, sample.case_index, sample.sample_index),
                sample.outcome if isinstance(sample.outcome, CallError) else None,
                sample.scores,
            )
            for sample in samples
        ]
        await self._link.ask("append", rows)


class RemoteBudget:
    """A budget that all workers draw on; satisfies `Admission`."""

    def __init__(self, link: Link, name: str) -> None:
        self._link = link
        self._name = name
        self._started = self._settled = 0

    @property
    def in_flight(self) -> int:
        """Return this worker's calls that were admitted and are not settled."""
        return self._started - self._settled

    async def admit(self) -> bool:
        """Count one more call in, or refuse it."""
        admitted: bool = await self._link.ask("admit", self._name)
        self._started += admitted
        return admitted

    def settle(self, cost_usd: float | None) -> None:
        """Count one call as done at its cost."""
        self._settled += 1
        self._link.tell("settle", self._name, cost_usd)


class NoTable(RunTable):
    """A table that keeps nothing: the driver has the whole one."""

    def __init__(self) -> None:
        super().__init__(arms=0, metrics=(), samples=1)

    def add_cases(self, cases: Sequence[tuple[int, Case]]) -> None:
        """Keep nothing."""

    def add(self, records: object) -> None:
        """Keep nothing."""
