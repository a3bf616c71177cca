"""Which commits the names of a command mean, and which lie between two of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from retest.errors import Problem, UsageError
from retest.revisions.git import Repository, Revision, run_git

WORKTREE = "WORKTREE"
"""The name of the files as they are on disk, committed or not."""


def expand_names(repository: Repository, names: Sequence[str]) -> list[Revision | None]:
    """Return what the names mean, in order; None is the working tree.

    ``A...B`` is two: where B left A, and B. ``A..B`` is A and B. A side left out is HEAD, as in git.

    Raises:
        UsageError: a name is no revision here, or two have no common ancestor.
    """
    return [revision for name in names for revision in _expand(repository, name)]


def _expand(repository: Repository, name: str) -> Iterator[Revision | None]:
    for dots in ("...", ".."):
        first, found, second = name.partition(dots)
        if found:
            before, after = first or "HEAD", second or "HEAD"
            yield _parting(repository, before, after) if dots == "..." else _read(repository, before)
            yield _read(repository, after)
            return
    yield _read(repository, name)


def _read(repository: Repository, name: str) -> Revision | None:
    return None if name == WORKTREE else repository.resolve(name)


def _parting(repository: Repository, before: str, after: str) -> Revision:
    """Return the commit at which `after` left `before`; the working tree belongs to HEAD."""
    first, second = ("HEAD" if name == WORKTREE else name for name in (before, after))
    return repository.merge_base(repository.resolve(first), repository.resolve(second))


def first_parents(repository: Repository, good: Revision, bad: Revision) -> list[str]:
    """Return the commits after `good` up to `bad`, the oldest first; of a merge only its own line is followed.

    Raises:
        UsageError: `bad` does not come after `good` on that line.
    """
    listed = run_git(repository.root, "rev-list", "--first-parent", "--reverse", f"{good.commit}..{bad.commit}")
    commits = listed.stdout.decode().split()
    parents = run_git(repository.root, "rev-list", "--parents", "--max-count=1", commits[0]).stdout if commits else b""
    if good.commit not in parents.decode().split()[1:2]:
        raise UsageError(
            Problem(
                slug="bisect-not-before",
                message=f"{good.label} does not come before {bad.label} on one line of commits",
                details=("only first parents are followed: the line on which branches were merged",),
                fix=f"start where they parted: git merge-base {good.label} {bad.label}",
            )
        )
    return commits


def commit_title(repository: Repository, commit: str) -> str:
    """Return date, author and subject of a commit in one line."""
    shown = run_git(repository.root, "show", "--no-patch", "--format=%cs  %an  %s", commit).stdout
    return os.fsdecode(shown).strip()
