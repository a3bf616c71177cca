"""Puts answers in line for review: at random, the worst first, where judge and people disagree, what changed.

Lines are made from numbers alone, for a run may be large; texts are read only of what comes up.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from retest.domain.json_value import content_hash
from retest.domain.review_queue import QUEUE_ORDERS, ReviewItem
from retest.domain.run import Run, RunMetric
from retest.errors import NothingToJudgeError, Problem, UsageError
from retest.workflows.find_runs import find_run
from retest.workflows.review_columns import REVIEW, ReviewColumns, dimension_of, review_columns
from retest.workflows.review_items import ItemReader, Place, QueueWish, baseline_arm

if TYPE_CHECKING:
    from retest.store.database import Store


_Line = tuple[float, Place]  # the lower the number, the sooner


class _Order(NamedTuple):
    """Places in the order in which they are due, and what put one there."""

    places: Iterator[Place]
    why: Callable[[Place], str]


def review_queue(store: Store, run: Run, wish: QueueWish) -> list[ReviewItem]:
    """Return what is due for review, the first first.

    Raises:
        UsageError: the run has no such arm, case or metric.
        NothingToJudgeError: there is no baseline, no judge, or no review to hold it against.
    """
    _check(run, wish)
    before = _baseline(store, run, wish) if wish.order == "changed" or wish.pairs else None
    queue = _Queue(store, review_columns(store, run), wish, before)
    order = _ORDERS[wish.order](queue)
    reader = ItemReader(store=store, run=run, before=before if wish.pairs else None, wish=wish)
    # What has been reviewed keeps its place in line until here, so that the order of the rest stays as it was.
    done = set() if wish.again else _done(store, run, wish)
    due = (place for place in order.places if place not in done)
    items = (reader.read(place, queue.case_ids[place[1]], order.why(place)) for place in due)
    found: Iterator[ReviewItem] = (item for item in items if item is not None)
    if wish.order == "changed" and before is not None:
        found = filter(_NewAnswers(store, before, wish).accepts, found)
    return list(islice(found, wish.limit))


def _check(run: Run, wish: QueueWish) -> None:
    arms = [arm.name for arm in run.arms]
    if wish.arm is not None and wish.arm not in arms:
        details = (f"it has: {', '.join(arms)}",)
        raise UsageError(Problem(slug="arm-unknown", message=f"the run has no arm '{wish.arm}'", details=details))
    if wish.order not in QUEUE_ORDERS:
        details = (f"orders: {', '.join(QUEUE_ORDERS)}",)
        raise UsageError(Problem(slug="review-queue", message=f"no queue is called '{wish.order}'", details=details))


def _baseline(store: Store, run: Run, wish: QueueWish) -> Run:
    if wish.baseline is not None:
        return find_run(store, wish.baseline)
    named = store.baseline(run.suite)
    if named is None or named.run.run_id == run.run_id:
        raise _nothing(
            f"suite {run.suite} has no other run as its baseline to compare with",
            "name one: --baseline RUN, or set it: retest baseline set RUN",
        )
    return named.run


def _nothing(message: str, fix: str) -> NothingToJudgeError:
    return NothingToJudgeError(Problem(slug="review-queue", message=message, fix=fix))


def _done(store: Store, run: Run, wish: QueueWish) -> set[Place]:
    """Return the places that the reviewer has reviewed: as answers, or as pairs."""
    return {
        placed.place
        for placed in store.reviews.of_run(run.run_id)
        if placed.review.reviewer == wish.reviewer
        and not placed.review.is_withdrawn
        and placed.review.subject.is_pair == wish.pairs
    }


class _Queue:
    """What the orders need."""

    def __init__(self, store: Store, columns: ReviewColumns, wish: QueueWish, baseline: Run | None) -> None:
        self._store = store
        self._columns = columns
        self.run = columns.run
        self.wish = wish
        self.baseline = baseline

    @cached_property
    def case_ids(self) -> Mapping[int, str]:
        """Case index -> id of the cases that are asked for."""
        ids = self._store.case_pages(self.run.run_id).ids()
        wanted = self.wish.case_id
        if wanted is not None:
            self._store.get_case(self.run.run_id, wanted)  # says so where there is no such case
        return {index: case_id for case_id, index in ids.items() if wanted in {None, case_id}}

    @property
    def arms(self) -> list[int]:
        """The indexes of the arms that are asked for."""
        return [index for index, arm in enumerate(self.run.arms) if self.wish.arm in {None, arm.name}]

    def places(self) -> Iterator[Place]:
        """Yield where answers can be; some may be missing."""
        for arm in self.arms:
            for case in sorted(self.case_ids):
                for sample in range(self.run.samples_per_case):
                    yield arm, case, sample

    def values(self, metric: RunMetric) -> dict[Place, float | None]:
        """Return place -> value on a metric; None where it could not be scored."""
        found: dict[Place, float | None] = {}
        if not self._is_column_only(metric):
            for arm in self.arms:
                rows = self._store.case_scores(self.run.run_id, metric.name, self.run.arms[arm].name)
                found |= {(arm, case, sample): value for case, sample, value in rows if case in self.case_ids}
        said = self._columns.scores.get(metric.name, {})
        return found | {
            place: score.value for place, score in said.items() if place[0] in self.arms and place[1] in self.case_ids
        }

    def _is_column_only(self, metric: RunMetric) -> bool:
        """Return whether nobody but people scored it, so that the store has nothing under its name."""
        return metric.metric == REVIEW and metric.name in self._columns.scores

    def changed_cases(self) -> set[tuple[int, int]]:
        """Return (arm, case index) of the cases whose answers are not the baseline's."""
        assert self.baseline is not None, "this order looks one up"  # noqa: S101 - tells the type checker
        new, old = (self._store.case_pages(run.run_id) for run in (self.run, self.baseline))
        old_ids = old.ids()
        shared = {case: old_ids[name] for case, name in self.case_ids.items() if name in old_ids}
        is_aligned = all(case == other for case, other in shared.items())
        found: set[tuple[int, int]] = set()
        for arm in self.arms:
            other = baseline_arm(self.run, self.baseline, self.run.arms[arm].name)
            if other is None:
                continue
            place = self.baseline.arms.index(other)
            if is_aligned:  # as in every two runs of one dataset: the database compares, and no text is read
                found |= {(arm, case) for case in new.changed_from(old, arm, place) if case in shared}
                continue
            marks, before = new.answers_by_case(arm), old.answers_by_case(place)
            found |= {(arm, case) for case, own in shared.items() if own in before and marks.get(case) != before[own]}
        return found

    def means_before(self, metric: RunMetric) -> dict[tuple[int, str], float]:
        """Return (arm here, case id) -> the baseline's mean; nothing where it has no such metric."""
        assert self.baseline is not None, "this order looks one up"  # noqa: S101 - tells the type checker
        if metric.name not in {own.name for own in self.baseline.metrics} or metric.metric == REVIEW:
            return {}
        before = self._store.case_pages(self.baseline.run_id)
        names = {index: name for name, index in before.ids().items()}
        found: dict[tuple[int, str], float] = {}
        for arm in self.arms:
            other = baseline_arm(self.run, self.baseline, self.run.arms[arm].name)
            if other is not None:
                means = before.means(metric.name, self.baseline.arms.index(other))
                found |= {(arm, names[case]): mean for case, mean in means.items()}
        return found

    def first_metric(self) -> RunMetric | None:
        """Return the metric that is asked for, else the first that is no review."""
        return self.metric(
            self.wish.metric, next((metric for metric in self.run.metrics if metric.metric != REVIEW), None)
        )

    def metric(self, name: str | None, default: RunMetric | None) -> RunMetric | None:
        """Return the metric that is asked for."""
        if name is None:
            return default
        found = next((metric for metric in self.run.metrics if metric.name == name), None)
        if found is None:
            known = ", ".join(metric.name for metric in self.run.metrics)
            message = f"the run has no metric '{name}'"
            raise UsageError(Problem(slug="metric-not-in-run", message=message, details=(f"it has: {known}",)))
        return found


