"""Reviews by people as metrics of a run: one column a dimension, several reviewers averaged within the sample.

A sample that nobody has reviewed has no score: it is not applicable, never zero.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import TYPE_CHECKING

from retest.domain.review import LABEL, PREFERENCE, PlacedReview, ReviewScale
from retest.domain.run import Run, RunMetric
from retest.domain.sample import Score, ScoreOutcome
from retest.domain.scores import CaseScores, RunScores
from retest.runner.table import RunTable

if TYPE_CHECKING:
    from retest.store.database import Store

REVIEW = "review"
"""The metric's registered name."""
AUTOMATIC = "automatic"
"""The option that marks a column that is there because somebody reviewed, not because the suite asks for it."""

Place = tuple[int, int, int]  # arm, case, sample
_UNIT = {
    LABEL: ReviewScale(dimension=LABEL, low=0, high=1),
    PREFERENCE: ReviewScale(dimension=PREFERENCE, low=0, high=1),
}
_WORTH = {"good": 1.0, "bad": 0.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewColumns:
    """A run's reviews as scores.

    Attributes:
        run: with the columns among its metrics: those that its suite asks for, and one for each other dimension.
        scores: metric -> place -> score.
    """

    run: Run
    scores: Mapping[str, Mapping[Place, Score]] = field(default_factory=dict)

    def of(self, place: Place) -> dict[str, ScoreOutcome]:
        """Return the scores of one sample by metric."""
        return {name: column[place] for name, column in self.scores.items() if place in column}

    def put_into(self, table: RunTable) -> None:
        """Put the scores into the table of a run that was scored before anybody could review it."""
        for name, column in self.scores.items():
            for (arm, case, sample), score in column.items():
                cells = table.arms[arm].metrics.get(name)
                if cells is not None:
                    cells.put(case * table.samples + sample, score)
                    cells.not_applicable = max(0, cells.not_applicable - 1)

    def case_scores(self, metric: str, arm: int, case_ids: Sequence[str]) -> CaseScores:
        """Return case id -> scores of one arm; a case without a review is not there."""
        found: dict[str, list[float | None]] = {}
        for (own, case, _), score in sorted(self.scores.get(metric, {}).items()):
            if own == arm:
                found.setdefault(case_ids[case], []).append(score.value)
        return found


def review_columns(store: Store, run: Run) -> ReviewColumns:
    """Return what people said of a run's answers, as metrics of the run."""
    placed = [each for each in store.reviews.of_run(run.run_id) if not each.review.is_withdrawn]
    asked = {metric.name: dimension_of(metric) for metric in run.metrics if metric.metric == REVIEW}
    if not placed:
        return ReviewColumns(run=run, scores={name: {} for name in asked})
    scales = {**store.reviews.scales(), **_UNIT}
    columns = _columns(placed, scales)
    metrics = [_with_range(metric, scales) if metric.name in asked else metric for metric in run.metrics]
    taken = {metric.name for metric in metrics}
    extra = [
        automatic_column(scales[dimension])
        for dimension in columns
        if dimension not in asked.values() and f"{REVIEW}:{dimension}" not in taken
    ]
    names = {**asked, **{metric.name: dimension_of(metric) for metric in extra}}
    return ReviewColumns(
        run=replace(run, metrics=(*metrics, *extra)),
        scores={name: columns.get(dimension, {}) for name, dimension in names.items()},
    )


def dimension_of(metric: RunMetric) -> str:
    """Return the dimension that a review column shows."""
    return str(metric.options.get("dimension", LABEL))


def automatic_column(scale: ReviewScale) -> RunMetric:
    """Return the column that a run has without its suite asking for it."""
    return RunMetric(
        name=f"{REVIEW}:{scale.dimension}",
        metric=REVIEW,
        signature=f"{REVIEW}|dimension:{scale.dimension}",
        options={"dimension": scale.dimension, AUTOMATIC: True},
        low=scale.low,
        high=scale.high,
        direction=scale.direction,
    )


def is_automatic(metric: RunMetric) -> bool:
    """Return whether a column is there because somebody reviewed, not because the suite asks for it."""
    return metric.metric == REVIEW and bool(metric.options.get(AUTOMATIC))


def without_automatic(scores: RunScores) -> RunScores:
    """Return the scores a gate decides on: the metrics of the suite alone."""
    kept = tuple(metric for metric in scores.metrics if not is_automatic(metric))
    return scores if len(kept) == len(scores.metrics) else replace(scores, metrics=kept)


def _with_range(metric: RunMetric, scales: Mapping[str, ReviewScale]) -> RunMetric:
    """Return a column with the ends of its scale, which a suite cannot know; its direction is the suite's."""
    scale = scales.get(dimension_of(metric))
    return metric if scale is None else replace(metric, low=scale.low, high=scale.high)


def _columns(placed: list[PlacedReview], scales: Mapping[str, ReviewScale]) -> dict[str, dict[Place, Score]]:
    """Return dimension -> place -> the mean of what its reviewers said."""
    given: dict[str, dict[Place, dict[str, list[float]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for each in placed:
        for dimension, value in _values(each, scales):
            given[dimension][each.place][each.review.reviewer].append(value)
    return {
        dimension: {place: _score(people) for place, people in places.items()}
        for dimension, places in sorted(given.items())
    }


def _values(placed: PlacedReview, scales: Mapping[str, ReviewScale]) -> Iterator[tuple[str, float]]:
    review, content = placed.review, placed.review.content
    if review.subject.is_pair:
        if content.label is not None:
            won = "second" if placed.side else "first"
            yield PREFERENCE, 0.5 if content.label == "tie" else float(content.label == won)
        return  # scores of a comparison are of the two together, not of either
    if content.label is not None:
        yield LABEL, _WORTH[content.label]
    for dimension, score in content.scores.items():
        if dimension in scales:
            yield dimension, score.on(scales[dimension])


def _score(people: Mapping[str, list[float]]) -> Score:
    """Return the mean over reviewers, each counted once however many comparisons they made."""
    means = {name: fmean(values) for name, values in people.items()}
    said = ", ".join(f"{name} {value:g}" for name, value in sorted(means.items()))
    return Score(value=fmean(means.values()), reason=said, details={"reviewers": dict(means)})
