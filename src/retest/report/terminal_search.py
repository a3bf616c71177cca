"""Search results on the terminal: the found text in the middle of its surroundings."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.text import Text

from retest.report.escape import one_line
from retest.report.terminal_table import FittedTable

_AROUND = 30  # characters before the found text


def search_table(rows: Sequence[tuple[str, str, str, str]], needle: str) -> FittedTable:
    """Return hits as rows of (run, arm, case and sample, text)."""
    table = FittedTable()
    table.add("name", "run")
    table.add("excerpt", "arm", "case", ratio=2)
    table.add("excerpt", "text", ratio=5)
    for run_id, arm, case, text in rows:
        table.add_row(run_id, Text(one_line(arm)), Text(one_line(case)), excerpt(text, needle))
    return table


def excerpt(text: str, needle: str) -> Text:
    """Return the surroundings of the first place where the text is found, the place itself marked."""
    found = re.search(re.escape(needle), text, re.IGNORECASE)
    start = 0 if found is None else max(0, found.start() - _AROUND)
    shown = Text(("…" if start else "") + one_line(text[start : start + 300]))
    if found is not None:
        shown.highlight_regex(re.compile(re.escape(one_line(found.group())), re.IGNORECASE), "bold yellow")
    return shown
