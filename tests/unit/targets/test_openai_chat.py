"""The openai provider against a real server on loopback."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import pytest
from pydantic import ValidationError

from retest.domain.sample import CallError, Response
from retest.errors import UsageError
from retest.targets.base import Target
from retest.targets.prices import Price, PriceTable, load_prices
from retest.targets.streaming import StreamError, StreamingTarget
from support.openai_server import (
    OpenAIServer,
    Received,
    Reply,
    Script,
    empty_body,
    error,
    error_in_200,
    hang,
    html,
    huge,
    malformed,
    ok,
    rate_limited,
    reset,
    reset_midway,
    tool_call,
    unauthorized,
)
from support.targets import error_of, identity_of, make_request, open_with, response_of

KEY = "sk-test-4f9c2a77"
ENV = {"OPENAI_API_KEY": KEY}


def openai(server: OpenAIServer, *, env: Mapping[str, str] | None = None, **options: Any) -> Target:
    return open_with("openai", {"base_url": server.base_url, **options}, env=ENV if env is None else env)


def failure(script: Script, **options: Any) -> CallError:
    """Return the error that one call to a server with this script gives."""
    with OpenAIServer(script) as server:
        return error_of(openai(server, **options))


def answer(*script: Reply, **options: Any) -> Response:
    with OpenAIServer(script) as server:
        return response_of(openai(server, **options))


def request_sent(**changes: Any) -> Received:
    """Return what the server receives for one call; `options` are the target's."""
    options = changes.pop("options", {})
    with OpenAIServer() as server:
        response_of(openai(server, env=changes.pop("env", ENV), **options), make_request(**changes))
        return server.requests[0]


# -- what is sent ------------------------------------------------------------------------------------------------------


def test_messages_model_and_parameters_are_sent_as_they_are() -> None:
    """Content parts, tools, response_format and unknown parameters pass through untouched."""
    params = {
        "temperature": 0.7, "seed": 5, "stop": ["\n"], "tools": [{"type": "function", "function": {"name": "f"}}],
        "response_format": {"type": "json_object"}, "made_up": {"a": [1, None]},
    }  # fmt: skip
    content = [
        {"type": "text", "text": "これは？ \u2028"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
    ]
    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": content, "name": "n"}]
    received = request_sent(messages=messages, params=params, model="m/1")
    assert received.body == {**params, "model": "m/1", "messages": messages}
    assert received.path == "/v1/chat/completions"


def test_a_null_parameter_is_not_sent() -> None:
    """A target can take back what a prompt's front matter set."""
    assert "temperature" not in request_sent(params={"temperature": None}).body


def test_extra_body_and_headers_are_added() -> None:
    """extra_body wins over parameters; header variables come from the environment."""
    options = {"extra_body": {"top_k": 3, "seed": 1}, "headers": {"X-Team": "${TEAM}"}}
    received = request_sent(params={"seed": 2}, options=options, env={**ENV, "TEAM": "blue"})
    assert (received.body["top_k"], received.body["seed"], received.headers["x-team"]) == (3, 1, "blue")


def test_organization_and_project_come_from_options_or_the_given_environment() -> None:
    """They are sent as OpenAI's headers."""
    received = request_sent(options={"organization": "org-1"}, env={**ENV, "OPENAI_PROJECT_ID": "proj-1"})
    assert (received.headers["openai-organization"], received.headers["openai-project"]) == ("org-1", "proj-1")


def test_nothing_is_read_from_the_process_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key, organization and base URL that count are those handed over."""
    for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "from-the-process")
    received = request_sent(env=ENV)
    assert received.headers["authorization"] == f"Bearer {KEY}"
    assert "openai-organization" not in received.headers
    assert "openai-project" not in received.headers


def test_a_lone_surrogate_can_be_sent() -> None:
    """Recorded text of any kind can be put into a prompt."""
    assert request_sent(text="a\ud800b").body["messages"][0]["content"] == "a\ud800b"


def test_a_stream_parameter_does_not_turn_a_call_into_a_stream() -> None:
    """Whether to stream is the caller's choice."""
    assert "stream" not in request_sent(params={"stream": True}).body


# -- keys --------------------------------------------------------------------------------------------------------------


def test_the_key_comes_from_the_named_variable() -> None:
    """api_key_env names it."""
    received = request_sent(options={"api_key_env": "MY_KEY"}, env={"MY_KEY": "secret-1"})
    assert received.headers["authorization"] == "Bearer secret-1"


@pytest.mark.parametrize("options", [{}, {"api_key_env": None}, {"api_key_env": "OPENAI_API_KEY"}])
def test_a_compatible_server_needs_no_key(options: dict[str, Any]) -> None:
    """Without one, no Authorization header is sent at all."""
    assert "authorization" not in request_sent(options=options, env={}).headers


def test_a_null_key_sends_none_even_if_there_is_one() -> None:
    """api_key_env: null keeps the OpenAI key from another server."""
    assert "authorization" not in request_sent(options={"api_key_env": None}).headers


def test_a_users_own_authorization_header_is_sent() -> None:
    """Gateways with another scheme work through headers."""
    options = {"api_key_env": None, "headers": {"Authorization": "Basic ${CRED}"}}
    assert request_sent(options=options, env={"CRED": "abcd"}).headers["authorization"] == "Basic abcd"


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "OPENAI_API_KEY"),
        ({"base_url": "https://api.openai.com/v1"}, "OPENAI_API_KEY"),
        ({"base_url": "http://127.0.0.1:1/v1", "api_key_env": "MY_KEY"}, "MY_KEY"),
    ],
)
def test_a_missing_key_is_found_before_any_call(options: dict[str, Any], name: str) -> None:
    """OpenAI always needs one, and so does whoever names a variable of their own."""
    with pytest.raises(UsageError, match=f"variable {name} is not set"):
        open_with("openai", options, env={})


