"""Faults and streams of the openai provider, against a real server on loopback."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import pytest

from retest.domain.sample import CallError
from retest.targets.base import Target
from retest.targets.streaming import StreamError, StreamingTarget
from support.openai_server import (
    OpenAIServer,
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
    unauthorized,
)
from support.targets import error_of, make_request, open_with

KEY = "sk-test-4f9c2a77"
ENV = {"OPENAI_API_KEY": KEY}


def openai(server: OpenAIServer, *, env: Mapping[str, str] | None = None, **options: Any) -> Target:
    return open_with("openai", {"base_url": server.base_url, **options}, env=ENV if env is None else env)


def failure(script: Script, **options: Any) -> CallError:
    """Return the error that one call to a server with this script gives."""
    with OpenAIServer(script) as server:
        return error_of(openai(server, **options))


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
    assert time.monotonic() - started < 60


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
