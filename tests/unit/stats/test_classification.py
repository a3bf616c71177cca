"""Figures of classified samples against scikit-learn, and against their definitions where it has none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from retest.domain.figures import CLASSIFICATION
from retest.stats.classification import Classified, classification_figures, confusion_counts, sample_sums

sk: Any = pytest.importorskip("sklearn.metrics")

WHOLE = [kind.name for kind in CLASSIFICATION if not kind.per_label]
N_LABELS = 5


def classified(seed: int, *, n: int = 200, missing: float = 0.0, used: int = N_LABELS) -> Classified:
    """Return random samples: half right, the others anywhere, some without a label."""
    rng = np.random.default_rng(seed)
    expected = rng.integers(0, used, n)
    predicted = np.where(rng.random(n) < 0.5, expected, rng.integers(0, used, n))
    predicted = np.where(rng.random(n) < missing, -1, predicted)
    return Classified(expected=expected, predicted=predicted, confidence=rng.random(n), n_labels=N_LABELS)


def figures(samples: Classified) -> dict[str, float]:
    row = classification_figures(sample_sums(samples).sum(axis=0, keepdims=True), samples.n_labels)[0]
    return dict(zip(WHOLE, row.tolist(), strict=False))


def per_label(samples: Classified) -> np.ndarray[Any, Any]:
    """Return precision, recall and F1 as rows."""
    row: Any = classification_figures(sample_sums(samples).sum(axis=0, keepdims=True), samples.n_labels)[0]
    found: np.ndarray[Any, Any] = row[len(WHOLE) :].reshape(3, samples.n_labels)
    return found


CASES = [
    pytest.param({"seed": 1}, id="all labels"),
    pytest.param({"seed": 2, "missing": 0.2}, id="answers without a label"),
    pytest.param({"seed": 3, "used": 3}, id="labels that never occur"),
    pytest.param({"seed": 4, "n": 7, "missing": 0.3}, id="few samples"),
]


def occurring(samples: Classified) -> list[int]:
    return sorted({*samples.expected.tolist(), *samples.predicted.tolist()} - {-1})


@pytest.mark.parametrize("how", CASES)
@pytest.mark.parametrize("average", ["macro", "micro"])
def test_precision_recall_and_f1_equal_those_of_scikit_learn(how: dict[str, Any], average: str) -> None:
    """Macro and micro figures are scikit-learn's over the labels that occur, an answer without a label being none."""
    samples = classified(**how)
    wanted = sk.precision_recall_fscore_support(
        samples.expected, samples.predicted, labels=occurring(samples), average=average, zero_division=0
    )
    found = figures(samples)
    names = (f"precision_{average}", f"recall_{average}", f"f1_{average}")
    assert [found[name] for name in names] == pytest.approx(wanted[:3], abs=1e-12)


@pytest.mark.parametrize("how", CASES)
def test_figures_of_labels_equal_those_of_scikit_learn(how: dict[str, Any]) -> None:
    """Precision, recall and F1 of each label are scikit-learn's; what it cannot define is NaN on both sides."""
    samples = classified(**how)
    wanted = sk.precision_recall_fscore_support(
        samples.expected, samples.predicted, labels=list(range(N_LABELS)), zero_division=np.nan
    )
    assert per_label(samples) == pytest.approx(np.array(wanted[:3]), abs=1e-12, nan_ok=True)


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.parametrize("how", CASES)
def test_accuracy_balanced_accuracy_and_kappa_equal_those_of_scikit_learn(how: dict[str, Any]) -> None:
    """The three are scikit-learn's, where an answer without a label is a class of its own that nobody expects."""
    samples = classified(**how)
    found = figures(samples)
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(samples.expected, samples.predicted), abs=1e-12)
    balanced = sk.balanced_accuracy_score(samples.expected, samples.predicted)
    assert found["balanced_accuracy"] == pytest.approx(balanced, abs=1e-12)
    assert found["kappa"] == pytest.approx(sk.cohen_kappa_score(samples.expected, samples.predicted), abs=1e-12)


@pytest.mark.parametrize("how", CASES)
def test_the_confusion_matrix_equals_that_of_scikit_learn(how: dict[str, Any]) -> None:
    """Rows are expected, columns given, the last column is no label."""
    samples = classified(**how)
    labels = [*range(N_LABELS), -1]
    wanted = sk.confusion_matrix(samples.expected, samples.predicted, labels=labels)
    assert confusion_counts(samples).tolist() == wanted[:-1].tolist()


def test_the_brier_score_equals_that_of_scikit_learn() -> None:
    """It is the Brier score of the stated confidence as a probability of being right."""
    samples = classified(5)
    wanted = sk.brier_score_loss(samples.expected == samples.predicted, samples.confidence)
    assert figures(samples)["brier"] == pytest.approx(wanted, abs=1e-12)


def test_ece_is_the_weighted_distance_of_confidence_from_the_share_right() -> None:
    """Over ten bins of equal width, by a plain loop over the definition."""
    samples = classified(6, n=400)
    right = samples.expected == samples.predicted
    total = 0.0
    for low in range(10):
        inside = (samples.confidence > low / 10) & (samples.confidence <= (low + 1) / 10)
        if inside.any():
            total += inside.sum() * abs(right[inside].mean() - samples.confidence[inside].mean())
    assert figures(samples)["ece"] == pytest.approx(total / 400, abs=1e-12)


@pytest.mark.parametrize("confidence", [0.0, 0.1, 0.3, 0.7, 1.0])
def test_a_confidence_on_an_edge_is_in_the_bin_below(confidence: float) -> None:
    """Rounding of tenths moves nothing: .3 and a hair below it share a bin, so that their errors cancel."""
    samples = Classified(
        expected=np.zeros(2, dtype=np.intp),
        predicted=np.array([0, 1]),
        confidence=np.array([confidence, max(confidence - 0.01, 0.0)]),
        n_labels=2,
    )
    mean = samples.confidence.mean()
    assert figures(samples)["ece"] == pytest.approx(abs(0.5 - mean), abs=1e-12)


def test_without_a_sample_nothing_is_defined() -> None:
    """No figure of nothing is 0 or 1."""
    nothing = np.zeros((1, sample_sums(classified(1)).shape[1]))
    assert np.isnan(classification_figures(nothing, N_LABELS)).all()


def test_answers_without_a_label_alone_are_all_wrong() -> None:
    """Every figure of arms that never name a label is 0, none of them undefined, but for the calibration."""
    samples = Classified(
        expected=np.array([0, 1, 1]), predicted=np.full(3, -1), confidence=np.full(3, np.nan), n_labels=2
    )
    found = figures(samples)
    assert {found[name] for name in WHOLE if name not in {"ece", "brier"}} == {0.0}
    assert np.isnan(found["ece"])


def test_kappa_of_one_label_alone_is_not_defined() -> None:
    """Where all is one label, chance agrees always."""
    zeros = np.zeros(4, dtype=np.intp)
    samples = Classified(expected=zeros, predicted=zeros, confidence=np.full(4, np.nan), n_labels=2)
    assert np.isnan(figures(samples)["kappa"])
