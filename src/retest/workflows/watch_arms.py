"""Watches the arms of one run while they are sampled side by side: each against the first of its target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retest.domain.sequential import UntilDecided
from retest.domain.suite import Suite
from retest.workflows.arm_groups import paired_arms
from retest.workflows.pair_looks import WatchedPair
from retest.workflows.run_header import run_arm
from retest.workflows.until_decided import Watch, look_seed
from retest.workflows.watch_baseline import Unwatched, look_options, watched_run
from retest.workflows.workspace import Workspace

if TYPE_CHECKING:
    from retest.store.database import Store
    from retest.workflows.run import PreparedRun, RunOptions
    from retest.workflows.run_waves import RunWatch


def watch_arms(
    suite: Suite, prepared: PreparedRun, store: Store, workspace: Workspace, options: RunOptions
) -> RunWatch:
    """Return who watches a run whose arms are compared with each other, until every pair has its verdicts.

    Args:
        suite: checked.
        prepared: its run, before the first call.
        store: will hold the run.
        workspace: where the suite is.
        options: by which it runs.
    """
    plan, wish = prepared.plan, options.until_decided or UntilDecided()
    cases = [case for _, case in plan.cases()]
    arms = [run_arm(arm, identity) for arm, identity in zip(suite.arms, plan.identities, strict=True)]
    pairs = [
        WatchedPair(
            baseline=0,
            candidate=0,
            policy=suite.gate,
            options=look_options(suite, workspace, options, arms=(arms[first].name, arms[second].name)),
            cwd=workspace.cwd,
            waived=wish.waived,
        )
        for first, second in paired_arms(arms)
    ]
    if not pairs or not cases:
        return Unwatched("no baseline, and no second arm, to decide against", plan, cases)
    seed = look_seed([suite.fingerprint], plan.samples, plan.draw)
    return Watch([watched_run(suite, prepared, store, cases)], pairs, seed=seed, rule="every_verdict").side(0)
