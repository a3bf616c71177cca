"""The plan of a run, as it is shown before any spending."""

from __future__ import annotations

from retest.errors import Problem, UsageError
from retest.runner.events import PlanReady
from retest.runner.plan import RunPlan
from retest.workflows.estimate import PlanEstimate
from retest.workflows.judge_estimate import JudgingEstimate


def plan_ready(
    run_id: str, plan: RunPlan, estimate: PlanEstimate, judging: JudgingEstimate, *, resumed: bool, by_batch: bool
) -> PlanReady:
    """Return what is known of a run before its first call."""
    return PlanReady(
        run_id=run_id,
        suite=plan.suite.name,
        cases=estimate.cases,
        samples=plan.samples,
        arms=tuple(arm.name for arm in plan.arms),
        planned=estimate.planned,
        in_ledger=estimate.in_ledger,
        estimated_tokens=estimate.tokens,
        estimated_cost_usd=estimate.cost_usd,
        resumed=resumed,
        draw=plan.draw,
        judge_calls=judging.calls,
        judge_tokens=judging.tokens,
        judge_cost_usd=judging.cost_usd,
        by_batch=by_batch,
        in_batches=estimate.in_batches.total(),
    )


def refuse_unpriced(limit_usd: float | None, unpriced: list[str]) -> None:
    """Refuse a limit in dollars where nobody knows what calls cost.

    Raises:
        UsageError: that is so.
    """
    if limit_usd is not None and unpriced:
        raise UsageError(
            Problem(
                slug="budget-without-price",
                message=f"a cost limit is set, but the price of {', '.join(unpriced)} is unknown",
                fix="add the model to a price file (setting 'prices'), or limit the calls with --max-calls",
            )
        )
