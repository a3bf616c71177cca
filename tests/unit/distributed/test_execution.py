"""Runs spread over several workers: what is handed out, what comes back, what a lost worker costs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from retest.distributed.crew import WorkerLostError
from retest.distributed.execution import SpreadExecution
from retest.domain.run import RunCounts
from retest.domain.sample import Response
from retest.errors import IncompleteError, Problem, UsageError
from retest.runner.events import Notice, SamplesDone, Stopping
from retest.runner.stopping import Budget
from support.crew import LocalCrew, LocalHand, SpreadRun, spread_run
from support.openai_server import OpenAIServer, ok, unauthorized
from support.project import Project

BOT = """\
import asyncio, pathlib

HERE = pathlib.Path(__file__).parent

async def answer(prompt, sample_index=0):
    with (HERE / "calls.log").open("a", encoding="utf-8") as log:
        log.write(f"{prompt}\\n")
    while (HERE / f"hold-{prompt}").exists():
        await asyncio.sleep(0.002)
    return prompt
"""


class Bot:
    """A project whose target is a function that notes each call, and holds those it is told to."""

    def __init__(self, project: Project, cases: int, **changes: Any) -> None:
        self.root = project.root
        project.write_cases(cases)
        project.write("bot.py", BOT)
        targets = [{"name": "bot", "provider": "python", "path": "../bot.py:answer"}]
        project.write_suite(targets=targets, **changes)

    @property
    def calls(self) -> Counter[str]:
        """Return how often each question was asked."""
        log = self.root / "calls.log"
        return Counter(log.read_text("utf-8").splitlines() if log.exists() else ())

    def hold(self, *questions: str) -> None:
        """Answer none of these until they are let go."""
        for question in questions:
            (self.root / f"hold-{question}").touch()

    def let_go(self) -> None:
        """Answer all."""
        for path in self.root.glob("hold-*"):
            path.unlink()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - it looks at files and counters
            await asyncio.sleep(0.005)


def stored(spread: SpreadRun) -> dict[tuple[str, int], tuple[str, float]]:
    """Return output and score of each sample that the store has."""
    found = {}
    for sample in spread.store.iter_samples(spread.run.run_id):
        assert isinstance(sample.outcome, Response)
        score = sample.scores["exact_match"]
        found[sample.case.case_id, sample.sample_index] = (sample.outcome.output, getattr(score, "value", -1.0))
    return found


def test_every_call_is_made_once_and_stored(project: Project) -> None:
    """Three workers share the calls; each is made by one of them, scored, and stored under its case."""
    bot = Bot(project, 250)

    async def scenario() -> RunCounts:
        async with spread_run(bot.root, workers=3, samples=2) as spread:
            counts = await spread.execution.run()
            assert stored(spread) == {(f"c{i}", k): (f"q{i}", 1.0) for i in range(250) for k in range(2)}
            return counts

    counts = asyncio.run(scenario())
    assert bot.calls == {f"q{i}": 2 for i in range(250)}
    assert (counts.samples, counts.calls, counts.ledger_hits) == (500, 500, 0)


def test_what_is_paid_for_is_scored_without_a_call(project: Project) -> None:
    """A second run takes all answers from the ledger."""
    bot = Bot(project, 40)

    async def once() -> RunCounts:
        async with spread_run(bot.root) as spread:
            return await spread.execution.run()

    asyncio.run(once())
    counts = asyncio.run(once())
    assert (counts.calls, counts.ledger_hits) == (0, 40)
    assert bot.calls.total() == 40


def test_a_killed_worker_costs_what_it_had_in_flight(project: Project) -> None:
    """Its answers that were recorded are kept; the calls that were on their way are made again, by others."""
    bot = Bot(project, 120)
    bot.hold("q7", "q8")

    async def scenario() -> tuple[RunCounts, list[object]]:
        async with spread_run(bot.root, workers=2, concurrency=4) as spread:
            run = asyncio.create_task(spread.execution.run())
            await until(lambda: bot.calls["q7"] > 0 and bot.calls["q8"] > 0 and bot.calls.total() > 20)
            holder = next(hand for hand in spread.crew.all if is_at(spread.execution, hand, "c7"))
            holder.kill()
            bot.let_go()
            counts = await run
            assert len(stored(spread)) == 120
            return counts, [
                event for event in spread.events if isinstance(event, Notice) and event.message.startswith("lost")
            ]

    counts, notices = asyncio.run(scenario())
    twice = [question for question, calls in bot.calls.items() if calls > 1]
    assert "q7" in twice
    assert len(twice) <= 2
    assert (counts.samples, counts.errors) == (120, 0)
    assert len(notices) == 1


def is_at(execution: SpreadExecution, hand: LocalHand, case_id: str) -> bool:
    """Return whether a worker has the calls of a case."""
    calls = execution._keeper._seats[hand.name].calls.values()
    return any(call.case.case_id == case_id for call in calls)


def test_recorded_answers_of_a_lost_worker_count_as_calls(project: Project) -> None:
    """An answer that was recorded and not yet scored goes out again as paid for, and counts as the call that it was."""
    metric = "import time\n\ndef score(output):\n    time.sleep(0.2)\n    return 1.0\n"
    project.write("metrics/slow.py", metric)
    bot = Bot(
        project, 8, metrics=["exact_match", {"metric": "python", "name": "slow", "path": "../metrics/slow.py:score"}]
    )

    async def scenario() -> RunCounts:
        async with spread_run(bot.root, workers=1, concurrency=8) as spread:
            run = asyncio.create_task(spread.execution.run())
            await until(lambda: sum(not paid.hit for paid in spread.execution._keeper._paid.values()) > 0)
            spread.crew.all[0].kill()
            return await run

    counts = asyncio.run(scenario())
    assert (counts.calls, counts.ledger_hits, counts.samples) == (8, 0, 8)


def test_workers_that_are_lost_one_after_the_other_end_the_run(project: Project) -> None:
    """A metric that ends its process does not keep a cluster busy for ever."""
    bot = Bot(project, 50)
    bot.hold(*(f"q{i}" for i in range(50)))

    async def scenario() -> None:
        async with spread_run(bot.root, workers=2) as spread:
            spread.crew.on_hire = lambda hand: hand.kill()
            run = asyncio.create_task(spread.execution.run())
            await until(lambda: bot.calls.total() > 0)
            for hand in list(spread.crew.all):
                hand.kill()
            await run

    with pytest.raises(IncompleteError, match="workers were lost one after the other"):
        asyncio.run(scenario())


def test_a_worker_that_finds_no_successor_leaves_its_calls_to_the_others(project: Project) -> None:
    """A node that cannot take part is told of, and the run goes on without it."""
    bot = Bot(project, 60)
    bot.hold("q3")

    async def scenario() -> tuple[RunCounts, list[str]]:
        async with spread_run(bot.root, workers=2, concurrency=2) as spread:
            run = asyncio.create_task(spread.execution.run())
            await until(lambda: bot.calls["q3"] > 0)
            problem = Problem(slug="ray-node-unusable", message="node-7 cannot take part")
            spread.crew.refusal = UsageError(problem)
            next(hand for hand in spread.crew.all if is_at(spread.execution, hand, "c3")).kill()
            bot.let_go()
            return await run, [event.message for event in spread.events if isinstance(event, Notice)]

    counts, notices = asyncio.run(scenario())
    assert (counts.samples, counts.errors) == (60, 0)
    assert notices[-1] == "no worker in its place: node-7 cannot take part"


def test_an_interrupt_reaches_all_workers(project: Project) -> None:
    """No new calls are made; those in flight arrive within the grace period and are kept."""
    bot = Bot(project, 200)
    bot.hold(*(f"q{i}" for i in range(10, 200)))

    async def scenario() -> RunCounts:
        async with spread_run(bot.root, concurrency=6, grace_s=20.0) as spread:
            run = asyncio.create_task(spread.execution.run())
            await until(lambda: bot.calls.total() >= 16)
            spread.stop.stop("interrupt", "interrupted")
            await until(lambda: any(isinstance(event, Stopping) for event in spread.events))
            bot.let_go()
            return await run

    counts = asyncio.run(scenario())
    assert counts.samples == counts.calls == bot.calls.total() == 16


def test_a_second_interrupt_gives_up_what_is_in_flight(project: Project) -> None:
    """Nobody waits for calls that are held up; their claims are given up."""
    bot = Bot(project, 50)
    bot.hold(*(f"q{i}" for i in range(50)))

    async def scenario() -> RunCounts:
        async with spread_run(bot.root, concurrency=4, grace_s=600.0) as spread:
            run = asyncio.create_task(spread.execution.run())
            await until(lambda: bot.calls.total() == 4)
            for _ in range(2):
                spread.stop.stop("interrupt", "interrupted")
                await asyncio.sleep(0.05)
            async with asyncio.timeout(60):
                return await run

    assert asyncio.run(scenario()).samples == 0


def test_a_budget_is_one_for_all_workers(project: Project) -> None:
    """Together the workers make as many calls as the budget lets them, and not one more."""
    bot = Bot(project, 200)

    async def scenario() -> tuple[RunCounts, str | None]:
        async with spread_run(bot.root, workers=3, max_calls=70) as spread:
            return await spread.execution.run(), spread.stop.reason

    counts, reason = asyncio.run(scenario())
    assert bot.calls.total() == counts.calls == 70
    assert reason == "budget"


def test_a_killed_worker_leaves_nothing_of_the_budget_taken(project: Project) -> None:
    """Its calls in flight were probably paid for: they count, as do those made again, and none is reserved for ever."""
    bot = Bot(project, 60)
    bot.hold("q7")

    async def scenario() -> tuple[RunCounts, Budget]:
        async with spread_run(bot.root, workers=2, concurrency=2, max_calls=100) as spread:
            run = asyncio.create_task(spread.execution.run())
            await until(lambda: bot.calls["q7"] > 0)
            next(hand for hand in spread.crew.all if is_at(spread.execution, hand, "c7")).kill()
            bot.let_go()
            counts, budget = await run, spread.execution._course.budget
            assert isinstance(budget, Budget)
            return counts, budget

    counts, budget = asyncio.run(scenario())
    assert (counts.samples, budget.in_flight) == (60, 0)
    assert budget.started >= bot.calls.total() > 60


def test_a_refused_key_stops_all_workers(project: Project) -> None:
    """A 401 to one worker keeps the others from making many more calls."""
    project.write_cases(300)
    with OpenAIServer(lambda request: unauthorized() if request.index > 20 else ok("yes")) as server:
        project.write_suite(server.base_url)

        async def scenario() -> str | None:
            async with spread_run(project.root, workers=2, concurrency=4) as spread:
                await spread.execution.run()
                return spread.stop.reason

        assert asyncio.run(scenario()) == "refused"
    assert server.count < 60


def test_failures_of_all_workers_are_one_streak(project: Project) -> None:
    """An endpoint that only fails is given up after as many failures as on one machine."""
    Bot(project, 700)
    project.write("bot.py", "def answer(prompt):\n    raise ValueError('always')\n")

    async def scenario() -> tuple[RunCounts, str | None]:
        async with spread_run(project.root, workers=8, concurrency=8) as spread:
            return await spread.execution.run(), spread.stop.reason

    counts, reason = asyncio.run(scenario())
    assert reason == "failing"
    assert 50 <= counts.errors < 300  # each by itself would be eight times fifty


def test_parts_of_a_plan_follow_one_another(project: Project) -> None:
    """Waves go out to the same workers, and the counts are of all of them."""
    bot = Bot(project, 60)

    async def scenario() -> RunCounts:
        async with spread_run(bot.root) as spread:
            calls = list(spread.execution._course.plan.calls())
            await spread.execution.store_cases(list(spread.execution._course.plan.cases()))
            await spread.execution.run(calls[:25])
            return await spread.execution.run(calls[25:])

    assert asyncio.run(scenario()).samples == 60
    assert bot.calls.total() == 60


def test_progress_is_told_as_samples_are_stored(project: Project) -> None:
    """Each sample is told of once."""
    bot = Bot(project, 30)

    async def scenario() -> int:
        async with spread_run(bot.root) as spread:
            await spread.execution.run()
            return sum(len(event.records) for event in spread.events if isinstance(event, SamplesDone))

    assert asyncio.run(scenario()) == 30


def test_a_broken_worker_ends_the_run_with_its_reason(project: Project, tmp_path: Path) -> None:
    """A store that fails midway is the run's error, though a worker met it."""
    bot = Bot(project, 30)

    async def scenario(crew: list[LocalCrew]) -> None:
        async with spread_run(bot.root) as spread:
            crew.append(spread.crew)
            spread.execution._keeper._writer = None  # type: ignore[assignment] # anything that raises
            await spread.execution.run()

    with pytest.raises(AttributeError):
        asyncio.run(scenario([]))


