"""Budgets that workers draw on, and what a lost one leaves of them."""

from __future__ import annotations

import asyncio

from retest.distributed.budgets import SharedBudgets
from retest.distributed.wire import RUN_BUDGET
from retest.runner.stopping import Budget, Limits


async def admitted(budgets: SharedBudgets, worker: str, calls: int) -> int:
    """Return how many of a worker's calls were let in."""
    return sum([await budgets.admit(worker, RUN_BUDGET) for _ in range(calls)])


def test_what_a_lost_worker_had_in_flight_counts_at_the_mean_cost() -> None:
    """The estimate that was set aside for it is free again, and others go on."""
    budget = Budget(Limits(max_cost_usd=1.0, estimated_call_usd=0.2))
    budgets = SharedBudgets(budget, {})

    async def scenario() -> tuple[int, ...]:
        before = await admitted(budgets, "worker 1", 4), await admitted(budgets, "worker 2", 2)
        budgets.settle("worker 1", RUN_BUDGET, 0.02)
        budgets.lose("worker 1")
        return *before, budget.in_flight, await admitted(budgets, "worker 2", 9)

    # Four calls at 0.02 and the other worker's one; without the settlement three more would be kept free for ever.
    assert asyncio.run(scenario()) == (4, 1, 1, 3)
    assert round(budget.spent_usd, 6) == 0.08


def test_a_worker_is_settled_once() -> None:
    """What it had settled itself does not count again, nor does a second loss."""
    budget = Budget(Limits(max_calls=10))
    budgets = SharedBudgets(budget, {})

    async def scenario() -> None:
        await admitted(budgets, "worker 1", 3)
        budgets.settle("worker 1", RUN_BUDGET, None)
        budgets.lose("worker 1")
        budgets.lose("worker 1")

    asyncio.run(scenario())
    assert (budget.started, budget.settled) == (3, 3)
