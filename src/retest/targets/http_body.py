"""JSON bodies whose strings are templates: sandboxed, strict, and able to place whole values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from retest.domain.json_value import JsonValue
from retest.errors import Location, Problem, UsageError
from retest.targets.answers import prompt_text
from retest.targets.base import Request

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

NAMES = ("prompt", "messages", "vars", "params", "model", "case_id", "sample_index")
# A string that is one expression and nothing else keeps its value's type: "{{ messages }}" becomes the list.
_WHOLE = re.compile(r"\s*\{\{(?P<expression>(?:(?!\}\}).)*)\}\}\s*", re.DOTALL)

_Leaf = Callable[[Mapping[str, Any]], Any]


class TemplateFailure(Exception):  # noqa: N818 - told to the user as the case's own failure
    """A template cannot be rendered for one request."""


class BodyTemplate:
    """A JSON value with its strings compiled.

    Raises:
        UsageError: a template has a syntax error or uses an unknown name.
    """

    def __init__(self, body: Any, setting: str, where: Location | None) -> None:
        self._render = _compile(body, setting, where)

    def render(self, values: Mapping[str, Any]) -> Any:
        """Return the JSON value for one request.

        Raises:
            TemplateFailure: a variable is missing in this case, or an operation is not allowed.
        """
        return self._render(values)


def request_values(request: Request) -> dict[str, JsonValue]:
    """Return what templates see."""
    return {
        "prompt": prompt_text(request.messages),
        "messages": list(request.messages),
        "vars": dict(request.case.vars),
        "params": dict(request.params),
        "model": request.model,
        "case_id": request.case.case_id,
        "sample_index": request.sample_index,
    }


def _compile(value: Any, setting: str, where: Location | None) -> _Leaf:
    if isinstance(value, str):
        return _compile_text(value, setting, where) if "{" in value else lambda _values: value
    if isinstance(value, Mapping):
        members = {name: _compile(item, f"{setting}.{name}", where) for name, item in value.items()}
        return lambda values: {name: leaf(values) for name, leaf in members.items()}
    if isinstance(value, list | tuple):
        items = [_compile(item, f"{setting}[{index}]", where) for index, item in enumerate(value)]
        return lambda values: [leaf(values) for leaf in items]
    return lambda _values: value


def _compile_text(text: str, setting: str, where: Location | None) -> _Leaf:
    from jinja2 import TemplateSyntaxError, Undefined, meta

    environment = _environment()
    try:
        unknown = meta.find_undeclared_variables(environment.parse(text)) - set(NAMES)
        if unknown:
            raise _bad_template(setting, f"unknown name '{min(unknown)}'", where)
        evaluate = _evaluator(environment, text)
    except TemplateSyntaxError as error:
        raise _bad_template(setting, f"template error: {error.message}", where) from error

    def leaf(values: Mapping[str, Any]) -> Any:
        try:
            value = evaluate(values)
            return str(value) if isinstance(value, Undefined) else value  # str() of a strict undefined raises
        except Exception as error:
            message = f"{setting} cannot be rendered: {type(error).__name__}: {error}"
            raise TemplateFailure(message) from error

    return leaf


def _evaluator(environment: SandboxedEnvironment, text: str) -> _Leaf:
    whole = _WHOLE.fullmatch(text)
    if whole is None:
        return environment.from_string(text).render
    return environment.compile_expression(whole["expression"], undefined_to_none=False)


@cache
def _environment() -> SandboxedEnvironment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    return SandboxedEnvironment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)


def _bad_template(setting: str, message: str, where: Location | None) -> UsageError:
    return UsageError(
        Problem(
            slug="target-template",
            message=f"{setting}: {message}",
            where=where,
            details=(f"templates may use: {', '.join(NAMES)}",),
            fix="a case's variables are under vars, such as {{ vars.question }}",
        )
    )
