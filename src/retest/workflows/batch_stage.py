"""Fetches a run's answers by batch, before its execution, which then finds them in the ledger.

::

    rounds:   look through the plan ──► go on with batches that are out ──► order what is missing
              wait for all of them  ──► answers into the ledger; what may be made again goes into the next round

Nothing is paid for twice: a call is claimed, then in a batch, then in the ledger, and the store knows which.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from retest.domain.batch import NEVER_SENT, Batch
from retest.domain.sample import CallError
from retest.runner.events import BatchNews, WaitingForBatch, WaitingForOthers
from retest.runner.feed import chunked
from retest.runner.fetched import Fetched
from retest.runner.plan import PlannedCall, RunPlan
from retest.runner.stopping import Budget, StopReason, StopSignal
from retest.targets.base import Target
from retest.targets.batching import MOST_REQUESTS as _MOST
from retest.targets.batching import BatchCallError, Batcher, BatchState
from retest.workflows.batch_orders import (
    Desk,
    Order,
    StoppedError,
    find_created,
    hand_over,
    known_of,
    refuse_overdue,
)
from retest.workflows.batch_results import Cover, Taken, take_results

_SLOWER = 1.5  # each time nothing has changed
_SLOWEST = 10.0  # times the interval
_QUEUE_FULL = "token_limit_exceeded"
_SHOWN_FAULTS = 3
_MOST_MISSES = 20  # looks in a row that bring nothing, before the run gives up waiting


@dataclass(slots=True, kw_only=True)
class _Out:
    """A batch that is out, with who speaks about it."""

    batch: Batch
    batcher: Batcher
    misses: int = 0  # looks in a row that brought nothing


class BatchStage:
    """Fetches one plan's answers.

    Args:
        plan: of the run.
        targets: of its arms.
        batchers: of the same, by the target's id.
        desk: who hands over, where.
        budget: each call in a batch is admitted and settled as if it were made at once.
        attempts: how many batches a call may be in.
        fetched: is filled.
    """

    def __init__(
        self,
        plan: RunPlan,
        targets: tuple[Sequence[Target], Mapping[int, Batcher]],
        desk: Desk,
        budget: Budget,
        attempts: int,
        fetched: Fetched,
    ) -> None:
        self._plan = plan
        self._targets, self._batchers = targets
        self._desk = desk
        self._budget = budget
        self._attempts = attempts
        self._fetched = fetched
        self._out: dict[int, _Out] = {}
        self._orders: dict[tuple[int, str | None], Order] = {}
        self._ordered: set[str] = set()  # keys in those: arms that are the same call share it
        self._tries: Counter[str] = Counter()
        self._cover = Cover(plan.redactor, plan.calls)
        self._most = _MOST
        self._one_at_a_time = False
        self._may_order = True
        self._again = False
        self._foreign = 0  # calls that other processes make
        self._waiting_for: set[int] = set()  # batches that other processes look after
        self._told: set[int] = set()
        self._told_of_others = False

    @property
    def _is_closed(self) -> bool:
        """Return whether no more calls are ordered in this round."""
        return self._fetched.ending is not None or not self._may_order

    @property
    def out(self) -> tuple[Batch, ...]:
        """Return the batches that are out."""
        return tuple(out.batch for out in self._out.values())

    async def fetch(self) -> None:
        """Go round after round until nothing is missing that could still come, or until stopped."""
        try:
            while True:
                self._again, self._foreign, self._may_order = False, 0, True
                self._waiting_for.clear()
                await self._round()
                await self._wait_for_all()
                if (self._foreign or self._waiting_for) and self._fetched.ending is None:
                    await self._desk.sleep(self._desk.poll_s)
                elif not self._again or self._fetched.ending is not None:
                    return
        except StoppedError:
            return
        finally:
            for order in self._orders.values():
                order.close()

    def pass_on(self, stop: StopSignal) -> None:
        """Stop the run for the reason for which not all calls were made."""
        if self._fetched.ending is not None:
            stop.stop(*self._fetched.ending)

    # -- ordering --------------------------------------------------------------------------------------------------

    async def _round(self) -> None:
        async for chunk in chunked(self._plan.calls()):
            if self._desk.stop.is_set:
                raise StoppedError
            await self._look_through(chunk)
        for place in list(self._orders):
            await self._send(place)
        if self._foreign and not self._told_of_others:
            self._told_of_others = True
            self._desk.tell(WaitingForOthers(keys=self._foreign))

    async def _look_through(self, chunk: Sequence[PlannedCall]) -> None:
        known = await self._desk.ledger.known([call.key for call in chunk])
        settled = known | self._fetched.errors.keys() | self._ordered
        missing = {call.key: call for call in chunk if call.key not in settled}
        out = await self._go_on_with_batches(missing)
        free = [call for key, call in missing.items() if key not in out]
        if not free or self._is_closed:
            self._again = self._again or bool(free)
            return
        granted = await self._desk.ledger.claim([call.key for call in free])
        self._foreign += sum(call.key not in granted for call in free)
        mine = [call for call in free if call.key in granted]
        for place, call in enumerate(mine):
            if self._is_closed:
                self._again = True
                await self._desk.ledger.release([call.key for call in mine[place:]])
                return
            await self._order(call)

    async def _go_on_with_batches(self, missing: Mapping[str, PlannedCall]) -> frozenset[str]:
        """Go on with the batches that hold some of these calls; return the calls that are in one."""
        held = await self._desk.batches.find(list(missing))
        for key, number in held.items():
            if number not in self._out and number not in self._waiting_for:
                await self._adopt(number, self._batcher(missing[key]))
        return frozenset(key for key, number in held.items() if number in self._out or number in self._waiting_for)

    async def _adopt(self, number: int, batcher: Batcher) -> None:
        """Go on with a batch that an earlier process sent; one that never arrived is given up, its calls are free."""
        desk = self._desk
        batch = await desk.batches.load(number)
        if not await desk.batches.look_after(number, desk.ledger.owner):
            self._waiting_for.add(number)
            if number not in self._told:
                self._told.add(number)
                desk.tell(WaitingForBatch(batch=batch, calls=len(await desk.batches.keys(number))))
            return
        if batch.batch_id is None:
            try:
                state = await find_created(desk, batcher, batch)
            except BatchCallError as failed:
                self._waiting_for.add(number)  # its calls are nobody's to make
                self._end(failed.error)
                return
            if state is None:
                await desk.batches.end(batch, status=NEVER_SENT, note="the provider knows nothing of it")
                return
            batch = await desk.batches.update(batch, batch_id=state.batch_id, **known_of(batch, state))
        if batch.run_id == desk.run_id:
            self._budget.commit(len(await desk.batches.keys(number)))
        self._out[number] = _Out(batch=batch, batcher=batcher)
        desk.tell(BatchNews(what="found", batch=batch))

    async def _order(self, call: PlannedCall) -> None:
        """Put a claimed call into an order, if the budget allows."""
        batcher = self._batcher(call)
        request = self._plan.request(call)
        try:
            line = batcher.line(request, call.key)
        except (TypeError, ValueError) as error:
            await self._desk.ledger.release([call.key])
            message = f"the request could not be sent: {type(error).__name__}: {error}"
            self._fetched.errors[call.key] = CallError(kind="bad_request", message=message)
            return
        if not await self._budget.admit():
            await self._desk.ledger.release([call.key])
            self._fetched.end("budget", "the budget is used up")
            return
        place = (id(self._targets[call.arm_index]), request.model)
        order = self._orders.get(place)
        if order is not None and not order.has_room(line):
            await self._send(place)
            order = None
            if not self._may_order:
                self._again = True
                self._budget.give_back(1)
                await self._desk.ledger.release([call.key])
                return
        if order is None:
            identity = self._targets[call.arm_index].identity
            order = self._orders[place] = Order(batcher, request.model, identity, self._most)
        order.add(call.key, line)
        self._ordered.add(call.key)

    async def _send(self, place: tuple[int, str | None]) -> None:
        order = self._orders.pop(place)
        try:
            batch = await hand_over(self._desk, order)
            self._out[batch.number] = _Out(batch=batch, batcher=order.batcher)
        except BatchCallError as failed:
            self._budget.give_back(len(order.keys))
            self._end(failed.error)
        finally:
            order.close()
            self._ordered.difference_update(order.keys)
        self._may_order = not self._one_at_a_time

    def _batcher(self, call: PlannedCall) -> Batcher:
        return self._batchers[id(self._targets[call.arm_index])]

    def _end(self, error: CallError) -> None:
        """Order no more, for the provider does not take it."""
        self._fetched.end("failing" if error.retryable else "refused", error.message)

    # -- waiting ---------------------------------------------------------------------------------------------------

    async def _wait_for_all(self) -> None:
        """Look at the batches that are out, ever more calmly while nothing changes, until all are over."""
        wait_s = self._desk.poll_s
        while self._out:
            changed = [await self._look(number) for number in list(self._out)]
            if self._out:
                wait_s = self._desk.poll_s if any(changed) else min(wait_s * _SLOWER, self._slowest_s)
                await self._desk.sleep(wait_s)

    @property
    def _slowest_s(self) -> float:
        return self._desk.poll_s * _SLOWEST

    async def _look(self, number: int) -> bool:
        """Ask how a batch is doing, and finish with it where it is over; return whether anything has changed."""
        out = self._out[number]
        try:
            changed = await self._look_at(out)
        except BatchCallError as failed:
            return self._miss(out, failed.error)
        out.misses = 0
        return changed

    async def _look_at(self, out: _Out) -> bool:
        state = await self._desk.ask(lambda: out.batcher.state(out.batch.name))
        known = known_of(out.batch, state)
        changed = any(getattr(out.batch, name) != value for name, value in known.items())
        if changed:
            out.batch = await self._desk.batches.update(out.batch, **known)
            self._desk.tell(BatchNews(what="state", batch=out.batch))
        if state.is_over:
            await self._finish(out, state)
        else:
            refuse_overdue(self._desk, out.batch)
        return changed

    def _miss(self, out: _Out, error: CallError) -> bool:
        """Take it that nothing is known of a batch now; return whether it is given up for this run."""
        out.misses += 1
        if error.retryable:
            if out.misses < _MOST_MISSES:
                return False
            self._give_up(out, "failing", error.message)
        else:
            lost = f"where the provider knows it no more: retest batch forget {out.batch.name}"
            self._give_up(out, "refused", f"{error.message} ({lost})")
        return True

    def _give_up(self, out: _Out, reason: StopReason, message: str) -> None:
        """Wait no longer for a batch in this run; it stays noted."""
        del self._out[out.batch.number]
        self._fetched.end(reason, f"batch {out.batch.name}: {message}")

    async def _finish(self, out: _Out, state: BatchState) -> None:
        """Take what a batch came to."""
        batch = out.batch
        if state.status == "failed":
            await self._refuse(batch, state)
            return
        is_ours, taken = batch.run_id == self._desk.run_id, Taken()
        try:
            await take_results(self._desk, out.batcher, batch, state, self._cover, taken)
        finally:
            if is_ours:
                self._settle(taken.answers)
        del self._out[batch.number]
        self._most = min(2 * self._most, _MOST)  # what was refused while a queue was full may find room now
        if is_ours:
            self._settle_errors(taken.errors)
        self._sort_errors(taken.errors)
        self._desk.tell(BatchNews(what="taken", batch=batch, errors=len(taken.errors)))
        if state.status == "cancelled":
            self._fetched.end("batch", f"batch {batch.name} was cancelled; what it had answered is taken")

    async def _refuse(self, batch: Batch, state: BatchState) -> None:
        """Note that a batch was refused as a whole; one that finds the queue full is tried again in smaller parts."""
        faults = "; ".join(str(fault) for fault in state.faults[:_SHOWN_FAULTS]) or "the provider does not say why"
        await self._desk.batches.end(batch, note=faults)
        del self._out[batch.number]
        if batch.run_id == self._desk.run_id:
            self._budget.give_back(batch.requests)
        self._desk.tell(BatchNews(what="refused", batch=replace(batch, note=faults)))
        is_full = any(fault.code == _QUEUE_FULL for fault in state.faults)
        if not is_full or (batch.requests == 1 and not self._out):
            self._fetched.end("refused", f"batch {batch.name} was refused: {faults}")
            return
        if not self._out:
            self._most = max(1, batch.requests // 2)
        self._one_at_a_time = self._again = True
        await self._desk.sleep(self._desk.poll_s)

    def _settle(self, answers: Mapping[str, float | None]) -> None:
        self._fetched.paid.update(answers)
        for cost_usd in answers.values():
            self._budget.settle(cost_usd)

    def _settle_errors(self, errors: Mapping[str, CallError]) -> None:
        for error in errors.values():
            if error.status is None:  # it was never made
                self._budget.give_back(1)
            else:
                self._budget.settle(None)

    def _sort_errors(self, errors: Mapping[str, CallError]) -> None:
        """Keep the errors that stand; calls that may come to something else are made again."""
        for key, error in errors.items():
            self._tries[key] += 1
            if error.fatal:
                self._fetched.end("refused", error.message)
            if error.fatal or not error.retryable or self._tries[key] >= self._attempts:
                self._fetched.errors[key] = replace(error, attempts=self._tries[key])
            else:
                self._again = True
