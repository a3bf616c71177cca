"""Watches a run that is sampled until decided against a stored baseline; without one there is nothing to decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from retest.domain.case import Case
from retest.domain.sequential import SequentialDecision, UntilDecided
from retest.domain.suite import Suite
from retest.runner.plan import RunPlan
from retest.runner.waves import Wave
from retest.workflows.baseline import Baseline, SuitePlace, find_baseline, refuse_other_suite, resolve_baseline
from retest.workflows.diff import DiffOptions, Side, stored_side
from retest.workflows.judge_again import JudgeAgain
from retest.workflows.pair_looks import WatchedPair
from retest.workflows.pairwise_sides import PairwiseOnDemand
from retest.workflows.review_columns import without_automatic
from retest.workflows.until_decided import Watch, WatchedSide, look_seed, nothing_to_decide
from retest.workflows.workspace import Workspace

if TYPE_CHECKING:
    from retest.store.database import Store
    from retest.workflows.run import PreparedRun, RunOptions
    from retest.workflows.run_waves import RunWatch


def watch_baseline(
    suite: Suite, prepared: PreparedRun, store: Store, workspace: Workspace, options: RunOptions
) -> RunWatch | None:
    """Return who watches a run that is judged against a baseline; None where there is none.

    Args:
        suite: checked.
        prepared: its run, before the first call.
        store: will hold the run; and holds its baseline.
        workspace: where the suite is.
        options: by which it runs; `until_decided` names the baseline.

    Raises:
        RetestError: the baseline that is named cannot be read.
    """
    wish, plan = options.until_decided or UntilDecided(), prepared.plan
    cases = [case for _, case in plan.cases()]
    baseline = _baseline(suite, store, workspace, wish)
    if baseline is None or not cases:
        return None
    sides = [
        WatchedSide(read=lambda: _for_looks(baseline.side)),
        watched_run(suite, prepared, store, cases),
    ]
    pair = WatchedPair(
        baseline=0,
        candidate=1,
        policy=suite.gate,
        options=look_options(suite, workspace, options),
        cwd=workspace.cwd,
        waived=wish.waived,
    )
    seed = look_seed([suite.fingerprint], plan.samples, plan.draw)
    return Watch(sides, [pair], seed=seed, rule=wish.rule, recheck=wish.recheck).side(1)


def watched_run(suite: Suite, prepared: PreparedRun, store: Store, cases: Sequence[Case]) -> WatchedSide:
    """Return a run that is sampled as one side of what is compared."""
    wanted = set(suite.gate.never_fail)
    return WatchedSide(
        read=lambda: _for_looks(stored_side(store, store.get_run(prepared.ready.run_id))),
        case_ids=tuple(case.case_id for case in cases),
        samples=prepared.plan.samples,
        arms=len(suite.arms),
        never_fail=frozenset(case.case_id for case in cases if wanted & {case.case_id, *case.tags}),
    )


def look_options(
    suite: Suite, workspace: Workspace, options: RunOptions, arms: tuple[str, str] | None = None
) -> DiffOptions:
    """Return how a look compares: as the gate does in the end, judges asked in the same session."""
    again = JudgeAgain(
        workspace, offline=options.offline, max_cost_usd=options.max_cost_usd, max_calls=options.max_calls
    )
    return DiffOptions(
        arms=arms,
        gate=suite.gate,
        limit=0,
        pairwise=PairwiseOnDemand(workspace, offline=options.offline),
        again=again if suite.gate.judge_again else None,
        run_code=workspace.untrusted is None,
    )


def _for_looks(side: Side) -> Side:
    """Return a side as a gate compares it: whoever reviews an answer adds no metric."""
    return replace(side, scores=without_automatic(side.scores))


def _baseline(suite: Suite, store: Store, workspace: Workspace, wish: UntilDecided) -> Baseline | None:
    place = SuitePlace(suite=suite.name, path=suite.path, cwd=workspace.cwd)
    if wish.baseline is not None:
        return resolve_baseline(store, place, wish.baseline)
    found = find_baseline(store, place)
    if found is not None:
        refuse_other_suite(place, found)
    return found


class Unwatched:
    """A run that nothing can decide: it takes every sample, and says why."""

    def __init__(self, why: str, plan: RunPlan, cases: Sequence[Case]) -> None:
        self.waves = [Wave(samples={case.case_id: (0, plan.samples) for case in cases})]
        self._decision = nothing_to_decide(
            why, samples=len(cases) * plan.samples * len(plan.arms), samples_per_case=plan.samples
        )

    async def is_enough(self, wave: int, *, stopped: bool) -> bool:
        """Return True: one wave holds everything."""
        del wave, stopped
        return True

    def suspects(self, decision: SequentialDecision, taken: int) -> Wave | None:
        """Return None: nothing was saved."""
        del decision, taken
        return None

    def rechecked(self, decision: SequentialDecision, wave: Wave) -> SequentialDecision:
        """Return the decision as it is: there is none."""
        del wave
        return decision

    def decision(self, taken: int) -> SequentialDecision:
        """Return why nothing was decided."""
        del taken
        return self._decision
