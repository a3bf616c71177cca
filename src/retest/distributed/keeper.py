"""The driver's side of every worker: hands out calls, keeps what comes back, and knows who is at what.

A call is handed to one worker at a time. What a lost worker had recorded is kept and goes out again as paid for; the
rest goes out again to be made. So nothing is lost, and nothing is paid for twice but what was on its way.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from retest.distributed.budgets import SharedBudgets
from retest.distributed.wire import ScoredRow, Shard, pack
from retest.domain.run import JudgeCounts, SampleRecord
from retest.domain.sample import CallError, CallOutcome, Response
from retest.errors import Problem, RetestError
from retest.runner.events import Event, Listener, SamplesDone
from retest.runner.execute import Backends, table_of
from retest.runner.pacing import FailureStreak
from retest.runner.plan import PlannedCall, RunPlan
from retest.runner.stopping import Admission, StopReason, StopSignal
from retest.runner.table import RunTable
from retest.runner.tally import Tally
from retest.store.base import LedgerEntry

_SHARD = 200  # calls handed out at once, at most
_AHEAD = 2 * _SHARD  # calls that wait to be handed out
_OFFLINE = "offline"

Where = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What a keeper needs to know of its run."""

    plan: RunPlan
    backends: Backends
    budget: Admission
    stop: StopSignal
    tell: Listener
    streak_limit: int


@dataclass(slots=True)
class _Seat:
    """What one worker is at: its calls, the keys that it may fetch, and whether it waits for more."""

    calls: dict[Where, PlannedCall] = field(default_factory=dict)
    claims: set[str] = field(default_factory=set)
    judges: Mapping[str, JudgeCounts] = field(default_factory=dict)
    least: int = 1
    idle: bool = False
    lost: bool = False


@dataclass(frozen=True, slots=True)
class _Paid:
    response: Response
    hit: bool


