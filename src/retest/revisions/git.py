"""What git knows of a project, read through the git command; index and working tree are never touched."""

from __future__ import annotations

import difflib
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from retest.errors import Problem, UsageError

_TIMEOUT_S = 120
_COPY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A commit under the name that the user typed; `branch` where that name is a branch's."""

    label: str
    commit: str
    branch: str | None = None

    @property
    def short(self) -> str:
        """Return the commit as people write it."""
        return self.commit[:8]


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeEntry:
    """A file of a revision.

    Attributes:
        path: below the repository's root.
        mode: git's, such as 100644.
        object_id: of its content.
        size: in bytes; None of a submodule, and where the content is not here.
    """

    path: str
    mode: str
    object_id: str
    size: int | None

    @property
    def is_link(self) -> bool:
        """Return whether it is a symbolic link; its content is where it leads."""
        return self.mode == "120000"

    @property
    def is_executable(self) -> bool:
        """Return whether the file may be run."""
        return self.mode == "100755"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository on disk.

    Attributes:
        root: of the working tree, absolute.
        prefix: the folder in which the command runs, below the root: empty, or ending in a slash.
    """

    root: Path
    prefix: str = ""

    def resolve(self, name: str) -> Revision:
        """Return the commit that a branch, tag, hash or expression names.

        Raises:
            UsageError: there is no such commit here, or not yet any commit.
        """
        if "\0" in name:  # no argument of a program can hold it
            raise self._unknown(name)
        # A name may look like a flag; after --end-of-options git takes it for nothing but a revision.
        done = run_git(
            self.root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}", check=False
        )
        commit = done.stdout.decode().strip()
        if done.returncode != 0 or not commit:
            raise self._unknown(name)
        full = run_git(self.root, "rev-parse", "--symbolic-full-name", "--end-of-options", name, check=False)
        lines = os.fsdecode(full.stdout).split("\n")
        heads = [line.removeprefix("refs/heads/") for line in lines if line.startswith("refs/heads/")]
        return Revision(label=name, commit=commit, branch=heads[0] if heads else None)

    def names_commit(self, name: str) -> bool:
        """Return whether a name is a commit's."""
        try:
            self.resolve(name)
        except UsageError:
            return False
        return True

    def merge_base(self, first: Revision, second: Revision) -> Revision:
        """Return the commit at which two lines of work parted.

        Raises:
            UsageError: they have no common ancestor, as far as the history is here.
        """
        done = run_git(self.root, "merge-base", first.commit, second.commit, check=False)
        commit = done.stdout.decode().strip()
        if done.returncode != 0 or not commit:
            raise UsageError(
                Problem(
                    slug="revision-no-merge-base",
                    message=f"{first.label} and {second.label} have no common ancestor",
                    details=(_SHALLOW,) if self.is_shallow() else (),
                    fix=_FETCH if self.is_shallow() else f"compare the two as they are: {first.label} {second.label}",
                )
            )
        return Revision(label=f"{first.label}...{second.label}", commit=commit)

    def is_shallow(self) -> bool:
        """Return whether only the newest part of the history was fetched."""
        return run_git(self.root, "rev-parse", "--is-shallow-repository").stdout.strip() == b"true"

    def entries(self, commit: str, folder: str = "") -> Iterator[TreeEntry]:
        """Yield the files of a commit, submodules and links included, in git's order.

        Args:
            commit: full hash.
            folder: only what is below this folder of the repository.
        """
        where = ("--", folder) if folder else ()
        # -z: names come as they are, whatever core.quotepath says.
        listing = run_git(self.root, "ls-tree", "-r", "-z", "--long", "--full-tree", commit, *where).stdout
        for line in listing.split(b"\0"):
            if line:
                head, _, path = line.partition(b"\t")
                mode, _, object_id, size = head.decode().split()
                yield TreeEntry(
                    path=os.fsdecode(path), mode=mode, object_id=object_id, size=int(size) if size.isdigit() else None
                )

    def _unknown(self, name: str) -> UsageError:
        if run_git(self.root, "rev-parse", "--verify", "--quiet", "HEAD", check=False).returncode != 0 and not list(
            self._names()
        ):
            return UsageError(
                Problem(
                    slug="revision-no-commits",
                    message=f"{self.root} has no commit yet, so '{name}' names nothing",
                    fix="commit first: git add -A && git commit",
                )
            )
        shallow = self.is_shallow()
        close = difflib.get_close_matches(name, list(self._names()), n=1, cutoff=0.5)
        near = f"did you mean '{close[0]}'?" if close else "`git branch -a` and `git tag` list what there is"
        return UsageError(
            Problem(
                slug="revision-unknown",
                message=f"git has no revision '{name}' here",
                details=(_SHALLOW,) if shallow else (),
                fix=_FETCH if shallow else near,
            )
        )

    def _names(self) -> Iterator[str]:
        refs = run_git(self.root, "for-each-ref", "--format=%(refname:short)", check=False).stdout
        yield from (os.fsdecode(line) for line in refs.split(b"\n") if line)


