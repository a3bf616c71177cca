"""Embeds texts: each text once, several in a request, through the ledger and the account of a judge.

::

    metric ──► ask ──► texts waiting ──► up to 64 of them ──► ledger has some? ──► claim the others ──► one call
                                                                                                         │
    metric ◄── packed vectors, one per text ◄── each text's own entry in the ledger ◄── checked vectors ◄─┘

The ledger key is made of the model and the text alone: an answer that occurs twice, and the reference of a case's
repeats, are embedded once. A fresh draw does not embed them again: the same model gives the same text one vector.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from retest.domain.case import Case
from retest.domain.embedding import BadVectorError, pack_vectors, unpack_vectors
from retest.domain.json_value import JsonValue
from retest.domain.judge import JudgeSpec
from retest.domain.sample import CallError, CallOutcome, MetricFailure, Response, Usage
from retest.metrics.judge.caller import JUDGE_ERROR, BadVerdictError, JudgingStoppedError, Question
from retest.runner.judging import POLL_S, JudgeCaller, JudgingContext
from retest.runner.plan import KeySeed, sample_key
from retest.store.base import LedgerEntry
from retest.targets.base import Request, Target

T = TypeVar("T")

_BATCH = 64  # texts in a request: far below what endpoints take, and enough for the way there not to count
_BATCH_CHARACTERS = 200_000
_REMEMBERED = 1024  # vectors kept beside the ledger: the references of the cases that are being scored
_CONCURRENCY = 8  # requests at the same time, where the judge has no limit: more of them would only be smaller
_BAD_REQUEST = "bad_request"
_NO_CASE = Case(case_id="", vars={}, content_hash="")


@dataclass(slots=True, kw_only=True, eq=False)
class _Text:
    """A text that waits for its vector."""

    text: str
    key: str
    vector: asyncio.Future[str | CallError] = field(repr=False)

    def settle(self, found: str | CallError) -> None:
        if not self.vector.done():
            self.vector.set_result(found)

    def fail(self, error: BaseException) -> None:
        if not self.vector.done():
            self.vector.set_exception(error)
            self.vector.exception()  # seen: who asked may be gone


class EmbeddingCaller(JudgeCaller):
    """Embeds the texts of a question; what is read is one packed vector per message, in their order."""

    def __init__(self, spec: JudgeSpec, target: Target, context: JudgingContext) -> None:
        dimensions = spec.target.params.get("dimensions")
        super().__init__(spec, target, context)
        self._target: Target = CheckedEmbeddings(self._target, dimensions if isinstance(dimensions, int) else None)
        self._digest = KeySeed(spec.target, target.identity, role="embedding")
        self._most = spec.limits.concurrency or min(_CONCURRENCY, context.options.concurrency)
        self._queue: deque[_Text] = deque()
        self._waiting: dict[str, _Text] = {}
        self._recent: OrderedDict[str, str] = OrderedDict()
        self._workers: set[asyncio.Task[None]] = set()

    async def ask(self, question: Question, read: Callable[[Response], T]) -> T | MetricFailure:
        """Return what `read` makes of the vectors, or why there are none."""
        texts = [str(message["content"]) for message in question.messages]
        found = await asyncio.gather(*(self._vector(text) for text in texts))
        error = next((vector for vector in found if isinstance(vector, CallError)), None)
        if error is not None:
            return self._failed(error.kind if error.kind == "offline" else JUDGE_ERROR, error.message)
        try:
            value = read(Response(output=pack_vectors(map(str, found))))
        except BadVerdictError as reason:
            return self._failed(JUDGE_ERROR, str(reason))
        self._streak.note(failed=False)
        return value

    # -- one text --------------------------------------------------------------------------------------------------

    async def _vector(self, text: str) -> str | CallError:
        """Return a text's vector; one that is being fetched is not fetched again.

        Raises:
            JudgingStoppedError: the run stops before it is there.
        """
        key = sample_key(self._digest.for_case(_NO_CASE, text), 0)
        if key in self._recent:
            self._recent.move_to_end(key)
            return self._recent[key]
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = _Text(text=text, key=key, vector=asyncio.get_running_loop().create_future())
            self._waiting[key] = waiting
            self._queue.append(waiting)
            if len(self._workers) < self._most:
                worker = asyncio.ensure_future(self._work())
                self._workers.add(worker)
                worker.add_done_callback(self._workers.discard)
        return await asyncio.shield(waiting.vector)

    def _done(self, one: _Text, found: str | CallError) -> None:
        if isinstance(found, str):
            self._recent[one.key] = found
            if len(self._recent) > _REMEMBERED:
                self._recent.popitem(last=False)
        self._waiting.pop(one.key, None)
        one.settle(found)

    # -- several texts ---------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        """Embed what waits until nothing does; what is asked for in the same turn of the loop goes together."""
        await asyncio.sleep(0)
        while self._queue:
            batch = self._take()
            try:
                await self._find(batch)
            except BaseException as error:
                stopped = JudgingStoppedError() if isinstance(error, asyncio.CancelledError) else error
                for one in batch:
                    self._waiting.pop(one.key, None)
                    one.fail(stopped)
                if not isinstance(error, Exception):
                    raise

    def _take(self) -> list[_Text]:
        batch = [self._queue.popleft()]
        size = len(batch[0].text)
        while self._queue and len(batch) < _BATCH and size + len(self._queue[0].text) <= _BATCH_CHARACTERS:
            batch.append(self._queue.popleft())
            size += len(batch[-1].text)
        return batch

    async def _find(self, batch: Sequence[_Text]) -> None:
        """Give each text its vector: from the ledger, or paid for now, or by another process that is at it."""
        lacking = await self._look_up_all(batch)
        while lacking:
            if self._options.offline:
                error = CallError(kind="offline", message="not in the ledger, and --offline forbids calls")
                for one in lacking:
                    self._done(one, error)
                return
            if self._context.stop.is_set:
                raise JudgingStoppedError
            ours = await self._context.ledger.claim([one.key for one in lacking])
            if ours:
                await self._buy([one for one in lacking if one.key in ours])
            lacking = [one for one in lacking if one.key not in ours]
            if lacking:
                await self._context.stop.sleep(POLL_S)
                lacking = await self._look_up_all(lacking)

    async def _look_up_all(self, batch: Sequence[_Text]) -> list[_Text]:
        """Settle what the ledger has; return the others."""
        found = await self._context.ledger.lookup([one.key for one in batch])
        for one in batch:
            if one.key in found:
                self.account.add_hit()
                self._done(one, found[one.key].output)
        return [one for one in batch if one.key not in found]

    async def _buy(self, batch: Sequence[_Text]) -> None:
        """Pay for claimed texts; a claim that brought no vector is given up."""
        recorded: set[str] = set()
        try:
            await self._pay_for(batch, recorded)
        finally:
            lost = [one.key for one in batch if one.key not in recorded]
            if lost:
                await self._context.ledger.release(lost)

    async def _pay_for(self, batch: Sequence[_Text], recorded: set[str]) -> None:
        await self._admit()
        outcome = await self._call(_asking(batch))
        if isinstance(outcome, Response):
            await self._record(batch, outcome)
            recorded.update(one.key for one in batch)
        elif outcome.kind == _BAD_REQUEST and len(batch) > 1:
            for one in batch:  # one of them is at fault (too long, say): the others shall not fail with it
                await self._pay_for([one], recorded)
        else:
            for one in batch:
                self._done(one, outcome)

    async def _record(self, batch: Sequence[_Text], outcome: Response) -> None:
        """Make each text's vector durable, with its share of what the call took, before anybody reads it."""
        words = outcome.output.split()
        shares = _shares(outcome.usage.input_tokens, [len(one.text) for one in batch])
        entries = [
            LedgerEntry(
                key=one.key,
                role="embedding",
                response=replace(
                    outcome,
                    output=word,
                    usage=Usage(input_tokens=tokens, output_tokens=outcome.usage.output_tokens),
                    cost_usd=None if outcome.cost_usd is None else outcome.cost_usd / len(batch),
                    meta={**outcome.meta, "texts_in_request": len(batch)},
                ),
            )
            for one, word, tokens in zip(batch, words, shares, strict=True)
        ]
        await self._context.ledger.record(entries)
        for one, word in zip(batch, words, strict=True):
            self._done(one, word)