def test_base_url_defaults_to_the_given_environments() -> None:
    """OPENAI_BASE_URL is understood as the OpenAI tools understand it."""
    target = open_with("openai", {}, env={**ENV, "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"})
    assert '"http://127.0.0.1:9/v1"' in identity_of(target)


@pytest.mark.parametrize(
    "options", [{"base_url": "nowhere"}, {"base_url": "http://${HOST}/v1"}, {"headers": {"A": "${B}"}}]
)
def test_a_mistaken_address_or_variable_is_found_before_any_call(options: dict[str, Any]) -> None:
    """Opening the target fails, not the run."""
    with pytest.raises(UsageError):
        open_with("openai", options, env=ENV)


@pytest.mark.parametrize("options", [{"base-url": "x"}, {"timeout_s": 0}, {"api": "completions"}, {"temperature": 1}])
def test_unknown_or_impossible_options_are_refused(options: dict[str, Any]) -> None:
    """A mistyped option is not ignored."""
    with pytest.raises(ValidationError):
        open_with("openai", options, env=ENV)


def test_identity_has_the_endpoint_and_no_credential() -> None:
    """Another key is the same target; another endpoint, header or body is another one."""
    base = {
        "base_url": "http://u:pass-1@h/v1?key=query-1",
        "headers": {"X-Api-Key": "${K}"},
        "extra_body": {"api_key": "b-1"},
    }
    text = identity_of(open_with("openai", base, env={**ENV, "K": "header-1"}))
    other = identity_of(open_with("openai", base, env={"OPENAI_API_KEY": "other", "K": "header-2"}))
    assert text == other
    assert not [secret for secret in (KEY, "pass-1", "query-1", "header-1", "b-1") if secret in text]
    assert identity_of(open_with("openai", {**base, "extra_body": {"top_k": 1}}, env={**ENV, "K": "x"})) != text


# -- what comes back ---------------------------------------------------------------------------------------------------