def test_what_goes_wrong_about_a_lost_worker_ends_the_run(project: Project) -> None:
    """Where its calls cannot be put back, nobody waits for them."""
    bot = Bot(project, 30)
    bot.hold("q3")

    class Broken:
        async def release(self, keys: object) -> None:
            raise OSError(f"no claim is given up any more: {keys}")

    async def scenario() -> None:
        async with spread_run(bot.root, workers=1, concurrency=2) as spread:
            run = asyncio.create_task(spread.execution.run())
            await until(lambda: bot.calls["q3"] > 0)
            keeper = spread.execution._keeper
            keeper._ledger = Broken()  # type: ignore[assignment] # anything that raises
            keeper._seats["worker 1"].claims.add("of a judgment")
            spread.crew.all[0].kill()
            bot.let_go()
            async with asyncio.timeout(60):
                await run

    with pytest.raises(OSError, match="no claim is given up"):
        asyncio.run(scenario())


def test_a_reply_that_cannot_be_sent_ends_the_run(project: Project) -> None:
    """A worker does not wait for ever for what will not come."""
    bot = Bot(project, 5)

    async def fail(replies: object) -> None:
        raise TypeError(f"cannot pickle {len(repr(replies))} characters")

    async def scenario() -> None:
        async with spread_run(bot.root, workers=1) as spread:
            spread.crew.all[0].deliver = fail  # type: ignore[method-assign] # as an actor that cannot be sent to
            async with asyncio.timeout(60):
                await spread.execution.run()

    with pytest.raises(TypeError, match="cannot pickle"):
        asyncio.run(scenario())


def test_a_worker_that_lives_and_takes_no_reply_is_replaced(project: Project) -> None:
    """It is ended, and another does what it had."""
    bot = Bot(project, 20)

    async def fail(replies: object) -> None:
        raise WorkerLostError(f"its deliver raised: {len(repr(replies))}")

    async def scenario() -> tuple[RunCounts, int]:
        async with spread_run(bot.root, workers=1) as spread:
            spread.crew.all[0].deliver = fail  # type: ignore[method-assign] # as an actor whose method raises
            async with asyncio.timeout(60):
                return await spread.execution.run(), len(spread.crew.all)

    counts, workers = asyncio.run(scenario())
    assert (counts.samples, workers) == (20, 2)
