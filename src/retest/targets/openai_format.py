"""The chat completions format: from a request to a body, from a body to a response."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from retest.domain.json_value import JsonValue
from retest.domain.sample import CallError, Response, Usage
from retest.targets.base import Request
from retest.targets.call_errors import bad_response, error_in_success
from retest.targets.tool_calls import normalise_tool_calls
from retest.targets.wire_json import as_text

_KEPT = ("service_tier", "provider")  # of the body, where the server says them


class Format(Protocol):
    """One of the two OpenAI request formats."""

    path: str

    def body(self, request: Request) -> dict[str, JsonValue]:
        """Return the request body, without `stream`."""
        ...

    def parse(self, data: Any) -> Response | CallError:
        """Return the response that a parsed body holds; latency, cost and request id are the caller's to add."""
        ...

    def delta(self, event: Any) -> str | CallError:
        """Return the text that one event of a stream adds ("" for none), or the error it reports."""
        ...


class ChatFormat:
    """``POST /chat/completions``."""

    path = "/chat/completions"

    def body(self, request: Request) -> dict[str, JsonValue]:
        """Return model, messages and parameters as they are; a parameter that is null is not sent."""
        body: dict[str, JsonValue] = {name: value for name, value in request.params.items() if value is not None}
        if request.model is not None:
            body["model"] = request.model
        body["messages"] = list(request.messages)
        return body

    def parse(self, data: Any) -> Response | CallError:
        """Return the first choice as a response."""
        if not isinstance(data, Mapping):
            return bad_response(f"the server's answer is no JSON object: {as_text(data)[:100]}", status=200)
        if data.get("error"):
            return error_in_success(data)
        choices = data.get("choices")
        first = choices[0] if isinstance(choices, list) and choices else None
        message = first.get("message") if isinstance(first, Mapping) else None
        if not isinstance(first, Mapping) or not isinstance(message, Mapping):
            return bad_response("the server's answer has no choices with a message", status=200)
        return _response(data, first, message)

    def delta(self, event: Any) -> str | CallError:
        """Return the text of a chunk's first choice."""
        if not isinstance(event, Mapping):
            return ""
        if event.get("error"):
            return error_in_success(event)
        choices = event.get("choices")
        first = choices[0] if isinstance(choices, list) and choices else None
        delta = first.get("delta") if isinstance(first, Mapping) else None
        return content_text(delta.get("content")) if isinstance(delta, Mapping) else ""


def _response(data: Mapping[str, Any], choice: Mapping[str, Any], message: Mapping[str, Any]) -> Response:
    meta: dict[str, JsonValue] = {name: data[name] for name in _KEPT if isinstance(data.get(name), str)}
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    if isinstance(reasoning, str):
        meta["reasoning"] = reasoning
    extras = {"logprobs": choice.get("logprobs"), "annotations": message.get("annotations")}
    meta.update({name: value for name, value in extras.items() if value})
    return Response(
        output=content_text(message.get("content")),
        tool_calls=normalise_tool_calls(message.get("tool_calls")),
        refusal=text_or_none(message.get("refusal")),
        finish_reason=text_or_none(choice.get("finish_reason")),
        model=text_or_none(data.get("model")),
        fingerprint=text_or_none(data.get("system_fingerprint")),
        usage=_usage(data.get("usage")),
        meta=meta,
    )


def content_text(content: Any) -> str:
    """Return a message's text: a string, or the text parts of a list put together; "" for none."""
    if content is None:
        return ""
    if isinstance(content, list):
        return "".join(_part_text(part) for part in content)
    return as_text(content)


def _part_text(part: Any) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping) or part.get("type") not in {"text", "output_text", None}:
        return ""
    return as_text(part.get("text") or "")


def text_or_none(value: Any) -> str | None:
    """Return a non-empty string, else None."""
    return value if isinstance(value, str) and value else None


def _usage(usage: Any) -> Usage:
    if not isinstance(usage, Mapping):
        return Usage()
    cached = nested_count(usage, "prompt_tokens_details", "cached_tokens")
    return Usage(
        input_tokens=count(usage.get("prompt_tokens")),
        output_tokens=count(usage.get("completion_tokens")),
        cached_tokens=count(usage.get("prompt_cache_hit_tokens")) if cached is None else cached,  # DeepSeek's name
        reasoning_tokens=nested_count(usage, "completion_tokens_details", "reasoning_tokens"),
    )


def nested_count(usage: Mapping[str, Any], group: str, name: str) -> int | None:
    """Return a count from a group of details; None where either is absent."""
    details = usage.get(group)
    return count(details.get(name)) if isinstance(details, Mapping) else None


def count(value: Any) -> int | None:
    """Return a token count; anything but a whole number from 0 is unknown."""
    return value if type(value) is int and value >= 0 else None
