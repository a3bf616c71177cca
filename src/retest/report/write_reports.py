"""Writes the reports that ``--report`` asks for: whole files or none."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TextIO

from retest.domain.gate import GateReport
from retest.errors import Problem, UsageError
from retest.report.base import REPORTERS, reporter
from retest.report.escape import visible
from retest.report.markdown import MarkdownReporter

_NEXT_REPORT = re.compile(r",(?=\s*(?:[A-Za-z]+(?:[=,]|\s*$)|$))")  # a comma within a file's name is none

Wanted = Mapping[str, Path | None]
"""Report name -> file; None is the standard output."""


def parse_report_option(text: str) -> tuple[str, Path | None]:
    """Return name and file of ``junit=out.xml``; a name alone, or ``name=-``, goes to the standard output.

    Raises:
        UsageError: there is no such report, or the file's name is empty.
    """
    name, equals, path = text.partition("=")
    if name not in REPORTERS:
        raise UsageError(_unknown(name))
    if equals and not path:
        raise UsageError(
            Problem(
                slug="report-without-path",
                message=f"the report '{name}' has no file after '='",
                fix=f"--report {name}=FILE, or --report {name} for the standard output",
            )
        )
    return name, Path(path) if path not in {"", "-"} else None


def _unknown(name: str) -> Problem:
    close = get_close_matches(name.casefold(), REPORTERS, n=1)
    return Problem(
        slug="report-unknown",
        message=f"unknown report '{visible(name)}'",
        details=(f"known reports: {', '.join(sorted(REPORTERS))}",),
        fix=f"did you mean '{close[0]}'?" if close else "--report NAME=FILE, repeated for several",
    )


def parse_report_options(texts: Iterable[str]) -> dict[str, Path | None]:
    """Return all wanted reports; an option may name several, separated by commas: ``junit=a.xml,github``.

    Raises:
        UsageError: with every mistake at once: unknown reports, a report asked for twice, a file that cannot be.
    """
    wanted: dict[str, Path | None] = {}
    problems: list[Problem] = []
    for part in (part.strip() for text in texts for part in _NEXT_REPORT.split(text)):
        try:
            name, path = parse_report_option(part)
        except UsageError as error:
            problems.extend(error.problems)
            continue
        if name in wanted:
            problems.append(Problem(slug="report-twice", message=f"the report '{name}' is asked for twice"))
        wanted[name] = path
    problems += _one_each(wanted)
    if problems:
        raise UsageError(*problems)
    return wanted


def _one_each(wanted: Wanted) -> list[Problem]:
    """Return a problem for each file that two reports would write, or that is a folder."""
    problems = []
    seen: dict[Path, str] = {}
    for name, path in wanted.items():
        if path is None:
            continue
        place = path.absolute()
        if place in seen:
            message = f"the reports '{seen[place]}' and '{name}' would both write {visible(str(path))}"
            problems.append(Problem(slug="report-same-file", message=message, fix="give each its own file"))
        elif path.is_dir():
            message = f"the report '{name}' cannot be written: {visible(str(path))} is a folder"
            problems.append(Problem(slug="report-unwritable", message=message, fix=f"--report {name}=FOLDER/FILE"))
        seen[place] = name
    return problems


def write_reports(
    reports: Sequence[GateReport], wanted: Wanted, *, stream: TextIO | None = None, summary: Path | None = None
) -> None:
    """Write every wanted report; one that cannot be written does not keep the others from being written.

    Args:
        reports: of all suites of one gate.
        wanted: name -> file, None for the stream.
        stream: the standard output; without it, reports that have no file are left out.
        summary: the file named by ``GITHUB_STEP_SUMMARY``; where ``github`` is wanted, the Markdown is appended to it.

    Raises:
        UsageError: a file could not be written; what stood there before is still there.
    """
    problems: list[Problem] = []

    for name, path in wanted.items():
        content = reporter(name).render(reports)
        if path is not None:
            problems += _attempt(name, path, partial(write_whole, path, content))
        elif stream is not None:
            stream.write(_bytes(content).decode("utf-8"))
    if "github" in wanted and summary is not None:
        problems += _attempt("github", summary, partial(append_summary, reports, summary))
    if problems:
        raise UsageError(*problems)


def _attempt(name: str, path: Path, write: Callable[[], None]) -> list[Problem]:
    try:
        write()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        message = f"the report '{name}' could not be written: {visible(str(path))}: {reason}"
        return [Problem(slug="report-unwritable", message=message, fix="name a file in a folder that you may write to")]
    return []


def append_summary(reports: Sequence[GateReport], path: Path) -> None:
    """Append the Markdown to a step's summary; what other tools wrote there stays."""
    with path.open("ab") as file:
        file.write(_bytes(MarkdownReporter().render(reports)))


def _bytes(content: str | bytes) -> bytes:
    return content if isinstance(content, bytes) else content.encode("utf-8", "backslashreplace")


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file so that it is there as a whole or not at all; folders are made, devices and pipes written through.

    Raises:
        OSError: it cannot be written; an older file of that name is untouched, and nothing is left beside it.
    """
    if path.exists() and not path.is_file():
        path.write_bytes(_bytes(content))
        return
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".retest-report-{os.getpid()}.tmp")
    try:
        beside.write_bytes(_bytes(content))
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
