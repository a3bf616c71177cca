"""The section of a page that shows figures of a whole run."""

from __future__ import annotations

import re

from retest.domain.comparison import ArmComparison
from retest.domain.figures import ConfusionMatrix, Figure, FigureChange, MetricFigures
from retest.domain.pages import MetricPanel, PairPage
from retest.domain.summary import MetricSummary
from retest.report.html.render import render
from retest.report.html.words import Words

HOSTILE = "<script>alert(1)</script>\u202e"


def section(pair: PairPage, language: str = "en") -> str:
    return render("figures.html", Words("ja" if language == "ja" else "en"), pair=pair)


def pair(label: str = "返金") -> PairPage:
    figures = MetricFigures(
        values=(
            Figure(name="f1_macro", value=0.8, low=0.7, high=0.9),
            Figure(name="recall", label=label, value=0.75),
        ),
        n_cases=4,
        n_samples=4,
        confusion=ConfusionMatrix(labels=(label, "bug"), counts=((3, 0, 1), (0, 4, 0))),
    )
    summary = MetricSummary(name="intent", metric="classification", figures=figures)
    return PairPage(name="a/b", metrics=(MetricPanel(name="intent", summary=summary),))


def words(text: str) -> list[str]:
    return re.sub(r"<[^>]*>", " ", text).split()


def test_the_matrix_stands_below_the_figures() -> None:
    """Values with intervals, then a row a label with a column for answers without one."""
    shown = words(section(pair()))
    assert shown[shown.index("intent.f1_macro") :][:5] == ["intent.f1_macro", "↑", "0.800", "[0.700,", "0.900]"]
    assert shown[-8:] == ["返金", "3", "·", "1", "bug", "·", "4", "·"]


def test_a_hostile_label_does_nothing() -> None:
    """It is text on the page, and turns no line around."""
    text = section(pair(HOSTILE))
    assert "<script>" not in text
    assert "\u202e" not in text


def test_japanese_pages_say_it_in_japanese() -> None:
    """Heads of tables and the note."""
    text = section(pair(), "ja")
    assert "全体の指標値" in text
    assert "適合率" in text


def test_a_comparison_shows_before_and_after() -> None:
    """With the change and its interval, and no verdict."""
    change = FigureChange(
        metric="intent", name="f1_macro", before=0.8, after=0.7, delta=-0.1, low=-0.3, high=0.1, n_cases=9
    )
    compared = PairPage(name="a/b", comparison=ArmComparison(baseline="a/b", candidate="a/b", figures=(change,)))
    shown = words(section(compared))
    assert shown[shown.index("intent.f1_macro") :][:9] == [
        *("intent.f1_macro", "↑", "Baseline", "0.800", "Candidate", "0.700", "Change", "-0.100", "[-0.300,"),
    ]


def test_a_run_without_figures_has_no_section() -> None:
    """Most runs have none."""
    assert words(section(PairPage(name="a/b"))) == []


def test_many_labels_are_shown_by_what_is_mixed_up() -> None:
    """A matrix of 150 labels would be a megabyte of zeros."""
    labels = tuple(f"label{i}" for i in range(150))
    counts = tuple(
        tuple(9 if column == row else int(column == row + 1) * 2 for column in range(151)) for row in range(150)
    )
    figures = MetricFigures(values=(), n_cases=9, n_samples=9, confusion=ConfusionMatrix(labels=labels, counts=counts))
    summary = MetricSummary(name="intent", metric="classification", figures=figures)
    text = section(PairPage(name="a/b", metrics=(MetricPanel(name="intent", summary=summary),)))
    assert len(text) < 100_000
    assert words(text)[-3:] == ["label124", "label125", "2"]  # the thirtieth by name
