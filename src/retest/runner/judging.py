"""Asks judges: what is paid for comes from the ledger, the rest is called for, made durable, and only then read.

::

    metric ──► ask ──► ledger has it? ──► claim ──► budget ──► call, with retries ──► record (ledger) ──► read
                 ▲                                                                                        │
                 └───────────────────── the next attempt, under a key of its own, where that was no verdict

Judges run beside the targets, each with its own concurrency, limits and account.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from retest.domain.json_value import JsonValue, content_hash
from retest.domain.judge import JudgeSpec
from retest.domain.run import JudgeCounts
from retest.domain.sample import CallError, CallOutcome, MetricFailure, Response
from retest.metrics.judge.caller import JUDGE_ERROR, BadVerdictError, JudgingStoppedError, Question
from retest.runner.events import CallRetried, Listener, ignore_events
from retest.runner.paced import paced
from retest.runner.pacing import FailureStreak, RetryPolicy
from retest.runner.plan import KeySeed, sample_key, vary_seed
from retest.runner.stopping import Admission, Budget, Limits, StopSignal
from retest.store.base import Ledger, LedgerEntry
from retest.targets.base import Request, Target

T = TypeVar("T")

POLL_S = 0.5  # how often an answer that another process is fetching is looked for
_LONGEST_WALK = 100  # attempts of earlier runs that are passed over before the judge counts as failed
_RUN = "judge_run"  # under which a recorded answer says for which run it was made
_JUDGE = "judge"  # and which of the run's judges made it
_BAD_REQUEST = "bad_request"
_STRUCTURED = frozenset({"openai", "azure_openai", "local"})
_SCHEMA_NAME = "verdict"


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgingOptions:
    """How judges are asked in one run.

    Attributes:
        run_id: of the run; an unreadable answer that an earlier run was given does not use up this one's attempts.
        draw: 0, or the number of a fresh draw: its answers are recorded beside the earlier ones.
        attempts: unreadable answers after which a judgment has failed.
        streak_limit: judgments in a row without a verdict after which the run stops.
        offline: what the ledger lacks is a failure, and nobody is called.
    """

    run_id: str
    draw: int = 0
    attempts: int = 3
    streak_limit: int = 20
    offline: bool = False
    concurrency: int = 32
    retry: RetryPolicy = field(default_factory=RetryPolicy)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgingContext:
    """What the judges of one run share: the ledger, the run's budget, the reason to stop, and who listens.

    `budgets` are of judges, by name; one that has none there keeps its own.
    """

    ledger: Ledger
    options: JudgingOptions
    budget: Admission
    stop: StopSignal
    listener: Listener = ignore_events
    budgets: Mapping[str, Admission] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Paid:
    """An answer that is in the ledger; `ours` where this run asked for it."""

    response: Response
    ours: bool


class JudgeAccount:
    """What one judge did in a run, and what that cost."""

    def __init__(self) -> None:
        self._hits = self._failed = 0
        self._unanswered = 0
        self._calls = self._input_tokens = self._output_tokens = self._unpriced = 0
        self._cost_usd = 0.0

    def add_hit(self) -> None:
        """Count an answer that was already paid for."""
        self._hits += 1

    def add_failure(self) -> None:
        """Count a judgment without a verdict."""
        self._failed += 1

    def add_call(self, outcome: CallOutcome) -> None:
        """Count a call that was made, answered or not."""
        self._calls += 1
        if not isinstance(outcome, Response):
            self._unanswered += 1
            return
        self._input_tokens += outcome.usage.input_tokens or 0
        self._output_tokens += outcome.usage.output_tokens or 0
        self._unpriced += outcome.cost_usd is None
        self._cost_usd += outcome.cost_usd or 0.0

    def counts(self) -> JudgeCounts:
        """Return the totals; the cost is unknown as soon as one call's price is."""
        return JudgeCounts(
            calls=self._calls,
            ledger_hits=self._hits,
            failures=self._failed,
            cost_usd=None if self._unpriced else self._cost_usd,
            input_tokens=self._input_tokens,
            output_tokens=self._output_tokens,
            failed_calls=self._unanswered,
        )


