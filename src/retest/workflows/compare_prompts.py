"""Runs one suite with the prompt files that a person names in the place of its own: each is an arm of one run."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from retest.domain.suite import Suite
from retest.errors import Problem, SuiteError, UsageError
from retest.revisions.git import find_repository
from retest.revisions.history import WORKTREE
from retest.runner.events import Listener
from retest.runner.stopping import StopSignal
from retest.workflows.check import CheckResult, check_suites
from retest.workflows.compare_revisions import Contender
from retest.workflows.revision_sides import RevisionSide
from retest.workflows.run import RunOptions, run_suite
from retest.workflows.workspace import Workspace


def are_prompt_files(names: Sequence[str], cwd: Path) -> bool:
    """Return whether the names are files rather than revisions; a name that is both is a revision.

    Raises:
        UsageError: some are files and some are revisions.
    """
    files = [name for name in names if _is_file(name, cwd)]
    if not files:
        return False
    revisions = [name for name in names if name not in files or _is_revision(name, cwd)]
    if len(revisions) == len(names):
        return False
    if revisions or len(names) == 1:
        other = f"'{revisions[0]}' is none" if revisions else "one file has nothing to be compared with"
        raise UsageError(
            Problem(
                slug="compare-mixed",
                message=f"'{files[0]}' is a prompt file, and {other}",
                fix="give two revisions, or two prompt files with --suite; ./NAME is always a file",
            )
        )
    return True


def _is_file(name: str, cwd: Path) -> bool:
    try:
        return (cwd / name).is_file()
    except (OSError, ValueError):
        return False


def _is_revision(name: str, cwd: Path) -> bool:
    if name == WORKTREE:
        return True
    try:
        return find_repository(cwd).names_commit(name)
    except UsageError:
        return False


def check_prompts(files: Sequence[str], selectors: Sequence[str], workspace: Workspace) -> CheckResult:
    """Return the one suite that is selected, with the files as its prompts.

    Raises:
        UsageError: the selectors do not mean exactly one suite, or two of the files are one.
        SuiteError: the suite or a prompt is wrong.
    """
    chosen = check_suites(selectors, workspace)
    if chosen.errors:
        raise SuiteError(*chosen.errors)
    if len(chosen.suites) != 1:
        raise UsageError(_not_one_suite(chosen.suites))
    repeated = [file for index, file in enumerate(files) if _place(file) in map(_place, files[:index])]
    if repeated:
        raise UsageError(
            Problem(slug="compare-same-prompt", message=f"'{repeated[0]}' is named twice", fix="name each file once")
        )
    suite = chosen.suites[0]
    checked = check_suites([suite.path], workspace, [f"prompts={_entries(files, suite, workspace.cwd)}"])
    if checked.errors:
        raise SuiteError(*checked.errors)
    return checked


def _place(file: str) -> str:
    return os.path.normpath(file)


def _not_one_suite(suites: Sequence[Suite]) -> Problem:
    names = ", ".join(suite.name for suite in suites)
    return Problem(
        slug="compare-which-suite",
        message="prompt files are compared on one suite",
        details=(f"selected: {names}",),
        fix=f"add --suite {suites[0].path if suites else 'FILE'}",
    )


def _entries(files: Sequence[str], suite: Suite, cwd: Path) -> str:
    """Return the suite's new `prompts` as text, paths relative to the suite's folder."""
    folder = (cwd / suite.path).parent
    entries = [
        {"path": Path(os.path.relpath(cwd / file, folder)).as_posix(), "name": name}
        for file, name in zip(files, prompt_names(files), strict=True)
    ]
    return json.dumps(entries, ensure_ascii=False)


def prompt_names(files: Sequence[str]) -> list[str]:
    """Return a name for each file: its stem, or its path with dashes where stems repeat."""
    stems = [Path(file).stem for file in files]
    if len(set(stems)) == len(stems):
        return stems
    return ["-".join(part for part in Path(_place(file)).parts if part not in {"..", "/"}) for file in files]


async def run_prompts(
    suite: Suite,
    files: Sequence[str],
    options: RunOptions,
    workspace: Workspace,
    listening: tuple[Listener, StopSignal],
) -> list[Contender]:
    """Run the suite of `check_prompts` once; each file is a version.

    Raises:
        RetestError: whatever is wrong before the first call, or a store that fails midway.
    """
    listener, stop = listening
    outcome = await run_suite(suite, options, workspace, listener=listener, stop=stop)
    side = RevisionSide(label="", commit=None, workspace=workspace, root=workspace.cwd)
    return [
        Contender(side=replace(side, label=file), outcome=outcome, prompt=name)
        for file, name in zip(files, prompt_names(files), strict=True)
    ]
