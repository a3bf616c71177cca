"""Reads people's reviews as labelled cases, so that a judge can be held against them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from retest.domain.case import Case
from retest.domain.judge import SECOND_ANSWER, JudgeDefinition, judging_from
from retest.domain.review import LABEL, PREFERENCE, Review, ReviewScale, SampleRef
from retest.domain.run import Run
from retest.domain.sample import Response, Score
from retest.errors import Problem, UsageError
from retest.metrics.judge.base import judge_label
from retest.workflows.labelled_cases import LabelledCase, LabelledSet

if TYPE_CHECKING:
    from retest.store.database import Store
    from retest.store.records import StoredSample

_SHARES: Mapping[str, float] = {"first": 1.0, "second": 0.0, "tie": 0.5}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewLabels:
    """Which reviews a judge is held against.

    Attributes:
        dimension: what people scored; None where there is only one that it can be.
        run: only answers that this run holds.
        suite: only reviews of this suite.
        recorded: the metric of the runs whose scores are the judgments; None where the judge is asked.
        values: label -> value on the definition's scale, where ``good`` and ``bad`` have none of their own.
    """

    dimension: str | None = None
    run: str | None = None
    suite: str | None = None
    recorded: str | None = None
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedSet:
    """Labelled cases from reviews; `data` says which, `judge` who gave the recorded judgments, empty where unknown."""

    labelled: LabelledSet
    data: str
    judge: str = ""


def read_reviewed(store: Store, definition: JudgeDefinition, wish: ReviewLabels) -> ReviewedSet:
    """Return every person's rating of every answer as a labelled case.

    Several people's ratings of one answer are cases of their own, so that where people disagree the judge cannot agree
    with all of them. A case of the dataset is the unit that intervals resample. Scores are moved onto the definition's
    scale.

    Raises:
        UsageError: nobody has reviewed, several dimensions could be meant, or labels have no value on the scale.
    """
    reader = _Reader(store, definition, wish)
    found = reader.read()
    which = "" if wish.run is None and wish.suite is None else f" of {wish.run or wish.suite}"
    return ReviewedSet(
        labelled=found, data=f"reviews{which}: {reader.dimension}", judge="+".join(sorted(reader.judges))
    )


class _Reader:
    def __init__(self, store: Store, definition: JudgeDefinition, wish: ReviewLabels) -> None:
        self._store = store
        self._definition = definition
        self._wish = wish
        self._is_pairwise = SECOND_ANSWER in definition.inputs
        self._scales = store.reviews.scales()
        self._sample = cache(self._read_sample)
        self._run = cache(store.get_run)
        self.dimension = PREFERENCE if self._is_pairwise else ""
        self.judges: set[str] = set()

    def read(self) -> LabelledSet:
        reviews = self._reviews()
        self.dimension = self.dimension or self._chosen(reviews)
        self._check_words(reviews)
        found = [case for review in reviews if (case := self._case(review)) is not None]
        if not found:
            raise UsageError(self._nothing(f" on '{self.dimension}' whose answer is still in the store"))
        return LabelledSet(cases=tuple(found), unlabelled=len(reviews) - len(found), is_pairwise=self._is_pairwise)

    def _reviews(self) -> list[Review]:
        from retest.store.reviews import ReviewFilter

        wish = self._wish
        found = self._store.reviews.find(ReviewFilter(run=wish.run, suite=wish.suite))
        fitting = [
            review
            for review in found
            if review.subject.is_pair == self._is_pairwise and wish.suite in {None, review.suite}
        ]
        if not fitting:
            raise UsageError(self._nothing(""))
        return fitting

    def _chosen(self, reviews: Sequence[Review]) -> str:
        """Return the dimension to take: the one that is named, else the definition's name, else the only one."""
        known = list(dict.fromkeys(name for review in reviews for name in _dimensions(review)))
        wanted = self._wish.dimension
        if wanted is not None:
            if wanted not in known:
                raise UsageError(self._nothing(f" on '{wanted}'", f"they rated: {', '.join(known) or 'nothing'}"))
            return wanted
        if self._definition.name in known:
            return self._definition.name
        if len(known) == 1:
            return known[0]
        message = "people rated several dimensions" if known else "the reviews hold neither a score nor a label"
        details = (f"they rated: {', '.join(known)}",) if known else ()
        fix = f"name the one: --dimension {known[0]}" if known else "review some with a score or a label: retest review"
        raise UsageError(Problem(slug="calibrate-reviews", message=message, details=details, fix=fix))

    def _check_words(self, reviews: Sequence[Review]) -> None:
        """Refuse good and bad where nobody can say what they are worth on the definition's scale."""
        if self._is_pairwise or self.dimension != LABEL:
            return
        said = {review.content.label for review in reviews} - {None}
        worthless = sorted(word for word in said if word is not None and self._worth(word) is None)
        if worthless:
            message = f"the labels {', '.join(worthless)} have no value on the definition's scale"
            fix = "say what each is worth: --label good=1 --label bad=0; or take a scored dimension: --dimension NAME"
            raise UsageError(Problem(slug="calibrate-label", message=message, fix=fix))

    def _case(self, review: Review) -> LabelledCase | None:
        label = self._rating(review)
        places = [review.subject.sample, *([review.subject.other] if review.subject.other is not None else [])]
        samples = [self._sample(place) for place in places]
        if label is None or any(sample is None for sample in samples):
            return None
        known = [sample for sample in samples if sample is not None]
        return LabelledCase(
            case=_as_cluster(known[0].case, review.suite),
            label=label,
            answers=tuple(sample.outcome.output for sample in known if isinstance(sample.outcome, Response)),
            recorded=self._recorded(places[0].run_id, known[0]),
        )

    def _rating(self, review: Review) -> float | None:
        content = review.content
        if self._is_pairwise:
            return None if content.label is None else _SHARES[content.label]
        if self.dimension == LABEL:
            return None if content.label is None else self._worth(content.label)
        score = content.scores.get(self.dimension)
        if score is None:
            return None
        own = self._definition.scale
        low, high = (own.low, own.high) if not own.choices else (min(own.choices.values()), max(own.choices.values()))
        theirs = self._scales[self.dimension]
        given = score.on(theirs)
        value = replace(score, value=given, low=theirs.low, high=theirs.high).on(
            ReviewScale(dimension=self.dimension, low=low, high=high)
        )
        if theirs.direction != own.better:
            value = low + high - value
        return float(round(value)) if own.form == "grade" else value

    def _worth(self, word: str) -> float | None:
        """Return what a label is worth: as it was said, as a choice of that name, or 1 and 0 of what is yes or no."""
        scale = self._definition.scale
        if word in self._wish.values:
            return self._wish.values[word]
        if word in scale.choices:
            return scale.choices[word]
        if scale.binary:
            return float((word == "good") == (scale.better == "higher"))
        return None

    def _read_sample(self, place: SampleRef) -> StoredSample | None:
        """Return an answer that is still in the store."""
        from retest.store.records import SampleFilter

        try:
            found = self._store.iter_samples(place.run_id, SampleFilter(arm=place.arm, case_id=place.case_id))
            return next((each for each in found if _is_answer(each, place)), None)
        except UsageError:
            return None

    def _recorded(self, run_id: str, sample: StoredSample) -> float | None:
        """Return the run's own score, where the definition that is calibrated gave it."""
        name = self._wish.recorded
        score = None if name is None else sample.scores.get(name)
        judge = None if name is None else self._judge(self._run(run_id), name)
        if judge is None or not isinstance(score, Score):
            return None
        self.judges.add(judge)
        return score.value

    def _judge(self, run: Run, name: str) -> str | None:
        metric = next((each for each in run.metrics if each.name == name and each.judging is not None), None)
        if metric is None:
            return None
        judging = judging_from(metric.judging or {}, Path())
        if judging.definition.content_hash != self._definition.content_hash:
            return None
        return "+".join(sorted(judge_label(judge) for judge in judging.judges))

    def _nothing(self, what: str, *details: str) -> Problem:
        kind = "two answers beside one another" if self._is_pairwise else "an answer"
        return Problem(
            slug="calibrate-reviews",
            message=f"there is no review of {kind}{what}",
            details=details,
            fix="review some: retest review; or label rows in a file: --against FIELD --data FILE",
        )


def _dimensions(review: Review) -> Iterator[str]:
    yield from review.content.scores
    if review.content.label is not None:
        yield LABEL


def _is_answer(sample: StoredSample, place: SampleRef) -> bool:
    return sample.sample_index == place.sample_index and isinstance(sample.outcome, Response)


def _as_cluster(case: Case, suite: str) -> Case:
    """Return the case as a cluster of its own, for samples of one case and ratings of one answer are alike."""
    return case if case.cluster is not None else replace(case, cluster=f"{suite}\x1f{case.case_id}")