class JudgeCaller:
    """Asks one judge; `retest.metrics.judge.caller.Caller` says what it promises."""

    def __init__(self, spec: JudgeSpec, target: Target, context: JudgingContext) -> None:
        self.name = spec.name
        self.account = JudgeAccount()
        self._spec = spec
        self._target = paced(target, context.stop, context.listener, spec.name)
        self._context = context
        self._options = context.options
        limits = spec.limits
        own = Limits(max_calls=limits.max_calls, max_cost_usd=limits.max_cost_usd)
        self.budget = context.budgets.get(spec.name) or Budget(own)
        self._turns = asyncio.Semaphore(limits.concurrency or context.options.concurrency)
        self._streak = FailureStreak(context.options.streak_limit)
        self._wire = SchemaWire(spec)
        self._seed = KeySeed(spec.target, target.identity, role="judge")
        self._rng = random.Random()  # noqa: S311 - jitter only: no verdict depends on it

    async def ask(self, question: Question, read: Callable[[Response], T]) -> T | MetricFailure:
        """Return what `read` makes of the judge's answer, or why there is none."""
        # One turn for all attempts: a judge that only writes prose is found out after a few answers, not after each
        # has had its first attempt.
        async with self._turns:
            return await self._ask(question, read)

    async def _ask(self, question: Question, read: Callable[[Response], T]) -> T | MetricFailure:
        unreadable = 0
        reason = ""
        for attempt in range(_LONGEST_WALK):
            paid = await self._answer(question, attempt)
            if isinstance(paid, CallError):
                return self._failed(paid.kind if paid.kind == "offline" else JUDGE_ERROR, f"{paid.message}")
            try:
                verdict = read(paid.response)
            except BadVerdictError as error:
                reason = str(error)
            else:
                self._streak.note(failed=False)
                return verdict
            unreadable += paid.ours
            if unreadable >= self._options.attempts:
                break
        tries = "" if unreadable < 2 else f" ({unreadable} attempts)"  # noqa: PLR2004 - said from the second on
        return self._failed(JUDGE_ERROR, f"{reason}{tries}")

    def _failed(self, kind: str, message: str) -> MetricFailure:
        self.account.add_failure()
        if kind != "offline" and self._streak.note(failed=True):
            in_a_row = f"judge '{self.name}' gave no verdict {self._streak.limit} times in a row, the last time because"
            self._context.stop.stop("judge", f"{in_a_row}: {message}")
        return MetricFailure(kind=kind, message=f"judge '{self.name}': {message}")

    # -- one attempt -----------------------------------------------------------------------------------------------

    async def _answer(self, question: Question, attempt: int) -> _Paid | CallError:
        """Return the answer of one attempt, from the ledger or paid for now.

        Raises:
            JudgingStoppedError: the run stops before there is one.
        """
        key = self._key(question, attempt)
        while (found := await self._look_up(key)) is None:
            if self._options.offline and self._spec.target.provider != "replay":
                return CallError(kind="offline", message="not in the ledger, and --offline forbids calls")
            if self._context.stop.is_set:
                raise JudgingStoppedError
            if await self._context.ledger.claim([key]):
                return await self._pay(question, key)
            await self._context.stop.sleep(POLL_S)  # another process is fetching it
        return found

    async def _look_up(self, key: str) -> _Paid | None:
        found = (await self._context.ledger.lookup([key])).get(key)
        if found is None:
            return None
        self.account.add_hit()
        return _Paid(found, found.meta.get(_RUN) == self._options.run_id)

    async def _pay(self, question: Question, key: str) -> _Paid | CallError:
        """Call, and make the answer durable before anybody reads it; the claim is given up where there is none."""
        outcome: CallOutcome | None = None
        try:
            await self._admit()
            outcome = await self._call(question)
        finally:
            if not isinstance(outcome, Response):
                await self._context.ledger.release([key])
        if isinstance(outcome, CallError):
            return outcome
        response = replace(outcome, meta={**outcome.meta, _RUN: self._options.run_id, _JUDGE: self.name})
        await self._context.ledger.record([LedgerEntry(key=key, response=response, role="judge")])
        return _Paid(response, ours=True)

    async def _admit(self) -> None:
        """Count one call in.

        Raises:
            JudgingStoppedError: the run has stopped, or stops here because a budget is used up.
        """
        stop = self._context.stop
        if stop.is_set:
            raise JudgingStoppedError
        if not await self.budget.admit():
            stop.stop("budget", f"the budget of judge '{self.name}' is used up")
            raise JudgingStoppedError
        if not await self._context.budget.admit():
            self.budget.settle(None)
            stop.stop("budget", "the budget is used up")
            raise JudgingStoppedError

    async def _call(self, question: Question) -> CallOutcome:
        """Return the outcome after retries; every admitted call is settled.

        Raises:
            JudgingStoppedError: the run stopped in between.
        """
        outcome: CallOutcome | None = None
        try:
            outcome = await self._try_until_it_stands(question)
        finally:
            cost_usd = outcome.cost_usd if isinstance(outcome, Response) else None
            self.budget.settle(cost_usd)
            self._context.budget.settle(cost_usd)
        self.account.add_call(outcome)
        if isinstance(outcome, CallError) and outcome.fatal:
            self._context.stop.stop("judge", f"judge '{self.name}': {outcome.message}")
        return outcome

    async def _try_until_it_stands(self, question: Question) -> CallOutcome:
        request = self._request(question)
        attempt, waited_s = 0, 0.0
        while True:
            attempt += 1
            outcome = await self._wire.call(self._target, request, question.schema)
            if isinstance(outcome, Response):
                return outcome
            wait_s = self._options.retry.wait_before_retry(outcome, attempt, waited_s, self._rng, paced=True)
            if wait_s is None:
                return replace(outcome, attempts=attempt)
            self._context.listener(CallRetried(kind=outcome.kind, wait_s=wait_s, attempt=attempt))
            if not await self._context.stop.sleep(wait_s):
                raise JudgingStoppedError
            waited_s += wait_s

    def _request(self, question: Question) -> Request:
        params = vary_seed(self._spec.target.params, f"{question.case.case_id}|{question.judged}", question.vote)
        return Request(
            messages=question.messages,
            model=self._spec.target.model,
            params=params,
            case=question.case,
            sample_index=question.vote,
            prompt_name=question.name,
        )

    def _key(self, question: Question, attempt: int) -> str:
        asked = content_hash([list(question.messages), question.schema, question.judged])
        digest = self._seed.for_case(question.case, asked)
        return sample_key(digest, question.vote, vote=attempt, draw=self._options.draw)


