"""Which commits the names of a command mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from retest.revisions.git import Repository, Revision

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