def test_a_response_carries_all_that_the_server_says() -> None:
    """Text, returned model, fingerprint, finish reason, tokens with cached and reasoning apart, latency."""
    usage = {
        "prompt_tokens": 100, "completion_tokens": 50, "prompt_tokens_details": {"cached_tokens": 64},
        "completion_tokens_details": {"reasoning_tokens": 30},
    }  # fmt: skip
    reply = ok("京都 \u2028", usage=usage, model="gpt-4o-mini-2024-07-18", headers={"x-request-id": "req_1"})
    response = answer(replace(reply, delay_s=0.05))
    assert (response.output, response.finish_reason, response.fingerprint) == ("京都 \u2028", "stop", "fp_test")
    assert response.model == "gpt-4o-mini-2024-07-18"
    assert response.usage.input_tokens == 100
    assert (response.usage.cached_tokens, response.usage.reasoning_tokens) == (64, 30)
    assert response.latency_ms is not None
    assert 50 <= response.latency_ms < 5000
    assert response.meta["request_id"] == "req_1"


def test_tool_calls_are_parsed() -> None:
    """Name, parsed arguments and id; the text is empty."""
    response = answer(tool_call("find", '{"city": "京都"}'))
    assert (response.output, response.finish_reason) == ("", "tool_calls")
    assert response.tool_calls == ({"name": "find", "arguments": {"city": "京都"}, "id": "call_1"},)


def test_a_refusal_is_kept_apart_from_the_text() -> None:
    """The provider's refusal is no output."""
    response = answer(Reply(message={"content": None, "refusal": "I cannot"}))
    assert (response.output, response.refusal) == ("", "I cannot")


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter"])
def test_an_empty_content_is_a_response(reason: str) -> None:
    """200 with nothing in it is what the model answered; the reason says why."""
    response = answer(Reply(message={"content": ""}, finish_reason=reason))
    assert (response.output, response.finish_reason) == ("", reason)


