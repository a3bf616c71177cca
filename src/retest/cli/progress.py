"""Shows a run while it runs: a live line on a terminal, a plain line now and then elsewhere. On stderr."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from retest.cli.console import stderr
from retest.domain.sample import Response
from retest.report.batches import batch_line, waiting_line
from retest.report.escape import one_line
from retest.report.numbers import format_cost, format_count, format_duration, plural
from retest.runner.events import (
    BatchNews,
    CallRetried,
    EndpointLimit,
    Event,
    Notice,
    PlanReady,
    SamplesDone,
    Stopping,
    WaitingForBatch,
    WaitingForOthers,
)

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_PLAIN_EVERY_S = 5.0
_BATCH_EVERY_S = 60.0


class Counters:
    """What has happened so far."""

    def __init__(self) -> None:
        self.planned = self.done = self.errors = self.hits = self.retries = self.tokens = 0
        self.cost_usd = 0.0
        self.unpriced = False

    def add(self, event: SamplesDone) -> None:
        """Count a batch."""
        for record in event.records:
            self.done += 1
            if record.ledger_hit:
                self.hits += 1
            elif isinstance(record.outcome, Response):
                usage = record.outcome.usage
                self.tokens += (usage.input_tokens or 0) + (usage.output_tokens or 0)
                self.unpriced = self.unpriced or record.outcome.cost_usd is None
                self.cost_usd += record.outcome.cost_usd or 0.0
            if not isinstance(record.outcome, Response):
                self.errors += 1

    def line(self, elapsed_s: float) -> str:
        """Return rate, errors, tokens, cost and hits as one line."""
        called = self.done - self.hits
        parts = [f"{called / elapsed_s:.1f}/s" if called and elapsed_s > 0 else ""]
        parts.append(plural(self.errors, "error") if self.errors else "")
        parts.append(f"{format_count(self.tokens)} tokens" if self.tokens else "")
        parts.append(format_cost(self.cost_usd) if self.cost_usd and not self.unpriced else "")
        parts.append(f"{format_count(self.hits)} from ledger" if self.hits else "")
        parts.append(plural(self.retries, "retry", "retries") if self.retries else "")
        return " · ".join(part for part in parts if part)

    def remaining_s(self, elapsed_s: float) -> float | None:
        """Return the seconds that the rest would take at this pace."""
        called = self.done - self.hits
        return elapsed_s / called * (self.planned - self.done) if called else None


class RunProgress:
    """Listens to one run. Use as a context manager; call it with every event."""

    def __init__(self, *, quiet: bool, verbose: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._quiet, self._verbose, self._clock = quiet, verbose, clock
        self._counters = Counters()
        self._started = self._last_line = clock()
        self._live: Progress | None = None
        self._task: TaskID | None = None
        self._batches: dict[int, tuple[str, float]] = {}  # what was last said of them, and when

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, event: Event) -> None:
        """Show an event."""
        match event:
            case PlanReady():
                self._show_plan(event)
            case SamplesDone():
                self._counters.add(event)
                self._show_counters()
            case CallRetried():
                self._note_retry(event)
            case Stopping():
                self._say_stopping(event)
            case _:
                self._say_news(event)

    def _say_news(self, event: Event) -> None:
        match event:
            case WaitingForOthers():
                self._say(f"waiting for {plural(event.keys, 'call')} that another process is making")
            case Notice():
                self._say(one_line(event.message))
            case EndpointLimit() if not self._quiet:
                self._say(one_line(event.message))
            case BatchNews():
                self._say_batch_news(event)
            case WaitingForBatch():
                self._say(waiting_line(event.batch, event.calls))

    def _show_plan(self, plan: PlanReady) -> None:
        self._counters.planned += plan.planned  # runs that take place at the same time each have a plan
        self._started = self._last_line = self._clock()
        if self._quiet:
            return
        for line in plan_lines(plan):
            self._say(line)
        if stderr().is_terminal and plan.calls_to_make:
            self._start_live()

    def _start_live(self) -> None:
        if self._live is not None and self._task is not None:
            self._live.update(self._task, total=self._counters.planned)
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._live = Progress(
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[state]}", markup=False),
            console=stderr(),
            transient=True,
        )
        self._task = self._live.add_task("", total=self._counters.planned, state="")
        self._live.start()

    def _show_counters(self) -> None:
        if self._quiet:
            return
        elapsed_s = self._clock() - self._started
        if self._live is not None and self._task is not None:
            self._live.update(self._task, completed=self._counters.done, state=self._counters.line(elapsed_s))
        elif not stderr().is_terminal and self._clock() - self._last_line >= _PLAIN_EVERY_S:
            self._last_line = self._clock()
            left = self._counters.remaining_s(elapsed_s)
            eta = f" · {format_duration(left)} left" if left is not None else ""
            count = f"{self._counters.done:,}/{self._counters.planned:,} samples"
            self._say(f"{count} · {self._counters.line(elapsed_s)}{eta}")

    def _note_retry(self, event: CallRetried) -> None:
        self._counters.retries += 1
        if self._verbose:
            self._say(f"retrying after {event.kind} in {event.wait_s:.1f} s (attempt {event.attempt} failed)")

    def _say_batch_news(self, event: BatchNews) -> None:
        now, batch = self._clock(), event.batch
        self._started = self._last_line = now  # the pace shown is of what comes after
        status, told = self._batches.get(batch.number, ("", now))
        is_news = event.what != "state" or batch.status != status or now - told >= _BATCH_EVERY_S
        if is_news and not self._quiet:
            self._batches[batch.number] = (batch.status, now)
            self._say(batch_line(event.what, batch, event.errors))

    def _say_stopping(self, event: Stopping) -> None:
        if event.reason == "interrupt":
            wait = f"; {plural(event.in_flight, 'call')} in flight may still arrive for {event.grace_s:.0f} s"
            self._say(f"stopping{wait if event.in_flight else ''} (Ctrl-C again gives them up)")
        elif not self._quiet:
            self._say(f"stopping: {one_line(event.message)}")

    def _say(self, line: str) -> None:
        # A terminal would break the line in the middle of a word; a log wants it whole.
        stderr().print(line, markup=False, soft_wrap=not stderr().is_terminal)


def plan_lines(plan: PlanReady) -> list[str]:
    """Return the plan before any spending, in two or three short lines."""
    arms = plural(len(plan.arms), "arm")
    size = f"{plural(plan.cases, 'case')} x {plural(plan.samples, 'sample')} x {arms}"
    lines = [f"{plan.suite}: {size} = {plural(plan.planned, 'sample')}"]
    spending = f"  {format_count(plan.in_ledger)} in the ledger, "
    spending += f"{format_count(plan.in_batches)} out in batches, " if plan.in_batches else ""
    spending += f"{plural(plan.calls_to_make, 'call')} to make"
    spending += " by batch, half price" if plan.by_batch and plan.calls_to_make else ""
    if plan.calls_to_make and plan.estimated_tokens:
        cost = "" if plan.estimated_cost_usd == 0 else f", cost {_about(plan.estimated_cost_usd)}"
        spending += f"; at most about {format_count(plan.estimated_tokens)} tokens{cost}"
    lines.append(spending)
    if plan.judge_calls:
        cost = "" if plan.judge_cost_usd == 0 else f", cost {_about(plan.judge_cost_usd)}"
        judging = f"  judges: at most {plural(plan.judge_calls, 'call')}"
        lines.append(f"{judging}, about {format_count(plan.judge_tokens)} tokens{cost}")
    if plan.resumed:
        lines.append(f"  resuming run {plan.run_id}")
    if plan.draw:
        lines.append(f"  fresh draw {plan.draw}, recorded beside the earlier ones")
    return lines


def _about(usd: float | None) -> str:
    return "unknown (no price for this model)" if usd is None else f"about {format_cost(usd)}"
