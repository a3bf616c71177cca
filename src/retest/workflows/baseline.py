"""Where a suite's baseline is: given by name, in a file beside the suite, at a git revision, or named in the store."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from retest.domain.run import Run
from retest.errors import Location, NothingToJudgeError, Problem, UsageError
from retest.workflows.baseline_file import BaselineFile, baseline_path, read_baseline
from retest.workflows.diff import Side, stored_side
from retest.workflows.find_runs import find_run

if TYPE_CHECKING:
    from retest.store.database import Store

GIT_PREFIX = "git:"
Origin = Literal["run", "file", "git", "named"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A baseline ready to compare with, and where it came from."""

    side: Side
    origin: Origin
    path: Path | None = None
    has_outputs: bool = False

    @property
    def label(self) -> str:
        """Return what a person calls it: a run id, a file, ``git:origin/main``."""
        return self.side.scores.label


@dataclass(frozen=True, slots=True, kw_only=True)
class SuitePlace:
    """The suite whose baseline is wanted: its name, the path of its file, and where that path starts."""

    suite: str
    path: str
    cwd: Path


def resolve_baseline(store: Store, place: SuitePlace, choice: str | None = None) -> Baseline:
    """Return what to compare with: `choice`, else the file beside the suite, else the run named in the store.

    Args:
        store: for runs by name.
        place: the suite.
        choice: a run, a baseline file, or ``git:REVISION``; None for the suite's own.

    Raises:
        NothingToJudgeError: there is no baseline, or it is another suite's.
        UsageError: no run or revision is called so, or a file is damaged.
    """
    found = find_baseline(store, place) if choice is None else _chosen(store, place, choice)
    if found is None:
        raise _no_baseline(place)
    refuse_other_suite(place, found)
    return found


def refuse_other_suite(place: SuitePlace, found: Baseline) -> None:
    """Raise NothingToJudgeError where a baseline is another suite's."""
    if found.side.scores.suite != place.suite:
        raise _other_suite(place, found)


def find_baseline(store: Store, place: SuitePlace) -> Baseline | None:
    """Return the suite's own baseline: the file beside it, else the run named in the store, else None."""
    shown = baseline_path(place.path)
    if (place.cwd / shown).is_file():
        return _from_file(store, place.cwd / shown, shown)
    named = store.baseline(place.suite)
    return None if named is None else Baseline(side=stored_side(store, named.run), origin="named")


def _chosen(store: Store, place: SuitePlace, choice: str) -> Baseline:
    if choice.startswith(GIT_PREFIX):
        return read_committed(store, place, choice.removeprefix(GIT_PREFIX))
    return read_named(store, choice, place.cwd)


def read_named(store: Store, choice: str, cwd: Path) -> Baseline:
    """Return a baseline file of any suite, or else the stored run of that name.

    Raises:
        NothingToJudgeError: it reads like a file, and there is none.
        UsageError: no run is called so, or the file is damaged.
    """
    path = cwd / choice
    if path.is_file():
        return _from_file(store, path, choice)
    if choice.endswith(".jsonl"):
        raise NothingToJudgeError(
            Problem(
                slug="baseline-file-missing",
                message=f"there is no baseline file {choice}",
                where=Location(path=choice),
                fix=f"write it: retest baseline export -o {choice}",
            )
        )
    return Baseline(side=stored_side(store, find_run(store, choice)), origin="run")


def _from_file(store: Store, path: Path, shown: str) -> Baseline:
    try:
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            Problem(
                slug="baseline-file-format",
                message=f"{shown} cannot be read",
                where=Location(path=shown),
                details=(str(error),),
                fix="take the file from git again, or write it anew: retest baseline export",
            )
        ) from error
    return _of_file(store, read_baseline(text, shown), "file", path)


def _of_file(store: Store, file: BaselineFile, origin: Origin, path: Path | None) -> Baseline:
    run = _local_run(store, file)
    side = Side(
        scores=file.scores,
        store=None if run is None else store,
        run=run,
        outputs=file.outputs,
        drifts={(drift.arm, drift.metric): drift for drift in file.drifts},
    )
    return Baseline(side=side, origin=origin, path=path, has_outputs=bool(file.outputs))


def _local_run(store: Store, file: BaselineFile) -> Run | None:
    """Return the run that the file was made from where this store has it: its answers can be shown and scored anew."""
    try:
        run = store.get_run(file.run_id) if file.run_id else None
    except UsageError:
        return None
    same = run is not None and run.run_id == file.run_id and run.fingerprint == file.scores.fingerprint
    return run if same else None


def read_committed(store: Store, place: SuitePlace, revision: str) -> Baseline:
    """Return a suite's baseline file as it is committed at a revision, read from git's objects.

    Raises:
        NothingToJudgeError: the file is not in that revision.
        UsageError: there is no such revision, or the file is damaged.
    """
    from retest.revisions.git import find_repository, run_git

    repository = find_repository(place.cwd)
    commit = repository.resolve(revision).commit
    shown = baseline_path(place.path)
    inside = _below(place.cwd / shown, repository.root)
    done = run_git(repository.root, "cat-file", "blob", f"{commit}:{inside}", check=False)
    label = f"{GIT_PREFIX}{revision}"
    if done.returncode != 0:
        raise NothingToJudgeError(
            Problem(
                slug="baseline-not-in-revision",
                message=f"there is no {shown} at {revision} ({commit[:8]})",
                fix="commit one there (`retest baseline export`), name a revision that has it, or run it there:"
                f" retest compare {revision} WORKTREE",
            )
        )
    file = read_baseline(done.stdout.decode("utf-8", "replace"), f"{revision}:{inside}")
    return _of_file(store, replace(file, scores=replace(file.scores, label=label)), "git", None)


def _below(path: Path, root: Path) -> str:
    resolved = path.parent.resolve() / path.name
    try:
        return resolved.relative_to(root.resolve()).as_posix()
    except ValueError:
        raise UsageError(
            Problem(slug="baseline-outside-repository", message=f"{path} is not below the repository {root}")
        ) from None


def _no_baseline(place: SuitePlace) -> NothingToJudgeError:
    return NothingToJudgeError(
        Problem(
            slug="gate-no-baseline",
            message=f"suite {place.suite} has no baseline",
            where=Location(path=place.path),
            details=(
                f"looked for the file {baseline_path(place.path)}, and for a run named as its baseline in the store",
            ),
            fix=f"retest run {place.path} && retest baseline set --suite {place.suite}  (then `retest baseline export`"
            " writes a file to commit)",
        )
    )


def _other_suite(place: SuitePlace, found: Baseline) -> NothingToJudgeError:
    return NothingToJudgeError(
        Problem(
            slug="baseline-other-suite",
            message=f"the baseline {found.label} is of suite {found.side.scores.suite}, not of {place.suite}",
            where=Location(path=place.path),
            fix=f"name a run of {place.suite}, or set its baseline: retest baseline set --suite {place.suite}",
        )
    )
