"""Prompts for people who do not use git: read, tried on cases, and saved to the working tree; nothing is committed."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Self

from retest.domain.json_value import JsonValue
from retest.domain.run import Run
from retest.errors import Location, Problem, RetestError, SuiteError, UsageError
from retest.revisions.git import find_repository, run_git
from retest.suites.prompt_entries import prompts_root
from retest.suites.prompt_files import ARRAY_SUFFIXES, TEXT_SUFFIXES, read_prompt
from retest.workflows.check import check_suites
from retest.workflows.workspace import Workspace

if TYPE_CHECKING:
    from retest.store.database import Store

COMMIT_MESSAGE = "RETEST_COMMIT_MSG"
_MOST_BYTES = 1_000_000
_PROMPT_FOLDER = "prompts"


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptText:
    """A prompt file as it is on disk; `version` changes with every change of its bytes."""

    path: str
    text: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What saving did.

    Attributes:
        command: commits the file with the proposed message; None outside git.
    """

    prompt: PromptText
    command: str | None = None


class ChangedOnDiskError(UsageError):
    """The file is not what it was when it was opened; `current` is what it is now."""

    def __init__(self, current: PromptText) -> None:
        super().__init__(
            Problem(
                slug="prompt-changed-on-disk",
                message=f"{current.path} was changed on disk since you opened it",
                fix="nothing was saved: take over what you need, and save again",
            )
        )
        self.current = current


def list_prompts(workspace: Workspace) -> list[str]:
    """Return the prompt files of the project: those below a folder `prompts`, and those that sound suites name."""
    found = set(_in_folder(workspace.cwd))
    try:
        suites = check_suites([], workspace).suites
    except RetestError:  # a project without suites has prompts all the same
        suites = ()
    for suite in suites:
        for arm in suite.arms:
            path = _known_path(workspace, arm.prompt.path)
            if path is not None:
                found.add(path)
    return sorted(found)


def _in_folder(cwd: Path) -> Iterator[str]:
    folder = cwd / _PROMPT_FOLDER
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        is_prompt = path.suffix.lower() in (*TEXT_SUFFIXES, *ARRAY_SUFFIXES)
        if is_prompt and path.is_file() and not path.name.startswith("."):
            yield path.relative_to(cwd).as_posix()


def _known_path(workspace: Workspace, path: str | None) -> str | None:
    """Return a suite's prompt as a path below the project, None where it lies elsewhere."""
    if path is None:
        return None
    full = Path(os.path.normpath(workspace.cwd / path))
    return full.relative_to(workspace.cwd).as_posix() if full.is_relative_to(workspace.cwd) else None


def read_prompt_text(workspace: Workspace, path: str) -> PromptText:
    """Return a prompt file.

    Raises:
        UsageError: it is none of the project's prompts, or is no text.
    """
    full = _safe_path(workspace, path)
    body = full.read_bytes()
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(_unreadable(path, "it is no UTF-8 text")) from None
    return PromptText(path=path, text=text.replace("\r\n", "\n"), version=_version(body))


def _safe_path(workspace: Workspace, path: str) -> Path:
    """Return the file behind a path that came from a browser: only what is listed may be opened or written."""
    if path not in list_prompts(workspace):
        raise UsageError(_unreadable(path, "it is none of this project's prompts"))
    full = (workspace.cwd / path).resolve()
    if not full.is_relative_to(workspace.cwd.resolve()) or not full.is_file():
        raise UsageError(_unreadable(path, "it lies outside the project"))
    if full.stat().st_size > _MOST_BYTES:
        raise UsageError(_unreadable(path, "it is larger than a megabyte"))
    return full


def _unreadable(path: str, why: str) -> Problem:
    return Problem(
        slug="prompt-not-editable", message=f"{path} cannot be edited here: {why}", where=Location(path=path)
    )


