"""Judges opened outside a run: for pairs of answers, and for labelled cases. Their calls go through the ledger."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from retest.domain.judge import JudgeSpec
from retest.domain.pairwise import JudgeUse
from retest.errors import IncompleteError, InterruptedWorkError, Problem
from retest.metrics.judge.caller import JudgingStoppedError
from retest.runner.events import Listener, ignore_events
from retest.runner.grace import grace_period
from retest.runner.judging import JudgeCaller
from retest.runner.stopping import Budget, Limits, StopSignal
from retest.workflows.judges import judging_context, judging_options, open_judges
from retest.workflows.workspace import Workspace

if TYPE_CHECKING:
    from retest.store.database import Store  # loads SQLAlchemy

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """How judges are asked.

    Attributes:
        run_id: under which claims and unreadable answers are kept apart from other processes'.
        draw: of the judgments; a fresh draw asks anew.
        offline: what the ledger lacks is a failure.
        tell: is told how many items are done, of how many.
    """

    run_id: str
    draw: int = 0
    offline: bool = False
    max_calls: int | None = None
    max_cost_usd: float | None = None
    listener: Listener = ignore_events
    tell: Callable[[int, int], None] | None = None
    stop: StopSignal = field(default_factory=StopSignal)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeSession:
    """Opened judges by name, and what stops them."""

    callers: Mapping[str, JudgeCaller]
    stop: StopSignal
    concurrency: int
    tell: Callable[[int, int], None] | None = None
    """Told how many items are done, of how many."""

    def use(self) -> JudgeUse:
        """Return what all judges took together."""
        counts = [caller.account.counts() for caller in self.callers.values()]
        costs = [count.cost_usd for count in counts]
        return JudgeUse(
            calls=sum(count.calls for count in counts),
            ledger_hits=sum(count.ledger_hits for count in counts),
            input_tokens=sum(count.input_tokens for count in counts),
            output_tokens=sum(count.output_tokens for count in counts),
            cost_usd=None if None in costs else sum(cost for cost in costs if cost is not None),
        )

    async def each(self, items: Iterable[Item], ask: Callable[[Item], Awaitable[Result]]) -> list[Result | None]:
        """Return what `ask` makes of each item, in order; None for those that the stop of all left over."""
        numbered = list(enumerate(items))
        found: list[Result | None] = [None] * len(numbered)
        left = iter(numbered)
        done = 0

        async def work() -> None:
            nonlocal done
            for place, item in left:
                if self.stop.is_set:
                    return
                with contextlib.suppress(JudgingStoppedError):
                    found[place] = await ask(item)
                done += 1
                if self.tell is not None:
                    self.tell(done, len(numbered))

        async with asyncio.TaskGroup() as group:
            for _ in range(min(self.concurrency, len(numbered))):
                group.create_task(work())
        return found


@contextlib.asynccontextmanager
async def judge_session(
    judges: Sequence[JudgeSpec], store: Store, workspace: Workspace, options: SessionOptions
) -> AsyncIterator[JudgeSession]:
    """Open the judges' endpoints; an interrupt stops them in order.

    The first takes no new calls and lets those in flight be recorded for `grace_s`; a second gives them up.

    Raises:
        UsageError: a key is missing, or a file cannot be read; before any call.
        InterruptedWorkError: it was stopped so, whatever the judges were asked for.
    """
    stop = options.stop
    async with AsyncExitStack() as stack:
        stack.enter_context(workspace.interrupts.telling(stop))
        stack.enter_context(_interrupted_by(stop, workspace.command))
        await stack.enter_async_context(grace_period(stop, float(workspace.settings["grace_s"])))
        opened = await open_judges(judges, workspace, stack)
        context = judging_context(
            store.ledger(options.run_id, lease_s=float(workspace.settings["lease_s"])),
            judging_options(workspace, options.run_id, draw=options.draw, offline=options.offline),
            budget=Budget(Limits(max_calls=options.max_calls, max_cost_usd=options.max_cost_usd)),
            stop=options.stop,
            listener=options.listener,
        )
        concurrency = int(workspace.settings["concurrency"])
        yield JudgeSession(
            callers=opened.callers(context), stop=options.stop, concurrency=concurrency, tell=options.tell
        )


@contextlib.contextmanager
def _interrupted_by(stop: StopSignal, command: str) -> Iterator[None]:
    """Say that it was an interrupt, whatever came of it; what else went wrong with the store stands."""
    given_up = False
    try:
        yield
    except asyncio.CancelledError:
        given_up = True  # after the grace period, or at a second interrupt
    except (JudgingStoppedError, IncompleteError):
        if stop.reason != "interrupt":
            raise
    if given_up or stop.reason == "interrupt":
        raise InterruptedWorkError(
            Problem(
                slug="judging-interrupted",
                message="interrupted while judges were asked; what they answered is kept",
                fix=f"the same command asks for the rest: {command}" if command else None,
            )
        ) from None


def run_apart(main: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run a coroutine to its end from where no other can be awaited; in a thread of its own inside a running loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(main())
    found: list[Result] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            found.append(asyncio.run(main()))
        except BaseException as error:  # noqa: BLE001 - raised again where it was asked for
            failed.append(error)

    thread = threading.Thread(target=work, name="retest-judges")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return found[0]
