"""Moves a label between the versions of a prompt: an edit of front matter, ready to be committed by a person."""

from __future__ import annotations

import difflib
import os
import re
import shlex
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from retest.domain.prompt import Prompt
from retest.errors import Location, Problem, RetestError, UsageError
from retest.suites.prompt_entries import prompts_root
from retest.suites.prompt_files import TEXT_SUFFIXES, read_prompt
from retest.suites.prompt_labels import LabelsError, with_labels
from retest.workflows.view_prompts import propose_message
from retest.workflows.workspace import Workspace

_VERSION = re.compile(r"[-_. ]?v?\d+(?:[._-]\d+)*$", re.IGNORECASE)
_LONGEST = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelEdit:
    """One file's labels before and after, with its text."""

    path: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    old: str
    new: str

    def diff(self) -> str:
        """Return what changes, as git would show it."""
        old, new = self.old.replace("\r\n", "\n"), self.new.replace("\r\n", "\n")
        names = f"a/{self.path}", f"b/{self.path}"
        lines = difflib.unified_diff(old.splitlines(), new.splitlines(), *names, lineterm="", n=2)
        return "".join(f"{line}\n" for line in lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelMove:
    """A label on its way to a prompt.

    Attributes:
        edits: nothing where the prompt has the label and no other version does.
        message: proposed for the commit.
        command: commits the edits with it; None outside git, and where nothing was written.
    """

    prompt: str
    label: str
    edits: tuple[LabelEdit, ...]
    message: str
    command: str | None = None


def move_label(
    workspace: Workspace, path: str, label: str, *, others: Sequence[str] = (), dry_run: bool = False
) -> LabelMove:
    """Give a prompt a label, and take it from the other files that are versions of the same prompt.

    Files of one folder are versions of one prompt where their names are equal but for a number at the end
    (``intent-v1.md``, ``intent-v2.md``), or their front matter gives them such names.

    Args:
        workspace: the project.
        path: of the prompt that gets the label.
        label: such as production.
        others: files that lose the label besides.
        dry_run: write nothing.

    Raises:
        UsageError: no such prompt, no label, or front matter that cannot be changed in place; nothing is written.
        SuiteError: a prompt is not sound.
    """
    name = _checked(label)
    target = _File(workspace.cwd, path)
    versions = {file.full.resolve(): file for file in _versions(workspace.cwd, target, others)}
    versions.pop(target.full.resolve(), None)
    taken_from = [file for file in versions.values() if name in file.prompt.labels]
    edits = [file.edit([one for one in file.prompt.labels if one != name]) for file in taken_from]
    if name not in target.prompt.labels:
        edits.insert(0, target.edit([*target.prompt.labels, name]))
    message = _message(target, name, [file.path for file in taken_from])
    command = None
    if edits and not dry_run:
        for edit in edits:
            _write(workspace.cwd / edit.path, edit.new)
        command = propose_message(workspace.cwd, shlex.join(edit.path for edit in edits), message)
    return LabelMove(prompt=path, label=name, edits=tuple(edits), message=message, command=command)


class _File:
    """A prompt file with its text as it is on disk, line ends and all."""

    def __init__(self, cwd: Path, path: str) -> None:
        self.path = path
        self.full = cwd / path
        if self.full.suffix.lower() not in TEXT_SUFFIXES:
            raise _refusal(path, "only text prompts (.md, .txt, .prompty ...) have front matter to change")
        self.prompt = _read(self.full, path)
        try:
            self.text = self.full.read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            raise _refusal(path, "it is not UTF-8") from None

    @property
    def group(self) -> str:
        """Return the name that all versions of the prompt share."""
        return _VERSION.sub("", self.prompt.name) or self.prompt.name

    def edit(self, labels: Sequence[str]) -> LabelEdit:
        """Return the change to these labels, tried out beside the file: nothing else about the prompt may change."""
        try:
            text = with_labels(self.text, labels)
        except LabelsError as error:
            raise _refusal(self.path, str(error)) from None
        tried = self._read_as(text)
        if tried is None or tried.labels != tuple(labels) or tried.content_hash != self.prompt.content_hash:
            raise _refusal(self.path, "its front matter is written in a form that cannot be changed in place")
        return LabelEdit(path=self.path, before=self.prompt.labels, after=tuple(labels), old=self.text, new=text)

    def _read_as(self, text: str) -> Prompt | None:
        handle, name = tempfile.mkstemp(prefix=".retest-", suffix=self.full.suffix, dir=self.full.parent)
        copy = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text.encode("utf-8"))
            return read_prompt(copy, display=self.path, root=prompts_root(self.full))
        except RetestError:
            return None
        finally:
            copy.unlink(missing_ok=True)


def _read(full: Path, path: str) -> Prompt:
    if not full.is_file():
        raise _refusal(path, "there is no such file")
    return read_prompt(full, display=path, root=prompts_root(full))


def _versions(cwd: Path, target: _File, others: Sequence[str]) -> Iterator[_File]:
    """Yield the other files of the prompt; what is no sound prompt is none of its versions unless it is named."""
    for full in sorted(target.full.parent.iterdir()):
        if full.suffix.lower() in TEXT_SUFFIXES and full.is_file() and not full.name.startswith("."):
            try:
                file = _File(cwd, Path(os.path.relpath(full, cwd)).as_posix())
            except RetestError:
                continue
            if file.group == target.group:
                yield file
    yield from (_File(cwd, other) for other in others)


def _checked(label: str) -> str:
    name = label.strip()
    if not name or not name.isprintable() or len(name) > _LONGEST:
        raise UsageError(
            Problem(
                slug="promote-label",
                message=f"{label!r:.80} cannot be a label",
                details=(f"a label has 1 to {_LONGEST} characters on one line",),
                fix="write for example: retest promote prompts/intent-v2.md production",
            )
        )
    return name


def _refusal(path: str, why: str) -> UsageError:
    return UsageError(
        Problem(
            slug="promote-prompt",
            message=f"the labels of {path} cannot be changed: {why}",
            where=Location(path=path),
            fix="give a prompt file with front matter as in docs/prompts.md, or change `labels:` in it by hand",
        )
    )


def _message(target: _File, label: str, taken_from: Sequence[str]) -> str:
    if not taken_from:
        return f"Label {target.path} {label}"
    return f"Label {target.path} {label}\n\nTaken from {', '.join(taken_from)}."


def _write(full: Path, text: str) -> None:
    """Replace a file's content at once; a link stays one."""
    place = full.resolve()
    handle, name = tempfile.mkstemp(prefix=".retest-", suffix=place.suffix, dir=place.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(text.encode("utf-8"))
    copy = Path(name)
    copy.chmod(place.stat().st_mode & 0o777)
    copy.replace(place)
