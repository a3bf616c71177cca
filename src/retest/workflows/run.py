"""Runs one suite: plan, execute, score, store, sum up."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from retest.domain.batch import Batch
from retest.domain.json_value import JsonValue
from retest.domain.pairwise import PairwiseResult
from retest.domain.run import Run, RunStatus
from retest.domain.sequential import SequentialDecision, UntilDecided
from retest.domain.suite import Suite
from retest.domain.summary import RunSummary
from retest.errors import ExitCode
from retest.metrics.base import Metric
from retest.runner.events import Listener, PlanReady, ignore_events
from retest.runner.execute import Backends, ExecutionOptions
from retest.runner.fetched import Fetched
from retest.runner.pacing import RetryPolicy
from retest.runner.plan import CaseSelection, RunPlan
from retest.runner.redact import Redactor
from retest.runner.score import Scorer
from retest.runner.stopping import Budget, Limits, StopSignal
from retest.runner.waves import Executes
from retest.store.base import Ledger
from retest.targets.base import Target
from retest.targets.batching import Batcher
from retest.targets.credentials import Scrubber, environment_secrets
from retest.targets.prices import PriceTable
from retest.targets.registry import TargetContext, open_target, providers
from retest.workflows.batch import batch_stage, check_batch_wish, check_calls_in_batches, open_batchers
from retest.workflows.check import build_metrics
from retest.workflows.distributed import find_executor, watched_workspace
from retest.workflows.estimate import PlanBatches, PlanEstimate, estimate_plan
from retest.workflows.judge_estimate import estimate_judging
from retest.workflows.judges import (
    OpenJudges,
    asked_judges,
    judging_context,
    judging_options,
    open_judges,
    unpriced_judges,
)
from retest.workflows.pace_notes import PaceNotes
from retest.workflows.plan_ready import plan_ready, refuse_unpriced
from retest.workflows.run_counts import left_to_spend, spent_before, total_counts
from retest.workflows.run_header import config_hash, run_arm, run_files, run_metric
from retest.workflows.run_pairwise import judge_run_pairs
from retest.workflows.run_waves import RunWatch, Watched, execute_plan, executed_plan
from retest.workflows.scoring import process_options
from retest.workflows.untrusted import may_open
from retest.workflows.workspace import Workspace

if TYPE_CHECKING:
    from retest.store.database import Store  # loads SQLAlchemy


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What a person asks of one run; None leaves the suite's or the settings' value.

    `series` tells fresh draws apart by what they are for: one that was left unfinished is resumed for that alone.
    """

    samples: int | None = None
    selection: CaseSelection = field(default_factory=CaseSelection)
    fresh: bool = False
    series: str = ""
    offline: bool = False
    max_cost_usd: float | None = None
    max_calls: int | None = None
    metadata: Mapping[str, JsonValue] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    dry_run: bool = False
    until_decided: UntilDecided | None = None
    batch: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """A run with what it adds up to; `run` is None after a dry run. `command`, typed again, goes on where it ended.

    `batches` are those that go on at the provider.
    """

    suite: Suite
    plan: PlanReady
    exit_code: ExitCode
    run: Run | None = None
    summary: RunSummary | None = None
    stop_reason: str | None = None
    stop_message: str = ""
    command: str = ""
    batches: tuple[Batch, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedRun:
    """A run up to its first call: everything is open, nothing is paid for."""

    plan: RunPlan
    ready: PlanReady
    estimate: PlanEstimate
    targets: Sequence[Target]
    metrics: Mapping[str, Metric[Any]]
    judges: OpenJudges
    ledger: Ledger
    stack: AsyncExitStack  # closes what this run opens
    unfinished: Run | None = None
    spent_usd: float = 0.0  # by processes that worked on this run before
    batchers: Mapping[int, Batcher] = field(default_factory=dict)  # by the target's id; none where calls are direct


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What runs that take place at the same time have in common: its part of the concurrency, and one budget."""

    concurrency: int
    budget: Budget


class SuiteRun:
    """One suite on its way through the stages."""

    def __init__(self, suite: Suite, options: RunOptions, workspace: Workspace, listener: Listener) -> None:
        self._suite = suite
        self._options = options
        self._workspace = watched_workspace(workspace)
        self._tell = self._paces = PaceNotes(listener)
        self._samples = options.samples or suite.samples

    async def execute(self, store: Store, stop: StopSignal) -> RunOutcome:
        """Run the suite against an open store.

        Raises:
            RetestError: whatever is wrong before the first call, or a store that fails midway.
        """
        async with AsyncExitStack() as stack:
            prepared = await self.prepare(stack, store, stop)
            watch = await asyncio.to_thread(self._watch, prepared, store)
            return await self.carry_out(prepared, store, stop, watch=watch)

    async def prepare(self, stack: AsyncExitStack, store: Store, stop: StopSignal) -> PreparedRun:
        """Open all that the run needs and look the plan through; nothing is stored and nothing is called.

        Args:
            stack: closes what was opened.
            store: open for writing.
            stop: ends the look through the plan.

        Raises:
            RetestError: whatever is wrong before the first call.
        """
        check_batch_wish(self._options)
        prices = self._workspace.prices()
        targets = await self._open_targets(stack, prices)
        batchers = open_batchers(self._suite.arms, targets, stack) if self._options.batch else {}
        metrics = build_metrics(self._suite)
        stack.callback(_close_all, metrics)
        judges = await open_judges(asked_judges(self._suite.metrics), self._workspace, stack)
        unfinished = self._unfinished(store)
        plan = self._plan(targets, self._draw(store, unfinished))
        lease_s = float(self._workspace.settings["lease_s"])
        run_id = unfinished.run_id if unfinished else self._workspace.new_run_id()
        ledger = store.ledger(run_id, lease_s=lease_s)
        find = store.batches.find if self._options.batch else store.batches.find_answering
        batches = PlanBatches(find=find, by_batch=self._options.batch)
        estimate = await estimate_plan(plan, ledger, prices, self._paid(), stop=stop, batches=batches)
        judging = estimate_judging(metrics, estimate, prices)
        estimate.call_usd = max(estimate.call_usd, judging.call_usd)
        refuse_unpriced(self._max_cost_usd, estimate.unpriced_arms + unpriced_judges(judges.specs, prices))
        resumed = unfinished is not None
        ready = plan_ready(run_id, plan, estimate, judging, resumed=resumed, by_batch=self._options.batch)
        self._tell(ready)
        return PreparedRun(
            plan=plan,
            ready=ready,
            estimate=estimate,
            targets=targets,
            metrics=metrics,
            judges=judges,
            ledger=ledger,
            stack=stack,
            unfinished=unfinished,
            batchers=batchers,
            spent_usd=0.0 if self._max_cost_usd is None else spent_before(store, unfinished),
        )

    async def carry_out(
        self,
        prepared: PreparedRun,
        store: Store,
        stop: StopSignal,
        share: Share | None = None,
        watch: RunWatch | None = None,
    ) -> RunOutcome:
        """Make the calls, score and store the answers, sum them up; after a dry run there is nothing to do.

        A `watch` says when enough calls were made.

        Raises:
            StoreError: the store fails midway.
        """
        ready, plan, metrics = prepared.ready, prepared.plan, prepared.metrics
        if self._options.dry_run:
            return RunOutcome(suite=self._suite, plan=ready, exit_code=ExitCode.PASSED)
        if not (self._options.batch or self._options.offline):
            await check_calls_in_batches(prepared.estimate.in_batches, store, self._tell)
        run = prepared.unfinished or self._header(ready.run_id, plan, metrics, planned=ready.planned)
        options = self._execution_options(prepared, share)
        execute = await find_executor(prepared, self._workspace, options, offline=self._options.offline)
        stage = batch_stage(prepared, (store, self._workspace, self._tell, stop), options)
        callers = prepared.judges.callers(
            judging_context(
                prepared.ledger,
                judging_options(self._workspace, ready.run_id, draw=plan.draw, offline=self._options.offline),
                budget=options.budget,
                stop=stop,
                listener=self._tell,
            )
        )
        backends = Backends(
            targets=prepared.targets,
            ledger=prepared.ledger,
            writer=store.start_run(run, owner=ready.run_id),
            scorer=Scorer(metrics, callers, process_options(self._workspace.settings, ready.planned, self._tell)),
            judges=callers,
        )
        recheck = self._options.until_decided is not None and self._options.until_decided.recheck
        plan = executed_plan(plan, recheck=recheck)
        execution = execute(plan, backends, options, self._tell, stop)
        watched = Watched(plan=plan, watch=watch, ledger=prepared.ledger, recheck=recheck, stage=stage)
        with closing(backends.scorer):
            decision = await execute_plan(execution, store, (run, prepared.unfinished), watched)
        pairwise = await judge_run_pairs(store, run, metrics, callers, stop, grace_s=options.grace_s)
        outcome = await asyncio.to_thread(self._close, store, run, prepared, execution, (pairwise, decision))
        return outcome if stage is None else replace(outcome, batches=stage.out)

    # -- before ----------------------------------------------------------------------------------------------------

    async def _open_targets(self, stack: AsyncExitStack, prices: PriceTable) -> list[Target]:
        """Open each distinct target once; arms that share one share its connections."""
        context = TargetContext(
            env=self._workspace.env, prices=prices, concurrency=int(self._workspace.settings["concurrency"])
        )
        opened: dict[int, Target] = {}
        targets: list[Target] = []
        for arm in self._suite.arms:
            if id(arm.target) not in opened:
                runs_code = providers()[arm.target.provider].info.runs_code
                may_open(self._workspace.untrusted, arm.target, runs_code=runs_code)
                target = await asyncio.to_thread(open_target, arm.target, context)
                stack.push_async_callback(target.aclose)
                opened[id(arm.target)] = target
            targets.append(opened[id(arm.target)])
        return targets

    def _watch(self, prepared: PreparedRun, store: Store) -> RunWatch | None:
        """Return who looks at the run while it is sampled until decided."""
        wish = self._options.until_decided
        if wish is None or self._options.dry_run:
            return None
        from retest.workflows.watch_run import watch_run  # NumPy and SciPy load here, before the first call

        return watch_run(self._suite, prepared, store, self._workspace, self._options)

    def _config_hash(self) -> str:
        return config_hash(self._suite, self._samples, self._options, self._workspace.origin)

    def _unfinished(self, store: Store) -> Run | None:
        """Return the run that the same command left unfinished, unless a live process is at it."""
        return None if self._options.dry_run else store.find_unfinished(self._config_hash())

    def _draw(self, store: Store, unfinished: Run | None) -> int:
        if unfinished is not None:
            return unfinished.draw
        return store.allocate_draw(self._suite.name) if self._options.fresh else 0

    def _plan(self, targets: Sequence[Target], draw: int) -> RunPlan:
        return RunPlan(
            suite=self._suite,
            identities=[target.identity for target in targets],
            samples=self._samples,
            draw=draw,
            selection=self._options.selection,
            redactor=Redactor(self._suite.redact, Scrubber(environment_secrets(self._workspace.env))),
        )

    def _paid(self) -> list[bool]:
        known = providers()
        return [known[arm.target.provider].info.paid for arm in self._suite.arms]

    @property
    def _max_cost_usd(self) -> float | None:
        given = self._options.max_cost_usd
        setting: float | None = self._workspace.settings["max_cost_usd"]
        return setting if given is None else given

    def _header(self, run_id: str, plan: RunPlan, metrics: Mapping[str, Metric[Any]], *, planned: int) -> Run:
        suite = self._suite
        return Run(
            run_id=run_id,
            suite=suite.name,
            suite_path=suite.path,
            suite_source=suite.source,
            fingerprint=suite.fingerprint,
            config_hash=self._config_hash(),
            status="running",
            draw=plan.draw,
            samples_per_case=self._samples,
            planned=planned,
            started_at=self._workspace.clock(),
            arms=tuple(run_arm(arm, identity) for arm, identity in zip(suite.arms, plan.identities, strict=True)),
            metrics=tuple(run_metric(spec, metrics[spec.name], suite) for spec in suite.metrics),
            dataset_fingerprint=suite.cases.fingerprint,
            files=run_files(suite),
            provenance=self._workspace.provenance(),
            tags=self._options.tags,
            metadata={**suite.metadata, **self._options.metadata},
        )

    def _execution_options(self, prepared: PreparedRun, share: Share | None) -> ExecutionOptions:
        settings = self._workspace.settings
        limits = Limits(
            max_calls=self._options.max_calls,
            max_cost_usd=left_to_spend(self._max_cost_usd, prepared.spent_usd),
            estimated_call_usd=prepared.estimate.call_usd,
        )
        offline = {i for i, arm in enumerate(self._suite.arms) if arm.target.provider != "replay"}
        return ExecutionOptions(
            concurrency=share.concurrency if share else int(settings["concurrency"]),
            budget=share.budget if share else Budget(limits),  # targets and judges draw on the same
            retry=RetryPolicy(attempts=int(settings["attempts"]), patience_s=float(settings["patience_s"])),
            offline_arms=frozenset(offline) if self._options.offline else frozenset(),
            fetched=Fetched() if prepared.batchers else None,
            grace_s=float(settings["grace_s"]),
        )

    # -- after -----------------------------------------------------------------------------------------------------

    def _close(
        self,
        store: Store,
        run: Run,
        prepared: PreparedRun,
        execution: Executes,
        judged: tuple[Sequence[PairwiseResult], SequentialDecision | None],
    ) -> RunOutcome:
        # NumPy and SciPy load here: not before the first call, nor during the calls, whose latency is measured.
        from retest.workflows.finish import close_run
        from retest.workflows.inspect import load_table

        stop = execution.stop
        stopped: RunStatus = "interrupted" if stop.reason == "interrupt" else "incomplete"
        status: RunStatus = stopped if stop.is_set else "complete"
        counts = total_counts(store, prepared.unfinished, execution.counts())
        finished_at = max(self._workspace.clock(), run.started_at)  # a clock may have been set back meanwhile
        run = replace(run, status=status, counts=counts, finished_at=finished_at)
        # Stopped again before it had gone through what was there: the store has more than this process saw.
        is_partial = prepared.unfinished is not None and stop.is_set
        table = self._paces.remark_on(load_table(store, run) if is_partial else execution.table)
        closed = close_run(store, run, self._suite.gate, table, *judged)
        return RunOutcome(
            suite=self._suite,
            plan=prepared.ready,
            exit_code=closed.exit_code,
            run=closed.run,
            summary=closed.summary,
            stop_reason=stop.reason,
            stop_message=stop.message,
            command=self._workspace.command,
        )


async def run_suite(
    suite: Suite,
    options: RunOptions,
    workspace: Workspace,
    *,
    listener: Listener = ignore_events,
    stop: StopSignal | None = None,
) -> RunOutcome:
    """Run one checked suite and return what it adds up to.

    Raises:
        RetestError: whatever is wrong before the first call, or a store that fails midway.
    """
    store = await asyncio.to_thread(workspace.open_store)
    try:
        return await SuiteRun(suite, options, workspace, listener).execute(store, stop or StopSignal())
    finally:
        await asyncio.to_thread(store.close)


def _close_all(metrics: Mapping[str, Metric[Any]]) -> None:
    for metric in metrics.values():
        metric.close()
