"""Puts answers in line for review: at random, the worst first, where judge and people disagree, what changed."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from retest.domain.json_value import content_hash
from retest.domain.review_queue import QUEUE_ORDERS, ReviewItem
from retest.domain.run import Run, RunMetric
from retest.domain.sample import MetricFailure, Response, Score
from retest.errors import NothingToJudgeError, Problem, UsageError
from retest.workflows.find_runs import find_run
from retest.workflows.review_columns import REVIEW, ReviewColumns, dimension_of, review_columns
from retest.workflows.review_items import ItemReader, QueueWish

if TYPE_CHECKING:
    from retest.store.database import Store


class _Light(NamedTuple):
    """A sample without its text."""

    arm: int
    case: int
    sample: int
    case_id: str
    mark: int
    scores: Mapping[str, float]
    failed: bool


@dataclass(frozen=True, slots=True)
class _Line:
    """A sample in line: the lower `rank`, the sooner."""

    light: _Light
    rank: tuple[float, ...]
    why: str = ""


def review_queue(store: Store, run: Run, wish: QueueWish) -> list[ReviewItem]:
    """Return what is due for review, the first first.

    Raises:
        UsageError: the run has no such arm, case or metric.
        NothingToJudgeError: there is no baseline, no judge, or no review to hold it against.
    """
    _check(run, wish)
    columns = review_columns(store, run)
    before = _baseline(store, run, wish) if wish.order == "changed" or wish.pairs else None
    lights = _lights(store, columns.run, columns, wish)
    lines = _ORDERS[wish.order](_Queue(store=store, columns=columns, wish=wish, baseline=before), lights)
    reader = ItemReader(store=store, run=run, before=before if wish.pairs else None, wish=wish)
    # What has been reviewed keeps its place in line until here, so that the order of the rest stays as it was.
    done = set() if wish.again else _done(store, run, wish)
    due = (line for line in _spread(lines) if line.light[:3] not in done)
    items = (reader.read(line.light[:3], line.light.case_id, line.why) for line in due)
    return list(islice((item for item in items if item is not None), wish.limit))


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


def _lights(store: Store, run: Run, columns: ReviewColumns, wish: QueueWish) -> list[_Light]:
    """Return what a queue is made from, without any text: a run may be large."""
    from retest.store.records import SampleFilter

    found = []
    for sample in store.iter_samples(run.run_id, SampleFilter(arm=wish.arm, case_id=wish.case_id)):
        if not isinstance(sample.outcome, Response):
            continue
        place = (sample.arm_index, sample.case_index, sample.sample_index)
        scores = {**sample.scores, **columns.of(place)}
        found.append(
            _Light(
                *place,
                sample.case_id,
                hash(sample.outcome.output),
                {name: score.value for name, score in scores.items() if isinstance(score, Score)},
                any(isinstance(score, MetricFailure) for score in scores.values()),
            )
        )
    return found


def _done(store: Store, run: Run, wish: QueueWish) -> set[tuple[int, int, int]]:
    """Return the places that the reviewer has reviewed: as answers, or as pairs."""
    return {
        placed.place
        for placed in store.reviews.of_run(run.run_id)
        if placed.review.reviewer == wish.reviewer
        and not placed.review.is_withdrawn
        and placed.review.subject.is_pair == wish.pairs
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Queue:
    """What the orders need."""

    store: Store
    columns: ReviewColumns
    wish: QueueWish
    baseline: Run | None

    @property
    def run(self) -> Run:
        return self.columns.run

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


def _random(queue: _Queue, lights: Sequence[_Light]) -> Iterator[_Line]:
    wish = queue.wish
    seed = int(content_hash([queue.run.run_id, wish.reviewer])[:12], 16) if wish.seed is None else wish.seed
    rng = random.Random(seed)  # noqa: S311 - an order, no secret
    for light in lights:
        yield _Line(light, (rng.random(),))


def _worst(queue: _Queue, lights: Sequence[_Light]) -> Iterator[_Line]:
    first = next((metric for metric in queue.run.metrics if metric.metric != REVIEW), None)
    metric = queue.metric(queue.wish.metric, first)
    if metric is None:
        raise _nothing("the run has no metric to find the worst answers by", "score it first: retest rescore")
    sign = 1.0 if metric.direction == "higher" else -1.0
    for light in lights:
        value = light.scores.get(metric.name)
        if value is not None:
            yield _Line(light, (0.0, sign * value), f"{metric.name} {value:.4g}")
        elif light.failed:
            yield _Line(light, (1.0,), f"{metric.name} could not be scored")


def _disagreements(queue: _Queue, lights: Sequence[_Light]) -> Iterator[_Line]:
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
    lines = []
    for light in lights:
        if judge.name in light.scores and column.name in light.scores:
            ours = _share(light.scores[judge.name], judge)
            theirs = _share(light.scores[column.name], column)
            why = f"{judge.name} {light.scores[judge.name]:.4g}, people {light.scores[column.name]:.4g}"
            lines.append(_Line(light, (-abs(ours - theirs),), why))
    yield from (line for line in lines if line.rank[0] < 0)


def _share(value: float, metric: RunMetric) -> float:
    """Return a value as a share of its scale, 1 the best."""
    low, high = metric.low, metric.high
    share = value if low is None or high is None or high <= low else (value - low) / (high - low)
    return share if metric.direction == "higher" else 1 - share


def _changed(queue: _Queue, lights: Sequence[_Light]) -> Iterator[_Line]:
    """Yield the answers that the baseline did not give to the same case, those whose scores moved most first."""
    assert queue.baseline is not None, "this order looks one up"  # noqa: S101 - tells the type checker
    before = review_columns(queue.store, queue.baseline)
    marks: dict[tuple[str, str], set[int]] = defaultdict(set)
    values: dict[tuple[str, str], list[float]] = defaultdict(list)
    first = next((metric for metric in queue.run.metrics if metric.metric != REVIEW), None)
    metric = queue.metric(queue.wish.metric, first)
    names = [arm.name for arm in queue.baseline.arms]
    only = names[0] if len(names) == 1 and len(queue.run.arms) == 1 else None
    for light in _lights(queue.store, before.run, before, replace(queue.wish, arm=None, case_id=None)):
        key = (names[light.arm], light.case_id)
        marks[key].add(light.mark)
        if metric is not None and metric.name in light.scores:
            values[key].append(light.scores[metric.name])
    for light in lights:
        key = (only or queue.run.arms[light.arm].name, light.case_id)
        if key not in marks or light.mark in marks[key]:
            continue
        value = None if metric is None else light.scores.get(metric.name)
        if value is None or not values[key] or metric is None:
            yield _Line(light, (0.0,), "the answer changed")
        else:
            mean = fmean(values[key])
            yield _Line(light, (-abs(value - mean),), f"{metric.name} {mean:.4g} before, {value:.4g} now")


_ORDERS: Mapping[str, Callable[[_Queue, Sequence[_Light]], Iterable[_Line]]] = {
    "random": _random,
    "worst": _worst,
    "disagreements": _disagreements,
    "changed": _changed,
}


def _spread(lines: Iterable[_Line]) -> list[_Line]:
    """Return the lines in order, the first of each case before the second of any: repeats say little that is new."""
    ordered = sorted(lines, key=lambda line: (line.rank, line.light[:3]))
    turns: dict[tuple[int, int], int] = defaultdict(int)
    numbered = []
    for line in ordered:
        key = (line.light.arm, line.light.case)
        numbered.append((turns[key], line))
        turns[key] += 1
    return [line for _, line in sorted(numbered, key=lambda pair: pair[0])]