class CheckedEmbeddings:
    """An endpoint whose answer counts only as one good vector per text, all of one length; another may be retried."""

    def __init__(self, target: Target, dimensions: int | None = None) -> None:
        self._target = target
        self._dimensions = dimensions

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """Return the endpoint's own."""
        return self._target.identity

    async def call(self, request: Request) -> CallOutcome:
        """Return vectors that were checked, or the error."""
        outcome = await self._target.call(request)
        if isinstance(outcome, CallError):
            return outcome
        try:
            self._check(outcome, len(request.messages))
        except BadVectorError as error:
            return CallError(kind="bad_response", message=str(error), retryable=True)
        return outcome

    async def aclose(self) -> None:
        """Close the endpoint."""
        await self._target.aclose()

    def _check(self, response: Response, texts: int) -> None:
        vectors = unpack_vectors(response.output)
        if len(vectors) != texts:
            raise BadVectorError(f"{len(vectors)} embeddings came back for {texts} texts")
        wanted = self._dimensions or len(vectors[0])
        wrong = next((len(vector) for vector in vectors if len(vector) != wanted), None)
        if wrong is not None:
            raise BadVectorError(f"an embedding has {wrong} dimensions, and {wanted} are expected")
        self._dimensions = wanted


def _asking(batch: Sequence[_Text]) -> Question:
    """Return the texts as one question; its key and case are of no use, for each text has its own entry."""
    messages: list[dict[str, JsonValue]] = [{"role": "user", "content": one.text} for one in batch]
    return Question(messages=messages, case=_NO_CASE, judged="", name="embedding")


def _shares(tokens: int | None, sizes: Sequence[int]) -> list[int | None]:
    """Return the tokens of a request dealt out by the texts' lengths; they add up to all of them."""
    if tokens is None:
        return [None] * len(sizes)
    whole, shares, seen = sum(sizes) or 1, [], 0
    for size in sizes:
        before = tokens * seen // whole
        seen += size
        shares.append(tokens * seen // whole - before)
    return [*shares]
