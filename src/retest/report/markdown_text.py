"""Pieces of Markdown that no content can break out of: escaped text, tables, fences, the marker of a comment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from retest.report.escape import one_line, visible
from retest.report.export import escape_markdown

MARKER = re.compile(r"<!-- retest:[\w./-]+ -->", re.ASCII)
"""The last line of a report for a pull request, by which its comment is found again."""

_NOT_IN_A_KEY = re.compile(r"[^\w./-]+|-{2,}", re.ASCII)
_BREAK = "\u2060"  # word joiner: not seen, but no reference, mention or link goes across it
_REFERENCE = re.compile(r"(#(?=\d)|GH-(?=\d)|\bwww(?=\.))", re.IGNORECASE)
_LIST_START = re.compile(r"^(\d{1,9})([.)])(?!\d)")
_RULE_START = re.compile(r"^[-+=](?!\d)")
# Underscores inside a word and brackets around numbers are no markup: escaping them only makes the source ugly.
_HARMLESS = re.compile(r"(?<=\w)\\(_)(?=\w)|\\(\[[-+\d., %]+)\\(\])(?![(\[:])")


def marker(key: str = "gate") -> str:
    """Return the invisible comment that tells one report of a pull request from others."""
    return f"<!-- retest:{_NOT_IN_A_KEY.sub('-', key)} -->"


def clip(text: str, chars: int) -> str:
    """Return the text cut to so many characters, the cut marked."""
    return text if len(text) <= chars else f"{text[: max(chars - 1, 0)]}…"


def escape_text(text: str, *, chars: int = 300) -> str:
    """Return text that is shown as it is, on one line: no markup, HTML, mention, reference, link, math or list."""
    plain = one_line(clip(text, chars)).strip()
    escaped = escape_markdown(plain).replace("&", "\\&").replace("$", "\\$")
    unlinked = _REFERENCE.sub(rf"\1{_BREAK}", _HARMLESS.sub(r"\1\2\3", escaped))
    return _LIST_START.sub(r"\1\\\2", _RULE_START.sub(r"\\\g<0>", unlinked))


def figure(text: str) -> str:
    """Return a number as the reports spell it, such as ``<.001`` or ``$0.12``."""
    return text.replace("<", "\\<").replace("$", "\\$")


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[int] = ()) -> str:
    """Return a table of cells that are Markdown already; the columns in `numbers` are aligned to the right."""
    rule = ["---:" if place in numbers else "---" for place in range(len(header))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def fence(text: str, language: str = "") -> str:
    """Return a code block with more backticks around it than it holds in a row."""
    shown = visible(text)
    longest = max((len(run) for run in re.findall(r"`+", shown)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}{language}\n{shown}\n{ticks}"


def folded(summary: str, body: str) -> str:
    """Return a block that opens on a click; `summary` is text of ours, not of others."""
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


def bullets(lines: Iterable[str]) -> str:
    """Return a list of lines that are Markdown already."""
    return "\n".join(f"- {line}" for line in lines)


def listed(items: Sequence[str], shown: int) -> Sequence[str]:
    """Return the first lines of a list, with one more that says how many are left out."""
    rest = len(items) - shown
    return items if rest <= 0 else [*items[:shown], f"and {rest:,} more"]
