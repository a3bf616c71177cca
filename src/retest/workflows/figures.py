"""Figures of a whole arm, from what the scores of its samples keep; no answer is read again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retest.domain.figures import ConfusionMatrix, Figure, FigureChange, FigureKind, MetricFigures, figures_of
from retest.domain.run import RunMetric
from retest.runner.figure_facts import FIGURE_METRICS, FigureFacts
from retest.stats.classification import Classified, classification_figures, classified_sums, confusion_counts
from retest.stats.corpus_scores import bleu_scores, chrf_scores, ter_scores
from retest.stats.intervals import Ends
from retest.stats.jackknife import Figures, Sums, case_sums, estimates, paired_estimates, unit_sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Makeup:
    """How a metric's figures are computed.

    Attributes:
        wanted: kind and label of each, in the order of `columns`.
        columns: places of the wanted figures among those that `compute` returns.
        compute: from rows of sums to rows of figures.
        labels: of the metric, where it has them.
    """

    wanted: tuple[tuple[FigureKind, str | None], ...]
    columns: tuple[int, ...]
    compute: Figures
    labels: tuple[str, ...] = ()

    @property
    def ends(self) -> list[Ends]:
        """Return the ends of each figure's scale."""
        return [(kind.low, kind.high) for kind, _ in self.wanted]

    def figures(self, sums: Sums) -> NDArray[np.float64]:
        """Return the wanted figures of each row of sums."""
        return self.compute(sums)[:, self.columns]


def figures_makeup(metric: RunMetric) -> Makeup | None:
    """Return how a metric's figures are computed, None where it has none."""
    if metric.metric not in FIGURE_METRICS:
        return None
    from retest.metrics.registry import metric_classes  # loads pydantic, which most runs are shown without

    cls = metric_classes()[metric.metric]
    options: Mapping[str, Any] = cls.Options.model_validate(dict(metric.options)).model_dump(mode="json")
    everything = tuple(figures_of(cls.info.figures, {**options, "confidence": True}))
    wanted = tuple(figures_of(cls.info.figures, options))
    labels = tuple(options.get("labels") or ())
    return Makeup(
        wanted=wanted,
        columns=tuple(everything.index(each) for each in wanted),
        compute=_COMPUTE[metric.metric](options),
        labels=labels,
    )


def _of_labels(options: Mapping[str, Any]) -> Figures:
    return partial(classification_figures, n_labels=len(options["labels"]))


def _of_bleu(options: Mapping[str, Any]) -> Figures:
    return partial(bleu_scores, smoothing=options["smooth_method"], smooth_value=options["smooth_value"])