def _random(queue: _Queue) -> _Order:
    return _Order(_shuffled(queue), lambda _: "")


def _shuffled(queue: _Queue) -> Iterator[Place]:
    """Yield all places at random, one of each case before the second of any."""
    wish = queue.wish
    seed = int(content_hash([queue.run.run_id, wish.reviewer])[:12], 16) if wish.seed is None else wish.seed
    cases = [(arm, case) for arm in queue.arms for case in sorted(queue.case_ids)]
    count = queue.run.samples_per_case
    for turn in range(count):
        order = random.Random(f"{seed} {turn}").sample(cases, len(cases))  # noqa: S311 - an order, no secret
        for arm, case in order:
            own = random.Random(f"{seed} {arm} {case}").sample(range(count), count)  # noqa: S311 - the same
            yield arm, case, own[turn]


def _worst(queue: _Queue) -> _Order:
    metric = queue.first_metric()
    if metric is None:
        raise _nothing("the run has no metric to find the worst answers by", "score it first: retest rescore")
    sign = 1.0 if metric.direction == "higher" else -1.0
    values = queue.values(metric)
    lines = [(math.inf if value is None else sign * value, place) for place, value in values.items()]

    def why(place: Place) -> str:
        value = values[place]
        return f"{metric.name} could not be scored" if value is None else f"{metric.name} {value:.4g}"

    return _Order(_spread(lines), why)


