"""The http provider against a real server on loopback."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from retest.errors import UsageError
from retest.targets.base import Target
from retest.targets.prices import Price, PriceTable
from support.openai_server import (
    OpenAIServer,
    Received,
    Reply,
    empty_body,
    error,
    hang,
    html,
    huge,
    malformed,
    ok,
    rate_limited,
    reset,
    reset_midway,
    unauthorized,
)
from support.targets import error_of, identity_of, make_request, open_with, response_of

TOKEN = "tok-4f9c2a77"
ENV = {"MY_TOKEN": TOKEN}
CHAT = "$.choices[0].message.content"


def http(server: OpenAIServer, **options: Any) -> Target:
    options.setdefault("pick", CHAT)
    return open_with("http", {"url": f"{server.origin}/ask", **options}, env=ENV)


def request_sent(**options: Any) -> Received:
    with OpenAIServer() as server:
        response_of(http(server, **options), make_request("京都", variables={"q": "Q"}, params={"temperature": 1}))
        return server.requests[0]


def answering(value: Any) -> OpenAIServer:
    return OpenAIServer([Reply(raw=json.dumps(value).encode())])


def test_the_body_is_the_rendered_template() -> None:
    """Strings are filled in, whole values keep their type."""
    body = {
        "input": {"text": "{{ prompt }}", "q": "{{ vars.q }}"},
        "messages": "{{ messages }}",
        "t": "{{ params.temperature }}",
    }
    received = request_sent(body=body)
    assert received.body == {
        "input": {"text": "京都", "q": "Q"},
        "messages": [{"role": "user", "content": "京都"}],
        "t": 1,
    }
    assert (received.path, received.headers["content-type"]) == ("/ask", "application/json")


def test_without_a_body_the_prompt_is_sent() -> None:
    """The simplest endpoint needs no template."""
    assert request_sent().body == {"prompt": "京都"}


def test_headers_query_and_method() -> None:
    """Header variables come from the environment; query values are templates; GET has no body."""
    options = {
        "method": "GET",
        "query": {"q": "{{ prompt }} & more"},
        "headers": {"Authorization": "Bearer ${MY_TOKEN}"},
    }
    received = request_sent(**options)
    assert received.query == {"q": "京都 & more"}
    assert received.headers["authorization"] == f"Bearer {TOKEN}"
    assert received.body == ""


def test_the_picked_text_is_the_output() -> None:
    """With latency; what is not picked is unknown."""
    with answering({"choices": [{"message": {"content": "京都"}}]}) as server:
        response = response_of(http(server))
    assert (response.output, response.cost_usd, response.usage.input_tokens) == ("京都", None, None)
    assert response.latency_ms is not None


def test_several_parts_can_be_picked() -> None:
    """Tokens, model, finish reason and tool calls; the price table prices them."""
    pick = {
        "output": "$.o", "model": "$.m", "input_tokens": "$.u[0]", "output_tokens": "$.u[1]", "finish_reason": "$.f",
        "tool_calls": "$.t", "cost_usd": "$.nothing",
    }  # fmt: skip
    value = {"o": {"名": 1}, "m": "m", "u": [3, 4], "f": "stop", "t": [{"name": "f", "arguments": "{}"}]}
    with answering(value) as server:
        options = {"url": server.origin, "pick": pick}
        prices = PriceTable(prices={"m": Price(input=1e6, output=1e6)})
        response = response_of(open_with("http", options, prices=prices))
    assert (response.output, response.model, response.finish_reason) == ('{"名": 1}', "m", "stop")
    assert (response.cost_usd, len(response.tool_calls)) == (7.0, 1)


def test_without_pick_the_whole_body_is_the_answer() -> None:
    """Plain-text endpoints work."""
    with OpenAIServer([Reply(raw="答え\n".encode(), content_type="text/plain")]) as server:
        assert response_of(open_with("http", {"url": server.origin})).output == "答え\n"


@pytest.mark.parametrize("value", [{}, {"choices": []}, [], None, 3, {"choices": [{"message": {"content": None}}]}])
def test_nothing_at_the_path_is_a_bad_response(value: Any) -> None:
    """It names the path and shows what came; it is no empty answer."""
    with answering(value) as server:
        found = error_of(http(server))
    assert (found.kind, found.retryable) == ("bad_response", True)
    assert CHAT in found.message


@pytest.mark.parametrize(
    ("reply", "kind", "retryable", "fatal"),
    [
        (unauthorized(), "authentication", False, True),
        (error(403), "permission", False, True),
        (error(404), "not_found", False, True),
        (error(400), "bad_request", False, False),
        (rate_limited("3"), "rate_limit", True, False),
        (error(500), "server_error", True, False),
        (reset(), "connection", True, False),
        (reset_midway(), "connection", True, False),
        (malformed(), "bad_response", True, False),
        (html(), "bad_response", True, False),
        (empty_body(), "bad_response", True, False),
        (hang(), "timeout", True, False),
        (Reply(status=302, headers={"Location": "/elsewhere"}), "not_found", False, True),
        (huge(70 * 2**20), "bad_response", False, False),
    ],
)
def test_each_fault_has_its_kind(reply: Reply, kind: str, *, retryable: bool, fatal: bool) -> None:
    """The same kinds as for the OpenAI providers; one request is made, no redirect is followed."""
    with OpenAIServer([reply]) as server:
        found = error_of(http(server, timeout_s=2 if kind == "timeout" else 60))
        assert (found.kind, found.retryable, found.fatal, server.count) == (kind, retryable, fatal, 1)


def test_an_error_that_stops_the_run_names_the_address() -> None:
    """Of several targets, this is the one."""
    with OpenAIServer([unauthorized()]) as server:
        assert error_of(http(server)).message.startswith(f"{server.origin}/ask: HTTP 401: ")


def test_retry_after_reaches_the_caller() -> None:
    """Header names are matched in any case."""
    with OpenAIServer([rate_limited("3")]) as server:
        assert error_of(http(server)).retry_after_s == 3


def test_a_compressed_answer_is_read() -> None:
    """The compression is undone."""
    with OpenAIServer([replace(ok("x" * 5000), compress=True)]) as server:
        assert response_of(http(server)).output == "x" * 5000


def test_nobody_listening_is_a_connection_error() -> None:
    """It is retryable."""
    with OpenAIServer() as server:
        url = server.origin
    found = error_of(open_with("http", {"url": url}))
    assert (found.kind, found.retryable) == ("connection", True)


def test_a_variable_that_a_case_lacks_fails_that_case_alone() -> None:
    """No request is made with a hole in it."""
    with OpenAIServer() as server:
        found = error_of(http(server, body={"q": "{{ vars.missing }}"}))
        assert (found.kind, found.fatal, server.count) == ("bad_request", False, 0)


def test_no_error_and_no_identity_shows_a_credential() -> None:
    """A token in a header or in the address stays out of every text."""
    with OpenAIServer([error(400, f"bad token {TOKEN}")]) as server:
        options = {"url": f"{server.origin}/${{MY_TOKEN}}/x?key={TOKEN}", "headers": {"X-Auth": "${MY_TOKEN}"}}
        target = open_with("http", options, env=ENV)
        found = error_of(target)
        assert server.requests[0].path == f"/{TOKEN}/x"
    assert TOKEN not in f"{found!r} {identity_of(target)} {target!r}"


def test_identity_has_template_and_pick() -> None:
    """Another body or pick is another target; another token is not."""
    options = {"url": "http://h/${MY_TOKEN}", "pick": "$.a"}
    first = identity_of(open_with("http", options, env=ENV))
    assert identity_of(open_with("http", options, env={"MY_TOKEN": "other"})) == first
    changed: list[dict[str, Any]] = [
        {**options, "pick": "$.b"},
        {**options, "body": {"x": "{{ prompt }}"}},
        {**options, "method": "PUT"},
    ]
    assert first not in {identity_of(open_with("http", other, env=ENV)) for other in changed}


@pytest.mark.parametrize(
    "options",
    [{"url": "h"}, {"url": "http://${NOPE}"}, {"url": "http://h", "pick": "$..x"}, {"url": "http://h", "body": "{{"}],
)
def test_a_mistaken_option_is_found_before_any_call(options: dict[str, Any]) -> None:
    """Address, variables, paths and templates are checked when the target is opened."""
    with pytest.raises(UsageError):
        open_with("http", options, env=ENV)


@pytest.mark.parametrize(
    "options", [{}, {"url": "http://h", "method": "DELETE"}, {"url": "http://h", "pick": {"text": "$"}}]
)
def test_unknown_or_impossible_options_are_refused(options: dict[str, Any]) -> None:
    """A mistyped option is not ignored."""
    with pytest.raises(ValidationError):
        open_with("http", options, env=ENV)


def test_cancellation_passes_through() -> None:
    """A cancelled call ends as cancelled."""

    async def scenario() -> None:
        with OpenAIServer([hang()]) as server:
            target = http(server)
            task = asyncio.create_task(target.call(make_request()))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await target.aclose()
            await target.aclose()

    asyncio.run(scenario())
