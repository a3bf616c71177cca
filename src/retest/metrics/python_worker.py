"""The worker process of an isolated metric: loads one function, then scores what comes in, until its input ends.

Run as ``python -m retest.metrics.python_worker``. What the user's code prints goes to standard error.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

from retest.domain.sample import ScoreOutcome
from retest.errors import SuiteError
from retest.metrics.python_function import UserFunction
from retest.metrics.python_wire import (
    message_of,
    message_read,
    outcome_message,
    problem_message,
    read_call,
    read_setup,
    ready_message,
)
from retest.metrics.worker_pipes import Parent


def main() -> None:
    """Serve the parent process until it is gone."""
    with asyncio.Runner() as runner:
        _serve(Parent(), runner)


def _serve(parent: Parent, runner: asyncio.Runner) -> None:
    place, settings = read_setup(message_read(parent.receive()))
    try:
        function = UserFunction(place, settings)
    except SuiteError as error:
        parent.send(message_of(problem_message(error.problems[0])))
        return
    parent.send(message_of(ready_message(function.declared)))
    while True:
        case, response = read_call(message_read(parent.receive()))
        outcome = function(case, response)
        if inspect.isawaitable(outcome):
            outcome = runner.run(_settled(outcome))
        parent.send(message_of(outcome_message(outcome)))


async def _settled(outcome: Any) -> ScoreOutcome:
    settled: ScoreOutcome = await outcome
    return settled


if __name__ == "__main__":
    main()
