"""Search results on the terminal: the found text in the middle of its surroundings."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from retest.report.escape import one_line

_AROUND = 30  # characters before the found text


def search_table(rows: Sequence[tuple[str, str, str, str]], needle: str) -> Table:
    """Return hits as rows of (run, arm, case and sample, text)."""
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold", expand=True)
    table.add_column("run", no_wrap=True)
    table.add_column("arm", overflow="ellipsis", no_wrap=True, ratio=2)
    table.add_column("case", overflow="ellipsis", no_wrap=True, ratio=2)
    table.add_column("text", overflow="ellipsis", no_wrap=True, ratio=5)
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
