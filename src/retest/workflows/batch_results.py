"""Takes the results of a batch that is over: answers into the ledger, errors to whoever asked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from functools import partial

from retest.domain.batch import Batch
from retest.domain.case import Case
from retest.domain.sample import CallError, CallOutcome, Response
from retest.runner.feed import chunked
from retest.runner.plan import PlannedCall
from retest.runner.redact import Redactor
from retest.store.base import LedgerEntry
from retest.targets.batching import BatchCallError, Batcher, BatchState
from retest.targets.call_errors import bad_response
from retest.workflows.batch_orders import Desk

_PORTION = 400  # answers made durable in one transaction, at most


class Cover:
    """Takes out of outcomes what must never be stored, by key; where rules ask for a call's case, it must be known.

    Args:
        redactor: with the rules.
        calls: the plan's, from its beginning; looked through where there are rules.
    """

    def __init__(self, redactor: Redactor, calls: Callable[[], Iterable[PlannedCall]]) -> None:
        self._redactor = redactor
        self._calls = calls
        self._cases: dict[str, Case] = {}

    async def learn(self, keys: Collection[str]) -> None:
        """Know the cases of these calls, if any rule asks for them, and no others any more."""
        self._cases = {}
        if not (self._redactor.rules and keys):
            return
        async for chunk in chunked(self._calls()):
            self._cases.update((call.key, call.case) for call in chunk if call.key in keys)
            if len(self._cases) == len(keys):
                return

    def outcome(self, key: str, outcome: CallOutcome) -> CallOutcome | None:
        """Return an outcome as it may be stored; None where that depends on a case that is not known."""
        if key in self._cases:
            return self._redactor.outcome(outcome, self._cases[key])
        if self._redactor.rules:
            return None
        if isinstance(outcome, CallError):
            return replace(outcome, message=self._redactor.scrubber.scrub(outcome.message))
        return outcome


@dataclass(slots=True)
class Taken:
    """What came of a batch: answers that were recorded now, errors by key, and calls that nobody here may read."""

    answers: dict[str, float | None] = field(default_factory=dict)  # key -> cost
    errors: dict[str, CallError] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)


async def take_results(
    desk: Desk, batcher: Batcher, batch: Batch, state: BatchState, cover: Cover, taken: Taken
) -> None:
    """Record the answers of a batch that is over and close it; its calls without an answer are free again.

    Interrupted, it is repeated: what is recorded stays.

    Args:
        desk: of the run.
        batcher: of the batch's target.
        batch: over.
        state: how it ended.
        cover: what it does not know the case of stays in the batch, for a run that does.
        taken: is filled; its answers are recorded, whatever is raised.

    Raises:
        BatchCallError: the results cannot be had, or not all that the provider counts: what came is recorded, and the
            batch is as it was.
        StoppedError: the run was stopped first.
    """
    await cover.learn(await desk.batches.keys(batch.number))
    reader = _Reader(desk, batcher, batch, cover, taken)
    answered, failed = [
        frozenset() if file_id is None else await desk.ask(partial(reader.read, file_id))
        for file_id in (state.output_file_id, state.error_file_id)
    ]
    await cover.learn(())
    _refuse_less(batch, state, answered, failed)
    out = await desk.batches.keys(batch.number)
    why = f"the batch ended ({state.status}) without an answer to this call"
    silent = CallError(kind="bad_response", message=why, retryable=True)
    taken.errors = {key: taken.errors.get(key, silent) for key in out - taken.left}
    taken.left &= out
    if taken.left:
        await desk.batches.let_go(batch.number, sorted(taken.errors))
    else:
        await desk.batches.end(batch)


def _refuse_less(batch: Batch, state: BatchState, answered: frozenset[str], failed: frozenset[str]) -> None:
    """Refuse files that have broken off, or are not there yet: what is missing in them was paid for.

    Where a provider puts lines, and what it counts as completed, differs a little; a line for each call is enough.
    """
    read, counted = len(answered | failed), min(state.answered + state.failed, batch.requests)
    if len(answered) < state.answered and read < counted:
        message = f"the provider counts {state.answered:,} answers and gives {len(answered):,}"
        raise BatchCallError(bad_response(message))


class _Reader:
    """Reads files of results; a file that breaks off is read again from its beginning."""

    def __init__(self, desk: Desk, batcher: Batcher, batch: Batch, cover: Cover, taken: Taken) -> None:
        self._desk = desk
        self._batcher = batcher
        self._batch = batch
        self._cover = cover
        self._taken = taken

    async def read(self, file_id: str) -> frozenset[str]:
        """Record the answers in a file; return the names in it.

        Raises:
            BatchCallError: it cannot be had, or is not whole; what could be read is recorded.
        """
        names: set[str] = set()
        is_whole = True
        out = await self._desk.batches.keys(self._batch.number)  # what a server sends under other names is not kept
        portion: list[LedgerEntry] = []
        async for line in self._batcher.lines(file_id):
            is_whole = is_whole and line is not None
            found = self._batcher.outcome(line, self._batch.model, self._batch.name)
            if found is None:
                continue
            names.add(found[0])
            if found[0] not in out:
                continue
            entry = self._sort(*found)
            if entry is not None:
                portion.append(entry)
            if len(portion) >= _PORTION:
                await self._record(portion)
                portion = []
        await self._record(portion)
        if not is_whole:
            raise BatchCallError(bad_response(f"file {file_id} has lines that are no JSON: it may have broken off"))
        return frozenset(names)

    def _sort(self, key: str, outcome: CallOutcome) -> LedgerEntry | None:
        """Return what goes into the ledger; note all else."""
        kept = self._cover.outcome(key, outcome)
        if isinstance(kept, Response):
            return LedgerEntry(key=key, response=kept)
        if kept is None:
            self._taken.left.add(key)
        else:
            self._taken.errors[key] = kept
        return None

    async def _record(self, portion: list[LedgerEntry]) -> None:
        if not portion:
            return
        recorded = await self._desk.batches.record(self._batch, portion)
        for entry in portion:
            if entry.key in recorded:
                self._taken.answers[entry.key] = entry.response.cost_usd
