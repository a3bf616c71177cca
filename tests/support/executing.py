"""What an execution works with, in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from retest.domain.case import Case
from retest.domain.json_value import JsonValue
from retest.domain.prompt import Message
from retest.domain.run import SampleRecord
from retest.domain.sample import Response
from retest.store.base import LedgerEntry
from retest.targets.base import Request

IDENTITY: dict[str, JsonValue] = {"base_url": "http://127.0.0.1"}


class Echo:
    """A target that answers with the case's id."""

    identity = IDENTITY

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    async def call(self, request: Request) -> Response:
        """Return the case's id."""
        self.asked.append((request.case.case_id, request.sample_index))
        return Response(output=request.case.case_id)

    async def aclose(self) -> None:
        """Do nothing."""


class Memory:
    """A ledger and a run's writer in memory."""

    def __init__(self) -> None:
        self.cases: list[int] = []
        self.stored: list[SampleRecord] = []
        self._known: dict[str, Response] = {}

    async def lookup(self, keys: Sequence[str]) -> Mapping[str, Response]:
        """Return what is known."""
        return {key: self._known[key] for key in keys if key in self._known}

    async def known(self, keys: Sequence[str]) -> frozenset[str]:
        """Return which are known."""
        return frozenset(keys) & self._known.keys()

    async def claim(self, keys: Sequence[str]) -> frozenset[str]:
        """Grant all."""
        return frozenset(keys)

    async def record(self, entries: Sequence[LedgerEntry]) -> None:
        """Remember the answers."""
        self._known.update((entry.key, entry.response) for entry in entries)

    async def release(self, keys: Sequence[str]) -> None:
        """Do nothing."""

    async def add_cases(self, cases: Sequence[tuple[int, Case]]) -> None:
        """Note the places."""
        self.cases += [index for index, _ in cases]

    async def unknown_messages(self, hashes: Collection[str]) -> frozenset[str]:
        """Say that all are."""
        return frozenset(hashes)

    async def add_messages(self, rendered: Mapping[str, Sequence[Message]]) -> None:
        """Do nothing."""

    async def append(self, samples: Sequence[SampleRecord]) -> None:
        """Keep the samples."""
        self.stored += samples
