"""Chooses what a run that is sampled until decided is judged against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retest.domain.suite import Suite
from retest.workflows.watch_arms import watch_arms
from retest.workflows.watch_baseline import watch_baseline
from retest.workflows.workspace import Workspace

if TYPE_CHECKING:
    from retest.store.database import Store
    from retest.workflows.run import PreparedRun, RunOptions
    from retest.workflows.run_waves import RunWatch


def watch_run(suite: Suite, prepared: PreparedRun, store: Store, workspace: Workspace, options: RunOptions) -> RunWatch:
    """Return who watches a run: against its baseline, else its arms against each other.

    Where every verdict is wanted, as `retest compare` of prompts does, the arms are what is compared.

    Raises:
        RetestError: the baseline that is named cannot be read.
    """
    wish = options.until_decided
    watch = None
    if wish is None or wish.rule == "gate":
        watch = watch_baseline(suite, prepared, store, workspace, options)
    return watch_arms(suite, prepared, store, workspace, options) if watch is None else watch
