"""What the runner needs of a store; importing this loads no database library."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from retest.domain.case import Case
from retest.domain.prompt import Message
from retest.domain.run import SampleRecord
from retest.domain.sample import Response


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One paid-for response under its key; `role` is ``target``, ``judge`` or ``embedding``."""

    key: str
    response: Response
    role: str = "target"


class Ledger(Protocol):
    """The append-only store of paid-for responses, shared by processes. Every method takes a batch."""

    async def lookup(self, keys: Sequence[str]) -> Mapping[str, Response]:
        """Return the responses that are already there, by key."""
        ...

    async def known(self, keys: Sequence[str]) -> frozenset[str]:
        """Return which of the keys are already there, without reading the responses."""
        ...

    async def claim(self, keys: Sequence[str]) -> frozenset[str]:
        """Take the keys to fetch; return those now ours. The others are being fetched by a live process."""
        ...

    async def record(self, entries: Sequence[LedgerEntry]) -> None:
        """Write responses and drop their claims; durable on disk when it returns.

        A key that is already there keeps its first response.

        Raises:
            StoreError: the disk is full, the store is read-only or locked; nothing of the batch counts as done.
        """
        ...

    async def release(self, keys: Sequence[str]) -> None:
        """Give up claims whose calls failed, so that another process may try."""
        ...


class RunWriter(Protocol):
    """Where a run's cases and samples go while it runs; writing the same sample again replaces its scores."""

    async def add_cases(self, cases: Sequence[tuple[int, Case]]) -> None:
        """Store cases under their index in the run."""
        ...

    async def unknown_messages(self, hashes: Collection[str]) -> frozenset[str]:
        """Return which hashes are of rendered messages that are not stored yet."""
        ...

    async def add_messages(self, rendered: Mapping[str, Sequence[Message]]) -> None:
        """Store rendered messages by their hash; known hashes are skipped."""
        ...

    async def append(self, samples: Sequence[SampleRecord]) -> None:
        """Store samples with their scores; responses are referred to by ledger key, never copied."""
        ...
