"""Finds the two sides that a person wants compared: runs, baseline files, revisions, or what the suite itself says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from retest.domain.run import Run
from retest.errors import NothingToJudgeError, Problem, UsageError
from retest.workflows.baseline import (
    GIT_PREFIX,
    Baseline,
    SuitePlace,
    find_baseline,
    read_committed,
    read_named,
    refuse_other_suite,
)
from retest.workflows.diff import Side, stored_side
from retest.workflows.find_runs import earlier_run, find_run, latest_run

if TYPE_CHECKING:
    from retest.store.database import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenSides:
    """The two sides of a comparison; `chosen` says which were taken where nobody named them."""

    baseline: Side
    candidate: Side
    chosen: str | None = None


def find_sides(store: Store, baseline: str | None, candidate: str | None, cwd: Path) -> ChosenSides:
    """Return what is to be compared.

    Without names, the baseline of the suite that ran last against its latest run; where it has none, its two latest
    runs. With one name, that against the latest run of its suite.

    Args:
        store: for runs by name.
        baseline: a run, a baseline file, or ``git:REVISION``; None for the suite's own baseline.
        candidate: the same; None for the suite's latest run.
        cwd: where files and the suite's path start.

    Raises:
        UsageError: no run or revision is called so, or a file is damaged.
        NothingToJudgeError: there is no such file, or no run to compare.
    """
    if baseline is None:
        latest = find_run(store, "latest" if candidate is None else candidate)
        return _own_sides(store, latest, cwd)
    if candidate is not None:
        first, second = _named_sides(store, (baseline, candidate), cwd)
        return ChosenSides(baseline=first, candidate=second)
    (first,) = _named_sides(store, (baseline,), cwd)
    return ChosenSides(baseline=first, candidate=stored_side(store, _run_after(store, first)))


def _own_sides(store: Store, latest: Run, cwd: Path) -> ChosenSides:
    place = _place(latest, cwd)
    found = find_baseline(store, place)
    if found is None:
        first = stored_side(store, earlier_run(store, latest, 1))
        chosen = f"suite {latest.suite} has no baseline: its two latest runs are compared"
        return ChosenSides(baseline=first, candidate=stored_side(store, latest), chosen=chosen)
    refuse_other_suite(place, found)
    _refuse_itself(found.side, latest)
    return ChosenSides(baseline=found.side, candidate=stored_side(store, latest), chosen=_chosen(found, latest))


def _chosen(found: Baseline, latest: Run) -> str:
    kept = "beside it" if found.origin == "file" else "named in the store"
    return f"suite {latest.suite}: its baseline, {kept}, against its latest run"


def _place(run: Run, cwd: Path) -> SuitePlace:
    return SuitePlace(suite=run.suite, path=run.suite_path, cwd=cwd)


def _named_sides(store: Store, names: tuple[str, ...], cwd: Path) -> list[Side]:
    """Return each side in order; a revision is read for the suite of the other side, else for the one that ran last."""
    read = {name: _read(store, name, cwd) for name in names if not name.startswith(GIT_PREFIX)}
    if len(read) < len(set(names)):
        place = next((_place_of(side, cwd) for side in read.values()), None) or _place(find_run(store, "latest"), cwd)
        for name in set(names) - set(read):
            read[name] = read_committed(store, place, name.removeprefix(GIT_PREFIX)).side
    return [read[name] for name in names]


def _read(store: Store, name: str, cwd: Path) -> Side:
    try:
        return read_named(store, name, cwd).side
    except UsageError as error:
        if error.problems[0].slug != "run-unknown" or not _is_revision(name, cwd):
            raise
        fix = f"{name} is a revision: git:{name} is the baseline file committed there; `retest compare` runs revisions"
        raise UsageError(replace(error.problems[0], fix=fix)) from None


def _is_revision(name: str, cwd: Path) -> bool:
    from retest.revisions.git import find_repository

    try:
        find_repository(cwd).resolve(name)
    except UsageError:
        return False
    return True


def _place_of(side: Side, cwd: Path) -> SuitePlace:
    return SuitePlace(suite=side.scores.suite, path=side.scores.suite_path, cwd=cwd)


def _run_after(store: Store, baseline: Side) -> Run:
    suite = baseline.scores.suite
    latest = latest_run(store, suite)
    if latest is None:
        raise NothingToJudgeError(
            Problem(
                slug="diff-no-later-run",
                message=f"suite {suite} has no run in this store to compare {baseline.scores.label} with",
                fix=f"run it: retest run {baseline.scores.suite_path}",
            )
        )
    _refuse_itself(baseline, latest)
    return latest


def _refuse_itself(baseline: Side, latest: Run) -> None:
    """Refuse to compare a run with itself: its zero change would read like a test that passed."""
    if baseline.run is None or baseline.run.run_id != latest.run_id:
        return
    name = baseline.scores.label
    which = name if name == latest.run_id else f"{name}, made from {latest.run_id},"
    raise NothingToJudgeError(
        Problem(
            slug="diff-no-later-run",
            message=f"{which} is the latest run of suite {latest.suite}: nothing came after it",
            fix=f"run it again (retest run {latest.suite_path}), or name both sides: `retest diff latest~1 latest`",
        )
    )
