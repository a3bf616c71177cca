"""Opens what is to be compared: the suites of several revisions, each read from a copy of its own files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from retest.domain.suite import Suite
from retest.errors import Location, Problem, SuiteError, UsageError
from retest.revisions.git import Repository, Revision, find_repository
from retest.revisions.history import WORKTREE, expand_names
from retest.revisions.provenance import GitState
from retest.revisions.snapshot import open_snapshot
from retest.workflows.check import check_suites
from retest.workflows.separate_imports import separate_imports
from retest.workflows.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionSide:
    """One revision, or the working tree, with its suites.

    Attributes:
        label: as the user typed it.
        commit: None for the working tree.
        workspace: its `cwd` is the folder of the same place in the copy; store and settings are the project's.
        root: of the files, under which its code lies.
        prefix: of `cwd` below the repository's root, for ``revision:path``.
        suites: by name.
    """

    label: str
    commit: str | None
    workspace: Workspace
    root: Path
    prefix: str = ""
    suites: Mapping[str, Suite] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()

    def shown_path(self, path: str) -> str:
        """Return a path the way git names it: ``main:prompts/x.md``; as it is for the working tree."""
        if self.commit is None:
            return path
        # Of A...B the commit is named: git knows no path of a merge base's expression.
        name = self.commit[:8] if "..." in self.label else self.label
        return f"{name}:{os.path.normpath(self.prefix + path)}"


@contextmanager
def open_sides(
    names: Sequence[str], selectors: Sequence[str], workspace: Workspace, overrides: Sequence[str] = ()
) -> Iterator[list[RevisionSide]]:
    """Yield the revisions in the order of their names, their suites checked; the copies go away in the end.

    A commit that is named twice is copied and checked once.

    Raises:
        UsageError: no repository, an unknown revision, or fewer than two of them.
        SuiteError: a suite of a revision is wrong; every problem of every revision.
    """
    repository = find_repository(workspace.cwd)
    revisions = expand_names(repository, names if len(names) > 1 or ".." in names[0] else [*names, WORKTREE])
    with ExitStack() as stack:
        opened: dict[str | None, RevisionSide] = {}
        problems: list[Problem] = []
        sides: list[RevisionSide] = []
        for revision in revisions:
            commit = None if revision is None else revision.commit
            if commit not in opened:
                side = _open(stack, repository, revision, workspace)
                opened[commit], found = _checked(side, repository, selectors, overrides)
                problems += found
            sides.append(replace(opened[commit], label=WORKTREE if revision is None else revision.label))
        if problems:
            raise SuiteError(*problems)
        yield sides


def _open(stack: ExitStack, repository: Repository, revision: Revision | None, workspace: Workspace) -> RevisionSide:
    if revision is None:
        return RevisionSide(
            label=WORKTREE, commit=None, workspace=workspace, root=repository.root, prefix=repository.prefix
        )
    project = _below(Path(workspace.settings.root), repository.root)
    snapshot = stack.enter_context(open_snapshot(repository, revision.commit, project=project))
    origin = GitState(commit=revision.commit, branch=revision.branch, dirty=False)
    guard = workspace.untrusted
    if guard is not None:  # what the base is made of has been trusted before; anything else is held back like the rest
        guard = None if guard.vouches_for(revision.commit) else guard.at(snapshot.root)
    return RevisionSide(
        label=revision.label,
        commit=revision.commit,
        workspace=replace(workspace, cwd=snapshot.cwd, origin=origin, untrusted=guard),
        root=snapshot.root,
        prefix=repository.prefix,
    )


def _below(path: Path, root: Path) -> str:
    real = path.resolve()
    return "" if real == root or not real.is_relative_to(root) else real.relative_to(root).as_posix()


def _checked(
    side: RevisionSide, repository: Repository, selectors: Sequence[str], overrides: Sequence[str]
) -> tuple[RevisionSide, list[Problem]]:
    own = [_selector_within(selector, side, repository) for selector in selectors]
    with separate_imports(side.root):
        try:
            checked = check_suites(own, side.workspace, overrides)
        except UsageError as error:
            return side, [_labelled(problem, side) for problem in error.problems]
    found = [_labelled(problem, side) for problem in checked.problems]
    suites = {suite.name: suite for suite in checked.suites}
    warnings = tuple(problem for problem in found if problem.severity == "warning")
    errors = [problem for problem in found if problem.severity == "error"]
    return replace(side, suites=suites, warnings=warnings), errors


def _selector_within(selector: str, side: RevisionSide, repository: Repository) -> str:
    """Return a selector that names the same place in the side's own files; only an absolute path has to change."""
    path = Path(selector)
    if side.commit is None or not path.is_absolute() or not path.is_relative_to(repository.root):
        return selector
    return str(side.root / path.relative_to(repository.root))


def _labelled(problem: Problem, side: RevisionSide) -> Problem:
    """Return a problem that names the revision in the place of the folder that the copy happens to be in."""
    if side.commit is None:
        return problem

    def named(text: str) -> str:
        return text.replace(f"{side.root}/", f"{side.label}:")

    where = problem.where
    if where is not None:
        shown = named(where.path) if where.path.startswith(str(side.root)) else side.shown_path(where.path)
        where = Location(path=shown, line=where.line, column=where.column)
    return replace(
        problem,
        message=named(problem.message),
        where=where,
        details=(*(named(detail) for detail in problem.details), *(() if where else (f"in revision {side.label}",))),
        fix=None if problem.fix is None else named(problem.fix),
    )
