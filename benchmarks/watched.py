"""Runs a `retest` command and says on stderr how long the event loop was held up by a single step of the work.

A step is one callback of the loop: until it returns no answer is taken in and no call is sent. Steps count while the
plan is executed: before and after there is nothing to hold up. The processor time of the loop's own thread is taken:
on a busy machine any step may take long by the clock.
"""

from __future__ import annotations

import sys
import time
from asyncio import events
from typing import Any

from retest.cli.app import main
from retest.runner.execute import Execution

_steps_s: list[float] = []
_run_plan = Execution.run
_run = events.Handle._run  # noqa: SLF001 - the loop offers no other place where every step passes


def _timed(handle: events.Handle) -> None:
    start = time.thread_time()
    try:
        _run(handle)
    finally:
        _steps_s.append(time.thread_time() - start)


async def _watched(execution: Execution, *args: Any) -> Any:
    """Execute the plan, its steps timed."""
    setattr(events.Handle, "_run", _timed)  # noqa: B010 - a method of another library, for measuring only
    try:
        return await _run_plan(execution, *args)
    finally:
        setattr(events.Handle, "_run", _run)  # noqa: B010 - as above


if __name__ == "__main__":
    setattr(Execution, "run", _watched)  # noqa: B010 - for measuring only
    try:
        main()
    finally:
        print(f"longest step: {max(_steps_s) * 1000:.2f} ms", file=sys.__stderr__)
