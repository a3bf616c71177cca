"""Runs a suite as several revisions have it, all at the same time, and compares what comes out.

Two revisions are two suites, each with its own prompts, dataset, metrics and targets, so they cannot share one plan
and one execution. They are executed side by side in one event loop against one store instead: the calls of all go out
interleaved, so that a provider's slow drift falls on all alike; each has its part of the concurrency, and one budget
is for all. Where two revisions want the same call, the ledger's claim lets one make it and gives the answer to both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from retest.domain.comparison import RunComparison
from retest.domain.run import Run, RunArm
from retest.errors import ExitCode, NothingToJudgeError, Problem, RetestError, worst_exit_code
from retest.runner.events import Event, Listener, PlanReady, Stopping, WaitingForBatch, WaitingForOthers, ignore_events
from retest.runner.stopping import Budget, Limits, StopSignal
from retest.workflows.revision_sides import RevisionSide
from retest.workflows.run import PreparedRun, RunOptions, RunOutcome, Share, SuiteRun
from retest.workflows.run_counts import left_to_spend
from retest.workflows.run_waves import RunWatch
from retest.workflows.scoring import process_options
from retest.workflows.separate_imports import separate_imports

if TYPE_CHECKING:
    from retest.store.database import Store  # loads SQLAlchemy


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One version under comparison: where it comes from and what its run came to.

    `prompt` is set where the versions are prompts of one run: the name that its arms begin with.
    """

    side: RevisionSide
    outcome: RunOutcome
    prompt: str | None = None

    @property
    def label(self) -> str:
        """Return the version as the user named it."""
        return self.side.label


def common_suites(sides: Sequence[RevisionSide]) -> tuple[list[str], list[str]]:
    """Return the names of the suites that every side has, and one line for each suite that some side lacks.

    Raises:
        NothingToJudgeError: no suite is in all of them.
    """
    names = list(dict.fromkeys(name for side in sides for name in side.suites))
    common = [name for name in names if all(name in side.suites for side in sides)]
    left_out = [
        f"suite {name} is not in {', '.join(dict.fromkeys(side.label for side in sides if name not in side.suites))}"
        for name in names
        if name not in common
    ]
    if not common:
        raise NothingToJudgeError(
            Problem(
                slug="compare-no-common-suite",
                message="the revisions have no suite in common",
                details=tuple(left_out),
                fix="suites are the same where their `name` is; --suite selects others",
            )
        )
    return common, left_out


async def run_sides(
    sides: Sequence[RevisionSide], name: str, options: RunOptions, listener: Listener, stop: StopSignal
) -> list[Contender]:
    """Run one suite as every side has it, and return the outcomes in the order of the sides.

    Sides of one commit are one run. Nothing is called before all are found sound.

    Args:
        sides: of `open_sides`.
        name: of the suite.
        options: limits are for all sides together.
        listener: is told the plan of each side, then what happens.
        stop: one for all: what stops one stops the others.

    Raises:
        RetestError: whatever is wrong before the first call, or a store that fails midway.
    """
    distinct: dict[str | None, RevisionSide] = {}
    for side in sides:
        distinct.setdefault(side.commit, side)
    store = await asyncio.to_thread(sides[0].workspace.open_store)
    try:
        async with AsyncExitStack() as stack:
            runs = [_suite_run(side, name, options, listener, speaks=side is sides[0]) for side in distinct.values()]
            prepared = []
            for side, run in zip(distinct.values(), runs, strict=True):
                # One after the other: while one side's code is loaded, Python's search path is that side's.
                with separate_imports(side.root):
                    prepared.append(await run.prepare(stack, store, stop))
            _load_statistics()
            shares = _shares(list(distinct.values()), prepared, options)
            watches = await asyncio.to_thread(_watches, list(distinct.values()), prepared, store, options)
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(run.carry_out(ready, store, stop, share, watch))
                    for run, ready, share, watch in zip(runs, prepared, shares, watches, strict=True)
                ]
    except* RetestError as errors:
        raise _first(errors) from None
    finally:
        await asyncio.to_thread(store.close)
    outcomes = dict(zip(distinct, (task.result() for task in tasks), strict=True))
    return [Contender(side=side, outcome=outcomes[side.commit]) for side in sides]


def _suite_run(side: RevisionSide, name: str, options: RunOptions, listener: Listener, *, speaks: bool) -> SuiteRun:
    """Return a side's run; the one that speaks for all says that they stop."""

    def tell(event: Event) -> None:
        # Who is waited for is as a rule another side, which asks for the same answers; all sides stop for one reason.
        if isinstance(event, WaitingForOthers | WaitingForBatch) or (isinstance(event, Stopping) and not speaks):
            return
        named = replace(event, suite=f"{event.suite} at {side.label}") if isinstance(event, PlanReady) else event
        listener(named)

    own = options if side.commit is None else replace(options, metadata={**options.metadata, "revision": side.label})
    return SuiteRun(side.suites[name], own, side.workspace, tell if listener is not ignore_events else ignore_events)


