"""How texts are embedded: once each, several at a time, and a claim is never left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from retest.domain.case import Case
from retest.domain.embedding import pack_vector, pack_vectors
from retest.domain.json_value import JsonValue
from retest.domain.judge import JudgeLimits, JudgeSpec
from retest.domain.sample import CallError, CallOutcome, MetricFailure, Response, Usage
from retest.domain.target import TargetSpec
from retest.metrics.judge.caller import JudgingStoppedError, Question
from retest.runner.embedding import EmbeddingCaller
from retest.runner.judging import JudgingContext, JudgingOptions
from retest.runner.pacing import RetryPolicy
from retest.runner.stopping import Budget, Limits, StopSignal
from retest.store.base import LedgerEntry
from retest.targets.base import Request


class _MemoryLedger:
    """A ledger without a disk; `held` are keys that another process is fetching."""

    def __init__(self) -> None:
        self.entries: dict[str, LedgerEntry] = {}
        self.claimed: set[str] = set()
        self.held: set[str] = set()

    async def lookup(self, keys: Sequence[str]) -> Mapping[str, Response]:
        return {key: self.entries[key].response for key in keys if key in self.entries}

    async def known(self, keys: Sequence[str]) -> frozenset[str]:
        return frozenset(self.entries) & frozenset(keys)

    async def claim(self, keys: Sequence[str]) -> frozenset[str]:
        free = frozenset(keys) - self.claimed - self.held
        self.claimed |= free
        return free

    async def record(self, entries: Sequence[LedgerEntry]) -> None:
        for entry in entries:
            self.entries.setdefault(entry.key, entry)
            self.claimed.discard(entry.key)

    async def release(self, keys: Sequence[str]) -> None:
        self.claimed -= set(keys)


class _Endpoint:
    """Embeds by a function of the texts; keeps what it was asked."""

    def __init__(self, answer: Callable[[list[str]], CallOutcome]) -> None:
        self.answer = answer
        self.asked: list[list[str]] = []

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        return {"provider": "test"}

    async def call(self, request: Request) -> CallOutcome:
        texts = [str(message["content"]) for message in request.messages]
        self.asked.append(texts)
        await asyncio.sleep(0)
        return self.answer(texts)

    async def aclose(self) -> None:
        return


def lengths(texts: list[str]) -> Response:
    """Return vectors that tell a text's length; ten tokens a request."""
    vectors = [pack_vector([1.0, float(len(text))]) for text in texts]
    return Response(output=pack_vectors(vectors), usage=Usage(input_tokens=10, output_tokens=0), cost_usd=1.0)


def texts_of(*texts: str) -> Question:
    messages: list[dict[str, Any]] = [{"role": "user", "content": text} for text in texts]
    return Question(messages=messages, case=Case(case_id="c", vars={}, content_hash="0"), judged="key")


@dataclass(slots=True)
class _Bench:
    endpoint: _Endpoint
    ledger: _MemoryLedger = field(default_factory=_MemoryLedger)
    limits: JudgeLimits = field(default_factory=lambda: JudgeLimits(concurrency=1))
    stop: StopSignal = field(default_factory=StopSignal)
    offline: bool = False
    draw: int = 0

    def caller(self) -> EmbeddingCaller:
        options = JudgingOptions(
            run_id="r1", retry=RetryPolicy(attempts=2, base_s=0.001), offline=self.offline, draw=self.draw
        )
        context = JudgingContext(ledger=self.ledger, options=options, budget=Budget(Limits()), stop=self.stop)
        target = TargetSpec(name="embedder", provider="openai", model="m", options={"api": "embeddings"})
        return EmbeddingCaller(JudgeSpec(target=target, limits=self.limits), self.endpoint, context)

    def ask(self, *questions: Question, caller: EmbeddingCaller | None = None) -> list[Any]:
        async def scenario() -> list[Any]:
            asked = caller or self.caller()
            return await asyncio.gather(
                *(asked.ask(one, lambda response: response.output.split()) for one in questions),
                return_exceptions=True,
            )

        return asyncio.run(scenario())


def test_the_vectors_stand_in_the_order_of_the_texts() -> None:
    """Also where a text occurs twice, and is sent once."""
    bench = _Bench(_Endpoint(lengths))
    (found,) = bench.ask(texts_of("a", "bb", "a"))
    assert found == [pack_vector([1.0, 1.0]), pack_vector([1.0, 2.0]), pack_vector([1.0, 1.0])]
    assert bench.endpoint.asked == [["a", "bb"]]


def test_questions_asked_together_are_one_request() -> None:
    """Their texts are gathered before the first is sent."""
    bench = _Bench(_Endpoint(lengths))
    bench.ask(*(texts_of(f"t{number}") for number in range(10)))
    assert [len(texts) for texts in bench.endpoint.asked] == [10]


def test_a_request_is_never_too_large() -> None:
    """At most 64 texts, and 200,000 characters unless one text alone has more."""
    bench = _Bench(_Endpoint(lengths))
    bench.ask(texts_of(*(f"t{number}" for number in range(100))))
    assert [len(texts) for texts in bench.endpoint.asked] == [64, 36]
    bench.endpoint.asked.clear()
    bench.ask(texts_of("a" * 150_000, "b" * 150_000, "c" * 250_000))
    assert [len(texts) for texts in bench.endpoint.asked] == [1, 1, 1]


