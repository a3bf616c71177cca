"""A suite's prompts, read and compiled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from retest.domain.prompt import Prompt
from retest.errors import SuiteError
from retest.suites.named_files import check_file
from retest.suites.prompt_files import inline_prompt, read_prompt
from retest.suites.scope import RawEntry, SuiteScope
from retest.suites.spec import PromptEntry
from retest.suites.yaml_nodes import NodePath

_FOLDER = "prompts"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltPrompt:
    """A prompt and the path of its entry in the suite."""

    prompt: Prompt
    path: NodePath


def build_prompts(scope: SuiteScope, entries: Sequence[RawEntry]) -> list[BuiltPrompt]:
    """Return the prompts that could be read; what is wrong is noted in `scope`."""
    built = []
    for path, raw in entries:
        try:
            prompt = _read(scope, path, PromptEntry.model_validate(raw))
        except SuiteError as error:
            scope.problems.extend(error.problems)
            continue
        if prompt is not None:
            built.append(BuiltPrompt(prompt=prompt, path=path))
    _check_names(scope, built)
    return built


def _read(scope: SuiteScope, path: NodePath, entry: PromptEntry) -> Prompt | None:
    if entry.text is not None:
        where = scope.at(*path, "text")
        root = _bounded(scope, _shared_folder(scope))
        return inline_prompt(entry.text, name=entry.name or "inline", where=where, root=root)
    file = scope.file(entry.path or "")
    if not check_file(scope, file, scope.at(*path, "path"), "prompt file"):
        return None
    return read_prompt(file, display=scope.shown(file), name=entry.name, root=_bounded(scope, prompts_root(file)))


def _bounded(scope: SuiteScope, folder: Path) -> Path:
    """Return the folder that includes stay below: never one that reaches out of an untrusted checkout."""
    return folder if scope.rules is None else scope.rules.boundary.narrowed(folder)


def prompts_root(file: Path) -> Path:
    """Return the folder that a prompt's includes stay below: the nearest one called ``prompts``, else its own."""
    return next((folder for folder in file.parents if folder.name == _FOLDER), file.parent)


def _shared_folder(scope: SuiteScope) -> Path:
    """Return the folder for includes of inline prompts: the nearest ``prompts`` at or above the suite, else its own."""
    for folder in (scope.base_dir, *scope.base_dir.parents):
        if (folder / _FOLDER).is_dir():
            return folder / _FOLDER
        if folder == scope.cwd:
            break
    return scope.base_dir


def _check_names(scope: SuiteScope, prompts: Sequence[BuiltPrompt]) -> None:
    seen: dict[str, BuiltPrompt] = {}
    for built in prompts:
        first = seen.setdefault(built.prompt.name, built)
        if first is not built:
            scope.error(
                "suite-duplicate-name",
                f"two prompts are called '{built.prompt.name}'",
                scope.at(*built.path),
                details=(f"first at {scope.at(*first.path)}",),
                fix="give one of them a `name`: {path: ..., name: ...}",
            )
