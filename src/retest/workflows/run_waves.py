"""Executes a run's plan in one go, or in waves until decided, and says what an early decision saved."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from retest.domain.run import Run
from retest.domain.sequential import RECHECK_SAMPLES, SequentialDecision
from retest.errors import IncompleteError, StoreError
from retest.runner.plan import RunPlan
from retest.runner.stopping import StopSignal
from retest.runner.waves import Executes, Watcher, Wave, take_waves
from retest.store.base import Ledger
from retest.workflows.run_counts import total_counts

if TYPE_CHECKING:
    from retest.store.database import Store  # loads SQLAlchemy

_CHUNK = 500


class RunWatch(Watcher, Protocol):
    """A watcher that keeps what the looks came to."""

    def decision(self, taken: int) -> SequentialDecision:
        """Return what the run keeps, after so many waves."""
        ...

    def suspects(self, decision: SequentialDecision, taken: int) -> Wave | None:
        """Return the wave that samples suspected cases again, None where there is none or nothing was saved."""
        ...

    def rechecked(self, decision: SequentialDecision, wave: Wave) -> SequentialDecision:
        """Return the decision with single cases judged by the suspects that were sampled again."""
        ...


class Stage(Protocol):
    """Fetches answers beforehand."""

    async def fetch(self) -> None:
        """Fetch what can be had."""
        ...

    def pass_on(self, stop: StopSignal) -> None:
        """Stop the run where not all could be had."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A plan on its way, who looks at it, and whether suspected cases are sampled again.

    A `stage` fetches answers before the execution.
    """

    plan: RunPlan
    watch: RunWatch | None
    ledger: Ledger
    recheck: bool = False
    stage: Stage | None = None


def executed_plan(plan: RunPlan, *, recheck: bool) -> RunPlan:
    """Return the plan as it is executed: with room for the samples that a suspected case gets beyond its own."""
    return replace(plan, samples=plan.samples + RECHECK_SAMPLES) if recheck else plan


async def execute_plan(
    execution: Executes, store: Store, runs: tuple[Run, Run | None], watched: Watched
) -> SequentialDecision | None:
    """Execute the plan and return what the looks at it came to, None without a watch.

    A store that fails midway leaves an incomplete run, not a mistake in how it was called.

    Args:
        execution: of the plan.
        store: holds the run.
        runs: the run, and as it was found where it was unfinished.
        watched: executed to the end, or until the watch has seen enough.

    Raises:
        IncompleteError: the store failed.
    """
    run, unfinished = runs
    try:
        if watched.watch is not None:
            return await _in_waves(execution, watched, watched.watch)
        if watched.stage is not None:
            await watched.stage.fetch()
        await execution.run()
        if watched.stage is not None:
            watched.stage.pass_on(execution.stop)
    except BaseException as error:
        # Whatever happened, what is stored stays, and the same command resumes it.
        with suppress(Exception):
            counts = total_counts(store, unfinished, execution.counts())
            store.update_run(run.run_id, status="incomplete", counts=counts)
        if isinstance(error, StoreError):
            raise IncompleteError(*error.problems) from error
        raise
    return None


async def _in_waves(execution: Executes, watched: Watched, watch: RunWatch) -> SequentialDecision:
    """Take wave after wave; then say which calls nobody has to pay for now, or spend some of them on suspects."""
    plan = watched.plan
    taken = await take_waves(execution, plan, watch)
    decision = await asyncio.to_thread(watch.decision, taken)
    if not decision.stopped_early:
        return decision
    decision = replace(decision, calls_saved=await _unpaid(watch.waves[taken:], plan, watched.ledger))
    wave = await asyncio.to_thread(watch.suspects, decision, taken) if watched.recheck else None
    if wave is None:
        return decision
    await execution.run(wave.calls(plan))
    if execution.stop.is_set:
        return decision
    decision = await asyncio.to_thread(watch.rechecked, decision, wave)
    beyond = sum(max(0, end - max(start, decision.samples_per_case)) for start, end in wave.samples.values())
    left = await _unpaid(watch.waves[taken:], plan, watched.ledger)
    return replace(decision, calls_saved=max(0, left - beyond * len(plan.arms)))


async def _unpaid(waves: Sequence[Wave], plan: RunPlan, ledger: Ledger) -> int:
    """Return how many calls of the waves the ledger has no answer to."""
    keys = (call.key for wave in waves for call in wave.calls(plan))
    unpaid = 0
    while chunk := list(islice(keys, _CHUNK)):
        unpaid += len(chunk) - len(await ledger.known(chunk))
    return unpaid