def _version(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def check_prompt_text(workspace: Workspace, path: str, text: str) -> None:
    """Check a text as if it stood in the file.

    Raises:
        SuiteError: everything that is wrong with it.
        UsageError: the file is none of the project's prompts.
    """
    full = _safe_path(workspace, path)
    with _beside(full, _as_bytes(full, text)) as copy:
        read_prompt(copy.path, display=path, root=prompts_root(full))


class _beside:  # noqa: N801 - used like a function
    """A text in a file beside another for a moment: includes and images start from there."""

    def __init__(self, full: Path, body: bytes) -> None:
        handle, name = tempfile.mkstemp(prefix=".retest-", suffix=full.suffix, dir=full.parent)
        self.path = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(body)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.path.unlink(missing_ok=True)


def _as_bytes(full: Path, text: str) -> bytes:
    """Return a text with the line ends and the mark at the beginning that the file has."""
    body = full.read_bytes()
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    if b"\r\n" in body:
        lines = lines.replace("\n", "\r\n")
    mark = b"\xef\xbb\xbf" if body.startswith(b"\xef\xbb\xbf") else b""
    return mark + lines.encode("utf-8", "surrogatepass" if "\ud800" <= max(text, default="") <= "\udfff" else "strict")


def save_prompt(workspace: Workspace, draft: PromptText, message: str) -> Saved:
    """Save a text to the working tree, and its message as the one proposed for the commit.

    Args:
        workspace: the project.
        draft: the new text; `version` is the one that was opened.
        message: what was changed and why.

    Raises:
        ChangedOnDiskError: somebody else changed the file meanwhile; nothing is written.
        SuiteError: the text is no sound prompt; nothing is written.
        UsageError: the file is none of the project's prompts.
    """
    full = _safe_path(workspace, draft.path)
    check_prompt_text(workspace, draft.path, draft.text)
    current = read_prompt_text(workspace, draft.path)
    if current.version != draft.version:
        raise ChangedOnDiskError(current)
    copy = _beside(full, _as_bytes(full, draft.text))
    copy.path.chmod(full.stat().st_mode & 0o777)
    copy.path.replace(full)
    return Saved(
        prompt=read_prompt_text(workspace, draft.path), command=propose_message(workspace.cwd, draft.path, message)
    )


def propose_message(cwd: Path, path: str, message: str) -> str | None:
    """Write the proposed commit message into git's own folder; return the command that uses it, None outside git.

    Messages of several saves stand below each other until something is committed.
    """
    try:
        root = find_repository(cwd).root
    except RetestError:
        return None
    place = Path(os.fsdecode(run_git(cwd, "rev-parse", "--git-path", COMMIT_MESSAGE).stdout).strip())
    file = place if place.is_absolute() else cwd / place
    text = message.strip() or f"Change {path}"
    earlier = file.read_text("utf-8") if file.is_file() and not _committed_since(root, file) else ""
    if text not in earlier.split("\n\n"):
        earlier = f"{earlier.rstrip()}\n\n{text}\n".lstrip()
    file.write_text(earlier, encoding="utf-8")
    shown = os.path.relpath(file, cwd)
    return f"git commit -F {shown} -- {path}"


def _committed_since(root: Path, file: Path) -> bool:
    found = run_git(root, "log", "-1", "--format=%ct", check=False).stdout.strip()
    return bool(found) and int(found) >= int(file.stat().st_mtime)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptVersion:
    """A prompt at one version, and the runs that used it, the newest first."""

    prompt_hash: str
    source: str
    runs: tuple[Run, ...]
    arms: tuple[str, ...] = ()


def prompt_history(store: Store, path: str, most: int = 200) -> list[PromptVersion]:
    """Return the versions of a prompt that runs used, the newest first."""
    from retest.store.records import RunFilter

    runs = {run.run_id: run for run in store.list_runs(RunFilter(prompt=path, limit=most))}
    stem = Path(path).stem
    if not runs:
        runs = {run.run_id: run for run in store.list_runs(RunFilter(prompt=stem, limit=most))}
    versions: dict[str, list[tuple[Run, str, str]]] = {}
    for run in runs.values():
        for arm in run.arms:
            if arm.prompt_path == path or Path(arm.prompt_path or "").name == Path(path).name:
                versions.setdefault(arm.prompt_hash, []).append((run, arm.name, arm.prompt_source))
    return [
        PromptVersion(
            prompt_hash=name,
            source=uses[0][2],
            runs=tuple({run.run_id: run for run, _, _ in uses}.values()),
            arms=tuple(dict.fromkeys(arm for _, arm, _ in uses)),
        )
        for name, uses in versions.items()
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class TryPlace:
    """Where a prompt can be tried: a suite that uses it, its targets, and its first cases."""

    suite: str
    targets: tuple[str, ...]
    cases: tuple[str, ...]


def places_to_try(workspace: Workspace, path: str, most: int = 200) -> list[TryPlace]:
    """Return the suites that use a prompt."""
    try:
        suites = check_suites([], workspace).suites
    except RetestError:
        return []
    found = []
    for suite in suites:
        arms = [arm for arm in suite.arms if _known_path(workspace, arm.prompt.path) == path]
        if arms:
            cases = tuple(case.case_id for case in islice(iter(suite.cases), most))
            targets = tuple(dict.fromkeys(arm.target.name for arm in arms))
            found.append(TryPlace(suite=suite.path, targets=targets, cases=cases))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class TryWish:
    """What to try: a text in the place of a prompt file, on some cases of a suite."""

    path: str
    text: str
    suite: str
    target: str
    cases: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One case with the answer to it, or why there is none."""

    case_id: str
    variables: Mapping[str, JsonValue]
    expected: JsonValue
    output: str
    error: str | None = None


def try_on_cases(workspace: Workspace, wish: TryWish) -> list[Tried]:
    """Ask once for each case; nothing is stored.

    Raises:
        SuiteError: the text is no sound prompt.
        UsageError: there is no such prompt, suite or target.
    """
    from retest.domain.sample import Response
    from retest.workflows.try_prompt import TryRequest, try_prompt

    full = _safe_path(workspace, wish.path)
    check_prompt_text(workspace, wish.path, wish.text)
    checked = check_suites([wish.suite], workspace)
    if checked.errors:
        raise SuiteError(*checked.errors)
    wanted = set(wish.cases)
    cases = [case for suite in checked.suites for case in suite.cases if case.case_id in wanted]
    found: list[Tried] = []
    with _beside(full, _as_bytes(full, wish.text)) as copy:
        place = copy.path.relative_to(workspace.cwd.resolve()).as_posix()
        for case in cases:
            request = TryRequest(path=place, variables=case.vars, suite=wish.suite, target=wish.target or None)
            output, error = "", None
            try:
                answer: Response = try_prompt(request, workspace, lambda _: None)
                output = answer.output
            except RetestError as failure:
                error = "\n".join(
                    f"{problem.message}{'' if not problem.details else ': ' + '; '.join(problem.details)}"
                    for problem in failure.problems
                )
            found.append(
                Tried(case_id=case.case_id, variables=case.vars, expected=case.expected, output=output, error=error)
            )
    return found
