"""Tool calls in one form, whatever form they arrived in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from retest.domain.json_value import JsonValue


def normalise_tool_calls(calls: Any) -> tuple[JsonValue, ...]:
    """Return each call as ``{"name", "arguments", "id"}``; arguments parsed where they are valid JSON, else as written.

    Takes chat completions' ``{"id", "function": {...}}``, the responses API's ``{"call_id", "name", "arguments"}``,
    LangChain's ``{"name", "args"}`` and the form returned; anything else is left out.
    """
    if not isinstance(calls, list | tuple):
        return ()
    return tuple(_normalise(call) for call in calls if isinstance(call, Mapping))


def _normalise(call: Mapping[str, Any]) -> JsonValue:
    inner = call.get("function")
    source = inner if isinstance(inner, Mapping) else call
    call_id = call.get("call_id") or call.get("id")
    arguments = source.get("arguments", source.get("args"))
    return {"name": str(source.get("name") or ""), "arguments": _parse(arguments), "id": call_id}


def _parse(arguments: Any) -> JsonValue:
    if not isinstance(arguments, str):
        return {} if arguments is None else arguments
    try:
        return json.loads(arguments)  # type: ignore[no-any-return]  # JSON is what it parses to
    except (ValueError, RecursionError):
        return arguments
