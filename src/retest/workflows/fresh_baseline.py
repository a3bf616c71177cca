"""A baseline as something that can be run again: the files of its revision, or the definition stored with it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from retest.domain.run import RunArm
from retest.domain.suite import Suite
from retest.errors import Location, NothingToJudgeError, Problem, RetestError
from retest.revisions.history import WORKTREE
from retest.revisions.overlay import open_overlay
from retest.revisions.provenance import GitState
from retest.workflows.baseline import GIT_PREFIX, Baseline
from retest.workflows.check import check_suites
from retest.workflows.revision_sides import RevisionSide, open_sides
from retest.workflows.separate_imports import separate_imports
from retest.workflows.workspace import Workspace


@contextmanager
def open_baseline_sides(
    suite: Suite, baseline: Baseline | str, workspace: Workspace, overrides: Sequence[str] = ()
) -> Iterator[list[RevisionSide]]:
    """Yield the baseline's side and the working tree's, both ready to be run.

    A baseline is run from its git revision where the prompts, models and parameters there are those that it was made
    with; else from the definition stored with it, on the data and code as they are now. ``git:REVISION`` is that
    revision's own suite, whether or not a baseline file is committed there.

    Args:
        suite: as it is now, checked.
        baseline: ready to compare with, or ``git:REVISION``.
        workspace: of the working tree.
        overrides: apply to both sides.

    Raises:
        NothingToJudgeError: it cannot be run again, with what was tried.
        UsageError: there is no such revision.
        SuiteError: its suite is wrong.
    """
    if isinstance(baseline, str):
        with open_sides([baseline.removeprefix(GIT_PREFIX), WORKTREE], [suite.path], workspace, overrides) as sides:
            if suite.name not in sides[0].suites:
                raise _cannot(suite, baseline, [f"suite {suite.name} is not in it"])
            yield sides
        return
    tried: list[str] = []
    with _of_revision(suite, baseline, workspace, overrides, tried) as found:
        if found is not None:
            yield found
            return
    with _of_definition(suite, baseline, workspace, overrides, tried) as side:
        if side is None:
            raise _cannot(suite, baseline.label, tried)
        yield [side, _as_it_is(suite, workspace)]


@contextmanager
def _of_revision(
    suite: Suite, baseline: Baseline, workspace: Workspace, overrides: Sequence[str], tried: list[str]
) -> Iterator[list[RevisionSide] | None]:
    """Yield both sides from the commit that the baseline was made at; None, with why, where that is not it."""
    revision = baseline.side.scores.revision
    if revision is None:
        tried.append("it was not made at a git commit")
        yield None
        return
    with ExitStack() as stack:
        try:
            sides = stack.enter_context(open_sides([revision, WORKTREE], [suite.path], workspace, overrides))
        except RetestError as error:
            tried.append(f"revision {revision[:8]}: {error.problems[0].message}")
            yield None
            return
        then = sides[0].suites.get(suite.name)
        difference = f"suite {suite.name} is not in it" if then is None else _difference(then, baseline)
        if difference is not None:
            tried.append(f"revision {revision[:8]}: {difference}")
        yield None if difference is not None else [replace(sides[0], label=revision[:8]), *sides[1:]]


@contextmanager
def _of_definition(
    suite: Suite, baseline: Baseline, workspace: Workspace, overrides: Sequence[str], tried: list[str]
) -> Iterator[RevisionSide | None]:
    """Yield the baseline's side with its stored prompts (and suite) laid over the files of now."""
    root = Path(workspace.settings.root)
    with ExitStack() as stack:
        try:
            texts = {_below(workspace.cwd / path, root): text for path, text in _stored_texts(baseline).items()}
            folder = stack.enter_context(open_overlay(root, texts))
        except (OSError, ValueError) as error:
            tried.append(f"its stored definition: {error}")
            yield None
            return
        side = _stored_side(baseline, workspace, folder, _below(workspace.cwd, root))
        with separate_imports(folder):
            checked = check_suites([suite.path], side.workspace, overrides)
        then = next((each for each in checked.suites if each.name == suite.name), None)
        difference = _difference(then, baseline) if then is not None else _first_message(checked.errors, suite)
        if difference is not None:
            tried.append(f"its stored definition: {difference}")
        yield None if then is None or difference is not None else replace(side, suites={suite.name: then})


def _stored_texts(baseline: Baseline) -> dict[str, str]:
    """Return path -> text of the files that a baseline keeps: its prompts, and its suite where the run is at hand."""
    texts = {arm.prompt_path: arm.prompt_source for arm in baseline.side.scores.arms if arm.prompt_path}
    run = baseline.side.run
    return texts if run is None else {**texts, run.suite_path: run.suite_source}


def _stored_side(baseline: Baseline, workspace: Workspace, folder: Path, prefix: str) -> RevisionSide:
    scores = baseline.side.scores
    origin = GitState(commit=scores.revision, dirty=True)
    guard = workspace.untrusted
    own = replace(
        workspace,
        cwd=folder / prefix,
        origin=origin,
        untrusted=None if guard is None else guard.at(folder, *guard.roots),
    )
    return RevisionSide(label=scores.label, commit=scores.label, workspace=own, root=folder)


def _first_message(errors: Sequence[Problem], suite: Suite) -> str:
    return errors[0].message if errors else f"it has no suite {suite.name}"


def _as_it_is(suite: Suite, workspace: Workspace) -> RevisionSide:
    root = Path(workspace.settings.root)
    return RevisionSide(label=WORKTREE, commit=None, workspace=workspace, root=root, suites={suite.name: suite})


def _below(path: Path, root: Path) -> str:
    """Return a path below the project's root, with slashes.

    Raises:
        ValueError: it lies elsewhere.
    """
    inside = os.path.relpath(os.path.normpath(path), os.path.normpath(root))
    if inside.startswith(".."):
        raise ValueError(f"{path.name} lies outside the project {root}")
    return Path(inside).as_posix()


def _difference(suite: Suite, baseline: Baseline) -> str | None:
    """Return which arm is not the one that the baseline was made with; None where all are."""
    now = {arm.name: (arm.prompt.content_hash, arm.model, dict(arm.params)) for arm in suite.arms}
    for arm in baseline.side.scores.arms:
        if arm.name not in now:
            return f"it has no arm {arm.name}"
        if now[arm.name] != _what_it_was(arm):
            return f"arm {arm.name} has another prompt, model or parameters there"
    return None


def _what_it_was(arm: RunArm) -> tuple[str, str | None, dict[str, object]]:
    return arm.prompt_hash, arm.model, dict(arm.params)


def _cannot(suite: Suite, label: str, tried: Sequence[str]) -> NothingToJudgeError:
    return NothingToJudgeError(
        Problem(
            slug="gate-baseline-not-rerunnable",
            message=f"the baseline {label} cannot be run again",
            where=Location(path=suite.path),
            details=tuple(tried),
            fix="name a revision to run in its place (--baseline git:origin/main), or gate without --fresh-baseline",
        )
    )