class Keeper:
    """Serves all workers of one run; `table` and `tally` hold what is stored."""

    def __init__(self, course: Course) -> None:
        self.tally = Tally()
        self.table: RunTable = table_of(course.plan)
        self.failure: Exception | None = None
        self._course = course
        self._ledger, self._writer = course.backends.ledger, course.backends.writer
        self._ready: deque[PlannedCall] = deque()
        self._paid: dict[str, _Paid] = {}  # recorded or found, and not yet stored as samples
        self._seats: dict[str, _Seat] = {}
        self._fetched_by: dict[str, str] = {}  # key -> worker
        self._budgets = SharedBudgets(course.budget, course.backends.judges)
        self._feeding = False
        self._changed = asyncio.Event()
        self._streak = FailureStreak(course.streak_limit)
        self._answers: Mapping[str, Callable[..., Awaitable[Any]]] = {
            "next_shard": self._next_shard,
            "lookup": self._lookup,
            "known": self._known,
            "claim": self._claim,
            "record": self._record,
            "release": self._release,
            "append": self._append,
            "admit": self._budgets.admit,
        }
        self._news: Mapping[str, Callable[..., None]] = {
            "settle": self._budgets.settle,
            "event": self._event,
            "stopped": self._stopped,
            "failed": self._failed,
        }

    # -- the run's side --------------------------------------------------------------------------------------------

    @property
    def in_flight(self) -> int:
        """Return the keys that workers may be fetching now."""
        return sum(len(seat.claims) for seat in self._seats.values())

    @property
    def workers(self) -> int:
        """Return how many workers are there."""
        return sum(not seat.lost for seat in self._seats.values())

    def judge_counts(self) -> list[Mapping[str, JudgeCounts]]:
        """Return what the judges of each worker came to, those of lost ones too."""
        return [seat.judges for seat in self._seats.values()]

    def feeding(self, *, on: bool) -> None:
        """Say whether more calls are about to come."""
        self._feeding = on
        self.wake()

    async def known(self, call: PlannedCall, outcome: CallOutcome) -> None:
        """Take a call that needs no fetching."""
        if isinstance(outcome, Response):
            self._paid[call.key] = _Paid(outcome, hit=True)
        await self._put(call)

    async def claimed(self, call: PlannedCall) -> None:
        """Take a call that is to be made; its key is claimed."""
        await self._put(call)

    def wake(self) -> None:
        """Let all who wait look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    def fail(self, error: Exception) -> None:
        """End the run with an error; the first one stays."""
        self.failure = self.failure or error
        self.wake()

    async def until_over(self) -> None:
        """Return when everything is done, or nobody does anything any more after a stop, or something failed."""
        await self._until(self._is_over)

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await self._changed.wait()

    async def release_all(self) -> None:
        """Give up the claims of what will not be fetched now."""
        keys = [call.key for call in self._ready if call.key not in self._paid]
        for seat in self._seats.values():
            keys += [key for key in seat.claims if key not in self._paid]
            seat.claims.clear()
        self._ready.clear()
        if keys:
            await self._ledger.release(sorted(set(keys)))

    # -- a worker's side -------------------------------------------------------------------------------------------

    def seat(self, worker: str, least: int) -> None:
        """Take in a worker; `least` calls at once keep it busy."""
        self._seats[worker] = _Seat(least=least)

    def note_judges(self, worker: str, counts: Mapping[str, JudgeCounts]) -> None:
        """Note what a worker's judges came to so far."""
        self._seats[worker].judges = counts

    async def answer(self, worker: str, method: str, args: tuple[Any, ...]) -> Any:
        """Do what a worker asks for.

        Raises:
            RetestError: it cannot be done.
        """
        return await self._answers[method](worker, *args)

    def hear(self, worker: str, method: str, args: tuple[Any, ...]) -> None:
        """Take in what a worker says."""
        self._news[method](worker, *args)

    def miss(self, worker: str) -> None:
        """Hand nothing more to a worker that is gone."""
        self._seats[worker].lost = True
        self.wake()

    async def lose(self, worker: str) -> None:
        """Put back what a worker had that is gone, once all that it had said is done; what it recorded is paid for."""
        seat = self._seats[worker]
        calls, seat.calls = list(seat.calls.values()), {}
        self._ready.extendleft(reversed(calls))
        ours = {call.key for call in calls}
        others = [key for key in seat.claims if key not in ours]  # of judgments, which the next worker asks for anew
        for key in seat.claims:
            self._fetched_by.pop(key, None)
        seat.claims.clear()
        self._budgets.lose(worker)
        if others:
            await self._ledger.release(others)
        self.wake()

    # -- calls go out ----------------------------------------------------------------------------------------------

    async def _put(self, call: PlannedCall) -> None:
        if len(self._ready) >= _AHEAD:
            await self._until(lambda: len(self._ready) < _AHEAD or self._has_ended())
        self._ready.append(call)
        self.wake()

    async def _next_shard(self, worker: str, wait: bool) -> Shard | None:  # noqa: FBT001 - it comes over the wire
        """Return the next calls for a worker; None where there are none now and it did not want to wait."""
        seat = self._seats[worker]
        seat.idle = wait
        self.wake()
        await self._until(lambda: self._can_go_on(seat, wait=wait))
        calls = self._take(seat)
        if not calls:
            return None
        seat.idle = False
        self.wake()  # there is room for more
        for call in calls:
            seat.calls[call.where] = call
            if call.key not in self._paid:
                seat.claims.add(call.key)
                self._fetched_by[call.key] = worker
        return pack(calls, {call.key: self._paid[call.key].response for call in calls if call.key in self._paid})

    def _can_go_on(self, seat: _Seat, *, wait: bool) -> bool:
        if seat.lost:
            return True
        if self._has_ended():
            return not wait  # it has nothing to do, and stays where it is
        return bool(self._ready) or not (wait or self._feeding)

    def _take(self, seat: _Seat) -> list[PlannedCall]:
        """Return calls for a worker: fewer towards the end, so that all are done at about the same time."""
        if seat.lost or self._has_ended():
            return []
        share = len(self._ready) if self._feeding else -(-len(self._ready) // (2 * max(1, self.workers)))
        size = min(len(self._ready), _SHARD, max(seat.least, share))
        return [self._ready.popleft() for _ in range(size)]

    def _has_ended(self) -> bool:
        return self._course.stop.is_set or self.failure is not None

    def _is_over(self) -> bool:
        if self.failure is not None:
            return True
        seats = self._seats.values()
        if self._feeding or not all(seat.idle or seat.lost for seat in seats):
            return False
        # What a lost worker had is put back in a moment.
        return self._course.stop.is_set or not (self._ready or any(seat.calls for seat in seats))

    # -- the ledger ------------------------------------------------------------------------------------------------

    async def _lookup(self, _worker: str, keys: Sequence[str]) -> Mapping[str, Response]:
        return dict(await self._ledger.lookup(keys))

    async def _known(self, _worker: str, keys: Sequence[str]) -> frozenset[str]:
        return await self._ledger.known(keys)

    async def _claim(self, worker: str, keys: Sequence[str]) -> frozenset[str]:
        """Take keys for a worker: to the store all workers are one owner, so that they are told apart here."""
        free = [key for key in keys if self._fetched_by.setdefault(key, worker) == worker]
        granted = await self._ledger.claim(free) if free else frozenset()
        for key in free:
            if key not in granted:
                self._fetched_by.pop(key, None)
        self._seats[worker].claims |= granted
        return granted

    async def _record(self, worker: str, entries: Sequence[LedgerEntry]) -> None:
        await self._ledger.record(entries)
        for entry in entries:
            if entry.role == "target":
                self._paid[entry.key] = _Paid(entry.response, hit=False)
        self._let_go(worker, [entry.key for entry in entries])

    async def _release(self, worker: str, keys: Sequence[str]) -> None:
        ours = [key for key in keys if self._fetched_by.get(key) == worker]
        self._let_go(worker, ours)
        if ours:
            await self._ledger.release(ours)

    def _let_go(self, worker: str, keys: Sequence[str]) -> None:
        self._seats[worker].claims.difference_update(keys)
        for key in keys:
            self._fetched_by.pop(key, None)

    # -- samples come back -----------------------------------------------------------------------------------------

    async def _append(self, worker: str, rows: Sequence[ScoredRow]) -> None:
        seat = self._seats[worker]
        records = [self._to_record(seat.calls[row.where], row) for row in rows]
        await self._writer.append(records)
        for record in records:
            self._paid.pop(record.key, None)
            del seat.calls[record.arm_index, record.case_index, record.sample_index]
        self.tally.add(records)
        self.table.add(records)
        self._watch_failures(records)
        self._course.tell(SamplesDone(records=tuple(records)))
        self.wake()

    def _to_record(self, call: PlannedCall, row: ScoredRow) -> SampleRecord:
        arm_index, case_index, sample_index = row.where
        redactor = self._course.plan.redactor
        paid = self._paid.get(call.key)
        outcome = paid.response if row.error is None and paid is not None else row.error
        if outcome is None:
            raise AssertionError(f"a sample without an answer came back: {row.where}")
        return SampleRecord(
            arm_index=arm_index,
            case_index=case_index,
            sample_index=sample_index,
            key=call.key,
            messages_hash=call.messages_hash,
            # The keys of the driver's environment may be none on the worker's node, and are taken out here as well.
            outcome=redactor.outcome(outcome, call.case) if isinstance(outcome, CallError) else outcome,
            scores=redactor.scores(row.scores),
            ledger_hit=paid is not None and paid.hit,
        )

    def _watch_failures(self, records: Sequence[SampleRecord]) -> None:
        """Stop where all workers together see nothing but failures; each of them sees only its own."""
        for record in records:
            error = record.outcome if isinstance(record.outcome, CallError) else None
            if record.ledger_hit or (error is not None and error.kind == _OFFLINE):
                continue
            if self._streak.note(failed=error is not None) and error is not None:
                message = f"{self._streak.limit} calls in a row failed, the last with: {error.message}"
                self._course.stop.stop("failing", message)

    # -- news ------------------------------------------------------------------------------------------------------

    def _event(self, _worker: str, event: Event) -> None:
        self._course.tell(event)

    def _stopped(self, _worker: str, reason: StopReason, message: str) -> None:
        if not self._course.stop.is_set:
            self._course.stop.stop(reason, self._course.plan.redactor.scrubber.scrub(message))

    def _failed(self, _worker: str, kind: type[RetestError], problems: tuple[Problem, ...]) -> None:
        self.fail(kind(*problems))
