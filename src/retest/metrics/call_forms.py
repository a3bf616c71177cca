"""Tool calls in the forms that datasets, providers and recordings write them, made one form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from retest.domain.json_value import JsonValue
from retest.metrics.references import BadExpectedError, shown

_ARGUMENT_KEYS = ("arguments", "kwargs", "args", "parameters", "input")
_LIST_KEYS = ("actions", "tool_calls", "calls")
_WANTED = "a list of calls, each with a name and arguments"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One call. `arguments` is None where none are given, or where `problem` says why they cannot be read."""

    name: str
    arguments: Mapping[str, JsonValue] | None = None
    problem: str | None = None


def made_call(value: JsonValue) -> ToolCall:
    """Return a call that the model made; one that cannot be read keeps its name and says why."""
    try:
        return _call(value)
    except BadExpectedError as error:
        name = value.get("name") if isinstance(value, Mapping) else None
        return ToolCall(name=str(name or "?"), problem=str(error))


def expected_calls(value: JsonValue) -> list[ToolCall]:
    """Return the calls of `expected` or of an option: a list, ``{"actions": [...]}``, one call, or their JSON text.

    Raises:
        BadExpectedError: it has another form.
    """
    calls = listed_calls(value)
    if calls is None:
        raise BadExpectedError(f"expected must be {_WANTED}, not {shown(value)}")
    return [_call(call) for call in calls]


def listed_calls(value: JsonValue) -> list[JsonValue] | None:
    """Return the list of calls in a value, still in their own form; None where it holds none."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    if isinstance(value, Mapping):
        for key in _LIST_KEYS:
            if isinstance(value.get(key), list | tuple):
                return list(value[key])  # type: ignore[arg-type]  # checked on the line above
        return [value] if "name" in value or "function" in value else None
    return list(value) if isinstance(value, list | tuple) else None


def _call(value: JsonValue) -> ToolCall:
    if not isinstance(value, Mapping):
        raise BadExpectedError(f"a call must be an object with a name and arguments, not {shown(value)}")
    function = value.get("function")
    part = function if isinstance(function, Mapping) else value
    name = part.get("name", function)
    if not isinstance(name, str) or not name:
        raise BadExpectedError(f"a call must have a name, unlike {shown(value)}")
    key = next((key for key in _ARGUMENT_KEYS if key in part), None)
    return ToolCall(name=name, arguments=None if key is None else _arguments(name, part[key]))


def _arguments(name: str, value: JsonValue) -> Mapping[str, JsonValue] | None:
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else {}
        except (ValueError, RecursionError) as error:
            raise BadExpectedError(f"the arguments of {name} are not JSON: {error}") from None
    if value is None or isinstance(value, Mapping):
        return value
    raise BadExpectedError(f"the arguments of {name} must be an object, not {shown(value)}")
