"""Watches several versions that are sampled side by side, all in step: each against the first, or against the last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from retest.domain.sequential import UntilDecided
from retest.workflows.pair_looks import WatchedPair
from retest.workflows.until_decided import Watch, look_seed
from retest.workflows.watch_baseline import look_options, watched_run

if TYPE_CHECKING:
    from retest.store.database import Store
    from retest.workflows.revision_sides import RevisionSide
    from retest.workflows.run import PreparedRun, RunOptions
    from retest.workflows.run_waves import RunWatch


def watch_sides(
    sides: Sequence[RevisionSide], prepared: Sequence[PreparedRun], store: Store, options: RunOptions
) -> list[RunWatch]:
    """Return who watches each side's run.

    Args:
        sides: distinct ones, the baseline first; for a search each is the baseline of the next.
        prepared: their runs, before the first call.
        store: will hold them.
        options: by which all run; `until_decided` says when that is enough.
    """
    wish = options.until_decided or UntilDecided()
    suites = [ready.plan.suite for ready in prepared]
    watched = [
        watched_run(suite, ready, store, [case for _, case in ready.plan.cases()])
        for suite, ready in zip(suites, prepared, strict=True)
    ]
    pairs = [
        WatchedPair(
            baseline=number - 1 if wish.rule == "search" else 0,
            candidate=number,
            policy=suites[number].gate,
            options=look_options(suites[number], sides[number].workspace, options),
            cwd=sides[number].workspace.cwd,
            root=sides[number].root,
            waived=wish.waived,
        )
        for number in range(1, len(sides))
    ]
    last = prepared[-1].plan
    seed = look_seed([suite.fingerprint for suite in suites], last.samples, last.draw)
    watch = Watch(watched, pairs, seed=seed, rule=wish.rule, metric=wish.metric)
    return [watch.side(number) for number in range(len(sides))]