def test_each_text_has_an_entry_of_its_own_with_its_share() -> None:
    """Tokens by length, adding up to the request's; the cost in equal parts."""
    bench = _Bench(_Endpoint(lengths))
    bench.ask(texts_of("a", "bbb"))
    entries = list(bench.ledger.entries.values())
    assert [entry.role for entry in entries] == ["embedding", "embedding"]
    assert [entry.response.usage.input_tokens for entry in entries] == [2, 8]
    assert [entry.response.cost_usd for entry in entries] == [0.5, 0.5]
    assert bench.ledger.claimed == set()


def test_a_text_that_is_in_the_ledger_is_not_sent() -> None:
    """Whatever case it was embedded for, and whatever the draw."""
    bench = _Bench(_Endpoint(lengths))
    bench.ask(texts_of("a"))
    again = _Bench(_Endpoint(lengths), ledger=bench.ledger, draw=3)
    caller = again.caller()
    again.ask(texts_of("a", "b"), caller=caller)
    assert again.endpoint.asked == [["b"]]
    assert (caller.account.counts().ledger_hits, caller.account.counts().calls) == (1, 1)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda texts: lengths(texts[1:]), "1 embeddings came back for 2 texts"),
        (lambda texts: lengths([*texts, "more"]), "3 embeddings came back for 2 texts"),
        (lambda _: Response(output=""), "0 embeddings came back for 2 texts"),
        (lambda _: Response(output=pack_vectors([pack_vector([1.0]), pack_vector([1.0, 2.0])])), "2 dimensions, and 1"),
        (lambda _: Response(output=pack_vectors([pack_vector([0.0])] * 2)), "all 0"),
        (lambda _: Response(output=pack_vectors([pack_vector([float("nan")])] * 2)), "not finite"),
        (lambda _: CallError(kind="server_error", message="HTTP 500", retryable=True), "HTTP 500"),
    ],
    ids=["too few", "too many", "none", "dimensions", "zeros", "nan", "error"],
)
def test_a_bad_answer_is_tried_again_and_then_a_failure(broken: Callable[[list[str]], CallOutcome], said: str) -> None:
    """Nothing of it is recorded, and no claim is left."""
    bench = _Bench(_Endpoint(broken))
    (found,) = bench.ask(texts_of("a", "b"))
    assert isinstance(found, MetricFailure)
    assert (found.kind, said in found.message) == ("judge_error", True), found.message
    assert len(bench.endpoint.asked) == 2
    assert (bench.ledger.entries, bench.ledger.claimed) == ({}, set())


def test_a_later_answer_of_another_dimension_is_refused() -> None:
    """The first one says what the model's vectors are like."""
    answers = iter([lengths(["a"]), Response(output=pack_vector([1.0])), Response(output=pack_vector([1.0]))])
    bench = _Bench(_Endpoint(lambda _: next(answers)))
    caller = bench.caller()

    async def scenario() -> list[Any]:
        return [await caller.ask(texts_of(text), lambda response: response.output) for text in ("a", "b")]

    first, second = asyncio.run(scenario())
    assert isinstance(first, str)
    assert isinstance(second, MetricFailure)


def test_a_refused_text_does_not_take_others_with_it() -> None:
    """The request is made again text by text."""

    def picky(texts: list[str]) -> CallOutcome:
        return CallError(kind="bad_request", message="too long") if "long" in texts else lengths(texts)

    bench = _Bench(_Endpoint(picky))
    good, bad = bench.ask(texts_of("a"), texts_of("long"))
    assert good == [pack_vector([1.0, 1.0])]
    assert isinstance(bad, MetricFailure)
    assert bench.ledger.claimed == set()


def test_offline_nobody_is_called() -> None:
    """What the ledger lacks is a failure of its own kind."""
    bench = _Bench(_Endpoint(lengths), offline=True)
    (found,) = bench.ask(texts_of("a"))
    assert isinstance(found, MetricFailure)
    assert (found.kind, bench.endpoint.asked) == ("offline", [])


def test_a_used_up_budget_stops_the_run() -> None:
    """The second request is not made, and whoever waits for it is told."""
    bench = _Bench(_Endpoint(lengths), limits=JudgeLimits(concurrency=1, max_calls=1))
    found = bench.ask(*(texts_of(f"t{number}") for number in range(70)))
    assert sum(isinstance(one, list) for one in found) == 64
    assert sum(isinstance(one, JudgingStoppedError) for one in found) == 6
    assert bench.stop.is_set
    assert bench.ledger.claimed == set()


def test_a_text_that_another_process_fetches_is_waited_for() -> None:
    """It is paid for once."""
    bench = _Bench(_Endpoint(lengths))
    bench.ask(texts_of("a"))
    (key,) = bench.ledger.entries
    other = _Bench(_Endpoint(lengths))
    other.ledger.held.add(key)

    async def scenario() -> Any:
        asked = asyncio.ensure_future(other.caller().ask(texts_of("a"), lambda response: response.output))
        await asyncio.sleep(0.01)
        await other.ledger.record([bench.ledger.entries[key]])
        return await asked

    assert asyncio.run(scenario()) == pack_vector([1.0, 1.0])
    assert other.endpoint.asked == []


def test_who_stops_asking_leaves_the_others_theirs() -> None:
    """A text that two wait for is still fetched when one of them is cancelled."""
    bench = _Bench(_Endpoint(lengths))

    async def scenario() -> Any:
        caller = bench.caller()
        first, second = (
            asyncio.ensure_future(caller.ask(texts_of("a"), lambda response: response.output)) for _ in range(2)
        )
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert asyncio.run(scenario()) == pack_vector([1.0, 1.0])
