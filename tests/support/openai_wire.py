"""Bodies in the wire format of the OpenAI API, as the test server sends them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_FINGERPRINT = "fp_test"


def chat_body(
    message: Mapping[str, Any], finish_reason: str, model: str, usage: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return a chat completion."""
    return {
        "id": "chatcmpl-test",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": model,
        "system_fingerprint": _FINGERPRINT,
        "choices": [
            {"index": 0, "message": {"role": "assistant", "refusal": None, **message}, "finish_reason": finish_reason}
        ],
        "usage": dict(usage) if usage is not None else _chat_usage(message),
    }


def _chat_usage(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return plausible counts: 10 prompt tokens, one completion token per started 4 characters."""
    written = max(1, -(-len(str(message.get("content") or "")) // 4))
    return {
        "prompt_tokens": 10,
        "completion_tokens": written,
        "total_tokens": 10 + written,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def chat_chunks(message: Mapping[str, Any], finish_reason: str, model: str) -> list[dict[str, Any]]:
    """Return the chunks of a streamed chat completion: the text in pieces of 3 characters, then the end."""
    text = str(message.get("content") or "")
    pieces = [text[start : start + 3] for start in range(0, len(text), 3)]
    deltas: list[tuple[dict[str, Any], str | None]] = [({"role": "assistant", "content": ""}, None)]
    deltas += [({"content": piece}, None) for piece in pieces]
    deltas.append(({}, finish_reason))
    return [
        {
            "id": "chatcmpl-test",
            "object": "chat.completion.chunk",
            "model": model,
            "choices": [{"index": 0, "delta": delta, "finish_reason": reason}],
        }
        for delta, reason in deltas
    ]


def responses_body(
    message: Mapping[str, Any], finish_reason: str, model: str, usage: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return a response of the responses API, with the same message."""
    output: list[dict[str, Any]] = [
        {
            "type": "function_call",
            "id": "fc_1",
            "call_id": call["id"],
            "name": call["function"]["name"],
            "arguments": call["function"]["arguments"],
        }
        for call in message.get("tool_calls") or []
    ]
    if message.get("content") is not None:
        part = {"type": "output_text", "text": message["content"], "annotations": []}
        output.append({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]})
    if message.get("refusal"):
        refusal = {"type": "refusal", "refusal": message["refusal"]}
        output.append({"type": "message", "id": "msg_2", "role": "assistant", "content": [refusal]})
    cut = finish_reason == "length"
    return {
        "id": "resp_test",
        "object": "response",
        "created_at": 1_700_000_000,
        "model": model,
        "status": "incomplete" if cut else "completed",
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "output": output,
        "usage": dict(usage) if usage is not None else _responses_usage(),
    }


def _responses_usage() -> dict[str, Any]:
    return {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 3,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 13,
    }


def embeddings_body(texts: Sequence[str], model: str, dimensions: int = 8) -> dict[str, Any]:
    """Return an embedding of each text: how often it holds each letter, by code point, so that like texts are close."""
    data = [
        {"object": "embedding", "index": index, "embedding": letters(text, dimensions)}
        for index, text in enumerate(texts)
    ]
    tokens = sum(max(1, len(text) // 4) for text in texts)
    return {
        "object": "list",
        "data": data,
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def letters(text: str, dimensions: int = 8) -> list[float]:
    """Return the counts of a text's characters by their code point modulo `dimensions`; the last starts at 1."""
    counts = [0.0] * (dimensions - 1) + [1.0]
    for character in text:
        counts[ord(character) % dimensions] += 1.0
    return counts


def models_body() -> dict[str, Any]:
    """Return the list of models."""
    return {"object": "list", "data": [{"id": "test-model", "object": "model", "created": 0, "owned_by": "test"}]}
