"""Judges behind the ledger: paid once, retried within bounds, stopped in order."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from retest.domain.case import Case
from retest.domain.judge import JudgeLimits, JudgeSpec
from retest.domain.sample import CallError, CallOutcome, MetricFailure, Response, Usage
from retest.domain.target import TargetSpec
from retest.metrics.judge.caller import BadVerdictError, JudgingStoppedError, Question
from retest.runner.judging import JudgeCaller, JudgingContext, JudgingOptions
from retest.runner.pacing import RetryPolicy
from retest.runner.stopping import Budget, Limits, StopSignal
from retest.store.base import LedgerEntry
from retest.targets.base import Request

SCHEMA = {"type": "object"}


@dataclass(slots=True)
class _MemoryLedger:
    """A ledger in memory, with keys that another process holds."""

    entries: dict[str, LedgerEntry] = field(default_factory=dict)
    claimed: set[str] = field(default_factory=set)

    async def lookup(self, keys: Sequence[str]) -> Mapping[str, Response]:
        return {key: self.entries[key].response for key in keys if key in self.entries}

    async def known(self, keys: Sequence[str]) -> frozenset[str]:
        return frozenset(keys) & self.entries.keys()

    async def claim(self, keys: Sequence[str]) -> frozenset[str]:
        free = frozenset(keys) - self.claimed
        self.claimed |= free
        return free

    async def record(self, entries: Sequence[LedgerEntry]) -> None:
        for entry in entries:
            self.entries.setdefault(entry.key, entry)
            self.claimed.discard(entry.key)

    async def release(self, keys: Sequence[str]) -> None:
        self.claimed -= set(keys)


@dataclass(slots=True)
class _Script:
    """A target that answers from a list, the last answer again and again; `delay_s` before each."""

    outcomes: list[CallOutcome]
    delay_s: float = 0.0
    requests: list[Request] = field(default_factory=list)
    in_flight: int = 0
    peak: int = 0

    @property
    def identity(self) -> Mapping[str, str]:
        return {"provider": "script"}

    async def call(self, request: Request) -> CallOutcome:
        self.requests.append(request)
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        await asyncio.sleep(self.delay_s)
        self.in_flight -= 1
        return self.outcomes[min(len(self.requests), len(self.outcomes)) - 1]

    async def aclose(self) -> None:
        return


def answer(text: str, cost_usd: float | None = 0.01) -> Response:
    return Response(output=text, usage=Usage(input_tokens=7, output_tokens=3), cost_usd=cost_usd)


def failure(kind: str = "server_error", *, status: int = 500, retryable: bool = True, fatal: bool = False) -> CallError:
    return CallError(kind=kind, message=f"HTTP {status}", status=status, retryable=retryable, fatal=fatal)


def question(judged: str = "sample", vote: int = 0) -> Question:
    case = Case(case_id="c1", vars={}, content_hash="0")
    return Question(messages=[{"role": "user", "content": "?"}], case=case, judged=judged, vote=vote, schema=SCHEMA)


def good(response: Response) -> str:
    if response.output != "good":
        raise BadVerdictError("that is prose")
    return response.output


@dataclass(slots=True)
class _Bench:
    """A judge with its ledger, its budget and what stops it."""

    target: _Script
    ledger: _MemoryLedger = field(default_factory=_MemoryLedger)
    options: JudgingOptions = field(
        default_factory=lambda: JudgingOptions(run_id="r1", retry=RetryPolicy(attempts=2, base_s=0.001))
    )
    limits: JudgeLimits = field(default_factory=JudgeLimits)
    run_limits: Limits = field(default_factory=Limits)
    stop: StopSignal = field(default_factory=StopSignal)
    provider: str = "openai"
    params: dict[str, int] = field(default_factory=dict)

    def caller(self) -> JudgeCaller:
        target = TargetSpec(name="grader", provider=self.provider, model="m", params=self.params)
        context = JudgingContext(
            ledger=self.ledger, options=self.options, budget=Budget(self.run_limits), stop=self.stop
        )
        return JudgeCaller(JudgeSpec(target=target, limits=self.limits), self.target, context)

    def ask(self, *questions: Question) -> list[str | MetricFailure | BaseException]:
        async def scenario() -> list[str | MetricFailure | BaseException]:
            caller = self.caller()
            asked = questions or (question(),)
            return await asyncio.gather(*(caller.ask(one, good) for one in asked), return_exceptions=True)

        return asyncio.run(scenario())


def test_an_answer_is_durable_before_it_is_read() -> None:
    """What `read` sees is in the ledger, as a judge's, with the run it was made for."""
    bench = _Bench(_Script([answer("good")]))

    def read(response: Response) -> str:
        assert [entry.response for entry in bench.ledger.entries.values()] == [response]
        return "read"

    assert asyncio.run(bench.caller().ask(question(), read)) == "read"
    (entry,) = bench.ledger.entries.values()
    assert (entry.role, entry.response.meta["judge_run"]) == ("judge", "r1")
    assert bench.ledger.claimed == set()