def _disagreements(queue: _Queue) -> _Order:
    judged = next((metric for metric in queue.run.metrics if metric.judging is not None), None)
    judge = queue.metric(queue.wish.metric, judged)
    people = [metric for metric in queue.run.metrics if metric.metric == REVIEW]
    wanted = queue.wish.dimension
    column = next((metric for metric in people if wanted in {None, dimension_of(metric)}), None)
    if judge is None:
        raise _nothing("the run has no judge's scores", "name a metric to hold against people's: --metric NAME")
    if column is None:
        what = f" on '{wanted}'" if wanted else ""
        raise _nothing(f"nobody has reviewed the run's answers{what}", "review some first: retest review queue")
    judgments = queue.values(judge)
    lines: list[_Line] = []
    reasons: dict[Place, str] = {}
    for place, theirs in queue.values(column).items():
        ours = judgments.get(place)
        if ours is None or theirs is None:
            continue
        apart = abs(_share(ours, judge) - _share(theirs, column))
        if apart:
            lines.append((-apart, place))
            reasons[place] = f"{judge.name} {ours:.4g}, people {theirs:.4g}"
    return _Order(_spread(lines), reasons.__getitem__)


def _share(value: float, metric: RunMetric) -> float:
    """Return a value as a share of its scale, 1 the best."""
    low, high = metric.low, metric.high
    share = value if low is None or high is None or high <= low else (value - low) / (high - low)
    return share if metric.direction == "higher" else 1 - share


def _changed(queue: _Queue) -> _Order:
    """Return the answers of cases that changed, those whose scores moved most first."""
    metric = queue.first_metric()
    values = {} if metric is None else queue.values(metric)
    means = {} if metric is None else queue.means_before(metric)
    cases = queue.changed_cases()

    def moved(place: Place) -> tuple[float, float] | None:
        value, mean = values.get(place), means.get((place[0], queue.case_ids[place[1]]))
        return None if value is None or mean is None else (mean, value)

    def why(place: Place) -> str:
        found = moved(place)
        if found is None or metric is None:
            return "the answer changed"
        return f"{metric.name} {found[0]:.4g} before, {found[1]:.4g} now"

    def rank(place: Place) -> float:
        found = moved(place)
        return 0.0 if found is None else -abs(found[1] - found[0])

    return _Order(_spread([(rank(place), place) for place in queue.places() if place[:2] in cases]), why)


_ORDERS: Mapping[str, Callable[[_Queue], _Order]] = {
    "random": _random,
    "worst": _worst,
    "disagreements": _disagreements,
    "changed": _changed,
}


@dataclass(slots=True)
class _NewAnswers:
    """Tells the answers that the baseline gave to the same case as well."""

    store: Store
    before: Run
    wish: QueueWish

    def accepts(self, item: ReviewItem) -> bool:
        """Return whether the newer answer of an item is none of the baseline's."""
        sample, other = item.subject.sample, item.subject.other
        texts = {sample.run_id: (sample, item.answer)}
        if other is not None:
            texts[other.run_id] = (other, item.other_answer or "")
        newer = next((each for run_id, each in texts.items() if run_id != self.before.run_id), (sample, item.answer))
        place, text = newer
        arm = baseline_arm(self.store.get_run(place.run_id), self.before, place.arm)
        return arm is not None and text not in self._given(arm.name, place.case_id)

    def _given(self, arm: str, case_id: str) -> set[str]:
        from retest.domain.sample import Response
        from retest.store.records import SampleFilter

        found = self.store.iter_samples(self.before.run_id, SampleFilter(arm=arm, case_id=case_id))
        return {sample.outcome.output for sample in found if isinstance(sample.outcome, Response)}


def _spread(lines: list[_Line]) -> Iterator[Place]:
    """Yield the places in order, the first of each case before the second of any: repeats say little that is new."""
    waiting = sorted(lines)
    while waiting:
        seen: set[tuple[int, int]] = set()
        rest: list[_Line] = []
        for line in waiting:
            place = line[1]
            if place[:2] in seen:
                rest.append(line)
            else:
                seen.add(place[:2])
                yield place
        waiting = rest