def test_content_in_parts_is_put_together() -> None:
    """Servers that answer with a list of parts are understood; reasoning parts are no output."""
    parts = [{"type": "reasoning", "summary": []}, {"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert answer(Reply(message={"content": parts})).output == "ab"


def test_reasoning_text_is_kept_in_meta() -> None:
    """The reasoning_content of vLLM and DeepSeek is not lost."""
    response = answer(Reply(message={"content": "a", "reasoning_content": "because"}))
    assert response.meta["reasoning"] == "because"


@pytest.mark.parametrize("usage", [{}, {"prompt_tokens": None}, {"prompt_tokens": "3"}, {"prompt_tokens": True}])
def test_tokens_that_the_server_does_not_report_are_unknown(usage: dict[str, Any]) -> None:
    """None, never 0."""
    assert answer(ok("x", usage=usage)).usage.input_tokens is None


def test_a_compressed_answer_is_read() -> None:
    """The compression is undone."""
    assert answer(replace(ok("x" * 5000), compress=True)).output == "x" * 5000


def test_the_cost_follows_the_price_table_by_the_returned_model() -> None:
    """10 prompt and 1 completion token of gpt-4o-mini, whatever alias was asked for."""
    with OpenAIServer([ok("x", model="gpt-4o-mini-2024-07-18")]) as server:
        target = open_with("openai", {"base_url": server.base_url}, prices=load_prices())
        assert response_of(target, make_request(model="alias")).cost_usd == pytest.approx((10 * 0.15 + 0.6) / 1e6)


def test_an_unknown_price_is_an_unknown_cost() -> None:
    """None, never 0."""
    with OpenAIServer([ok("x", model="own-model")]) as server:
        target = open_with("openai", {"base_url": server.base_url}, prices=load_prices())
        assert response_of(target, make_request(model="own-model")).cost_usd is None


def test_a_targets_own_price_comes_before_the_table() -> None:
    """A negotiated or self-made price is set beside the target."""
    table = PriceTable(prices={"gpt-4o-mini": Price(input=1, output=1)})
    with OpenAIServer() as server:
        options = {"base_url": server.base_url, "price": {"input": 1e6, "output": 0}}
        assert response_of(open_with("openai", options, prices=table)).cost_usd == 10


# -- errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "kind", "retryable", "fatal"),
    [
        (unauthorized(), "authentication", False, True),
        (error(403), "permission", False, True),
        (error(404), "not_found", False, True),
        (error(400), "bad_request", False, False),
        (error(422), "bad_request", False, False),
        (error(400, code="content_filter"), "content_filter", False, False),
        (error(408), "timeout", True, False),
        (error(409), "server_error", True, False),
        (rate_limited(), "rate_limit", True, False),
        (rate_limited(code="insufficient_quota"), "rate_limit", False, True),
        (error(500), "server_error", True, False),
        (error(503), "server_error", True, False),
        (Reply(status=502, raw=b"<html>Bad Gateway</html>", content_type="text/html"), "server_error", True, False),
        (reset(), "connection", True, False),
        (reset_midway(), "connection", True, False),
        (malformed(), "bad_response", True, False),
        (error_in_200(), "bad_response", True, False),
        (html(), "bad_response", True, False),
        (empty_body(), "bad_response", True, False),
        (Reply(raw=b'{"choices": []}'), "bad_response", True, False),
        (Reply(raw=b'{"choices": [{}]}'), "bad_response", True, False),
        (Reply(raw=b'{"choices": "x"}'), "bad_response", True, False),
        (Reply(raw=b"{}"), "bad_response", True, False),
        (Reply(raw=b"[1]"), "bad_response", True, False),
        (Reply(raw=b"null"), "bad_response", True, False),
        (Reply(raw=b"\xff\xfe\x00"), "bad_response", True, False),
    ],
)  # fmt: skip
def test_each_fault_has_its_kind(reply: Reply, kind: str, *, retryable: bool, fatal: bool) -> None:
    """Whether to retry and whether to stop follows from the kind of fault; one request was made."""
    with OpenAIServer([reply]) as server:
        found = error_of(openai(server))
        assert (found.kind, found.retryable, found.fatal) == (kind, retryable, fatal)
        assert server.count == 1  # the client library's own retries are off


@pytest.mark.parametrize(
    ("value", "low", "high"), [("7", 7, 7), ("0.25", 0.25, 0.25), ("date", 25, 31), ("x", None, None)]
)
def test_retry_after_reaches_the_caller(value: str, low: float | None, high: float | None) -> None:
    """Seconds or a date; nonsense is no wish."""
    found = failure([rate_limited(formatdate(time.time() + 30, usegmt=True) if value == "date" else value)])
    if low is None or high is None:
        assert found.retry_after_s is None
    else:
        assert found.retry_after_s is not None
        assert low <= found.retry_after_s <= high


def test_a_time_out_ends_the_call() -> None:
    """A server that never answers costs the limit, and may be asked again."""
    started = time.monotonic()
    found = failure([hang()], timeout_s=0.2)
    assert (found.kind, found.retryable) == ("timeout", True)
    assert "within 0.2 s" in found.message
    assert time.monotonic() - started < 5


def test_nobody_listening_is_a_connection_error() -> None:
    """It is retryable: a server may be starting."""
    with OpenAIServer() as server:
        url = server.base_url
    found = error_of(open_with("openai", {"base_url": url}))
    assert (found.kind, found.retryable) == ("connection", True)


def test_an_unknown_host_is_a_connection_error() -> None:
    """A name that does not resolve is reported with the address."""
    found = error_of(open_with("openai", {"base_url": "http://nowhere.invalid/v1", "timeout_s": 20}))
    assert (found.kind, found.retryable) == ("connection", True)
    assert "nowhere.invalid" in found.message


@pytest.mark.parametrize("reply", [huge(70 * 2**20), Reply(status=500, raw=b"x" * (70 * 2**20))])
def test_a_huge_answer_is_refused(reply: Reply) -> None:
    """More than 64 MB is no answer, and another attempt brings no smaller one."""
    found = failure([reply])
    assert (found.kind, found.retryable) == ("bad_response", False)
    assert "64 MB" in found.message


def test_a_huge_answer_is_refused_however_well_it_is_compressed() -> None:
    """The limit is on what would be held in memory."""
    assert "64 MB" in failure([replace(huge(70 * 2**20), compress=True)]).message


def test_a_refused_key_names_the_variable_and_the_endpoint() -> None:
    """The one message that a person needs to act on."""
    with OpenAIServer([unauthorized("Incorrect API key provided")]) as server:
        found = error_of(openai(server))
        assert found.message == (
            f"{server.base_url} refused the key in OPENAI_API_KEY: HTTP 401: Incorrect API key provided"
        )


def test_a_server_that_wants_a_key_says_how_to_give_one() -> None:
    """Without a key the message leads to the option."""
    with OpenAIServer([unauthorized()]) as server:
        found = error_of(openai(server, env={}))
    assert "refused a call without a key (see api_key_env)" in found.message


@pytest.mark.parametrize(
    "reply",
    [
        unauthorized(f"bad key {KEY}"),
        error(400, f"you sent Authorization: Bearer {KEY}"),
        error(500, "sk-test-****************2a77"),
        error_in_200(f"key {KEY}"),
        Reply(raw=f"<p>{KEY}</p>".encode(), content_type="text/html"),
    ],
)
def test_no_error_shows_the_key(reply: Reply) -> None:
    """Servers echo keys; messages, reprs and the target itself do not."""
    with OpenAIServer([reply]) as server:
        target = openai(server)
        shown = f"{error_of(target)!r} {target!r} {vars(target)!r}"
    assert KEY not in shown
    assert not re.search(r"sk-test|2a77", shown)


def test_cancellation_is_the_only_thing_that_is_raised() -> None:
    """A cancelled call ends as cancelled."""

    async def scenario() -> None:
        with OpenAIServer([hang()]) as server:
            target = openai(server)
            task = asyncio.create_task(target.call(make_request()))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await target.aclose()

    asyncio.run(scenario())


def test_a_request_that_has_no_json_form_is_an_error_as_data() -> None:
    """A parameter that cannot be sent fails its call, not the run."""
    with OpenAIServer() as server:
        found = error_of(openai(server), make_request(params={"x": object()}))
        assert (found.kind, found.fatal, server.count) == ("bad_request", False, 0)


def test_closing_twice_is_fine() -> None:
    """The method may be called by whoever comes last."""

    async def scenario() -> None:
        with OpenAIServer() as server:
            target = openai(server)
            await target.call(make_request())
            await target.aclose()
            await target.aclose()

    asyncio.run(scenario())


def test_calls_run_side_by_side_up_to_the_concurrency() -> None:
    """Eight calls of 0.2 s are in flight at once, over as many connections."""

    async def scenario(server: OpenAIServer) -> None:
        target = openai(server)
        await asyncio.gather(*(target.call(make_request()) for _ in range(8)))
        await target.aclose()

    with OpenAIServer(lambda _request: ok(delay_s=0.2)) as server:
        asyncio.run(scenario(server))
        assert server.peak == 8


# -- streams -----------------------------------------------------------------------------------------------------------


def streamed(server: OpenAIServer, **options: Any) -> list[str]:
    async def scenario() -> list[str]:
        target = openai(server, **options)
        assert isinstance(target, StreamingTarget)
        try:
            return [piece async for piece in target.stream(make_request())]
        finally:
            await target.aclose()

    return asyncio.run(scenario())


def test_a_stream_yields_the_text_piece_by_piece() -> None:
    """Pieces put together are the answer, U+2028 and Japanese included."""
    text = "東京\u2028と京都 and more"
    with OpenAIServer([text]) as server:
        pieces = streamed(server)
        assert ("".join(pieces), len(pieces) > 3) == (text, True)
        assert server.requests[0].body["stream"] is True


@pytest.mark.parametrize(
    "reply", [unauthorized(f"bad {KEY}"), reset(), replace(ok("a long answer"), fault="reset_midway")]
)
def test_a_stream_that_fails_says_why(reply: Reply) -> None:
    """At the start or midway, the error is raised with the call's error in it, without the key."""
    with OpenAIServer([reply]) as server, pytest.raises(StreamError) as caught:
        streamed(server)
    assert caught.value.error.kind in {"authentication", "connection"}
    assert KEY not in str(caught.value)


def test_listing_the_provider_does_not_import_the_openai_package() -> None:
    """The package is loaded when a target is opened, not before."""
    code = "import sys; from retest.targets.registry import providers; providers(); print('openai' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
