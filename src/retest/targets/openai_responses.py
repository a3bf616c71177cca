"""The responses API format: chat messages and parameters go in, its items come out as one response."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from retest.domain.json_value import JsonValue
from retest.domain.prompt import Message
from retest.domain.sample import CallError, Response, Usage
from retest.targets.base import Request
from retest.targets.call_errors import bad_response, error_in_success
from retest.targets.openai_format import content_text, count, nested_count, text_or_none
from retest.targets.tool_calls import normalise_tool_calls
from retest.targets.wire_json import as_text


class ResponsesFormat:
    """``POST /responses``, stateless: each request carries the whole conversation."""

    path = "/responses"

    def body(self, request: Request) -> dict[str, JsonValue]:
        """Return the body; parameters under their chat names are sent under this format's own."""
        body: dict[str, JsonValue] = {"store": False}
        for name, value in request.params.items():
            if value is not None:
                _put_param(body, name, value)
        if request.model is not None:
            body["model"] = request.model
        body["input"] = list(_input_items(request.messages))
        return body

    def parse(self, data: Any) -> Response | CallError:
        """Return all output messages and function calls as one response."""
        if not isinstance(data, Mapping):
            return bad_response(f"the server's answer is no JSON object: {as_text(data)[:100]}", status=200)
        if data.get("error"):
            return error_in_success(data)
        items = data.get("output")
        if not isinstance(items, list):
            return bad_response("the server's answer has no output items", status=200)
        return _response(data, [item for item in items if isinstance(item, Mapping)])

    def delta(self, event: Any) -> str | CallError:
        """Return the text that a ``response.output_text.delta`` event adds."""
        kind = event.get("type") if isinstance(event, Mapping) else None
        if kind == "response.output_text.delta":
            return as_text(event.get("delta") or "")
        if kind == "error":
            return error_in_success({"error": event})
        if kind == "response.failed":
            return error_in_success(event.get("response") or {})
        return ""


def _put_param(body: dict[str, JsonValue], name: str, value: Any) -> None:
    if name in {"max_tokens", "max_completion_tokens"}:
        body["max_output_tokens"] = value
    elif name == "reasoning_effort":
        body["reasoning"] = {"effort": value}
    elif name == "response_format":
        body["text"] = {"format": _text_format(value)}
    elif name == "tools" and isinstance(value, list | tuple):
        body["tools"] = [_tool(tool) for tool in value]
    else:
        body[name] = value


def _text_format(value: Any) -> JsonValue:
    if isinstance(value, Mapping) and isinstance(value.get("json_schema"), Mapping):
        return {"type": "json_schema", **value["json_schema"]}
    return value  # type: ignore[no-any-return]  # JSON as the prompt says it


def _tool(tool: Any) -> JsonValue:
    if isinstance(tool, Mapping) and isinstance(tool.get("function"), Mapping):
        return {"type": "function", **tool["function"]}
    return tool  # type: ignore[no-any-return]  # JSON as the prompt says it


def _input_items(messages: Sequence[Message]) -> Iterator[JsonValue]:
    for message in messages:
        role, content = message.get("role"), message.get("content")
        if role == "tool":
            call_id = message.get("tool_call_id")
            yield {"type": "function_call_output", "call_id": call_id, "output": content_text(content)}
            continue
        if content:
            yield {"role": role, "content": _content(role, content)}
        for call in normalise_tool_calls(message.get("tool_calls")):
            assert isinstance(call, Mapping)  # noqa: S101 - what normalise_tool_calls returns, for the type checker
            arguments = as_text(call["arguments"])
            yield {"type": "function_call", "call_id": call["id"], "name": call["name"], "arguments": arguments}


def _content(role: Any, content: Any) -> JsonValue:
    if not isinstance(content, list | tuple):
        return content  # type: ignore[no-any-return]  # a string
    return [_part(role, part) for part in content]


def _part(role: Any, part: Any) -> JsonValue:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind == "text":
        return {"type": "output_text" if role == "assistant" else "input_text", "text": part.get("text")}
    if kind == "image_url":
        image = part.get("image_url")
        url, detail = (image.get("url"), image.get("detail")) if isinstance(image, Mapping) else (image, None)
        return {"type": "input_image", "image_url": url, "detail": detail or "auto"}
    return part  # type: ignore[no-any-return]  # already in this format, or for the server to refuse


def _response(data: Mapping[str, Any], items: list[Mapping[str, Any]]) -> Response:
    parts = [part for item in items if item.get("type") == "message" for part in _parts(item)]
    refusals = [as_text(part.get("refusal") or "") for part in parts if part.get("type") == "refusal"]
    calls = normalise_tool_calls([item for item in items if item.get("type") == "function_call"])
    return Response(
        output=content_text(parts),
        tool_calls=calls,
        refusal="\n".join(refusals) or None,
        finish_reason=_finish_reason(data, tool_calls=bool(calls)),
        model=text_or_none(data.get("model")),
        fingerprint=text_or_none(data.get("system_fingerprint")),
        usage=_usage(data.get("usage")),
        meta=_meta(data, items),
    )


def _parts(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    content = item.get("content")
    return [part for part in content if isinstance(part, Mapping)] if isinstance(content, list) else []


def _finish_reason(data: Mapping[str, Any], *, tool_calls: bool) -> str | None:
    """Return the reason under its chat name, so that metrics need not know the format."""
    details = data.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, Mapping) else None
    if reason == "max_output_tokens":
        return "length"
    if reason is not None:
        return str(reason)
    if data.get("status") == "completed":
        return "tool_calls" if tool_calls else "stop"
    return text_or_none(data.get("status"))


def _usage(usage: Any) -> Usage:
    if not isinstance(usage, Mapping):
        return Usage()
    return Usage(
        input_tokens=count(usage.get("input_tokens")),
        output_tokens=count(usage.get("output_tokens")),
        cached_tokens=nested_count(usage, "input_tokens_details", "cached_tokens"),
        reasoning_tokens=nested_count(usage, "output_tokens_details", "reasoning_tokens"),
    )


def _meta(data: Mapping[str, Any], items: list[Mapping[str, Any]]) -> dict[str, JsonValue]:
    summaries = [part for item in items if item.get("type") == "reasoning" for part in item.get("summary") or ()]
    meta: dict[str, JsonValue] = {}
    if isinstance(data.get("service_tier"), str):
        meta["service_tier"] = data["service_tier"]
    if summaries:
        meta["reasoning"] = "\n".join(as_text(part.get("text") or "") for part in summaries)
    return meta
