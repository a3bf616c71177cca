"""A revision's files in a temporary folder, for as long as they are needed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from retest.errors import Problem, UsageError
from retest.revisions.git import BlobReader, Repository, TreeEntry

WHOLE_TREE_BYTES = 500_000_000
"""A larger repository is not copied whole: only the project's own folder is, up to `MOST_BYTES`."""

MOST_BYTES = 4_000_000_000
_SUBMODULE = "160000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A revision on disk: `root` is the repository's, `cwd` the folder in which the command runs, in the copy."""

    root: Path
    cwd: Path


@contextmanager
def open_snapshot(
    repository: Repository, commit: str, *, project: str = "", suffixes: tuple[str, ...] = ()
) -> Iterator[Snapshot]:
    """Write a revision's files to a temporary folder, and take it away in the end.

    Contents are copied from git's objects byte for byte. Links are kept where they lead to a file of the revision;
    submodules are left out.

    Args:
        repository: to read from.
        commit: full hash.
        project: folder of the project below the repository's root, which is all that is copied of a large repository.
        suffixes: only files whose names end so, and links; none means all.

    Raises:
        UsageError: the revision is too large, or an object of it is not in this clone.
    """
    root = Path(tempfile.mkdtemp(prefix="retest-")).resolve()
    try:
        _write(_chosen(repository, commit, project, suffixes), repository, root)
        # What marks the project's root in the working tree must mark it here.
        (root / ".git").mkdir(exist_ok=True)
        cwd = root / repository.prefix
        cwd.mkdir(parents=True, exist_ok=True)
        yield Snapshot(root=root, cwd=cwd)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _write(entries: Sequence[TreeEntry], repository: Repository, root: Path) -> None:
    links: list[Path] = []
    with BlobReader(repository) as blobs:
        for entry in entries:
            path = root / entry.path
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                blobs.copy(entry.object_id, file)
            if entry.is_executable:
                path.chmod(0o755)
            if entry.is_link:
                links.append(path)
    _make_links(links, root)


def _chosen(repository: Repository, commit: str, project: str, suffixes: tuple[str, ...]) -> Sequence[TreeEntry]:
    """Return the files to copy: all, or those of the project where all would be too much."""
    entries = list(_safe(repository.entries(commit)))
    if suffixes:
        entries = [entry for entry in entries if entry.is_link or entry.path.lower().endswith(suffixes)]
    if _size(entries) > WHOLE_TREE_BYTES and project:
        entries = list(_safe(repository.entries(commit, project)))
    if _size(entries) > MOST_BYTES:
        largest = max(entries, key=lambda entry: entry.size or 0)
        raise UsageError(
            Problem(
                slug="revision-too-large",
                message=f"revision {commit[:8]} holds {_size(entries):,} bytes; the limit is {MOST_BYTES:,}",
                details=(f"its largest file is {largest.path}, {largest.size or 0:,} bytes",),
                fix="keep the suites and what they need in a folder of their own, with a retest.toml in it",
            )
        )
    return entries


def _safe(entries: Iterator[TreeEntry]) -> Iterator[TreeEntry]:
    """Leave out submodules, and paths that could lead out of the folder; git itself makes none of those."""
    for entry in entries:
        parts = PurePosixPath(entry.path).parts
        dangerous = entry.path.startswith("/") or any(part == ".." or part.lower() == ".git" for part in parts)
        if entry.mode != _SUBMODULE and not dangerous:
            yield entry


def _size(entries: Sequence[TreeEntry]) -> int:
    return sum(entry.size or 0 for entry in entries)


def _make_links(paths: Sequence[Path], root: Path) -> None:
    """Turn the files that hold where a link leads into links; take away those that lead out of the folder.

    All are made before any is judged, for where one leads may depend on another.
    """
    for path in paths:
        leads_to = path.read_bytes()
        path.unlink()
        with suppress(OSError, ValueError):  # a name that this file system cannot hold
            path.symlink_to(os.fsdecode(leads_to))
    for path in paths:
        if path.is_symlink() and not _stays_inside(path, root):
            path.unlink()


def _stays_inside(path: Path, root: Path) -> bool:
    try:
        return Path(os.path.realpath(path, strict=True)).is_relative_to(root)
    except (OSError, ValueError):  # it leads nowhere, or in a circle
        return False