def _watches(
    sides: Sequence[RevisionSide], prepared: Sequence[PreparedRun], store: Store, options: RunOptions
) -> Sequence[RunWatch | None]:
    """Return who looks at each side while they are sampled until decided; a version alone has nothing to decide."""
    if options.until_decided is None or options.dry_run or len(sides) < 2:  # noqa: PLR2004 - two are compared
        return [None] * len(sides)
    from retest.workflows.watch_sides import watch_sides

    return watch_sides(sides, prepared, store, options)


def _load_statistics() -> None:
    """Load NumPy and SciPy before the first call: the first side to end must not hold up the calls of the others."""
    import retest.workflows.finish  # noqa: F401 - loaded for later


def _shares(sides: Sequence[RevisionSide], prepared: Sequence[PreparedRun], options: RunOptions) -> list[Share]:
    """Return equal parts of the concurrency for the sides that have calls to make, and the budget of all."""
    settings = sides[0].workspace.settings
    given = options.max_cost_usd
    limits = Limits(
        max_calls=options.max_calls,
        max_cost_usd=left_to_spend(
            settings["max_cost_usd"] if given is None else given, sum(ready.spent_usd for ready in prepared)
        ),
        estimated_call_usd=max(ready.estimate.call_usd for ready in prepared),
    )
    budget = Budget(limits)
    calling = sum(ready.ready.calls_to_make > 0 for ready in prepared)
    part = max(1, int(settings["concurrency"]) // max(1, calling))
    return [Share(concurrency=part, budget=budget) for _ in prepared]


def _first(errors: BaseExceptionGroup[RetestError]) -> BaseException:
    first: BaseException = errors
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first


def unchanged_arms(first: Run, second: Run) -> list[str]:
    """Return the arms whose prompt, target, model and parameters both runs have alike: one answer serves both."""
    known = {arm.name: _what_answers(arm) for arm in first.arms}
    return [arm.name for arm in second.arms if known.get(arm.name) == _what_answers(arm)]


def _what_answers(arm: RunArm) -> tuple[object, ...]:
    return (arm.prompt_hash, arm.model, dict(arm.params), arm.identity)


def compare_pair(store: Store, first: Contender, second: Contender) -> RunComparison:
    """Compare two versions by the procedure of `retest diff`, arm by arm.

    Raises:
        ValueError: one of them was not run.
    """
    from retest.workflows.diff import DiffOptions, diff_runs, stored_side
    from retest.workflows.pairwise_sides import PairwiseOnDemand

    before, after = first.outcome.run, second.outcome.run
    if before is None or after is None:
        raise ValueError("a version that was not run cannot be compared")
    workspace = second.side.workspace
    sides = (stored_side(store, before), stored_side(store, after))
    with separate_imports(second.side.root):
        found = [
            diff_runs(
                *sides,
                DiffOptions(
                    arms=arms,
                    pairwise=PairwiseOnDemand(workspace),
                    run_code=workspace.untrusted is None,
                    processes=process_options(workspace.settings),
                ),
                cwd=workspace.cwd,
                now=workspace.clock(),
            )
            for arms in _arm_pairs(first, second)
        ]
    return replace(
        found[0],
        arms=tuple(arm for comparison in found for arm in comparison.arms),
        prompts=tuple(
            replace(
                prompt,
                before_path=first.side.shown_path(prompt.before_path or prompt.name),
                after_path=second.side.shown_path(prompt.after_path or prompt.name),
            )
            for prompt in found[0].prompts
        ),
    )


def _arm_pairs(first: Contender, second: Contender) -> list[tuple[str, str] | None]:
    """Return the arms to pair, of one target each, where both versions are prompts of one run; None leaves it open."""
    if first.prompt is None or second.prompt is None:
        return [None]
    names = [arm.name for arm in first.outcome.suite.arms if arm.prompt.name == first.prompt]
    return [(name, second.prompt + name.removeprefix(first.prompt)) for name in names]


def exit_code(contenders: Sequence[Contender], comparisons: Sequence[RunComparison]) -> ExitCode:
    """Return 0 for any verdict; 130 or 4 where a run did not come to its end, 5 where nothing could be compared."""
    codes = [completeness(contender.outcome) for contender in contenders]
    codes += [ExitCode.PASSED if each.is_comparable else ExitCode.NOTHING_TO_JUDGE for each in comparisons]
    return worst_exit_code(*codes)


def completeness(outcome: RunOutcome) -> ExitCode:
    """Return how a run ended; a limit of the suite's gate that it breaks is no matter here."""
    from retest.decision.limits import run_exit_code

    if outcome.run is None or outcome.summary is None:
        return ExitCode.PASSED
    if outcome.run.status != "complete":
        return ExitCode.INTERRUPTED if outcome.run.status == "interrupted" else ExitCode.INCOMPLETE
    code = run_exit_code(replace(outcome.summary, limits=()), outcome.suite.gate, outcome.run.planned)
    # Pairwise metrics alone say nothing of one version, only of two.
    alone = code is ExitCode.NOTHING_TO_JUDGE and not any(arm.metrics for arm in outcome.summary.arms)
    return ExitCode.PASSED if alone else code
