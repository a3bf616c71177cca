"""What repeated judgments of a run say of its judges: how far they agree, and how much of the spread is theirs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from retest.domain.run import RunMetric
from retest.domain.summary import JudgeSpread
from retest.runner.table import MetricCells

_ROUNDING = 1e-9


def judge_spread(metric: RunMetric, cells: MetricCells, samples: int) -> JudgeSpread | None:
    """Return what votes say of the judges, None where no answer has several.

    Args:
        metric: as its run keeps it.
        cells: its scores and votes on one arm.
        samples: per case.
    """
    if not cells.votes:
        return None
    from retest.stats.variance_split import split_variance  # what metrics without votes do without

    n_votes = max(len(votes) for votes in cells.votes.values())
    table = np.array([votes for votes in cells.votes.values() if len(votes) == n_votes])
    levels = _levels(metric, table)
    own = np.array([levels.get(judge, 0.0) for judge in _judge_of_vote(metric, n_votes)])
    cases: dict[int, list[Sequence[float]]] = {}
    for place, votes in cells.votes.items():
        if len(votes) == n_votes:
            cases.setdefault(place // samples, []).append((np.array(votes) - own).tolist())
    split = split_variance(list(cases.values()))
    return JudgeSpread(
        votes=n_votes,
        agreement=float(np.mean([_agreement(row) for row in table.tolist()])),
        judge_sd=_clean(split.judge_sd.value),
        judge_low=_clean(split.judge_sd.low),
        judge_high=_clean(split.judge_sd.high),
        sample_sd=_clean(split.sample_sd.value),
        case_sd=_clean(split.case_sd.value),
        levels=levels if len(levels) > 1 else {},
    )


def _clean(sd: float | None) -> float | None:
    """Return a standard deviation without the rounding of its sums."""
    return 0.0 if sd is not None and sd < _ROUNDING else sd


def _judge_of_vote(metric: RunMetric, n_votes: int) -> list[str]:
    """Return whose vote each is: judge by judge, each as often as it was asked."""
    listed = metric.judging.get("judges") if metric.judging is not None else None
    names = (
        [str(judge["name"]) for judge in listed if isinstance(judge, Mapping)]
        if isinstance(listed, list | tuple)
        else []
    )
    if not names or n_votes % len(names):
        return [""] * n_votes
    return [name for name in names for _ in range(n_votes // len(names))]


def _levels(metric: RunMetric, table: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> dict[str, float]:
    """Return how far each judge's votes lie from the mean of all: a jury's members are no draws of one judge."""
    judges = _judge_of_vote(metric, table.shape[1])
    means = table.mean(axis=0)
    middle = float(means.mean())
    return {
        name: float(np.mean([means[i] for i, judge in enumerate(judges) if judge == name])) - middle
        for name in dict.fromkeys(judges)
    }


def _agreement(votes: Sequence[float]) -> float:
    counts = Counter(votes).values()
    return sum(count * (count - 1) for count in counts) / (len(votes) * (len(votes) - 1))
