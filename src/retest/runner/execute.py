"""Executes a plan: looks up what is paid for, calls for the rest, makes it durable, then scores it.

::

    feed ──► calls ──► workers ──► finished ──► record (ledger) ──► durable ──► score ──► store
      └────────── ledger hits ────────┘                                           └─ judges ─┘

A bounded pool of workers, bounded room for outcomes, and batches between them: nothing per sample outlives its batch.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

from retest.domain.case import Case
from retest.domain.run import RunCounts, SampleRecord
from retest.domain.sample import CallError, CallOutcome, Response
from retest.errors import RetestError
from retest.runner.events import CallRetried, Listener, SamplesDone, Stopping, ignore_events
from retest.runner.feed import Chunks, Exits, Feed, Shelf, chunked
from retest.runner.fetched import Fetched
from retest.runner.judging import JudgeCaller
from retest.runner.paced import paced
from retest.runner.pacing import FailureStreak, RetryPolicy
from retest.runner.plan import PlannedCall, RunPlan
from retest.runner.portions import in_portions
from retest.runner.score import Scorer
from retest.runner.score_queue import ScoreQueue
from retest.runner.stopping import Admission, Budget, Limits, StopSignal
from retest.runner.table import RunTable
from retest.runner.tally import Tally
from retest.store.base import Ledger, LedgerEntry, RunWriter
from retest.targets.base import Target

_BATCH = 1000  # samples made durable in one transaction, at most
_ROOM = 4 * _BATCH  # outcomes that wait to be scored, beside one a worker

T = TypeVar("T")


class Finished(NamedTuple):
    """A call with its outcome; `hit` where the ledger had it. Its worker waits for `durable`."""

    call: PlannedCall
    outcome: CallOutcome
    hit: bool
    durable: asyncio.Future[None] | None = None

    @property
    def is_new(self) -> bool:
        """Return whether a worker here made the call: all else is recorded already, or never was a call."""
        return self.durable is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionOptions:
    """How a plan is executed.

    Attributes:
        offline_arms: arms that may not call; what the ledger lacks is an error of kind ``offline``.
        budget: shared with executions that take place at the same time; None makes one of `limits`.
        fetched: what was called beforehand; then nothing is called here.
        grace_s: how long calls in flight may still arrive after an interrupt.
        streak_limit: final failures in a row after which the run stops.
    """

    concurrency: int = 32
    limits: Limits = field(default_factory=Limits)
    budget: Admission | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    offline_arms: frozenset[int] = frozenset()
    fetched: Fetched | None = None
    grace_s: float = 10.0
    streak_limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Backends:
    """What a plan is executed with; the scorer asks the judges. Without a table, the execution makes one."""

    targets: Sequence[Target]
    ledger: Ledger
    writer: RunWriter
    scorer: Scorer
    judges: Mapping[str, JudgeCaller] = field(default_factory=dict)
    table: RunTable | None = None


def table_of(plan: RunPlan) -> RunTable:
    """Return an empty table for the scores of a plan."""
    return RunTable(
        arms=len(plan.arms),
        metrics=[metric.name for metric in plan.suite.metrics],
        samples=plan.samples,
        kinds={metric.name: metric.metric for metric in plan.suite.metrics},
    )


class Execution:
    """One execution of one plan."""

    def __init__(
        self,
        plan: RunPlan,
        backends: Backends,
        options: ExecutionOptions,
        listener: Listener = ignore_events,
        stop: StopSignal | None = None,
    ) -> None:
        self.stop = stop or StopSignal()
        self.tally = Tally()
        self.table = backends.table or table_of(plan)
        self._plan = plan
        self._backends = backends
        wrapped = {id(target): paced(target, self.stop, listener) for target in backends.targets}  # arms may share one
        self._targets = [wrapped[id(target)] for target in backends.targets]
        self._options = options
        self._tell = listener
        self._budget = options.budget or Budget(options.limits)
        self._streak = FailureStreak(options.streak_limit)
        # Jitter only: no verdict depends on it.
        self._rng = random.Random()  # noqa: S311
        self._broken: RetestError | None = None
        self._calls: asyncio.Queue[PlannedCall | None] = asyncio.Queue(2 * options.concurrency)
        # An outcome waits for nothing on its way to the disk: room for it is taken before its call is made.
        self._room = asyncio.Semaphore(_ROOM + options.concurrency)
        self._finished: asyncio.Queue[Finished | None] = asyncio.Queue()
        self._durable: asyncio.Queue[list[Finished] | None] = asyncio.Queue()
        self._scored: ScoreQueue[Finished] = ScoreQueue(most=_BATCH)
        self._feed = Feed(
            plan,
            Shelf(ledger=backends.ledger, writer=backends.writer, table=self.table),
            Exits(known=self._known, claimed=self._claimed),
            self.stop,
            offline_arms=options.offline_arms,
            fetched=options.fetched,
        )

    async def store_cases(self, cases: Sequence[tuple[int, Case]]) -> None:
        """Store every case before the first call, where calls do not come in the order of the cases."""
        await self._feed.store_cases(cases)

    async def run(self, calls: Iterable[PlannedCall] | Chunks | None = None) -> RunCounts:
        """Execute the plan, or these of its calls, to the end or to the first reason to stop; return what was done.

        One part may follow another; the counts are of all.

        Args:
            calls: in their order, or in chunks as they come.

        Raises:
            StoreError: responses could not be made durable.
            RetestError: a call could not be made ready, say for a file that changed; what was in flight is kept.
        """
        self._scored = ScoreQueue(most=_BATCH)  # the one of an earlier part is closed
        if not isinstance(calls, AsyncIterator):
            calls = chunked(self._plan.calls() if calls is None else calls)
        try:
            async with asyncio.TaskGroup() as group:
                keepers = [group.create_task(work()) for work in (self._record, self._score, self._store)]
                feeder = group.create_task(self._take(calls))
                workers = [group.create_task(self._work()) for _ in range(self._options.concurrency)]
                watch = group.create_task(self._watch_stop([feeder, *workers]))
                await asyncio.wait([feeder, *workers])
                await self._release_queued()
                self._finished.put_nowait(None)
                await asyncio.wait(keepers)  # judges may still be at work, and a second interrupt gives them up
                watch.cancel()
        except* RetestError as errors:
            raise _first(errors) from None
        finally:
            self._scored.abandon()
        if self._broken is not None:
            raise self._broken
        return self.counts()

    def counts(self) -> RunCounts:
        """Return what has been done so far."""
        judges = {name: judge.account.counts() for name, judge in self._backends.judges.items()}
        return replace(self.tally.counts(self.table.cases), judges=judges)

    # -- feeding ---------------------------------------------------------------------------------------------------

    async def _take(self, chunks: Chunks) -> None:
        try:
            await self._feed.take(chunks, self._tell)
        except RetestError as error:
            self._broken = self._broken or error  # told once what is in flight is kept
        for _ in range(self._options.concurrency):
            await self._calls.put(None)

    async def _known(self, call: PlannedCall, outcome: CallOutcome) -> None:
        self._go_on()
        paid = self._options.fetched is not None and call.key in self._options.fetched.paid
        hit = isinstance(outcome, Response) and not paid
        await self._room.acquire()
        self._finished.put_nowait(Finished(call=call, outcome=outcome, hit=hit))

    async def _claimed(self, call: PlannedCall) -> None:
        self._go_on()
        await self._calls.put(call)

    def _go_on(self) -> None:
        if self._broken is not None:
            raise self._broken

    # -- calling ---------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        while True:
            await self._room.acquire()
            call = await self._calls.get()
            if call is None:
                self._room.release()
                return
            if not await self._make(call):
                self._room.release()
                await self._backends.ledger.release([call.key])

    async def _make(self, call: PlannedCall) -> bool:
        """Make a call; return, once its outcome is on disk, whether there is one: a crash costs one call per worker."""
        if not await self._admit():
            return False
        try:
            outcome = await self._call(call)
        except asyncio.CancelledError:
            await self._backends.ledger.release([call.key])
            raise
        except RetestError as error:
            self._broken = self._broken or error
            return False
        if outcome is None:
            return False
        self._note(outcome)
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._finished.put_nowait(Finished(call=call, outcome=outcome, hit=False, durable=durable))
        await durable
        return True

    async def _admit(self) -> bool:
        if self.stop.is_set or self._broken is not None:
            return False
        if await self._budget.admit():
            return True
        self.stop.stop("budget", "the budget is used up")
        return False

    async def _call(self, call: PlannedCall) -> CallOutcome | None:
        """Return the outcome after retries, None where the run stopped in between; every admitted call is settled."""
        outcome: CallOutcome | None = None
        try:
            outcome = await self._try_until_it_stands(call)
        finally:
            self._budget.settle(outcome.cost_usd if isinstance(outcome, Response) else None)
        return outcome

    async def _try_until_it_stands(self, call: PlannedCall) -> CallOutcome | None:
        target, request = self._targets[call.arm_index], self._plan.request(call)
        attempt, waited_s = 0, 0.0
        while True:
            attempt += 1
            outcome = await target.call(request)
            if isinstance(outcome, Response):
                return outcome
            wait_s = self._options.retry.wait_before_retry(outcome, attempt, waited_s, self._rng, paced=True)
            if wait_s is None:
                return replace(outcome, attempts=attempt)
            self._tell(CallRetried(kind=outcome.kind, wait_s=wait_s, attempt=attempt))
            if not await self.stop.sleep(wait_s):
                return None
            waited_s += wait_s

    def _note(self, outcome: CallOutcome) -> None:
        failed = isinstance(outcome, CallError)
        if isinstance(outcome, CallError) and outcome.fatal:
            self.stop.stop("refused", outcome.message)
        elif self._streak.note(failed=failed) and isinstance(outcome, CallError):
            self.stop.stop("failing", f"{self._streak.limit} calls in a row failed, the last with: {outcome.message}")

    async def _release_queued(self) -> None:
        """Give up the claims of calls that no worker took, after a hurried stop."""
        queued: list[PlannedCall | None] = []
        while not self._calls.empty():
            queued.append(self._calls.get_nowait())
        keys = [call.key for call in queued if call is not None]
        if keys:
            await self._backends.ledger.release(keys)

    async def _watch_stop(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        await self.stop.wait()
        self._tell(
            Stopping(
                reason=self.stop.reason or "",
                message=self.stop.message,
                in_flight=self._budget.in_flight,
                grace_s=self._options.grace_s,
            )
        )
        for _ in range(self._options.concurrency):
            self._room.release()  # who waits for room has nothing more to call
        await self.stop.wait_for_hurry(self._options.grace_s)
        for task in tasks:
            task.cancel()
        self._scored.abandon()

    # -- keeping ---------------------------------------------------------------------------------------------------

    async def _record(self) -> None:
        """Make batches of responses durable; only then do they go on to be scored and counted."""
        open_ = True
        while open_:
            batch, open_ = await _drain(self._finished, _BATCH)
            kept = await in_portions(self._redacted, batch)
            await self._write_ledger(kept)
            for item in kept:
                if item.durable is not None and not item.durable.done():
                    item.durable.set_result(None)
            if kept:
                self._durable.put_nowait(kept)
        self._durable.put_nowait(None)

    def _redacted(self, item: Finished) -> Finished:
        if not item.is_new or not self._plan.redactor.concerns(item.outcome):
            return item
        return item._replace(outcome=self._plan.redactor.outcome(item.outcome, item.call.case))

    async def _write_ledger(self, batch: Sequence[Finished]) -> None:
        new = [item for item in batch if item.is_new]
        entries = [
            LedgerEntry(key=item.call.key, response=item.outcome) for item in new if isinstance(item.outcome, Response)
        ]
        failed = [item.call.key for item in new if not isinstance(item.outcome, Response)]
        if entries:
            await self._backends.ledger.record(entries)
        if failed:
            await self._backends.ledger.release(failed)

    async def _score(self) -> None:
        while (batch := await self._durable.get()) is not None:
            # What was redacted from the answer is redacted from the reference too, else they could never be equal.
            samples = await in_portions(self._judged, batch)
            rows = await self._backends.scorer.start_batch(samples, [item.call.key for item in batch])
            await self._scored.put(batch, rows)
            for _ in batch:
                self._room.release()
        await self._scored.close()

    def _judged(self, item: Finished) -> tuple[Case, CallOutcome]:
        return self._plan.redactor.case(item.call.case), item.outcome

    async def _store(self) -> None:
        while (scored := await self._scored.take()) is not None:
            scrubbed = self._plan.redactor.scores
            records = [_to_record(item, scrubbed(row)) for item, row in scored]
            if not records:
                continue
            await self._backends.writer.append(records)
            self.tally.add(records)
            self.table.add(records)
            self._tell(SamplesDone(records=tuple(records)))


def _to_record(item: Finished, scores: Mapping[str, object]) -> SampleRecord:
    arm_index, case_index, sample_index = item.call.where
    return SampleRecord(
        arm_index=arm_index,
        case_index=case_index,
        sample_index=sample_index,
        key=item.call.key,
        messages_hash=item.call.messages_hash,
        outcome=item.outcome,
        scores=scores,  # type: ignore[arg-type] # the scorer's own rows
        ledger_hit=item.hit,
    )


async def _drain(queue: asyncio.Queue[T | None], most: int) -> tuple[list[T], bool]:
    """Wait for one item, take what else is there; return the items and whether the queue stays open."""
    items: list[T] = []
    item = await queue.get()
    while item is not None:
        items.append(item)
        if len(items) >= most or queue.empty():
            return items, True
        item = queue.get_nowait()
    return items, False


def _first(errors: BaseExceptionGroup[RetestError]) -> BaseException:
    """Return the first single error of a group."""
    first: BaseException = errors
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
