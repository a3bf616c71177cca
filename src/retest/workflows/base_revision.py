"""What ``--baseline base:REVISION`` means for one suite: the file committed there, the suite run there, or its own."""

from __future__ import annotations

import os
from pathlib import PurePath
from typing import Literal

from retest.domain.suite import Suite
from retest.revisions.git import Repository, find_repository, run_git
from retest.workflows.baseline_file import baseline_path
from retest.workflows.workspace import Workspace

BASE_PREFIX = "base:"

BaseKind = Literal["file", "suite", "new"]


def look_at_base(suite: Suite, revision: str, workspace: Workspace) -> BaseKind:
    """Return whether a revision has a suite's baseline file, or else the suite; or neither, so that the suite is new.

    Raises:
        UsageError: no repository, or no such revision in this clone.
    """
    repository = find_repository(workspace.cwd)
    commit = repository.resolve(revision).commit
    if _has(repository, commit, baseline_path(suite.path)):
        return "file"
    return "suite" if _has(repository, commit, suite.path) else "new"


def _has(repository: Repository, commit: str, path: str) -> bool:
    inside = PurePath(os.path.normpath(repository.prefix + path)).as_posix()
    return run_git(repository.root, "cat-file", "-e", f"{commit}:{inside}", check=False).returncode == 0
