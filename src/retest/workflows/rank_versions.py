"""Puts three or more versions in order: pairwise verdicts decide what is better, means only the order to ask in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

from retest.decision.pairwise import rank_arms
from retest.domain.comparison import ArmComparison, MetricComparison, RunComparison
from retest.domain.json_value import content_hash
from retest.domain.pairwise import PairwiseRanking, PairwiseResult
from retest.domain.ranking import RankedVersion, Ranking
from retest.domain.summary import MetricSummary
from retest.workflows.compare_revisions import Contender, compare_pair

if TYPE_CHECKING:
    from retest.store.database import Store  # loads SQLAlchemy


def rank_versions(
    store: Store, contenders: Sequence[Contender], comparisons: Sequence[RunComparison]
) -> tuple[Ranking, ...]:
    """Return one table for each arm and metric that every version has.

    Args:
        store: with the runs of all versions.
        contenders: the versions, the one to compare with first.
        comparisons: of each other version with the first.
    """
    return tuple(_Ranker(store, contenders, comparisons).rankings())


def rank_pairs(
    store: Store, contenders: Sequence[Contender], comparisons: Sequence[RunComparison]
) -> tuple[PairwiseRanking, ...]:
    """Return a Bradley-Terry ranking for each arm and pairwise metric; every two versions are judged.

    Args:
        store: with the runs of all versions.
        contenders: the versions, the one to compare with first.
        comparisons: of each other version with the first.
    """
    return tuple(_Ranker(store, contenders, comparisons).pairwise())


class _Ranker:
    def __init__(self, store: Store, contenders: Sequence[Contender], comparisons: Sequence[RunComparison]) -> None:
        self._store = store
        self._contenders = contenders
        self._pairs = {(0, index + 1): comparison for index, comparison in enumerate(comparisons)}

    def rankings(self) -> Iterator[Ranking]:
        others = range(1, len(self._contenders))
        for arm in self._pairs[0, 1].arms:
            for metric in _plain_metrics(arm):
                found = [self._metric(0, index, arm.baseline, metric.metric) for index in others]
                if metric.baseline_mean is not None and all(item is not None for item in found):
                    yield self._ranking(arm, metric)

    def pairwise(self) -> Iterator[PairwiseRanking]:
        for arm in self._pairs[0, 1].arms:
            for name in [result.metric for result in arm.pairwise]:
                results = [
                    result
                    for first, second in combinations(range(len(self._contenders)), 2)
                    if (result := self._pair_result(first, second, arm.baseline, name)) is not None
                ]
                seed = int(content_hash([name, arm.baseline, *(each.label for each in self._contenders)])[:8], 16)
                yield rank_arms(name, arm.baseline, results, seed=seed)

    def _pair_result(self, first: int, second: int, arm: str, metric: str) -> PairwiseResult | None:
        compared = self._compared(first, second, arm)
        found = None if compared is None else next((each for each in compared.pairwise if each.metric == metric), None)
        if found is None:
            return None
        return replace(found, baseline=self._contenders[first].label, candidate=self._contenders[second].label)

    def _ranking(self, arm: ArmComparison, metric: MetricComparison) -> Ranking:
        sign = -1.0 if metric.direction == "lower" else 1.0
        means = [self._summary(index, arm.baseline, metric.metric) for index in range(len(self._contenders))]
        order = sorted(range(len(means)), key=lambda index: (-_known(means[index], sign), index))
        ranks = self._ranks(order, arm.baseline, metric.metric)
        rows = [self._row(index, ranks[index], means[index], arm.baseline, metric.metric) for index in order]
        return Ranking(
            arm=arm.baseline,
            metric=metric.metric,
            baseline=self._contenders[0].label,
            direction=metric.direction,
            versions=tuple(rows),
            range_low=metric.range_low,
            range_high=metric.range_high,
            scale=metric.scale,
        )

    def _ranks(self, order: Sequence[int], arm: str, metric: str) -> dict[int, int]:
        """Give a version the rank of its group's best, unless it is shown to be worse than that one."""
        ranks: dict[int, int] = {}
        best = order[0]
        for place, index in enumerate(order, start=1):
            compared = None if index == best else self._metric(best, index, arm, metric)
            if compared is not None and compared.verdict == "regressed":
                best = index
                ranks[index] = place
            else:
                ranks[index] = ranks.get(best, 1)
        return ranks

    def _row(self, index: int, rank: int, mean: MetricSummary | None, arm: str, metric: str) -> RankedVersion:
        against = None if index == 0 else self._metric(0, index, arm, metric)
        return RankedVersion(
            rank=rank,
            label=self._contenders[index].label,
            mean=None if mean is None else mean.mean,
            low=None if mean is None else mean.low,
            high=None if mean is None else mean.high,
            delta=None if against is None else against.delta,
            verdict=None if against is None else against.verdict,
        )

    def _metric(self, first: int, second: int, arm: str, metric: str) -> MetricComparison | None:
        """Return one metric of two versions; `arm` is the name that the first version of all gives it."""
        compared = self._compared(first, second, arm)
        return None if compared is None else next((each for each in compared.metrics if each.metric == metric), None)

    def _compared(self, first: int, second: int, arm: str) -> ArmComparison | None:
        if (first, second) not in self._pairs:
            self._pairs[first, second] = compare_pair(self._store, self._contenders[first], self._contenders[second])
        wanted = self._arm_name(first, arm)
        return next((each for each in self._pairs[first, second].arms if each.baseline == wanted), None)

    def _arm_name(self, index: int, arm: str) -> str:
        """Return what version `index` calls an arm of the first version."""
        if index == 0:
            return arm
        return next((each.candidate for each in self._pairs[0, index].arms if each.baseline == arm), arm)

    def _summary(self, index: int, arm: str, metric: str) -> MetricSummary | None:
        summary = self._contenders[index].outcome.summary
        name = self._arm_name(index, arm)
        arms = [] if summary is None else [each for each in summary.arms if each.name == name]
        return next((each for found in arms for each in found.metrics if each.name == metric), None)


def _plain_metrics(arm: ArmComparison) -> list[MetricComparison]:
    """Return the metrics that have a mean of their own: pairwise ones are ranked by their duels."""
    duels = {result.metric for result in arm.pairwise}
    return [metric for metric in arm.metrics if metric.metric not in duels]


def _known(summary: MetricSummary | None, sign: float) -> float:
    return -math.inf if summary is None or summary.mean is None else sign * summary.mean
