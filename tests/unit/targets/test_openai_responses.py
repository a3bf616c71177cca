"""The responses API, against a real server on loopback."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from retest.domain.sample import Response
from retest.targets.streaming import StreamError, StreamingTarget
from support.openai_server import OpenAIServer, Received, Reply, error, error_in_200, ok, tool_call
from support.targets import error_of, make_request, open_with, response_of


def answer(reply: Reply) -> Response:
    with OpenAIServer([reply]) as server:
        return response_of(open_with("openai", {"base_url": server.base_url, "api": "responses"}))


def request_sent(**changes: Any) -> Received:
    with OpenAIServer() as server:
        response_of(open_with("openai", {"base_url": server.base_url, "api": "responses"}), make_request(**changes))
        return server.requests[0]


def test_text_model_tokens_and_finish_reason() -> None:
    """The response is in the same form as a chat completion's."""
    response = answer(ok("京都", model="gpt-4o-mini-2024-07-18"))
    assert (response.output, response.finish_reason, response.model) == ("京都", "stop", "gpt-4o-mini-2024-07-18")
    assert (response.usage.input_tokens, response.usage.output_tokens, response.usage.reasoning_tokens) == (10, 3, 0)


def test_tool_calls_and_refusals() -> None:
    """Items other than messages are found as well."""
    assert answer(tool_call("f", '{"a": 1}')).tool_calls == ({"name": "f", "arguments": {"a": 1}, "id": "call_1"},)
    assert answer(Reply(message={"content": None, "refusal": "no"})).refusal == "no"


def test_an_answer_cut_by_the_token_limit_says_length() -> None:
    """The finish reason has its chat name."""
    assert answer(ok("x", finish_reason="length")).finish_reason == "length"


def test_chat_parameters_are_sent_under_this_formats_names() -> None:
    """A prompt file works with either format."""
    schema = {"name": "s", "schema": {"type": "object"}, "strict": True}
    params = {
        "max_tokens": 5, "temperature": 0.5, "reasoning_effort": "low", "top_p": None,
        "response_format": {"type": "json_schema", "json_schema": schema},
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
    }  # fmt: skip
    body = request_sent(params=params).body
    assert body["max_output_tokens"] == 5
    assert body["reasoning"] == {"effort": "low"}
    assert body["text"] == {"format": {"type": "json_schema", **schema}}
    assert body["tools"] == [{"type": "function", "name": "f", "parameters": {}}]
    assert (body["temperature"], body["store"], "top_p" in body, "max_tokens" in body) == (0.5, False, False, False)


def test_a_conversation_with_images_and_tool_results_is_translated() -> None:
    """Every part has its name in this format."""
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    messages = [
        {"role": "system", "content": "s"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "t"}, {"type": "image_url", "image_url": {"url": "http://i/x.png"}}],
        },
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "42"},
        {"role": "assistant", "content": [{"type": "text", "text": "done"}]},
    ]
    received = request_sent(messages=messages)
    image = {"type": "input_image", "image_url": "http://i/x.png", "detail": "auto"}
    assert received.path == "/v1/responses"
    assert received.body["input"] == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": [{"type": "input_text", "text": "t"}, image]},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a": 1}'},
        {"type": "function_call_output", "call_id": "c1", "output": "42"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "done"}]},
    ]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (error(429), "rate_limit"),
        (error_in_200(), "bad_response"),
        (Reply(raw=b"{}"), "bad_response"),
        (Reply(raw=b'{"output": {}}'), "bad_response"),
        (Reply(raw=b'"x"'), "bad_response"),
    ],
)
def test_faults_have_their_kind(reply: Reply, kind: str) -> None:
    """The same kinds as for chat completions."""
    with OpenAIServer([reply]) as server:
        assert error_of(open_with("openai", {"base_url": server.base_url, "api": "responses"})).kind == kind


def test_nonsense_items_are_skipped() -> None:
    """Unknown items and malformed parts do no harm."""
    message = b'{"type": "message", "content": [null, {"type": "output_text", "text": "x"}]}'
    raw = b'{"output": [null, 3, {"type": "new"}, ' + message + b"]}"
    assert answer(Reply(raw=raw)).output == "x"


def events(*lines: str) -> Reply:
    return Reply(
        raw="".join(f"event: e\ndata: {line}\n\n" for line in lines).encode(), content_type="text/event-stream"
    )


def streamed(reply: Reply) -> list[str]:
    async def scenario() -> list[str]:
        with OpenAIServer([reply]) as server:
            target = open_with("openai", {"base_url": server.base_url, "api": "responses"})
            assert isinstance(target, StreamingTarget)
            try:
                return [piece async for piece in target.stream(make_request())]
            finally:
                await target.aclose()

    return asyncio.run(scenario())


def test_a_stream_yields_its_text_deltas() -> None:
    """Other events carry no text."""
    pieces = [
        '{"type": "response.created"}',
        '{"type": "response.output_text.delta", "delta": "京"}',
        '{"type": "response.output_text.delta", "delta": "都"}',
        '{"type": "response.completed"}',
    ]
    assert streamed(events(*pieces)) == ["京", "都"]


@pytest.mark.parametrize(
    "event",
    [
        '{"type": "error", "message": "overloaded", "code": "x"}',
        '{"type": "response.failed", "response": {"error": {"message": "overloaded"}}}',
    ],
)
def test_a_failed_stream_says_why(event: str) -> None:
    """An error event ends the stream."""
    with pytest.raises(StreamError, match="overloaded"):
        streamed(events(event))
