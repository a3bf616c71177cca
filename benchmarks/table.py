"""The rows of the table, and what they were measured on."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

_LIBRARIES = ("openai", "aiohttp", "typer", "pydantic", "sqlalchemy", "numpy", "scipy", "rouge-score", "sacrebleu")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measurement: what, how much, and how much what it is compared with took in the same run."""

    what: str
    measured: str
    against: str = ""
    ratio: float | None = None
    goal: str = ""

    def line(self) -> str:
        """Return the row in Markdown."""
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        return f"| {self.what} | {self.measured} | {self.against} | {ratio} | {self.goal} |"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one more sample costs, and what that comes to at 10^8 of them."""

    what: str
    each: str
    large: str
    start: str = ""

    def line(self) -> str:
        """Return the row in Markdown."""
        return f"| {self.what} | {self.each} | {self.start} | {self.large} |"


_HEADS = {
    Row: ("what", "measured", "against", "ratio", "wanted"),
    Cost: ("what", "one more sample", "to start with", "at 10^8 samples"),
}


def markdown(rows: Sequence[Row | Cost]) -> str:
    """Return the table of rows of one kind."""
    names = _HEADS[type(rows[0])]
    head = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    return "\n".join([*head, *(row.line() for row in rows)])


def conditions(load_before: float) -> str:
    """Return a sentence that says on what, with what and how busy."""
    cores = os.cpu_count() or 1
    known = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    load = f"load average {load_before:.1f} before and {os.getloadavg()[0]:.1f} after"
    return (
        f"{platform.system()} {platform.machine()}, {cores} cores, {load}. Python {platform.python_version()}, {known}."
    )


def write_into(document: Path, group: str, text: str) -> None:
    """Replace what stands between a group's two marks in a document."""
    begin, end = f"<!-- measured: {group} -->", f"<!-- end: {group} -->"
    before, rest = document.read_text("utf-8").split(begin)
    after = rest.split(end)[1]
    document.write_text(f"{before}{begin}\n{text}\n{end}{after}", "utf-8")
