"""Batches on an OpenAI-compatible endpoint: lines, files, states and results, against a server on loopback."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import pytest

from retest.domain.sample import CallError, CallOutcome, Response
from retest.targets.base import Target
from retest.targets.batching import BatchCallError, Batcher, open_batcher
from support.batch_server import BatchServer, Fate
from support.openai_server import Reply, error, ok, unauthorized
from support.targets import make_request, open_with

T = TypeVar("T")
KEY = "sk-test-4f9c2a77"
ENV = {"OPENAI_API_KEY": KEY, "AZURE_OPENAI_API_KEY": KEY}
PRICE = {"input": 2.0, "output": 8.0}


def openai(server: BatchServer, **options: Any) -> Target:
    return open_with("openai", {"base_url": server.base_url, "price": PRICE, **options}, env=ENV)


def talk(target: Target, work: Callable[[Batcher], Awaitable[T]]) -> T:
    """Do something with a target's batcher, and close both."""

    async def main() -> T:
        batcher = open_batcher(target)
        assert batcher is not None
        try:
            return await work(batcher)
        finally:
            await batcher.aclose()
            await target.aclose()

    return asyncio.run(main())


async def send(batcher: Batcher, *names: str, **changes: Any) -> str:
    """Upload calls of these names and start a batch of them."""
    with tempfile.TemporaryFile() as file:
        for name in names:
            file.write(batcher.line(make_request(**changes), name))
        file_id = await batcher.upload(file, "calls.jsonl")
    return (await batcher.create(file_id, "our-name")).batch_id


async def results(batcher: Batcher, batch_id: str) -> dict[str, CallOutcome]:
    """Wait for a batch and return its outcomes by name."""
    state = await batcher.state(batch_id)
    for _ in range(10):
        state = await batcher.state(batch_id)
    assert state.is_over
    found: dict[str, CallOutcome] = {}
    for file_id in (state.output_file_id, state.error_file_id):
        if file_id is not None:
            async for line in batcher.lines(file_id):
                outcome = batcher.outcome(line, "gpt-test", batch_id)
                assert outcome is not None
                found[outcome[0]] = outcome[1]
    return found


def carried_out(server: BatchServer, *names: str, **options: Any) -> dict[str, CallOutcome]:
    """Send calls in a batch and return what became of them."""

    async def work(batcher: Batcher) -> dict[str, CallOutcome]:
        return await results(batcher, await send(batcher, *names))

    return talk(openai(server, **options), work)


def test_a_call_in_a_batch_has_the_body_of_a_direct_one() -> None:
    """Parameters, additions to the body and odd text arrive alike, on both APIs."""
    for api in ("chat", "responses"):
        options = {"api": api, "extra_body": {"made_up": 1}}
        request = make_request(params={"temperature": 0.5, "max_tokens": 7, "seed": 3})
        with BatchServer() as server:
            target = openai(server, **options)

            async def both(batcher: Batcher, target: Target = target, request: Any = request) -> bytes:
                await target.call(request)
                return batcher.line(request, "k")

            line = json.loads(talk(target, both))
            direct = server.requests[0]
            assert line["body"] == direct.body
            assert (line["method"], line["url"]) == ("POST", direct.path)


def test_answers_come_with_half_their_price_and_the_batch() -> None:
    """What a direct call would cost, halved; the batch and the request are named, a latency is not made up."""
    with BatchServer(lambda request: ok(f"re: {request.last_user}")) as server:
        outcome = carried_out(server, "k1")["k1"]
        direct = asyncio.run(_direct(openai(server)))
    assert isinstance(outcome, Response)
    assert outcome.cost_usd == pytest.approx((direct.cost_usd or 0) / 2)
    assert outcome.cost_usd
    assert (outcome.output, outcome.usage, outcome.latency_ms) == (direct.output, direct.usage, None)
    assert outcome.meta == {"batch": "batch_1", "request_id": "req_1"}


async def _direct(target: Target) -> Response:
    outcome = await target.call(make_request())
    await target.aclose()
    assert isinstance(outcome, Response)
    return outcome


