"""Opens the judges that metrics ask, and gives each the ledger, the budget and the reason to stop of its run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from retest.domain.judge import JudgeSpec
from retest.domain.sample import Usage
from retest.domain.suite import MetricSpec
from retest.runner.callers import judge_callers
from retest.runner.events import Listener, ignore_events
from retest.runner.judging import JudgeCaller, JudgingContext, JudgingOptions
from retest.runner.pacing import RetryPolicy
from retest.runner.stopping import Admission, Budget, Limits, StopSignal
from retest.store.base import Ledger
from retest.targets.base import Target
from retest.targets.prices import PriceTable
from retest.targets.registry import TargetContext, open_target, providers
from retest.workflows.untrusted import may_open
from retest.workflows.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenJudges:
    """Judges whose endpoints are open, by name; nothing is called yet."""

    specs: tuple[JudgeSpec, ...] = ()
    targets: Mapping[str, Target] | None = None

    def callers(self, context: JudgingContext) -> dict[str, JudgeCaller]:
        """Return who asks them, in one run."""
        return judge_callers(self.specs, self.targets or {}, context)


def asked_judges(metrics: Iterable[MetricSpec]) -> tuple[JudgeSpec, ...]:
    """Return the judges that some metric asks, each once."""
    judgings = [metric.judging for metric in metrics if metric.judging is not None]
    return tuple({judge.name: judge for judging in judgings for judge in judging.judges}.values())


async def open_judges(specs: Sequence[JudgeSpec], workspace: Workspace, stack: AsyncExitStack) -> OpenJudges:
    """Open the judges' endpoints.

    Args:
        specs: the judges.
        workspace: environment, prices and settings.
        stack: closes what was opened.

    Raises:
        UsageError: a missing key or an unreadable file, found before any call.
    """
    prices = workspace.prices()
    targets: dict[str, Target] = {}
    for spec in specs:
        concurrency = spec.limits.concurrency or int(workspace.settings["concurrency"])
        context = TargetContext(env=workspace.env, prices=prices, concurrency=concurrency)
        may_open(workspace.untrusted, spec.target, runs_code=providers()[spec.target.provider].info.runs_code)
        if workspace.untrusted is not None:
            workspace.untrusted.vet_stored(spec.target)
        target = await asyncio.to_thread(open_target, spec.target, context)
        stack.push_async_callback(target.aclose)
        targets[spec.name] = target
    return OpenJudges(specs=tuple(specs), targets=targets)


def judging_context(
    ledger: Ledger,
    options: JudgingOptions,
    *,
    budget: Admission | None = None,
    stop: StopSignal | None = None,
    listener: Listener = ignore_events,
) -> JudgingContext:
    """Return what the judges of one run share; without a budget there is no limit but their own."""
    return JudgingContext(
        ledger=ledger,
        options=options,
        budget=budget or Budget(Limits()),
        stop=stop or StopSignal(),
        listener=listener,
    )


def judging_options(workspace: Workspace, run_id: str, *, draw: int = 0, offline: bool = False) -> JudgingOptions:
    """Return how judges are asked in a run, as the settings say."""
    settings = workspace.settings
    return JudgingOptions(
        run_id=run_id,
        draw=draw,
        offline=offline,
        concurrency=int(settings["concurrency"]),
        retry=RetryPolicy(attempts=int(settings["attempts"]), patience_s=float(settings["patience_s"])),
    )


def unpriced_judges(specs: Iterable[JudgeSpec], prices: PriceTable) -> list[str]:
    """Return the judges whose calls cost money, nobody knows how much."""
    return [
        f"judge '{spec.name}'"
        for spec in specs
        if providers()[spec.target.provider].info.paid
        and spec.target.options.get("price") is None
        and spec.target.options.get("api") != "moderations"  # which is free of charge
        and prices.cost(Usage(input_tokens=1, output_tokens=1), spec.target.model) is None
    ]
