"""Renders a prompt file with given variables, or a suite's prompts with its cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from retest.domain.json_value import JsonValue
from retest.domain.prompt import Message, Prompt
from retest.domain.suite import Suite
from retest.errors import Location, NothingToJudgeError, Problem, SuiteError, UsageError
from retest.runner.plan import CaseSelection
from retest.suites.prompt_entries import prompts_root
from retest.suites.prompt_files import read_prompt
from retest.suites.suggestions import did_you_mean, listing
from retest.workflows.check import check_suites
from retest.workflows.untrusted import readable
from retest.workflows.workspace import Workspace

_SUITE_SUFFIXES = {".yaml", ".yml"}


class Rendered(TypedDict):
    """One rendered prompt."""

    arm: str
    case_id: str | None
    model: str | None
    params: Mapping[str, JsonValue]
    messages: list[Message]


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderRequest:
    """What to render: a prompt file with variables, or a suite with selected cases."""

    path: str
    variables: Mapping[str, JsonValue] = field(default_factory=dict)
    cases: frozenset[str] = frozenset()
    limit: int = 1
    overrides: tuple[str, ...] = ()


def load_prompt_file(path: str, workspace: Workspace) -> Prompt:
    """Read one prompt file.

    Raises:
        SuiteError: everything that is wrong with it.
        UsageError: it is a link out of an untrusted checkout.
    """
    guard, named = workspace.untrusted, workspace.cwd / path
    readable(guard, named, path, "prompt file")
    full = named.resolve()
    root = prompts_root(full)
    return read_prompt(full, display=path, root=root if guard is None else guard.boundary.narrowed(root))


def refuse_unused(prompt: Prompt, variables: Mapping[str, JsonValue]) -> None:
    """Refuse variables that a prompt does not use: a misspelt name would otherwise pass for a given one.

    Raises:
        UsageError: there are some.
    """
    unused = [name for name in variables if name not in prompt.template.variables]
    if unused:
        known = sorted(prompt.template.variables)
        raise UsageError(
            *(
                Problem(
                    slug="prompt-unused-variable",
                    message=f"the prompt does not use the variable '{name}'",
                    where=Location(path=f"--var {name}"),
                    details=(f"it uses: {listing(known) or 'none'}",),
                    fix=did_you_mean(name, known),
                )
                for name in unused
            )
        )


def render_messages(request: RenderRequest, workspace: Workspace) -> list[Rendered]:
    """Return the messages as they would be sent.

    Raises:
        SuiteError: the file is wrong, or a variable is missing.
        NothingToJudgeError: no case of the suite is selected.
        UsageError: a variable is given that the prompt does not use.
    """
    if Path(request.path).suffix.lower() in _SUITE_SUFFIXES and not request.variables:
        return _render_suite(request, workspace)
    prompt = load_prompt_file(request.path, workspace)
    refuse_unused(prompt, request.variables)
    messages = prompt.template.render(request.variables)
    return [Rendered(arm=prompt.name, case_id=None, model=prompt.model, params=prompt.params, messages=messages)]


def _render_suite(request: RenderRequest, workspace: Workspace) -> list[Rendered]:
    checked = check_suites([request.path], workspace, request.overrides)
    if checked.errors:
        raise SuiteError(*checked.errors)
    limit = None if request.cases else request.limit
    rendered = [entry for suite in checked.suites for entry in _render_cases(suite, request.cases, limit)]
    if not rendered:
        raise NothingToJudgeError(
            Problem(slug="no-cases", message="no case is selected", fix="check the ids in --cases")
        )
    return rendered


def _render_cases(suite: Suite, ids: frozenset[str], limit: int | None) -> list[Rendered]:
    selection = CaseSelection(ids=ids, limit=limit)
    return [
        Rendered(
            arm=arm.name,
            case_id=case.case_id,
            model=arm.model,
            params=arm.params,
            messages=arm.prompt.template.render(case.vars),
        )
        for _, case in selection.select(iter(suite.cases))
        for arm in suite.arms
    ]
