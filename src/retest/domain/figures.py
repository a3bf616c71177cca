"""Figures of a whole arm that are no mean over its samples: F1, kappa, the BLEU of a corpus.

A figure is named ``metric.figure``, one of a label ``metric.figure.label``: ``intent.f1_macro`` and
``intent.recall.refund``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from retest.domain.json_value import JsonValue
from retest.domain.suite import Direction

NO_LABEL = "(none)"
"""What the confusion matrix calls an answer in which no label was found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureKind:
    """A figure that a metric has.

    Attributes:
        low, high: ends of its scale; None where unbounded.
        per_label: there is one for each of the metric's labels.
        needs: the metric's option without which it cannot be computed.
    """

    name: str
    summary: str
    low: float | None = 0.0
    high: float | None = 1.0
    direction: Direction = "higher"
    per_label: bool = False
    needs: str | None = None


def figure_names(kinds: Sequence[FigureKind], options: Mapping[str, JsonValue]) -> Iterator[str]:
    """Yield the names of all figures that a metric with these options has, without the metric's own."""
    for kind, label in figures_of(kinds, options):
        yield kind.name if label is None else f"{kind.name}.{label}"


def figures_of(
    kinds: Sequence[FigureKind], options: Mapping[str, JsonValue]
) -> Iterator[tuple[FigureKind, str | None]]:
    """Yield each figure that a metric with these options has: its kind, and its label where there is one a label."""
    labels = options.get("labels")
    for kind in kinds:
        if kind.needs is not None and options.get(kind.needs) is None:
            continue
        if not kind.per_label:
            yield kind, None
        elif isinstance(labels, list | tuple):
            for label in labels:
                yield kind, str(label)


def split_name(name: str, metrics: Collection[str]) -> tuple[str, str] | None:
    """Return metric and figure of ``metric.figure``; None where no metric of these is named.

    The longest name counts: a metric's own name may have dots.
    """
    fitting = [metric for metric in metrics if name.startswith(f"{metric}.")]
    if not fitting:
        return None
    metric = max(fitting, key=len)
    return metric, name[len(metric) + 1 :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure over an arm with its two-sided 95% interval; None is what the samples cannot say."""

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    label: str | None = None
    range_low: float | None = 0.0
    range_high: float | None = 1.0
    direction: Direction = "higher"

    @property
    def key(self) -> str:
        """Return the name, with the label where there is one."""
        return self.name if self.label is None else f"{self.name}.{self.label}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfusionMatrix:
    """How many samples of each expected label (rows) were given each label, and in the last column none at all."""

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns' names."""
        return (*self.labels, NO_LABEL)

    def expected(self, label: str) -> int:
        """Return how many samples should have had a label."""
        return sum(self.counts[self.labels.index(label)])

    def mistakes(self, most: int) -> list[tuple[str, str, int]]:
        """Return the commonest wrong answers as expected label, given one, samples; at most so many."""
        wrong = [
            (label, column, count)
            for label, row in zip(self.labels, self.counts, strict=True)
            for column, count in zip(self.columns, row, strict=True)
            if count and column != label
        ]
        return sorted(wrong, key=lambda cell: (-cell[2], cell[:2]))[:most]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricFigures:
    """Every figure of one metric on one arm.

    Attributes:
        n_cases, n_samples: that they stand on; each case weighs alike, however many of its samples have a score.
        n_confident: samples that state a confidence.
        confusion: where the metric has labels.
    """

    values: tuple[Figure, ...]
    n_cases: int
    n_samples: int
    n_confident: int = 0
    confusion: ConfusionMatrix | None = None

    def get(self, key: str) -> Figure | None:
        """Return a figure by its name (with its label), None where there is none."""
        return next((figure for figure in self.values if figure.key == key), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureChange:
    """A figure of two compared arms, over the cases that both have; no verdict, for none is tested.

    Attributes:
        metric, name, label: of the figure.
        low, high: two-sided 95% interval of `delta`, paired by case.
        n_cases: in common.
    """

    metric: str
    name: str
    before: float | None
    after: float | None
    delta: float | None
    low: float | None = None
    high: float | None = None
    label: str | None = None
    n_cases: int = 0
    range_low: float | None = 0.0
    range_high: float | None = 1.0
    direction: Direction = "higher"

    @property
    def key(self) -> str:
        """Return metric, figure and label."""
        return ".".join(part for part in (self.metric, self.name, self.label) if part is not None)


CLASSIFICATION: tuple[FigureKind, ...] = (
    FigureKind(name="accuracy", summary="share of samples with the expected label"),
    FigureKind(name="balanced_accuracy", summary="mean recall of the labels that are expected"),
    FigureKind(name="f1_macro", summary="mean F1 of the labels that occur"),
    FigureKind(name="precision_macro", summary="mean precision of the labels that occur"),
    FigureKind(name="recall_macro", summary="mean recall of the labels that occur"),
    FigureKind(name="f1_micro", summary="F1 over all decisions together"),
    FigureKind(name="precision_micro", summary="share of the given labels that are right"),
    FigureKind(name="recall_micro", summary="share of the expected labels that were given"),
    FigureKind(name="kappa", summary="Cohen's kappa: agreement beyond chance", low=-1.0),
    FigureKind(
        name="ece",
        summary="expected calibration error, ten bins: mean distance of the stated confidence from the share right",
        direction="lower",
        needs="confidence",
    ),
    FigureKind(
        name="brier",
        summary="Brier score: mean square of stated confidence minus right (1) or wrong (0)",
        direction="lower",
        needs="confidence",
    ),
    FigureKind(name="precision", summary="share right among the samples given the label", per_label=True),
    FigureKind(name="recall", summary="share given the label among the samples that should have it", per_label=True),
    FigureKind(name="f1", summary="harmonic mean of the label's precision and recall", per_label=True),
)

CORPUS = "corpus"
"""The score of all answers together, which is not the mean of the sentence scores."""

MATRIX_LABELS = 30
"""Of more labels no screen holds a matrix: what is mixed up most often stands in its place."""

TELLING = frozenset({"f1_macro", "balanced_accuracy", "kappa", "ece", "brier", CORPUS})
"""What is shown where not every figure is: those that say something that the metric's mean does not."""