def test_answers_of_the_responses_api_are_read_as_such() -> None:
    """The lines of a batch have that API's bodies."""
    with BatchServer(lambda _: ok("これ")) as server:
        outcome = carried_out(server, "k1", api="responses")["k1"]
        assert server.batches[0].endpoint == "/v1/responses"
    assert isinstance(outcome, Response)
    assert (outcome.output, outcome.finish_reason) == ("これ", "stop")


def test_a_price_of_its_own_in_batches_is_taken() -> None:
    """Some models are not half as dear."""
    with BatchServer() as server:
        price = {**PRICE, "batch_input": 0.0, "batch_output": 0.0}
        outcome = carried_out(server, "k1", price=price)["k1"]
    assert isinstance(outcome, Response)
    assert outcome.cost_usd == 0


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (error(429, "slow down", "rate_limit_exceeded"), ("rate_limit", True, False)),
        (error(500, "oops"), ("server_error", True, False)),
        (error(400, "no such parameter"), ("bad_request", False, False)),
        (error(429, "pay", "insufficient_quota"), ("rate_limit", False, True)),
        (unauthorized(f"bad key {KEY}"), ("authentication", False, True)),
    ],
    ids=["429", "500", "400", "quota", "401"],
)
def test_a_refused_call_is_an_error_of_its_kind(reply: Any, expected: tuple[str, bool, bool]) -> None:
    """As a direct call's would be (kind, retryable, fatal), and without the key."""
    with BatchServer([reply]) as server:
        outcome = carried_out(server, "k1")["k1"]
    assert isinstance(outcome, CallError)
    assert (outcome.kind, outcome.retryable, outcome.fatal) == expected
    assert KEY not in outcome.message


def test_a_call_that_was_not_made_in_time_may_be_made_again() -> None:
    """What a batch could not do before it expired was not paid for."""
    with BatchServer(fates=[Fate(states=("validating", "expired"), done=1)]) as server:
        outcomes = carried_out(server, "k1", "k2", "k3")
    errors = [outcome for outcome in outcomes.values() if isinstance(outcome, CallError)]
    assert len(errors) == 2
    assert all(found.retryable and "expired" in found.message for found in errors)


def test_a_batch_is_found_by_our_name_or_by_its_file() -> None:
    """However many others there are; one that nobody created is not."""
    with BatchServer() as server:

        async def work(batcher: Batcher) -> list[str | None]:
            since = datetime.now(UTC)
            ours = await send(batcher, "k1")
            file_id = server.batches[0].file_id
            for _ in range(120):
                server._create({"input_file_id": file_id, "endpoint": "/x", "completion_window": "24h"})
            server.batches[5].file_id = "file-other"
            found = [
                await batcher.find("our-name", "file-none", since),
                await batcher.find("nobody's", "file-other", since),
                await batcher.find("nobody's", "file-none", since),
            ]
            return [ours, *(None if state is None else state.batch_id for state in found)]

        assert talk(openai(server), work) == ["batch_1", "batch_1", "batch_6", None]


def test_the_reasons_of_a_refused_batch_are_told() -> None:
    """Code, message and line, without the key that a server may repeat."""
    fate = Fate(states=("validating", "failed"), errors=[("token_limit_exceeded", f"Limit of {KEY} reached")])
    with BatchServer(fates=[fate]) as server:

        async def work(batcher: Batcher) -> list[str]:
            batch = await send(batcher, "k1")
            await batcher.state(batch)
            return [str(fault) for fault in (await batcher.state(batch)).faults]

        assert talk(openai(server), work) == ["token_limit_exceeded: Limit of *** reached"]


def test_refusals_are_errors_without_the_key() -> None:
    """A refused key is fatal wherever it is met."""
    with BatchServer(before=lambda _: unauthorized(f"Incorrect key {KEY}")) as server:
        steps: list[Callable[[Batcher], Awaitable[object]]] = [
            lambda batcher: send(batcher, "k1"),
            lambda batcher: batcher.state("batch_1"),
            lambda batcher: batcher.cancel("batch_1"),
            lambda batcher: batcher.find("x", "y", datetime.now(UTC)),
        ]
        for work in steps:
            with pytest.raises(BatchCallError) as caught:
                talk(openai(server), work)
            assert (caught.value.error.kind, caught.value.error.fatal) == ("authentication", True)
            assert KEY not in str(caught.value)


