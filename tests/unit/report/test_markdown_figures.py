"""Figures in the report that a pull request shows."""

from __future__ import annotations

from retest.domain.comparison import ArmComparison
from retest.domain.figures import FigureChange
from retest.report.markdown_figures import figures


def change(name: str = "f1_macro", metric: str = "intent", label: str | None = None) -> FigureChange:
    return FigureChange(
        metric=metric, name=name, label=label, before=0.8, after=0.7, delta=-0.1, low=-0.3, high=0.1, n_cases=9
    )


def shown(*changes: FigureChange, rows: int = 10) -> str | None:
    return figures(ArmComparison(baseline="a", candidate="a", figures=changes), rows)


def test_a_figure_stands_with_the_interval_of_its_change() -> None:
    """Before, after, the difference; the summary says that no verdict is given."""
    text = shown(change())
    assert text is not None
    assert "no verdict" in text
    cells = [cell.strip(" `") for line in text.splitlines() if "macro" in line for cell in line.split("|")]
    assert cells[2:6] == ["0.800", "0.700", "-0.100", "[-0.300, 0.100]"]


def test_labels_and_what_the_mean_says_are_left_out() -> None:
    """A comment is short: the JSON report has every figure."""
    assert shown(change("accuracy"), change("recall", label="返金")) is None


def test_a_hostile_name_is_text() -> None:
    """No cell, no mention and no tag comes of it."""
    text = shown(change(metric="a|<img src=x>@everyone"))
    assert text is not None
    assert r"a\|\<img" in text
    assert "@everyone" not in text


def test_the_shortest_level_has_none() -> None:
    """Where no row fits there is no section."""
    assert shown(change(), rows=0) is None
