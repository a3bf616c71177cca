"""The versions of a prompt as git sees them: each commit's text with what it includes, and what lies uncommitted."""

from __future__ import annotations

import difflib
import io
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from retest.domain.prompt import Prompt
from retest.domain.prompt_log import LoggedVersion
from retest.errors import Location, Problem, RetestError, UsageError
from retest.revisions.file_log import FileCommit, file_log
from retest.revisions.git import BlobReader, Repository, find_repository
from retest.suites.prompt_entries import prompts_root
from retest.suites.prompt_files import read_prompt
from retest.suites.text_files import UnreadableTextError, decode_text

_INCLUDES = re.compile(r"\{%[-+]?\s*(?:include|extends|import|from)\b")
_PROMPTS = "prompts"


def read_versions(cwd: Path, path: str, *, most: int | None = None) -> tuple[list[LoggedVersion], int]:
    """Return the versions of a prompt, the newest first, without results; and how many older ones there are.

    Args:
        cwd: where the path starts; git's repository is the one that it belongs to.
        path: of the prompt's file.
        most: read at most so many commits.

    Raises:
        UsageError: no repository, or neither git nor the working tree knows the file.
    """
    repository = find_repository(cwd)
    full = Path(os.path.abspath(cwd / path))  # noqa: PTH100 - resolve() would follow a link, and git does not
    if not full.is_relative_to(repository.root):
        raise _unknown(path, f"it lies outside the repository {repository.root}")
    if full.is_dir():
        raise _unknown(path, "it is a folder")
    inside = full.relative_to(repository.root).as_posix()
    commits = file_log(repository, inside)
    versions = [*_working_tree(full, path, inside, repository, commits), *_committed(repository, commits[:most], path)]
    if not versions:
        raise _unknown(path, "neither git nor the working tree has such a file")
    left_out = 0 if most is None else max(0, len(commits) - most)
    sized = _with_sizes(versions)
    return (sized[:-1], left_out + 1) if left_out else (sized, 0)  # the last has none to be compared with


def _unknown(path: str, why: str) -> UsageError:
    return UsageError(
        Problem(
            slug="log-unknown-prompt",
            message=f"there is no history of {path}: {why}",
            where=Location(path=path),
            fix="give the path of a prompt file in this repository, such as prompts/intent.md",
        )
    )


def _working_tree(
    full: Path, shown: str, inside: str, repository: Repository, commits: Sequence[FileCommit]
) -> Iterator[LoggedVersion]:
    """Yield the file on disk, where it is not what the newest commit has."""
    if not full.is_file():
        return
    text = _decoded(full.read_bytes())
    if commits:
        with BlobReader(repository) as blobs:
            if commits[0].is_file and text == _decoded(_content(blobs, commits[0].object_id)):
                return
    prompt = _prompt(full, shown)
    changed_at = datetime.fromtimestamp(full.stat().st_mtime, UTC)
    yield LoggedVersion(
        commit=None,
        date=changed_at,
        author=None,
        message="not committed" if commits else "not in git",
        path=inside,
        text=text,
        prompt_hash=None if prompt is None else prompt.content_hash,
        labels=() if prompt is None else prompt.labels,
    )


def _committed(repository: Repository, commits: Sequence[FileCommit], shown: str) -> Iterator[LoggedVersion]:
    if not commits:
        return
    with BlobReader(repository) as blobs:
        for commit in commits:
            if not commit.is_file:
                continue
            text = _decoded(_content(blobs, commit.object_id))
            with tempfile.TemporaryDirectory(prefix="retest-") as folder:
                prompt = _prompt(_materialise(repository, blobs, commit, text, Path(folder)), shown)
            yield LoggedVersion(
                commit=commit.commit,
                date=commit.date,
                author=commit.author,
                message=commit.message,
                path=commit.path,
                renamed_from=commit.renamed_from,
                text=text,
                prompt_hash=None if prompt is None else prompt.content_hash,
                labels=() if prompt is None else prompt.labels,
            )


def _content(blobs: BlobReader, object_id: str) -> bytes:
    buffer = io.BytesIO()
    blobs.copy(object_id, buffer)
    return buffer.getvalue()


def _decoded(data: bytes) -> str:
    try:
        return decode_text(data, display="")
    except UnreadableTextError:
        return data.decode("utf-8", "replace")


def _materialise(repository: Repository, blobs: BlobReader, commit: FileCommit, text: str, folder: Path) -> Path:
    """Write the file, and what it may include, as the commit has them; return its place."""
    place = folder / commit.path
    place.parent.mkdir(parents=True, exist_ok=True)
    if _INCLUDES.search(text):
        for entry in repository.entries(commit.commit, _shared_folder(commit.path)):
            beside = folder / entry.path
            if entry.size is None or entry.is_link or not beside.resolve().is_relative_to(folder.resolve()):
                continue
            beside.parent.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(_content(blobs, entry.object_id))
    place.write_text(text, encoding="utf-8", newline="\n")
    return place


def _shared_folder(path: str) -> str:
    """Return the folder that includes stay below: the nearest one called `prompts`, else the file's own."""
    parents = PurePosixPath(path).parents
    found = next((parent for parent in parents if parent.name == _PROMPTS), parents[0])
    return "" if found == PurePosixPath() else found.as_posix()


def _prompt(file: Path, shown: str) -> Prompt | None:
    """Return the prompt, None where it is none that could be run."""
    try:
        return read_prompt(file, display=shown, root=prompts_root(file))
    except RetestError:
        return None


def _with_sizes(versions: Sequence[LoggedVersion]) -> list[LoggedVersion]:
    before = [*(version.text for version in versions[1:]), ""]
    found = []
    for version, earlier in zip(versions, before, strict=True):
        lines = list(difflib.unified_diff(earlier.splitlines(), version.text.splitlines(), lineterm="", n=0))[2:]
        added = sum(line.startswith("+") for line in lines)
        found.append(replace(version, added=added, removed=sum(line.startswith("-") for line in lines)))
    return [_with_twin(version, older) for version, older in zip(found, [*found[1:], None], strict=True)]


def _with_twin(version: LoggedVersion, older: LoggedVersion | None) -> LoggedVersion:
    is_same = older is not None and version.prompt_hash is not None and version.prompt_hash == older.prompt_hash
    return replace(version, same_as=older.name) if older is not None and is_same else version