class SchemaWire:
    """Sends a schema along where the endpoint takes one; once it has refused and answered without, never again."""

    def __init__(self, spec: JudgeSpec) -> None:
        provider = spec.target.provider
        wanted = spec.structured if spec.structured is not None else provider in _STRUCTURED
        self._accepted: bool | None = None if wanted else False  # None: not known yet
        self._responses_api = spec.target.options.get("api") == "responses"
        self._llama_cpp = provider == "local"  # which reads `response_format` of models with a chat template alone
        self._first = asyncio.Lock()

    async def call(self, target: Target, request: Request, schema: Mapping[str, JsonValue] | None) -> CallOutcome:
        """Return the outcome of one attempt."""
        if schema is None:
            return await target.call(request)
        if self._is_unknown():
            async with self._first:  # one call finds out for all the others
                if self._is_unknown():
                    return await self._structured(target, request, schema)
        return await (self._structured(target, request, schema) if self._accepted else target.call(request))

    def _is_unknown(self) -> bool:
        return self._accepted is None

    async def _structured(self, target: Target, request: Request, schema: Mapping[str, JsonValue]) -> CallOutcome:
        params = {**request.params, **self._params(schema)}
        outcome = await target.call(replace(request, params=params))
        if isinstance(outcome, Response):
            self._accepted = True
            return outcome
        if outcome.kind != _BAD_REQUEST:
            return outcome
        plain = await target.call(request)
        if isinstance(plain, Response):
            self._accepted = False
        return plain

    def _params(self, schema: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        if self._llama_cpp:
            return {"json_schema": dict(schema)}
        named: dict[str, JsonValue] = {"name": _SCHEMA_NAME, "strict": True, "schema": dict(schema)}
        if self._responses_api:
            return {"text": {"format": {"type": "json_schema", **named}}}
        return {"response_format": {"type": "json_schema", "json_schema": named}}
