"""What a feed asks of the store, and what it hands on."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from retest.domain.case import Case
from retest.domain.json_value import JsonValue
from retest.domain.prompt import Message
from retest.domain.run import SampleRecord
from retest.domain.sample import CallOutcome, Response
from retest.domain.suite import Redaction
from retest.runner.events import ignore_events
from retest.runner.feed import Exits, Feed, Shelf, chunked
from retest.runner.plan import PlannedCall, RunPlan
from retest.runner.redact import Redactor
from retest.runner.stopping import StopSignal
from retest.runner.table import RunTable
from retest.store.base import LedgerEntry
from support.suites import make_suite

IDENTITY: dict[str, JsonValue] = {"base_url": "http://127.0.0.1"}


class _Shelf:
    """A ledger and a run's writer that note what they are asked; `paid` and `stored` are there already."""

    def __init__(self, paid: Collection[str] = (), stored: Collection[str] = ()) -> None:
        self.claimed: list[int] = []
        self.cases: dict[int, Case] = {}
        self.added: dict[str, Sequence[Message]] = {}
        self._paid, self._stored = frozenset(paid), frozenset(stored)

    async def lookup(self, keys: Sequence[str]) -> Mapping[str, Response]:
        return {key: Response(output=key) for key in keys if key in self._paid}

    async def known(self, keys: Sequence[str]) -> frozenset[str]:
        return frozenset(keys) & self._paid

    async def claim(self, keys: Sequence[str]) -> frozenset[str]:
        self.claimed.append(len(keys))
        return frozenset(keys)

    async def record(self, entries: Sequence[LedgerEntry]) -> None:
        raise NotImplementedError

    async def release(self, keys: Sequence[str]) -> None:
        raise NotImplementedError

    async def add_cases(self, cases: Sequence[tuple[int, Case]]) -> None:
        self.cases.update(cases)

    async def unknown_messages(self, hashes: Collection[str]) -> frozenset[str]:
        return frozenset(hashes) - self._stored - self.added.keys()

    async def add_messages(self, rendered: Mapping[str, Sequence[Message]]) -> None:
        self.added.update(rendered)

    async def append(self, samples: Sequence[SampleRecord]) -> None:
        raise NotImplementedError


def _plan(cases: int) -> RunPlan:
    return RunPlan(suite=make_suite(cases=cases), identities=[IDENTITY], samples=1)


def _fed(plan: RunPlan, shelf: _Shelf) -> tuple[list[str], list[str]]:
    """Return the keys that were handed on as known, and as claimed."""
    known: list[str] = []
    claimed: list[str] = []

    async def take_known(call: PlannedCall, _outcome: CallOutcome) -> None:
        known.append(call.key)

    async def take_claimed(call: PlannedCall) -> None:
        claimed.append(call.key)

    async def feed() -> None:
        exits = Exits(known=take_known, claimed=take_claimed)
        table = RunTable(arms=1, metrics=[], samples=1)
        feed = Feed(plan, Shelf(ledger=shelf, writer=shelf, table=table), exits, StopSignal(), offline_arms=frozenset())
        await feed.take(chunked(plan.calls()), ignore_events)

    asyncio.run(feed())
    return known, claimed


def test_every_call_is_handed_on_once_and_few_are_claimed_at_a_time() -> None:
    """A process that has just begun leaves calls to others, though it looks far ahead."""
    plan = _plan(1_500)
    keys = [call.key for call in plan.calls()]
    shelf = _Shelf(paid=keys[::3])
    known, claimed = _fed(plan, shelf)
    assert (known, claimed) == (keys[::3], [key for place, key in enumerate(keys) if place % 3])
    assert max(shelf.claimed) <= 400
    assert len(shelf.cases) == len(keys)


def test_messages_that_are_stored_are_not_stored_again() -> None:
    """Only what the store does not have is rendered for it."""
    plan = _plan(50)
    hashes = [call.messages_hash for call in plan.calls()]
    shelf = _Shelf(stored=hashes[:20])
    _fed(plan, shelf)
    assert shelf.added.keys() == set(hashes[20:])


def test_cases_and_messages_are_stored_redacted() -> None:
    """What a suite says must not be stored is in neither, and what is sent is not changed."""
    plan = replace(_plan(60), redactor=Redactor((Redaction(pattern=r"c\d+", replace_with="▇"),)))
    shelf = _Shelf()
    _fed(plan, shelf)
    assert {case.vars["q"] for case in shelf.cases.values()} == {"▇"}
    assert [messages[0]["content"] for messages in shelf.added.values()] == ["0 ▇"] * 60
    assert next(plan.calls()).messages == [{"role": "user", "content": "0 c0"}]
