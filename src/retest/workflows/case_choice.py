"""Chooses cases of a run by what their answers scored, what people said of them, and what changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, TypeAlias

from retest.domain.case import Case
from retest.domain.review import Review
from retest.domain.run import Run, RunMetric
from retest.domain.sample import Response, Score
from retest.errors import NothingToJudgeError, Problem, UsageError
from retest.store.records import MetricCondition, SampleFilter, parse_metric_condition
from retest.workflows.find_runs import find_run
from retest.workflows.review_columns import REVIEW, ReviewColumns, review_columns

if TYPE_CHECKING:
    from retest.store.database import Store
    from retest.store.records import StoredSample

# What a change says of a case when it becomes a row of a dataset.
CHANGE_TAGS: Mapping[str, str] = {"worse": "regression", "better": "improvement", "different": "different"}
_OF_REVIEWS = ("label", "tag", "reviewer")
_OF_CASES = ("case", "case-tag")
_WORDS = (*_OF_REVIEWS, *_OF_CASES, "change")

Keys: TypeAlias = tuple[str, str]  # arm, case id


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseWish:
    """Which cases are wanted: every condition must hold.

    Attributes:
        metrics: on an answer's own scores.
        words: ``label``, ``tag``, ``reviewer`` of a review, ``case`` and ``case-tag`` of the case, ``change``.
        metric: by which a change is for the worse or the better; None for the run's first.
        baseline: what counts as before; None for the suite's baseline.
    """

    metrics: tuple[MetricCondition, ...] = ()
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    arm: str | None = None
    metric: str | None = None
    baseline: str | None = None

    @property
    def changes(self) -> tuple[str, ...]:
        """Return the changes that are wanted."""
        return self.words.get("change", ())


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenCase:
    """A case with the reviews of its chosen answers, oldest first."""

    case: Case
    reviews: tuple[Review, ...] = ()


def parse_conditions(texts: Sequence[str]) -> tuple[tuple[MetricCondition, ...], dict[str, tuple[str, ...]]]:
    """Return what ``--where`` says: conditions on metrics, and words.

    Raises:
        UsageError: one means nothing.
    """
    metrics: list[MetricCondition] = []
    words: dict[str, tuple[str, ...]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if equals and name.strip() in _WORDS:
            words[name.strip()] = (*words.get(name.strip(), ()), value.strip())
        else:
            metrics.append(_metric_condition(text))
    unknown = [change for change in words.get("change", ()) if change not in CHANGE_TAGS]
    if unknown:
        message = f"'{unknown[0]}' is no change of a case"
        raise UsageError(Problem(slug="cases-where", message=message, fix=f"one of {', '.join(CHANGE_TAGS)}"))
    return tuple(metrics), words


def _metric_condition(text: str) -> MetricCondition:
    try:
        return parse_metric_condition(text)
    except UsageError:
        problem = Problem(
            slug="cases-where",
            message=f"'{text}' is no condition on a case",
            details=(f"words: {', '.join(f'{word}=...' for word in _WORDS)}", "metrics: exact_match<1, review:label=0"),
            fix="write for example --where 'exact_match<1' --where label=bad",
        )
        raise UsageError(problem) from None


def choose_cases(store: Store, run: Run, wish: CaseWish) -> list[ChosenCase]:
    """Return the cases with an answer that fulfils every condition, in the run's order.

    Raises:
        UsageError: the run has no such metric or arm.
        NothingToJudgeError: no case fulfils them, or there is no baseline that it could have changed from.
    """
    columns = review_columns(store, run)
    _check_names(columns.run, wish)
    said = _reviews(store, run)
    changed = _changed(store, columns, wish) if wish.changes else None
    chosen: dict[str, tuple[Case, dict[str, Review]]] = {}
    for sample in store.iter_samples(run.run_id, SampleFilter(arm=wish.arm)):
        place = (sample.arm_index, sample.case_index, sample.sample_index)
        reviews = _fitting(said.get(place, ()), wish)
        if not _accepts(sample, columns.of(place), wish) or reviews is None:
            continue
        if changed is not None and (sample.arm, sample.case_id) not in changed:
            continue
        _, known = chosen.setdefault(sample.case_id, (sample.case, {}))
        known.update({review.review_id: review for review in reviews})
    if not chosen:
        message = f"no case of {run.run_id} fulfils the conditions"
        raise NothingToJudgeError(Problem(slug="cases-none", message=message, fix="look at the run: retest show"))
    return [ChosenCase(case=case, reviews=_by_age(known.values())) for case, known in chosen.values()]


def _by_age(reviews: Iterable[Review]) -> tuple[Review, ...]:
    return tuple(sorted(reviews, key=lambda review: review.current.at))


def _check_names(run: Run, wish: CaseWish) -> None:
    known = [metric.name for metric in run.metrics]
    asked = [*(condition.metric for condition in wish.metrics), *([wish.metric] if wish.metric else [])]
    unknown = [name for name in asked if name not in known]
    if unknown:
        details = (f"it has: {', '.join(known)}",)
        raise UsageError(
            Problem(slug="metric-not-in-run", message=f"the run has no metric '{unknown[0]}'", details=details)
        )
    arms = [arm.name for arm in run.arms]
    if wish.arm is not None and wish.arm not in arms:
        details = (f"it has: {', '.join(arms)}",)
        raise UsageError(Problem(slug="arm-unknown", message=f"the run has no arm '{wish.arm}'", details=details))


def _reviews(store: Store, run: Run) -> Mapping[tuple[int, int, int], list[Review]]:
    found: dict[tuple[int, int, int], list[Review]] = defaultdict(list)
    for placed in store.reviews.of_run(run.run_id):
        if not placed.review.is_withdrawn:
            found[placed.place].append(placed.review)
    return found


def _fitting(reviews: Sequence[Review], wish: CaseWish) -> Sequence[Review] | None:
    """Return the reviews that one and the same person gave as the conditions say; None where there is none."""
    if not any(name in wish.words for name in _OF_REVIEWS):
        return reviews
    found = [review for review in reviews if _fits(review, wish.words)]
    return found or None


def _fits(review: Review, words: Mapping[str, tuple[str, ...]]) -> bool:
    content = review.content
    return (
        all(label == content.label for label in words.get("label", ()))
        and all(tag in content.tags for tag in words.get("tag", ()))
        and all(name == review.reviewer for name in words.get("reviewer", ()))
    )


def _accepts(sample: StoredSample, said: Mapping[str, object], wish: CaseWish) -> bool:
    words = wish.words
    if "case" in words and sample.case_id not in words["case"]:
        return False
    if not all(tag in sample.case.tags for tag in words.get("case-tag", ())):
        return False
    scores = {**sample.scores, **said}
    values = [(condition, scores.get(condition.metric)) for condition in wish.metrics]
    return all(isinstance(score, Score) and condition.accepts(score.value) for condition, score in values)


# -- what changed ------------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class _Seen:
    """What one side gave to a case."""

    content: str
    answers: set[str] = field(default_factory=set)
    values: list[float] = field(default_factory=list)


def _changed(store: Store, columns: ReviewColumns, wish: CaseWish) -> set[Keys]:
    """Return the cases that every wanted change befell."""
    run = columns.run
    before = _before(store, run, wish)
    metric = _metric(run, wish.metric)
    old, new = (_seen(store, side, metric) for side in (before, run))
    if len(run.arms) == len(before.arms) == 1:  # the one arm may have been renamed
        old = {(run.arms[0].name, case_id): seen for (_, case_id), seen in old.items()}
    both = [key for key, seen in new.items() if key in old and old[key].content == seen.content]
    sign = 1.0 if metric is None or metric.direction == "higher" else -1.0
    tests: Mapping[str, Callable[[_Seen, _Seen], bool]] = {
        "different": lambda was, now: not now.answers <= was.answers,
        "worse": lambda was, now: _moved(was, now, sign) < 0,
        "better": lambda was, now: _moved(was, now, sign) > 0,
    }
    return {key for key in both if all(tests[change](old[key], new[key]) for change in wish.changes)}


def _before(store: Store, run: Run, wish: CaseWish) -> Run:
    if wish.baseline is not None:
        return find_run(store, wish.baseline)
    named = store.baseline(run.suite)
    if named is None or named.run.run_id == run.run_id:
        message = f"suite {run.suite} has no other run as its baseline that a case could have changed from"
        fix = "name one: --baseline RUN, or set it: retest baseline set RUN"
        raise NothingToJudgeError(Problem(slug="cases-none", message=message, fix=fix))
    return named.run


def _metric(run: Run, name: str | None) -> RunMetric | None:
    if name is not None:
        return next(metric for metric in run.metrics if metric.name == name)
    return next((metric for metric in run.metrics if metric.metric != REVIEW), None)


def _seen(store: Store, run: Run, metric: RunMetric | None) -> dict[Keys, _Seen]:
    columns = review_columns(store, run)
    found: dict[Keys, _Seen] = {}
    for sample in store.iter_samples(run.run_id, SampleFilter()):
        key = (sample.arm, sample.case_id)
        seen = found.setdefault(key, _Seen(content=sample.case.content_hash))
        if not isinstance(sample.outcome, Response):
            continue
        seen.answers.add(sample.outcome.output)
        scores = {**sample.scores, **columns.of((sample.arm_index, sample.case_index, sample.sample_index))}
        score = None if metric is None else scores.get(metric.name)
        if isinstance(score, Score):
            seen.values.append(score.value)
    return found


def _moved(was: _Seen, now: _Seen, sign: float) -> float:
    """Return by how much the mean rose for the better; 0 where one side has no score."""
    return sign * (fmean(now.values) - fmean(was.values)) if was.values and now.values else 0.0
