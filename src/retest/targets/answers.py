"""Answers of the user's own code and programs, taken in the forms in which people naturally give them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from retest.domain.json_value import JsonValue
from retest.domain.prompt import Message
from retest.domain.sample import CallError, CallOutcome, Response, Usage
from retest.targets.openai_format import content_text, count, nested_count, text_or_none
from retest.targets.prices import PriceTable
from retest.targets.tool_calls import normalise_tool_calls
from retest.targets.wire_json import as_text


def prompt_text(messages: Sequence[Message]) -> str:
    """Return the text of the last user message, else of the last message: what a simple function wants."""
    ordered = [*(m for m in messages if m.get("role") != "user"), *(m for m in messages if m.get("role") == "user")]
    return content_text(ordered[-1].get("content")) if ordered else ""


def read_answer(value: Any, prices: PriceTable) -> CallOutcome:
    """Return the response that a returned value stands for; `target_error` where it stands for none.

    Taken: a string, a number or boolean, a mapping with `output` (and `tool_calls`, `usage`, `model`, ...), or a
    message object with a `content` as LangChain returns it.
    """
    if isinstance(value, str | bool | int | float):
        return Response(output=as_text(value))
    if isinstance(value, Mapping):
        return _from_mapping(value, prices)
    if hasattr(value, "content"):
        return _from_message(value, prices)
    expected = "a string, a mapping with 'output', or an object with .content"
    return target_error(f"the target returned {type(value).__name__}; expected {expected}")


def target_error(message: str, *, retryable: bool = False) -> CallError:
    """Return the error for user code that failed."""
    return CallError(kind="target_error", message=message, retryable=retryable)


def _from_mapping(value: Mapping[str, Any], prices: PriceTable) -> CallOutcome:
    if value.get("error"):
        return target_error(f"the target reported: {as_text(value['error'])}")
    calls = normalise_tool_calls(value.get("tool_calls"))
    output = value.get("output")
    if output is None and not calls and not value.get("refusal"):
        return target_error(f"the target's answer has no 'output'; it has: {', '.join(map(str, value)) or 'nothing'}")
    usage = _usage(value.get("usage"))
    model = text_or_none(value.get("model"))
    cost_usd = amount(value.get("cost_usd"))
    meta = value.get("meta")
    return Response(
        output="" if output is None else as_text(output),
        tool_calls=calls,
        refusal=text_or_none(value.get("refusal")),
        finish_reason=text_or_none(value.get("finish_reason")),
        model=model,
        usage=usage,
        latency_ms=amount(value.get("latency_ms")),
        cost_usd=prices.cost(usage, model) if cost_usd is None else cost_usd,
        meta=dict(meta) if isinstance(meta, Mapping) else {},
    )


def amount(value: Any) -> float | None:
    """Return a finite number from 0; anything else is unknown."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None


def _usage(usage: Any) -> Usage:
    if not isinstance(usage, Mapping):
        return Usage()
    return Usage(
        input_tokens=count(usage.get("input_tokens", usage.get("prompt_tokens"))),
        output_tokens=count(usage.get("output_tokens", usage.get("completion_tokens"))),
        cached_tokens=count(usage.get("cached_tokens")),
        reasoning_tokens=count(usage.get("reasoning_tokens")),
    )


def _from_message(message: Any, prices: PriceTable) -> Response:
    """Return a LangChain-like message as a response."""
    about = getattr(message, "response_metadata", None)
    facts: Mapping[str, Any] = about if isinstance(about, Mapping) else {}
    model = text_or_none(facts.get("model_name") or facts.get("model"))
    usage = _message_usage(getattr(message, "usage_metadata", None))
    return Response(
        output=content_text(message.content),
        tool_calls=_plain_calls(getattr(message, "tool_calls", None)),
        finish_reason=text_or_none(facts.get("finish_reason")),
        model=model,
        fingerprint=text_or_none(facts.get("system_fingerprint")),
        usage=usage,
        cost_usd=prices.cost(usage, model),
    )


def _plain_calls(calls: Any) -> tuple[JsonValue, ...]:
    return normalise_tool_calls(list(calls) if isinstance(calls, list | tuple) else None)


def _message_usage(usage: Any) -> Usage:
    if not isinstance(usage, Mapping):
        return Usage()
    return Usage(
        input_tokens=count(usage.get("input_tokens")),
        output_tokens=count(usage.get("output_tokens")),
        cached_tokens=nested_count(usage, "input_token_details", "cache_read"),
        reasoning_tokens=nested_count(usage, "output_token_details", "reasoning"),
    )
