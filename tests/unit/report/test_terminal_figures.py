"""Figures on the terminal: aligned at 80 columns, with Japanese labels too."""

from __future__ import annotations

from rich.cells import cell_len
from rich.console import Console, Group

from retest.domain.figures import ConfusionMatrix, Figure, MetricFigures
from retest.domain.summary import ArmSummary, MetricSummary
from retest.report.terminal_figures import figure_parts

LABELS = ("返金", "billing", "バグ報告")


def summary(labels: tuple[str, ...] = LABELS, name: str = "a/b") -> ArmSummary:
    """Return an arm whose samples were given the label of their own or the next one."""
    per_label = [Figure(name="f1", label=label, value=0.8, low=0.7, high=0.9) for label in labels]
    counts = tuple(
        tuple(5 if place == row else 2 if place == row + 1 else 0 for place in range(len(labels) + 1))
        for row in range(len(labels))
    )
    figures = MetricFigures(
        values=(Figure(name="accuracy", value=0.9), Figure(name="f1_macro", value=0.8, low=0.7, high=0.9), *per_label),
        n_cases=20,
        n_samples=20,
        confusion=ConfusionMatrix(labels=labels, counts=counts),
    )
    return ArmSummary(name=name, metrics=(MetricSummary(name="intent", metric="classification", figures=figures),))


def printed(*arms: ArmSummary, everything: bool | None = None, width: int = 80) -> list[str]:
    console = Console(width=width)
    with console.capture() as shown:
        for part in figure_parts(arms, everything=everything):
            console.print(Group(*part))
    return shown.get().splitlines()


def test_the_matrix_is_aligned_by_cells() -> None:
    """Labels of wide characters push no number out of its column."""
    lines = printed(summary())
    start = next(i for i, line in enumerate(lines) if line.startswith("expected"))
    ends = [
        {cell_len(line[: place + 1]) for place, char in enumerate(line) if char in "52"} for line in lines[start + 1 :]
    ]
    heads = lines[start]
    columns = {cell_len(heads[: heads.index(name) + len(name)]) for name in (*LABELS, "(none)")}
    assert set().union(*ends) <= columns


def test_nothing_is_wider_than_80_columns() -> None:
    """With eight long labels and several arms."""
    labels = tuple(f"とても長いラベルの名前{i}" for i in range(8))
    lines = printed(summary(labels, "a/one"), summary(labels, "a/two"))
    assert max(map(cell_len, lines)) <= 80


def test_many_labels_are_shown_only_when_asked_for() -> None:
    """Twenty labels would fill the screen; the line says what shows them."""
    labels = tuple(f"label{i}" for i in range(20))
    assert any("--figures" in line for line in printed(summary(labels)))
    assert any(line.startswith("label19") for line in printed(summary(labels), everything=True, width=200))


def test_a_hundred_labels_are_listed_by_what_is_mixed_up() -> None:
    """No screen holds the matrix: the commonest confusions stand in its place."""
    labels = tuple(f"label{i}" for i in range(100))
    lines = printed(summary(labels), everything=True)
    assert any(line.split() == ["label0", "label1", "2"] for line in lines)


def test_without_labels_only_the_figures_are_shown() -> None:
    """`--no-figures` leaves the tables of labels out."""
    lines = printed(summary(), everything=False)
    assert any("intent.f1_macro" in line for line in lines)
    assert not any("返金" in line for line in lines)


def test_every_figure_is_shown_when_asked_for() -> None:
    """Accuracy is the metric's mean, and stands among the figures only then."""
    assert not any("intent.accuracy" in line for line in printed(summary()))
    assert any("intent.accuracy" in line for line in printed(summary(), everything=True))