def test_the_same_question_is_paid_for_once() -> None:
    """Asked again, it is a ledger hit."""
    bench = _Bench(_Script([answer("good")]))
    assert bench.ask() == bench.ask() == ["good"]
    assert len(bench.target.requests) == 1


def test_votes_samples_and_draws_are_answers_of_their_own() -> None:
    """None of them replays another's."""
    bench = _Bench(_Script([answer("good")]))
    bench.ask(question(), question(vote=1), question("another"))
    bench.options = replace(bench.options, draw=1)
    bench.ask()
    assert len(bench.target.requests) == len(bench.ledger.entries) == 4


def test_a_fixed_seed_differs_from_vote_to_vote() -> None:
    """Repeats would be copies otherwise."""
    bench = _Bench(_Script([answer("good")]), params={"seed": 7})
    bench.ask(question(), question(vote=1))
    assert len({request.params["seed"] for request in bench.target.requests}) == 2


def test_prose_is_asked_again_a_bounded_number_of_times() -> None:
    """Three answers, each kept; then a failure that names the judge and the reason."""
    bench = _Bench(_Script([answer("prose")]))
    (outcome,) = bench.ask()
    assert isinstance(outcome, MetricFailure)
    assert (outcome.kind, outcome.message) == ("judge_error", "judge 'grader': that is prose (3 attempts)")
    assert len(bench.ledger.entries) == 3


def test_a_resumed_run_replays_its_bad_answers_without_paying() -> None:
    """The same failure, no call."""
    bench = _Bench(_Script([answer("prose")]))
    assert bench.ask() == bench.ask()
    assert len(bench.target.requests) == 3


def test_another_run_asks_anew_where_all_answers_were_bad() -> None:
    """Behind the old attempts come new ones, and a good one stays good for every later run."""
    bench = _Bench(_Script([answer("prose"), answer("prose"), answer("prose"), answer("good")]))
    bench.ask()
    bench.options = replace(bench.options, run_id="r2")
    assert bench.ask() == ["good"]
    bench.options = replace(bench.options, run_id="r3")
    assert bench.ask() == ["good"]
    assert len(bench.target.requests) == 4


def test_a_failed_call_is_retried_and_leaves_no_claim() -> None:
    """Two tries by the policy, then a judge error; the key is free again."""
    bench = _Bench(_Script([failure()]))
    (outcome,) = bench.ask()
    assert isinstance(outcome, MetricFailure)
    assert outcome.kind == "judge_error"
    assert (len(bench.target.requests), bench.ledger.claimed, bench.ledger.entries) == (2, set(), {})


def test_a_refused_key_stops_the_run() -> None:
    """Every other call would be refused too; the reason names the judge."""
    bench = _Bench(_Script([failure("authentication", status=401, retryable=False, fatal=True)]))
    bench.ask()
    assert (bench.stop.reason, bench.stop.message) == ("judge", "judge 'grader': HTTP 401")


def test_judgments_in_a_row_without_a_verdict_stop_the_run() -> None:
    """After so many, and not before; a verdict in between starts the count anew."""
    bench = _Bench(_Script([answer("prose")]))
    bench.options = replace(bench.options, streak_limit=2, attempts=1)
    bench.ask(question("a"))
    assert bench.stop.reason is None
    bench.ask(question("b"), question("c"))
    assert bench.stop.reason == "judge"


def test_a_stopped_run_asks_nobody() -> None:
    """What is paid for is still read; the rest is left for later, and no claim stays."""
    bench = _Bench(_Script([answer("good")]))
    bench.ask(question("a"))
    bench.stop.stop("interrupt", "interrupted")
    first, second = bench.ask(question("a"), question("b"))
    assert first == "good"
    assert isinstance(second, JudgingStoppedError)
    assert (len(bench.target.requests), bench.ledger.claimed) == (1, set())


