"""Executes a run's plan in one go, or in waves until decided, and says what an early decision saved."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from retest.domain.run import Run
from retest.domain.sequential import SequentialDecision
from retest.errors import IncompleteError, StoreError
from retest.runner.execute import Execution
from retest.runner.plan import RunPlan
from retest.runner.waves import Watcher, Wave, take_waves
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


async def execute_plan(
    execution: Execution, store: Store, runs: tuple[Run, Run | None], plan: RunPlan, watch: RunWatch | None
) -> int:
    """Execute the plan and return how many waves were begun, 0 without a watch.

    A store that fails midway leaves an incomplete run, not a mistake in how it was called.

    Args:
        execution: of the plan.
        store: holds the run.
        runs: the run, and as it was found where it was unfinished.
        plan: to the end, or until the watch has seen enough.
        watch: divides the plan into waves; None for one go.

    Raises:
        IncompleteError: the store failed.
    """
    run, unfinished = runs
    try:
        if watch is not None:
            return await take_waves(execution, plan, watch)
        await execution.run()
    except BaseException as error:
        # Whatever happened, what is stored stays, and the same command resumes it.
        with suppress(Exception):
            counts = total_counts(store, unfinished, execution.counts())
            store.update_run(run.run_id, status="incomplete", counts=counts)
        if isinstance(error, StoreError):
            raise IncompleteError(*error.problems) from error
        raise
    return 0


async def decided(watch: RunWatch, taken: int, plan: RunPlan, ledger: Ledger) -> SequentialDecision:
    """Return what the looks came to, with the calls that nobody has to pay for now."""
    decision = await asyncio.to_thread(watch.decision, taken)
    if not decision.stopped_early:
        return decision
    return replace(decision, calls_saved=await _unpaid(watch.waves[taken:], plan, ledger))


async def _unpaid(waves: Sequence[Wave], plan: RunPlan, ledger: Ledger) -> int:
    """Return how many calls of the waves the ledger has no answer to."""
    keys = (call.key for wave in waves for call in wave.calls(plan))
    unpaid = 0
    while chunk := list(islice(keys, _CHUNK)):
        unpaid += len(chunk) - len(await ledger.known(chunk))
    return unpaid
