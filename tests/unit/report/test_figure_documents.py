"""Figures as JSON, and back."""

from __future__ import annotations

import json

from retest.domain.figures import ConfusionMatrix, Figure, MetricFigures
from retest.report.figure_documents import figures_document, read_figures

FIGURES = MetricFigures(
    values=(
        Figure(name="kappa", value=0.4, low=-0.1, high=0.9, range_low=-1.0),
        Figure(name="ece", value=None, direction="lower"),
        Figure(name="f1", label="返金", value=0.5, low=0.2, high=0.8),
        Figure(name="f1", label="bug", value=None),
    ),
    n_cases=4,
    n_samples=8,
    n_confident=3,
    confusion=ConfusionMatrix(labels=("返金", "bug"), counts=((3, 0, 1), (1, 3, 0))),
)


def test_what_the_store_keeps_is_what_was_computed() -> None:
    """Through JSON and back nothing is lost, scales and directions neither."""
    assert read_figures(json.loads(json.dumps(figures_document(FIGURES)))) == FIGURES


def test_a_metric_without_labels_has_no_matrix() -> None:
    """Corpus scores have values alone."""
    corpus = MetricFigures(values=(Figure(name="corpus", value=31.5, range_high=100.0),), n_cases=2, n_samples=2)
    document = figures_document(corpus)
    assert "confusion" not in document
    assert read_figures(document) == corpus
