"""The worker process of an isolated metric: loads one function, then scores what comes in, until its input ends.

Run as ``python -m retest.metrics.python_worker``. What the user's code prints goes to standard error.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import queue
import threading
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

from retest.domain.sample import ScoreOutcome
from retest.errors import SuiteError
from retest.metrics.python_function import UserFunction
from retest.metrics.python_wire import (
    line_of,
    outcome_message,
    problem_message,
    read_call,
    read_setup,
    ready_message,
)


def main() -> None:
    """Serve the parent process on what were standard input and output."""
    requests, answers = _take_over_standard_streams()
    incoming: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(requests, incoming), daemon=True).start()
    with asyncio.Runner() as runner:
        _serve(incoming, answers, runner)


def _take_over_standard_streams() -> tuple[TextIO, TextIO]:
    """Keep the pipes to the parent for ourselves: the user's code may print, and may read its input."""
    requests = os.fdopen(os.dup(0), encoding="ascii")
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, answers


def _read(requests: Iterable[str], incoming: queue.SimpleQueue[str]) -> None:
    for line in requests:
        incoming.put(line)
    # The parent is gone, perhaps killed; the user's function may be in an endless loop that no exception ends.
    os._exit(0)


def _serve(incoming: queue.SimpleQueue[str], answers: TextIO, runner: asyncio.Runner) -> None:
    place, settings = read_setup(json.loads(incoming.get()))
    try:
        function = UserFunction(place, settings)
    except SuiteError as error:
        _send(answers, problem_message(error.problems[0]))
        return
    _send(answers, ready_message(function.declared))
    while True:
        case, response = read_call(json.loads(incoming.get()))
        outcome = function(case, response)
        if inspect.isawaitable(outcome):
            outcome = runner.run(_settled(outcome))
        _send(answers, outcome_message(outcome))


async def _settled(outcome: Any) -> ScoreOutcome:
    settled: ScoreOutcome = await outcome
    return settled


def _send(answers: TextIO, message: Mapping[str, Any]) -> None:
    answers.write(line_of(message))
    answers.flush()


if __name__ == "__main__":
    main()