@pytest.mark.parametrize(
    ("limits", "run_limits", "said"),
    [
        (JudgeLimits(max_calls=2), Limits(), "the budget of judge 'grader' is used up"),
        (JudgeLimits(max_cost_usd=0.02), Limits(), "the budget of judge 'grader' is used up"),
        (JudgeLimits(), Limits(max_calls=2), "the budget is used up"),
    ],
)
def test_a_budget_ends_the_run(limits: JudgeLimits, run_limits: Limits, said: str) -> None:
    """The judge's own, or the run's; what is past it stays unjudged, and nothing is claimed."""
    bench = _Bench(_Script([answer("good")]), limits=replace(limits, concurrency=1), run_limits=run_limits)
    outcomes = bench.ask(*(question(str(n)) for n in range(5)))
    assert [isinstance(outcome, JudgingStoppedError) for outcome in outcomes] == [False, False, True, True, True]
    assert (bench.stop.reason, bench.stop.message) == ("budget", said)
    assert (len(bench.target.requests), bench.ledger.claimed) == (2, set())


def test_a_judge_keeps_its_concurrency() -> None:
    """No more calls at the same time than its limits say."""
    bench = _Bench(_Script([answer("good")], delay_s=0.01), limits=JudgeLimits(concurrency=3))
    bench.ask(*(question(str(n)) for n in range(12)))
    assert bench.target.peak == 3


def test_offline_never_calls() -> None:
    """What the ledger lacks is a failure of its own kind; a recording may still be read."""
    bench = _Bench(_Script([answer("good")]))
    bench.options = replace(bench.options, offline=True)
    (outcome,) = bench.ask()
    assert isinstance(outcome, MetricFailure)
    assert (outcome.kind, bench.target.requests) == ("offline", [])
    bench.provider = "replay"
    assert bench.ask() == ["good"]


def test_another_process_is_waited_for_not_paid_twice() -> None:
    """Its answer arrives in the ledger, and is read from there."""

    async def scenario() -> tuple[str | MetricFailure, int]:
        bench = _Bench(_Script([answer("good")]))
        caller = bench.caller()
        await caller.ask(question(), good)
        ((key, entry),) = bench.ledger.entries.items()
        bench.ledger.entries.clear()
        bench.ledger.claimed.add(key)
        waiting = asyncio.create_task(caller.ask(question(), good))
        await asyncio.sleep(0.05)
        await bench.ledger.record([entry])
        return await waiting, len(bench.target.requests)

    assert asyncio.run(scenario()) == ("good", 1)


def test_a_refused_schema_is_left_out_from_then_on() -> None:
    """One refusal for many calls; an endpoint that takes it is always sent it."""
    refusal = failure("bad_request", status=400, retryable=False)
    bench = _Bench(_Script([refusal, answer("good")]))
    assert bench.ask(*(question(str(n)) for n in range(4))) == ["good"] * 4
    assert ["response_format" in request.params for request in bench.target.requests] == [True, *[False] * 4]
    taking = _Bench(_Script([answer("good")]))
    taking.ask(*(question(str(n)) for n in range(3)))
    assert all("response_format" in request.params for request in taking.target.requests)


def test_a_bad_request_for_another_reason_stays_one() -> None:
    """Without the schema it is refused as well, so the schema is not to blame."""
    bench = _Bench(_Script([failure("bad_request", status=400, retryable=False)]))
    (outcome,) = bench.ask()
    assert isinstance(outcome, MetricFailure)
    bench.ask(question("b"))
    assert ["response_format" in request.params for request in bench.target.requests] == [True, False, True, False]


def test_providers_without_schemas_are_not_sent_any() -> None:
    """A command or a function has no use for a response format."""
    bench = _Bench(_Script([answer("good")]), provider="command")
    bench.ask()
    assert bench.target.requests[0].params == {}


def test_a_local_model_is_sent_the_schema_in_its_own_field() -> None:
    """llama.cpp ignores `response_format` where a model has no chat template."""
    bench = _Bench(_Script([answer("good")]), provider="local")
    bench.ask()
    assert bench.target.requests[0].params == {"json_schema": SCHEMA}


def test_the_account_is_the_judges_own() -> None:
    """Calls, hits, failures, tokens and cost; an unknown price makes the cost unknown."""

    async def scenario(script: _Script) -> JudgeCaller:
        bench = _Bench(script)
        bench.options = replace(bench.options, attempts=1)
        caller = bench.caller()
        for judged in ("a", "a", "b"):
            await caller.ask(question(judged), good)
        return caller

    counts = asyncio.run(scenario(_Script([answer("good"), answer("prose")]))).account.counts()
    assert (counts.calls, counts.ledger_hits, counts.failures) == (2, 1, 1)
    assert (counts.input_tokens, counts.output_tokens, counts.cost_usd) == (14, 6, 0.02)
    unpriced = asyncio.run(scenario(_Script([answer("good", None)]))).account.counts()
    assert unpriced.cost_usd is None