def test_a_token_in_an_address_is_in_no_error() -> None:
    """Gateways have theirs in the path: what is no JSON is told without it."""
    with BatchServer(before=partial(_answer_with, ok("x", raw=b"<html>"))) as server:
        base_url = f"{server.origin}/gw-token-77777/v1"
        options = {"base_url": f"{server.origin}/${{GW_TOKEN}}/v1"}
        target = open_with("openai", options, env={**ENV, "GW_TOKEN": "gw-token-77777"})
        with pytest.raises(BatchCallError) as caught:
            talk(target, lambda batcher: batcher.state("batch_1"))
    assert "/***/v1/batches/batch_1: the server's answer is no JSON" in caught.value.error.message
    assert base_url not in caught.value.error.message


def test_the_other_spelling_of_a_status_is_known() -> None:
    """Compatible servers write canceled."""
    with BatchServer(fates=[Fate(states=("canceled",))]) as server:

        async def work(batcher: Batcher) -> str:
            return (await batcher.state(await send(batcher, "k1"))).status

        assert talk(openai(server), work) == "cancelled"


def _answer_with(reply: Reply, _step: str) -> Reply:
    return reply


def test_odd_answers_are_errors_and_odd_lines_are_passed_over() -> None:
    """No JSON, no object, no id, and results that name no call."""
    bad = [ok("x", raw=b"<html>"), ok("x", raw=b"[1]"), ok("x", raw=b"{}"), ok("x", raw=b'{"id": 5, "status": []}')]
    for reply in bad:
        before = partial(_answer_with, reply)
        with BatchServer(before=before) as server, pytest.raises(BatchCallError) as caught:
            talk(openai(server), lambda batcher: batcher.state("batch_1"))
        assert caught.value.error.kind == "bad_response"
    with BatchServer() as server:
        batcher = open_batcher(openai(server))
        assert batcher is not None
        nameless: list[Any] = [None, 5, [], {}, {"custom_id": 5}]
        for line in nameless:
            assert batcher.outcome(line, "m", "b") is None
        odd: list[Any] = [{"custom_id": "k"}, {"custom_id": "k", "response": {"status_code": "x", "body": [None]}}]
        for line in odd:
            found = batcher.outcome(line, "m", "b")
            assert found is not None
            assert isinstance(found[1], CallError)


def test_results_are_read_line_by_line_whatever_is_in_them() -> None:
    """U+2028 and Japanese stand inside a text; a line that is no JSON is None, the last needs no end."""
    body = '{"custom_id": "あ\u2028"}\n\nnot json\n{"custom_id": "b"}'.encode()
    with BatchServer(before=lambda _: ok("x", raw=body)) as server:

        async def work(batcher: Batcher) -> list[Any]:
            return [line async for line in batcher.lines("file-1")]

        assert talk(openai(server), work) == [{"custom_id": "あ\u2028"}, None, {"custom_id": "b"}]


def test_azure_has_its_own_paths_names_and_patience() -> None:
    """The deployment is the model, paths have no version, and a file is used when the service has taken it in."""
    with BatchServer() as server:
        server.file_status = ["pending", "running", "processed"]
        options = {"endpoint": server.origin, "api_version": "2024-10-21", "deployment": "mine", "price": PRICE}
        target = open_with("azure_openai", options, env=ENV)

        async def work(batcher: Batcher) -> dict[str, CallOutcome]:
            return await results(batcher, await send(batcher, "k1"))

        outcome = talk(target, work)["k1"]
        (batch,) = server.batches
    assert isinstance(outcome, Response)
    assert (batch.endpoint, batch.lines[0]["url"]) == ("/chat/completions", "/chat/completions")
    assert batch.lines[0]["body"]["model"] == "mine"
    assert server.steps.count("file") == 2
    assert server.headers[0]["api-key"] == KEY


def test_kinds_of_calls_that_are_not_tried_in_batches_have_none() -> None:
    """Moderations and embeddings, and providers that know no batches."""
    with BatchServer() as server:
        assert open_batcher(openai(server, api="embeddings")) is None
        assert open_batcher(openai(server, api="moderations")) is None
    assert open_batcher(open_with("command", {"argv": ["cat"]}, env={})) is None
