"""A run's result on the terminal."""

from __future__ import annotations

from rich.console import Console

from retest.domain.summary import ArmSummary, WorstCase
from retest.report.terminal import worst_table


def test_an_empty_answer_is_said_to_be_empty() -> None:
    """A blank cell would look like a fault of the table."""
    worst = WorstCase(arm="a/b", case_id="問0", metric="exact_match", value=0.0, expected="返金", output="")
    console = Console(width=80)
    with console.capture() as shown:
        console.print(worst_table([worst], [ArmSummary(name="a/b")]))
    assert "(empty answer)" in shown.get()


def test_with_several_arms_a_worst_case_says_whose_it_is() -> None:
    """The column names the part in which the arms differ."""
    cases = [
        WorstCase(arm=f"v{i}/small", case_id="c1", metric="exact_match", value=0.0, expected="返金", output="配送")
        for i in (1, 2)
    ]
    console = Console(width=80)
    with console.capture() as shown:
        console.print(worst_table(cases, [ArmSummary(name="v1/small"), ArmSummary(name="v2/small")]))
    lines = shown.get().splitlines()
    assert [line.split()[1] for line in lines[1:3]] == ["v1", "v2"]
