"""A run's result on the terminal."""

from __future__ import annotations

from rich.console import Console

from retest.domain.summary import WorstCase
from retest.report.terminal import worst_table


def test_an_empty_answer_is_said_to_be_empty() -> None:
    """A blank cell would look like a fault of the table."""
    worst = WorstCase(arm="a/b", case_id="問0", metric="exact_match", value=0.0, expected="返金", output="")
    console = Console(width=80)
    with console.capture() as shown:
        console.print(worst_table([worst]))
    assert "(empty answer)" in shown.get()
