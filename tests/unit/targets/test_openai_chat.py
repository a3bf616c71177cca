"""The openai provider against a real server on loopback."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from retest.domain.sample import Response
from retest.errors import UsageError
from retest.targets.base import Target
from retest.targets.prices import Price, PriceTable, load_prices
from support.openai_server import (
    OpenAIServer,
    Received,
    Reply,
    ok,
    tool_call,
)
from support.targets import identity_of, make_request, open_with, response_of

KEY = "sk-test-4f9c2a77"
ENV = {"OPENAI_API_KEY": KEY}


def openai(server: OpenAIServer, *, env: Mapping[str, str] | None = None, **options: Any) -> Target:
    return open_with("openai", {"base_url": server.base_url, **options}, env=ENV if env is None else env)


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


def test_listing_the_provider_does_not_import_the_openai_package() -> None:
    """The package is loaded when a target is opened, not before."""
    listing = "import sys; from retest.targets.registry import providers; list(providers().values())"
    code = f"{listing}; print('openai' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
