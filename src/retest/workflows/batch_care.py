"""Looks after batches from outside the runs that sent them: how they are, their answers, their end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Literal

from retest.domain.batch import FORGOTTEN, NEVER_SENT, Batch
from retest.domain.json_value import canonical_json
from retest.domain.suite import Suite
from retest.errors import IncompleteError, InterruptedWorkError, Problem, UsageError
from retest.runner.events import Listener
from retest.runner.plan import PlannedCall, RunPlan
from retest.runner.redact import Redactor
from retest.runner.stopping import StopSignal
from retest.store.database import Store
from retest.targets.base import Target
from retest.targets.batching import BatchCallError, Batcher, BatchState, open_batcher
from retest.targets.credentials import Scrubber, environment_secrets
from retest.targets.registry import TargetContext, open_target, providers
from retest.workflows.batch import open_desk
from retest.workflows.batch_orders import Desk, StoppedError, find_created, known_of, look_up, refuse_overdue
from retest.workflows.batch_results import Cover, Taken, take_results
from retest.workflows.check import check_suites
from retest.workflows.untrusted import may_open
from retest.workflows.workspace import Workspace

Wish = Literal["status", "fetch", "cancel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cared:
    """A batch after somebody looked after it: whether its answers are taken now, and how many."""

    batch: Batch
    taken: bool = False
    answers: int = 0
    errors: int = 0


async def care_for(
    batch: Batch, wish: Wish, store: Store, workspace: Workspace, listener: Listener, overrides: Sequence[str] = ()
) -> Cared:
    """Ask how a batch is doing, take its answers if it is over, or have it ended first.

    Args:
        batch: that is out.
        wish: `status` changes nothing but what is known of it.
        store: with the batch, open for writing.
        workspace: with the suite that the batch belongs to.
        listener: is told.
        overrides: of the suite, as the run had them.

    Raises:
        UsageError: no target of the suite is the one that it was sent to, or a live process looks after it.
        IncompleteError: the provider does not answer, or does not know it.
        InterruptedWorkError: Ctrl-C; nothing is lost.
    """
    stop = StopSignal()
    async with AsyncExitStack() as stack:
        stack.enter_context(workspace.interrupts.telling(stop))
        suite, targets, batcher = await _speaker(stack, batch, workspace, overrides)
        ledger = store.ledger(batch.run_id, lease_s=float(workspace.settings["lease_s"]))
        desk = open_desk(batch.suite, batch.run_id, ledger, (store, workspace, listener, stop))
        await asyncio.to_thread(store.heartbeat, batch.run_id)  # whoever asks meanwhile sees that somebody is at it
        try:
            cover = _cover(batch, suite, targets, store, workspace)
            return await _Care(desk, batcher, batch).carry_out(wish, cover)
        except BatchCallError as failed:
            raise IncompleteError(
                Problem(
                    slug="batch-endpoint",
                    message=f"batch {batch.name} at {batch.place}: {failed.error.message}",
                    fix="where the provider does not know it any more: retest batch forget " + batch.name,
                )
            ) from failed
        except StoppedError:
            message = f"interrupted; batch {batch.name} is as it was, and nothing is lost"
            raise InterruptedWorkError(Problem(slug="run-interrupted", message=message)) from None


async def forget(batch: Batch, store: Store) -> Batch:
    """Give a batch up without asking its provider: its calls may be made, and paid for, again.

    Raises:
        UsageError: a live process looks after it.
    """
    if await store.batches.is_looked_after(batch.number):
        raise _in_use(batch)
    return await store.batches.end(batch, status=FORGOTTEN, note=f"given up by a person, when it was {batch.status}")


class _Care:
    """One batch, and who speaks about it."""

    def __init__(self, desk: Desk, batcher: Batcher, batch: Batch) -> None:
        self._desk = desk
        self._batcher = batcher
        self._batch = batch

    async def carry_out(self, wish: Wish, cover: Cover) -> Cared:
        is_others = await self._desk.batches.is_looked_after(self._batch.number)
        if wish == "fetch" and is_others:
            raise _in_use(self._batch)
        is_mine = wish != "status" and await self._look_after()
        state = await self._find(is_mine=is_mine) if self._batch.batch_id is None else await self._look()
        if state is None:
            return await self._unknown(is_mine=is_mine)
        if wish == "cancel" and not state.is_over:
            state = await self._end()
            is_mine = await self._look_after()
        if not state.is_over or not is_mine:
            return Cared(batch=self._batch)
        if state.status == "failed":
            note = "; ".join(str(fault) for fault in state.faults)
            return Cared(batch=await self._desk.batches.end(self._batch, note=note), taken=True)
        taken = Taken()
        await take_results(self._desk, self._batcher, self._batch, state, cover, taken)
        batch = await self._desk.batches.load(self._batch.number)
        return Cared(batch=batch, taken=True, answers=len(taken.answers), errors=len(taken.errors))

    async def _look_after(self) -> bool:
        return await self._desk.batches.look_after(self._batch.number, self._desk.ledger.owner)

    async def _unknown(self, *, is_mine: bool) -> Cared:
        """Give up a batch that its provider does not know: nothing of it was ever sent."""
        if is_mine:
            note = "the provider knows nothing of it"
            return Cared(batch=await self._desk.batches.end(self._batch, status=NEVER_SENT, note=note), taken=True)
        return Cared(batch=self._batch)

    async def _find(self, *, is_mine: bool) -> BatchState | None:
        """Return a batch that an interrupted process may have created; None where it did not, or not that it shows."""
        find = find_created if is_mine else look_up
        state = await find(self._desk, self._batcher, self._batch)
        return None if state is None else await self._know(state)

    async def _look(self) -> BatchState:
        return await self._know(await self._desk.ask(lambda: self._batcher.state(self._batch.name)))

    async def _end(self) -> BatchState:
        """Have it ended, and wait until it is."""
        state = await self._know(await self._desk.ask(lambda: self._batcher.cancel(self._batch.name)))
        while not state.is_over:
            refuse_overdue(self._desk, self._batch)
            await self._desk.sleep(self._desk.poll_s)
            state = await self._look()
        return state

    async def _know(self, state: BatchState) -> BatchState:
        known = known_of(self._batch, state)
        self._batch = await self._desk.batches.update(self._batch, batch_id=state.batch_id, **known)
        return state


async def _speaker(
    stack: AsyncExitStack, batch: Batch, workspace: Workspace, overrides: Sequence[str]
) -> tuple[Suite, list[Target], Batcher]:
    """Return the suite of a batch, its targets, and what speaks about batches of the one that this was sent to."""
    checked = await asyncio.to_thread(check_suites, [batch.suite], workspace, overrides)
    suite = next((suite for suite in checked.suites if suite.name == batch.suite), None)
    if suite is None:
        raise _no_target(batch, "there is no such suite now, or it has mistakes (`retest check`)")
    context = TargetContext(env=workspace.env, prices=workspace.prices())
    targets: list[Target] = []
    for arm in suite.arms:
        may_open(workspace.untrusted, arm.target, runs_code=providers()[arm.target.provider].info.runs_code)
        target = await asyncio.to_thread(open_target, arm.target, context)
        stack.push_async_callback(target.aclose)
        targets.append(target)
    wanted = canonical_json(batch.identity)
    found = next((target for target in targets if canonical_json(target.identity) == wanted), None)
    batcher = None if found is None else open_batcher(found)
    if batcher is None:
        raise _no_target(batch, f"none of its targets is the one at {batch.place} any more")
    stack.push_async_callback(batcher.aclose)
    return suite, targets, batcher


def _no_target(batch: Batch, why: str) -> UsageError:
    return UsageError(
        Problem(
            slug="batch-no-target",
            message=f"batch {batch.name} was sent for suite {batch.suite}: {why}",
            fix="go back to the suite as it was then, with the same --set; or give it up: retest batch forget",
        )
    )


def _in_use(batch: Batch) -> UsageError:
    return UsageError(
        Problem(
            slug="batch-in-use",
            message=f"a live process looks after batch {batch.name}, and takes its answers",
            fix="wait for it, or end it: Ctrl-C there is harmless",
        )
    )


def _cover(batch: Batch, suite: Suite, targets: Sequence[Target], store: Store, workspace: Workspace) -> Cover:
    """Return what covers the answers of a batch as its run would; that knows the cases of the run's calls."""

    def calls() -> Iterator[PlannedCall]:
        run = store.get_run(batch.run_id)
        identities = [target.identity for target in targets]
        return RunPlan(suite=suite, identities=identities, samples=run.samples_per_case, draw=run.draw).calls()

    return Cover(Redactor(suite.redact, Scrubber(environment_secrets(workspace.env))), calls)
