"""Executes a plan with workers elsewhere; to the workflows it is what `retest.runner.execute.Execution` is."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import replace

from retest.distributed.crew import Crew, Hand, WorkerLostError
from retest.distributed.keeper import Course, Keeper
from retest.distributed.setup import Orders
from retest.distributed.wire import Ask, Reply
from retest.domain.case import Case
from retest.domain.run import JudgeCounts, RunCounts
from retest.errors import IncompleteError, Problem, RetestError
from retest.runner.events import Notice, Stopping
from retest.runner.feed import Chunks, Exits, Feed, Shelf, chunked
from retest.runner.plan import PlannedCall
from retest.runner.stopping import StopReason, StopSignal

_LOSSES_PER_WORKER = 3  # lost workers, for each there was at first, after which the run ends
_REPLACED_WITHIN_S = 60.0  # where no worker is left
_LAST_WORDS_S = 20.0  # beyond the grace period, in which workers score and say what they have


class SpreadExecution:
    """One execution of one plan by a crew."""

    def __init__(self, course: Course, crew: Crew, orders: Orders) -> None:
        self.stop: StopSignal = course.stop
        self._course = course
        self._crew = crew
        self._orders = orders
        self._keeper = Keeper(course)
        self.table = self._keeper.table
        self._feed = Feed(
            course.plan,
            Shelf(ledger=course.backends.ledger, writer=course.backends.writer, table=self.table),
            Exits(known=self._keeper.known, claimed=self._keeper.claimed),
            self.stop,
            offline_arms=orders.offline_arms,
        )
        self._hands: dict[str, Hand] = {}
        self._serving: set[asyncio.Task[None]] = set()
        self._started = False
        self._losses = 0

    async def store_cases(self, cases: Sequence[tuple[int, Case]]) -> None:
        """Store every case before the first call, where calls do not come in the order of the cases."""
        await self._feed.store_cases(cases)

    async def run(self, calls: Iterable[PlannedCall] | None = None) -> RunCounts:
        """Execute the plan, or these of its calls, to the end or to the first reason to stop; return what was done.

        One part may follow another; the counts are of all.

        Raises:
            IncompleteError: no worker is left.
            StoreError: responses could not be made durable.
        """
        keeper = self._keeper
        if not self._started:
            self._start()
        keeper.feeding(on=True)
        chunks = chunked(self._course.plan.calls() if calls is None else calls)
        feeder = asyncio.create_task(self._take(chunks))
        watch = self._begin(self._watch_stop())
        try:
            await keeper.until_over()
            if keeper.failure is not None:
                raise keeper.failure
            await feeder
        finally:
            for task in (feeder, watch):
                task.cancel()
            await asyncio.gather(feeder, watch, return_exceptions=True)
            if self.stop.is_set or keeper.failure is not None:
                await keeper.release_all()
        return self.counts()

    def counts(self) -> RunCounts:
        """Return what has been done so far."""
        own = {name: judge.account.counts() for name, judge in self._course.backends.judges.items()}
        judges = {name: _sum([own[name], *(c[name] for c in self._keeper.judge_counts() if name in c)]) for name in own}
        return replace(self._keeper.tally.counts(self.table.cases), judges=judges)

    async def close(self) -> None:
        """Serve nobody any more."""
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    # -- feeding and stopping --------------------------------------------------------------------------------------

    async def _take(self, chunks: Chunks) -> None:
        try:
            await self._feed.take(chunks, self._course.tell)
        except Exception as error:  # noqa: BLE001 - it ends the run, whatever it is
            self._keeper.fail(error)
        finally:
            self._keeper.feeding(on=False)

    async def _watch_stop(self) -> None:
        await self.stop.wait()
        self._keeper.wake()
        reason, grace_s = self.stop.reason or "interrupt", self._orders.grace_s
        self._course.tell(
            Stopping(reason=reason, message=self.stop.message, in_flight=self._keeper.in_flight, grace_s=grace_s)
        )
        await self._to_all(reason, self.stop.message)
        await self.stop.wait_for_hurry(grace_s + _LAST_WORDS_S)
        await self._to_all("interrupt", "interrupted again")
        await asyncio.sleep(_LAST_WORDS_S)
        await asyncio.gather(*(hand.discard() for hand in self._hands.values()), return_exceptions=True)

    async def _to_all(self, reason: StopReason, message: str) -> None:
        told = (hand.stop(reason, message) for hand in list(self._hands.values()))
        await asyncio.gather(*told, return_exceptions=True)  # who is lost is found out by whoever serves it

    # -- workers ---------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        self._started = True
        hands = self._crew.hands
        for hand, share in zip(hands, _shares(self._orders.concurrency, len(hands)), strict=True):
            self._engage(hand, share)

    def _engage(self, hand: Hand, share: int) -> None:
        self._hands[hand.name] = hand
        self._keeper.seat(hand.name, least=2 * share)
        self._spawn(self._serve(hand, share))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = self._begin(work)
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    def _begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Begin what nobody waits for; an error there ends the run."""
        task = asyncio.create_task(work)
        task.add_done_callback(self._note_error)
        return task

    def _note_error(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self._keeper.fail(error)

    async def _serve(self, hand: Hand, share: int) -> None:
        """Do what a worker asks for until it is gone; then see to it that another goes on."""
        service = Service(hand, self._keeper)
        try:
            await hand.start(replace(self._orders, concurrency=share))
            await service.serve()
        except WorkerLostError as error:
            self._keeper.miss(hand.name)
            await service.finish()
            await hand.discard()
            await self._keeper.lose(hand.name)
            del self._hands[hand.name]
            if not (self.stop.is_set or self._keeper.failure):
                await self._replace(share, f"{hand.name}: {error}")

    async def _replace(self, share: int, why: str) -> None:
        """Find another worker; while others go on, however long that takes."""
        lost: str | None = why
        while lost is not None:
            self._losses += 1
            self._course.tell(Notice(message=f"lost {lost}; {len(self._hands)} left, and another is looked for"))
            if self._losses > _LOSSES_PER_WORKER * len(self._crew.hands):
                self._keeper.fail(_lost(f"{self._losses} workers were lost one after the other, the last was {lost}"))
                return
            if not self._hands:
                self._spawn(self._give_up(lost))
            lost = await self._hire(share)

    async def _hire(self, share: int) -> str | None:
        """Let another worker begin; return why it was lost again, None where it was not."""
        try:
            self._engage(await self._crew.hire(), share)
        except WorkerLostError as error:
            return f"a worker: {error}"
        except RetestError as error:
            if not self._hands:
                self._keeper.fail(error)
            self._course.tell(Notice(message=f"no worker in its place: {error.problems[0].message}"))
        return None

    async def _give_up(self, why: str) -> None:
        """End the run where nobody takes the place of the last worker."""
        await asyncio.sleep(_REPLACED_WITHIN_S)
        if not self._hands:
            self._keeper.fail(_lost(f"no worker is left; the last was {why}"))


class Service:
    """Where one worker is served: it says what it wants, and gets its answers in the order in which they are ready."""

    def __init__(self, hand: Hand, keeper: Keeper) -> None:
        self._hand = hand
        self._keeper = keeper
        self._under_way: set[asyncio.Task[None]] = set()
        self._replies: list[Reply] = []
        self._delivering: asyncio.Task[None] | None = None

    async def serve(self) -> None:
        """Serve until the worker is gone.

        Raises:
            WorkerLostError: it is.
        """
        name = self._hand.name
        while True:
            post = await self._hand.take()
            self._keeper.note_judges(name, post.judges)
            for ask in post.asks:
                if ask.number is None:
                    self._keeper.hear(name, ask.method, ask.args)
                    continue
                task = asyncio.create_task(self._answer(ask, ask.number))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)

    async def finish(self) -> None:
        """Return once all that the worker had asked for is done."""
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _answer(self, ask: Ask, number: int) -> None:
        try:
            reply = Reply(number, await self._keeper.answer(self._hand.name, ask.method, ask.args))
        except RetestError as error:
            reply = Reply(number, problems=error.problems, kind=type(error))
        except Exception as error:  # noqa: BLE001 - it ends the run, whatever it is
            self._keeper.fail(error)
            return
        self._replies.append(reply)
        if self._delivering is None or self._delivering.done():
            self._delivering = asyncio.create_task(self._deliver())

    async def _deliver(self) -> None:
        """Send what is ready; what becomes ready meanwhile goes together."""
        try:
            while self._replies:
                replies, self._replies = self._replies, []
                await self._hand.deliver(replies)
        except WorkerLostError:
            await self._hand.discard()  # it may live, without its answers; whoever waits for its asks finds it gone
        except Exception as error:  # noqa: BLE001 - it ends the run, whatever it is
            self._keeper.fail(error)


def _shares(concurrency: int, workers: int) -> list[int]:
    """Return the calls in flight of each worker; together they are what one machine would have."""
    each, beyond = divmod(max(concurrency, workers), workers)
    return [each + (index < beyond) for index in range(workers)]


def _sum(parts: Sequence[JudgeCounts]) -> JudgeCounts:
    known = [part.cost_usd for part in parts if part.cost_usd is not None]
    return JudgeCounts(
        calls=sum(part.calls for part in parts),
        ledger_hits=sum(part.ledger_hits for part in parts),
        failures=sum(part.failures for part in parts),
        cost_usd=sum(known) if len(known) == len(parts) else None,
        input_tokens=sum(part.input_tokens for part in parts),
        output_tokens=sum(part.output_tokens for part in parts),
        failed_calls=sum(part.failed_calls for part in parts),
    )


def _lost(message: str) -> IncompleteError:
    return IncompleteError(
        Problem(
            slug="ray-workers-lost",
            message=message,
            details=("what they had recorded is stored",),
            fix="look into the logs of Ray for the reason (memory, a metric that ends its process); the same command "
            "goes on where this one ended",
        )
    )
