"""Rich consoles for this process: colours where a terminal wants them, plain text where it does not; and JSON."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from retest.errors import Problem
from retest.report.escape import visible

if TYPE_CHECKING:
    from rich.console import Console

_STYLE = {"error": "bold red", "warning": "bold yellow"}


@cache
def stdout() -> Console:
    """Return the console for results."""
    from rich.console import Console

    width, height = _dumb_size()
    return Console(highlight=False, soft_wrap=False, width=width, height=height)


@cache
def stderr() -> Console:
    """Return the console for progress and problems."""
    from rich.console import Console

    width, height = _dumb_size()
    return Console(stderr=True, highlight=False, width=width, height=height)


def _dumb_size() -> tuple[int, int] | tuple[None, None]:
    """Return the size of a dumb terminal, each of which rich takes for one of 80 columns; None for others."""
    if os.environ.get("TERM", "").lower() not in {"dumb", "unknown"}:
        return None, None
    return shutil.get_terminal_size()


def print_json(document: object) -> None:
    """Print one JSON object on stdout."""
    from retest.report.json_report import dump_json

    sys.stdout.write(dump_json(document) + "\n")


def print_problems(problems: Iterable[Problem]) -> None:
    """Print problems on stderr: what, where, what was expected, how to fix it."""
    for problem in problems:
        _print_problem(problem)


def _print_problem(problem: Problem) -> None:
    from rich.text import Text

    text = Text()
    text.append(f"{problem.severity}: ", _STYLE[problem.severity])
    text.append(visible(problem.message), "bold")
    if problem.where is not None:
        text.append(f"\n  {visible(str(problem.where))}", "cyan")
    for detail in problem.details:
        text.append(f"\n  {visible(detail)}")
    if problem.fix is not None:
        text.append("\n  fix: ", "green")
        text.append(visible(problem.fix))
    text.append(f"  [{problem.slug}]", "dim")
    stderr().print(text, soft_wrap=not stderr().is_terminal)  # a log wants its lines whole
