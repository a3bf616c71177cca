"""Batches on the terminal: a list."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from retest.domain.batch import Batch
from retest.report.escape import one_line
from retest.report.terminal_table import FittedTable


def batch_table(batches: Sequence[Batch]) -> FittedTable:
    """Return batches as rows, the oldest first."""
    table = FittedTable()
    table.add("name", "batch", "suite")
    table.add("word", "model", "status")
    table.add("number", "calls", "answered", "failed")
    table.add("word", "sent (UTC)", "until (UTC)", "answers")
    for batch in batches:
        table.add_row(
            Text(one_line(batch.name)),
            Text(one_line(batch.suite)),
            Text(one_line(batch.model or "")),
            Text(one_line(batch.status)),
            f"{batch.requests:,}",
            f"{batch.answered:,}",
            f"{batch.failed:,}",
            f"{batch.created_at:%m-%d %H:%M}",
            f"{batch.expires_at:%m-%d %H:%M}",
            "out" if batch.ended_at is None else Text(one_line(batch.note or "taken")),
        )
    return table