_COMPUTE: Mapping[str, Callable[[Mapping[str, Any]], Figures]] = {
    "classification": _of_labels,
    "bleu": _of_bleu,
    "chrf": lambda options: partial(chrf_scores, beta=options["beta"]),
    "ter": lambda _: ter_scores,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FactRows:
    """What one metric's figures on one arm are computed from: the case of each sample, and its labels or its counts."""

    cases: NDArray[np.intp]
    counts: Sums | None = None
    classified: Classified | None = None

    def of(self, kept: NDArray[np.bool_]) -> FactRows:
        """Return the same of some samples."""
        one = self.classified
        return FactRows(
            cases=self.cases[kept],
            counts=None if self.counts is None else self.counts[kept],
            classified=None
            if one is None
            else replace(
                one, expected=one.expected[kept], predicted=one.predicted[kept], confidence=one.confidence[kept]
            ),
        )

    def sums(self, numbers: NDArray[np.intp], n_cases: int) -> Sums:
        """Return one row of sums a case; `numbers` are of the samples' cases, from 0 on."""
        if self.classified is not None:
            return classified_sums(self.classified, numbers, n_cases)
        return np.zeros((n_cases, 1)) if self.counts is None else case_sums(self.counts, numbers, n_cases)


def fact_rows(facts: FigureFacts, makeup: Makeup, samples: int) -> FactRows:
    """Return what figures are computed from; rows with a label that the metric does not have are left out.

    Args:
        facts: by place.
        makeup: of the metric.
        samples: places a case has.
    """
    cases = np.frombuffer(facts.places, dtype=np.int64).astype(np.intp) // samples
    if len(cases) == 0:
        return FactRows(cases=cases)
    rows = np.frombuffer(facts.rows).reshape(len(cases), facts.width)
    if not makeup.labels:
        return FactRows(cases=cases, counts=rows)
    expected, predicted = _renumbered(facts, makeup.labels, rows[:, 0]), _renumbered(facts, makeup.labels, rows[:, 1])
    classified = Classified(expected=expected, predicted=predicted, confidence=rows[:, 2], n_labels=len(makeup.labels))
    known = (expected >= 0) & ((predicted >= 0) | (rows[:, 1] < 0))
    return FactRows(cases=cases, classified=classified).of(known)


def _renumbered(facts: FigureFacts, labels: Sequence[str], codes: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return labels numbered as the metric lists them, -1 for none and for one that it does not have."""
    places = {label: place for place, label in enumerate(labels)}
    table = np.array([*(places.get(label, -1) for label in facts.labels), -1], dtype=np.intp)
    return table[codes.astype(np.intp)]  # -1 takes the last


def metric_figures(
    metric: RunMetric, facts: FigureFacts | None, samples: int, clusters: Sequence[str] | None
) -> MetricFigures | None:
    """Return a metric's figures on one arm with their intervals; None for a metric that has none.

    Args:
        metric: as it was scored.
        facts: of the arm's samples.
        samples: places a case has.
        clusters: one label a case of the run, where clusters are declared.
    """
    makeup = figures_makeup(metric)
    if makeup is None or facts is None:
        return None
    rows = fact_rows(facts, makeup, samples)
    present, places = np.unique(rows.cases, return_inverse=True)
    sums = rows.sums(places, len(present))
    labels = None if clusters is None else [clusters[case] for case in present.tolist()]
    found = estimates(unit_sums(sums, labels), makeup.figures, makeup.ends)
    confusion = None
    if rows.classified is not None:
        counts = tuple(tuple(row) for row in confusion_counts(rows.classified).tolist())
        confusion = ConfusionMatrix(labels=makeup.labels, counts=counts)
    return MetricFigures(
        values=tuple(
            Figure(
                name=kind.name,
                label=label,
                value=one.value,
                low=one.low,
                high=one.high,
                range_low=kind.low,
                range_high=kind.high,
                direction=kind.direction,
            )
            for (kind, label), one in zip(makeup.wanted, found, strict=True)
        ),
        n_cases=len(present),
        n_samples=len(rows.cases),
        n_confident=0 if rows.classified is None else int((~np.isnan(rows.classified.confidence)).sum()),
        confusion=confusion,
    )


def figure_changes(
    metric: RunMetric, before: FactRows, after: FactRows, makeup: Makeup, clusters: Sequence[str] | None
) -> tuple[FigureChange, ...]:
    """Return the change of every figure between two arms over the cases that both have.

    Args:
        metric: as both sides were scored.
        before: rows of the baseline.
        after: rows of the candidate, its cases numbered alike.
        makeup: of the metric.
        clusters: one label a number, where clusters are declared.
    """
    common = np.intersect1d(before.cases, after.cases)
    sides = [_on(rows, common) for rows in (before, after)]
    labels = None if clusters is None else [clusters[case] for case in common.tolist()]
    units = [unit_sums(sums, labels) for sums in sides]
    values = [estimates(side, makeup.figures, makeup.ends) for side in units]
    deltas = paired_estimates(units[0], units[1], makeup.figures, makeup.ends)
    return tuple(
        FigureChange(
            metric=metric.name,
            name=kind.name,
            label=label,
            before=values[0][place].value,
            after=values[1][place].value,
            delta=delta.value,
            low=delta.low,
            high=delta.high,
            n_cases=len(common),
            range_low=kind.low,
            range_high=kind.high,
            direction=kind.direction,
        )
        for place, ((kind, label), delta) in enumerate(zip(makeup.wanted, deltas, strict=True))
    )


def _on(rows: FactRows, common: NDArray[np.intp]) -> Sums:
    """Return the sums of the cases that both sides have, in their order."""
    kept = rows.of(np.isin(rows.cases, common))
    return kept.sums(np.searchsorted(common, kept.cases), len(common))
