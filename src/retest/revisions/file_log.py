"""The commits that changed one file, as git sees them: followed through renames, the newest first."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from retest.revisions.git import Repository, run_git

_FORMAT = "%x1e%H%x1f%aI%x1f%an%x1f%B%x1f"
_RECORD = re.compile(r"\x1e(?=[0-9a-f]{40,64}\x1f)")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCommit:
    """A commit that changed the file.

    Attributes:
        path: of the file in this commit, below the repository's root.
        object_id: of its content.
        mode: git's, such as 100644.
        renamed_from: its path before, where this commit renamed it.
        message: whole; the first line is the subject.
    """

    commit: str
    date: datetime
    author: str
    message: str
    path: str
    object_id: str
    mode: str = "100644"
    renamed_from: str | None = None

    @property
    def is_file(self) -> bool:
        """Return whether it is a plain file in this commit, and no link or submodule."""
        return self.mode.startswith("100")

    @property
    def subject(self) -> str:
        """Return the first line of the message."""
        return self.message.split("\n", 1)[0]


def file_log(repository: Repository, path: str, *, most: int | None = None) -> list[FileCommit]:
    """Return the commits that changed a file, the newest first; one that took it away has no part in it.

    Args:
        repository: to read from.
        path: below the repository's root, as it is called now.
        most: at most so many.

    Raises:
        UsageError: git cannot be run.
    """
    limit = [] if most is None else [f"--max-count={most}"]
    arguments = ("log", "--follow", "--raw", "--no-abbrev", "-z", f"--format={_FORMAT}", *limit, "--", path)
    done = run_git(repository.root, *arguments, check=False)
    if done.returncode != 0:  # no commit yet
        return []
    return list(_commits(os.fsdecode(done.stdout)))


def _commits(listing: str) -> Iterator[FileCommit]:
    for record in _RECORD.split(listing):
        if "\x1f" not in record:
            continue
        commit, date, author, rest = record.split("\x1f", 3)
        message, _, changes = rest.rpartition("\x1f")
        raw, *paths = [part for part in changes.split("\0") if part.strip("\n")] or [""]
        if not paths:
            continue
        _, mode, _, object_id, status = raw.strip("\n").split(" ")
        if status.startswith("D"):
            continue
        yield FileCommit(
            commit=commit.removeprefix("\x1e"),
            date=datetime.fromisoformat(date),
            author=author,
            message=message.strip("\n"),
            path=paths[-1],
            object_id=object_id,
            mode=mode,
            renamed_from=paths[0] if status.startswith("R") else None,
        )
