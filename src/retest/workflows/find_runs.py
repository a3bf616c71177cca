"""Finds the runs that a person names: by id, tag, ``latest``, or as the n-th before one of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from retest.domain.run import Run
from retest.errors import NothingToJudgeError, Problem

if TYPE_CHECKING:
    from retest.store.database import Store

_BEFORE = re.compile(r"(?P<name>.*)~(?P<steps>\d{1,6})", re.DOTALL)
_RECENT = 100  # runs of a suite looked at before all are


def find_run(store: Store, name: str) -> Run:
    """Return a run by id, start of an id, tag, ``latest``; ``NAME~2`` is the second run of its suite before it.

    Raises:
        UsageError: no run, or several, are called so.
        NothingToJudgeError: the suite has no run that far back.
    """
    match = _BEFORE.fullmatch(name)
    if match is None:
        return store.get_run(name)
    return earlier_run(store, store.get_run(match["name"] or "latest"), int(match["steps"]))


def earlier_run(store: Store, run: Run, steps: int) -> Run:
    """Return the run of the same suite that was made so many runs before this one.

    Raises:
        NothingToJudgeError: there is none that far back.
    """
    for limit in (_RECENT, None):
        runs = _runs_of_suite(store, run.suite, limit)
        place = next((index for index, other in enumerate(runs) if other.run_id == run.run_id), None)
        if place is not None and place + steps < len(runs):
            return runs[place + steps]
    raise NothingToJudgeError(
        Problem(
            slug="diff-no-earlier-run",
            message=f"suite {run.suite} has no run {_steps(steps)} before {run.run_id}",
            details=(f"it has {len(runs)} in this store",),
            fix=f"run it again: retest run {run.suite_path}",
        )
    )


def _steps(steps: int) -> str:
    return "1 step" if steps == 1 else f"{steps} steps"


def _runs_of_suite(store: Store, suite: str, limit: int | None) -> list[Run]:
    from retest.store.records import RunFilter

    return [run for run in store.list_runs(RunFilter(suite=suite, limit=limit)) if run.suite == suite]


def latest_run(store: Store, suite: str) -> Run | None:
    """Return the newest run of a suite, None where it has none."""
    for limit in (_RECENT, None):
        runs = _runs_of_suite(store, suite, limit)
        if runs:
            return runs[0]
    return None