_SHALLOW = "this clone is shallow: only the newest part of the history was fetched"
_FETCH = "fetch it: `git fetch --unshallow origin`; on GitHub Actions set `fetch-depth: 0` for actions/checkout"


def find_repository(cwd: Path) -> Repository:
    """Return the repository that a folder belongs to; a worktree is one of its own.

    Raises:
        UsageError: the folder is in no repository, or git is not installed.
    """
    done = run_git(cwd, "rev-parse", "--show-toplevel", "--show-prefix", check=False)
    if done.returncode != 0:
        said = os.fsdecode(done.stderr).strip().splitlines()
        raise UsageError(
            Problem(
                slug="revision-no-repository",
                message=f"{cwd} is in no git repository with a working tree",
                details=tuple(said[:1]),
                fix="work in a clone; without git, compare prompt files: retest compare a.md b.md --suite SUITE",
            )
        )
    root, _, prefix = os.fsdecode(done.stdout).removesuffix("\n").partition("\n")
    return Repository(root=Path(root), prefix=prefix)


def run_git(folder: Path, *args: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
    """Run one git command that only reads.

    Raises:
        UsageError: git is not installed or does not answer; with `check`, also where it reports an error.
    """
    try:
        # git is looked up on PATH on purpose: it is the user's own.
        done = subprocess.run(_command(folder, args), capture_output=True, check=False, timeout=_TIMEOUT_S)  # noqa: S603
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise _failed(args, str(error)) from error
    if check and done.returncode != 0:
        raise _failed(args, os.fsdecode(done.stderr).strip())
    return done


def _command(folder: Path, args: Sequence[str]) -> list[str]:
    # Without optional locks git writes nothing, not even a refreshed index.
    return ["git", "--no-optional-locks", "--literal-pathspecs", "-C", str(folder), *args]


def _failed(args: Sequence[str], said: str) -> UsageError:
    return UsageError(
        Problem(
            slug="revision-git-failed",
            message=f"`git {args[0]}` failed",
            details=tuple(said.splitlines()[:3]),
            fix="see that git is installed and that this user may read the repository",
        )
    )


class BlobReader:
    """Copies contents out of the object store as they are: no line ending is converted and no filter runs."""

    def __init__(self, repository: Repository) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - git is the user's own, found on PATH
            _command(repository.root, ("cat-file", "--batch")),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> Self:
        """Return the reader."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End git."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.terminate()
        self._process.wait()

    def copy(self, object_id: str, to: IO[bytes]) -> None:
        """Write an object's content to an open file.

        Raises:
            UsageError: the object is not in this clone.
        """
        asked, answers = self._process.stdin, self._process.stdout
        assert asked is not None  # noqa: S101 - opened as a pipe above
        assert answers is not None  # noqa: S101 - the same
        asked.write(f"{object_id}\n".encode())
        asked.flush()
        head = answers.readline().split()
        if len(head) != 3:  # noqa: PLR2004 - id, type, size
            raise UsageError(
                Problem(
                    slug="revision-object-missing",
                    message=f"object {object_id} is not in this clone",
                    fix="fetch it: git fetch --refetch origin",
                )
            )
        left = int(head[2])
        while left > 0 and (chunk := answers.read(min(left, _COPY_BYTES))):
            to.write(chunk)
            left -= len(chunk)
        answers.read(1)  # the line feed behind each object
