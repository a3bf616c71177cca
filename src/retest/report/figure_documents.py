"""Figures as JSON, for scripts and for the summary that the store keeps: names and shapes that stay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from retest.domain.figures import NO_LABEL, ConfusionMatrix, Figure, FigureChange, MetricFigures

_INTERVAL = ("value", "low", "high")
_SCALE = ("range_low", "range_high", "direction")
_CHANGE = ("metric", "name", "label", "before", "after", "delta", "low", "high", "n_cases", "direction")


def figures_document(figures: MetricFigures) -> dict[str, object]:
    """Return a metric's figures by name, those of labels by label, and the confusion matrix by expected label.

    Cells of the matrix that are 0 are left out: of 150 labels nearly all are.
    """
    labels: dict[str, dict[str, object]] = {}
    values: dict[str, object] = {}
    for figure in figures.values:
        if figure.label is None:
            values[figure.name] = {name: getattr(figure, name) for name in (*_INTERVAL, *_SCALE)}
        else:
            labels.setdefault(figure.label, {})[figure.name] = {name: getattr(figure, name) for name in _INTERVAL}
    document: dict[str, object] = {"values": values, "n_cases": figures.n_cases, "n_samples": figures.n_samples}
    matrix = figures.confusion
    if matrix is not None:
        document["n_confident"] = figures.n_confident
        document["labels"] = {
            label: {**labels.get(label, {}), "expected": matrix.expected(label)} for label in matrix.labels
        }
        document["confusion"] = {
            label: {column: count for column, count in zip(matrix.columns, row, strict=True) if count}
            for label, row in zip(matrix.labels, matrix.counts, strict=True)
        }
    return document


def read_figures(document: Mapping[str, Any]) -> MetricFigures:
    """Return the figures that `figures_document` was given."""
    return MetricFigures(
        values=tuple(_figures(document)),
        n_cases=document["n_cases"],
        n_samples=document["n_samples"],
        n_confident=document.get("n_confident", 0),
        confusion=_confusion(document.get("confusion")),
    )


def _figures(document: Mapping[str, Any]) -> Iterator[Figure]:
    for name, values in document["values"].items():
        yield Figure(name=name, **values)
    labels: Mapping[str, Mapping[str, Any]] = document.get("labels", {})
    for label, figures in labels.items():
        for name, values in figures.items():
            if name != "expected":
                yield Figure(name=name, label=label, **values)


def _confusion(document: Mapping[str, Mapping[str, int]] | None) -> ConfusionMatrix | None:
    if document is None:
        return None
    columns = (*document, NO_LABEL)
    counts = tuple(tuple(row.get(column, 0) for column in columns) for row in document.values())
    return ConfusionMatrix(labels=tuple(document), counts=counts)


def change_document(change: FigureChange) -> dict[str, object]:
    """Return a figure before and after."""
    return {name: getattr(change, name) for name in _CHANGE}
