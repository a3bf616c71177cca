"""From judged pairs to win, tie and loss, to scores that the usual procedure decides on, and to a ranking."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from retest.decision.decide import MetricScores
from retest.domain.pairwise import (
    JudgedPair,
    JudgeUse,
    OrderVerdict,
    PairwiseRank,
    PairwiseRanking,
    PairwiseResult,
    Place,
    Share,
)
from retest.stats.bradley_terry import Duel, Strength, rank_by_duels
from retest.stats.intervals import mean_interval
from retest.stats.judge_bias import position_bias


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedArms:
    """Two arms with all their judged pairs on one metric.

    Attributes:
        unpaired: answers without a counterpart.
        clusters: case id -> source that cases share.
    """

    metric: str
    baseline: str
    candidate: str
    definition: str
    judges: tuple[str, ...]
    pairs: tuple[JudgedPair, ...]
    unpaired: int = 0
    use: JudgeUse = field(default_factory=JudgeUse)
    clusters: Mapping[str, str] | None = None

    def pair_scores(self) -> dict[str, list[float]]:
        """Return case id -> score of each complete pair."""
        found: dict[str, list[float]] = {}
        for pair in self.pairs:
            if (score := pair.score) is not None:
                found.setdefault(pair.case_id, []).append(score)
        return found


def pairwise_scores(
    result: PairwiseResult, *, margin: float | None, cases: Collection[str] | None = None
) -> MetricScores:
    """Return both sides as the usual procedure takes them: one value a case, each side's share of the wins.

    A tie is half a win for both, so the change is the candidate's wins less its losses. Where nothing changed, a case
    is as likely to go one way as the other, which is what the test of the suite assumes; samples are averaged within
    the case first, for what one judge says of one case hangs together.

    Args:
        result: the two arms.
        margin: net share of losses that does not matter, None for none.
        cases: only these; None means all.
    """
    kept = {case_id: score for case_id, score in result.cases.items() if cases is None or case_id in cases}
    return MetricScores(
        metric=result.metric,
        baseline={case_id: [1 - score] for case_id, score in kept.items()},
        candidate={case_id: [score] for case_id, score in kept.items()},
        margin=margin,
        note=None if kept else "; ".join(("no pair of answers was judged", *result.failures[:1])),
    )


def sum_up(judged: JudgedArms) -> PairwiseResult:
    """Return win, tie and loss with intervals over cases, and how often the order decided."""
    scores = judged.pair_scores()
    votes = [vote for pair in judged.pairs for vote in pair.votes]
    position = position_bias(
        [_place(vote.baseline_first) for vote in votes],
        [_place(vote.candidate_first) for vote in votes],
        clusters=[pair.case_id for pair in judged.pairs for _ in pair.votes],
    )
    n_pairs = sum(len(found) for found in scores.values())
    return PairwiseResult(
        metric=judged.metric,
        baseline=judged.baseline,
        candidate=judged.candidate,
        definition=judged.definition,
        judges=judged.judges,
        n_cases=len(scores),
        n_pairs=n_pairs,
        missing=len(judged.pairs) - n_pairs,
        unpaired=judged.unpaired,
        win=_share(judged, {case_id: [score > 0.5 for score in found] for case_id, found in scores.items()}),  # noqa: PLR2004 - more than half of the votes
        tie=_share(judged, {case_id: [score == 0.5 for score in found] for case_id, found in scores.items()}),  # noqa: PLR2004 - half of them
        loss=_share(judged, {case_id: [score < 0.5 for score in found] for case_id, found in scores.items()}),  # noqa: PLR2004 - less than half
        flip_rate=Share(value=position.flip_rate.value, low=position.flip_rate.low, high=position.flip_rate.high),
        first_share=Share(
            value=position.first_share.value, low=position.first_share.low, high=position.first_share.high
        ),
        position_p=position.p,
        same=sum(pair.same for pair in judged.pairs),
        cases={case_id: sum(found) / len(found) for case_id, found in scores.items()},
        failures=_failures(judged),
        use=judged.use,
    )


def _place(verdict: OrderVerdict | None) -> Place | None:
    return None if verdict is None else verdict.place


def _failures(judged: JudgedArms) -> tuple[str, ...]:
    reasons = [vote.failure for pair in judged.pairs for vote in pair.votes if vote.failure is not None]
    return tuple(dict.fromkeys(reasons))


def _share(judged: JudgedArms, outcomes: Mapping[str, Sequence[bool]]) -> Share:
    means = [sum(found) / len(found) for found in outcomes.values()]
    clusters: list[Hashable] | None = None
    if judged.clusters is not None:
        clusters = [judged.clusters.get(case_id, ("case", case_id)) for case_id in outcomes]
    found = mean_interval(means, clusters=clusters)
    return Share(value=found.mean, low=found.low, high=found.high)


def rank_arms(metric: str, group: str, results: Sequence[PairwiseResult], *, seed: int) -> PairwiseRanking:
    """Return a Bradley-Terry ranking of all versions that were judged against one another.

    Args:
        metric: name of the pairwise metric.
        group: what the versions have in common, such as the target.
        results: each pair of versions; a case counts once in each.
        seed: of the intervals.
    """
    duels = [
        Duel(case=case_id, first=arms.candidate, second=arms.baseline, share=score)
        for arms in results
        for case_id, score in arms.cases.items()
    ]
    found = rank_by_duels(duels, seed=seed)
    return PairwiseRanking(
        metric=metric,
        group=group,
        n_cases=found.n_cases,
        n_pairs=sum(arms.n_pairs for arms in results),
        connected=found.connected,
        versions=tuple(_rank(one) for one in found.strengths),
    )


def _rank(one: Strength) -> PairwiseRank:
    return PairwiseRank(
        rank=one.rank,
        best_rank=one.best_rank,
        worst_rank=one.worst_rank,
        version=one.version,
        win_rate=one.win_rate,
        low=one.win_low,
        high=one.win_high,
        strength=one.strength,
        strength_low=one.low,
        strength_high=one.high,
        wins=one.wins,
        ties=one.ties,
        losses=one.losses,
        open_ended=one.never_loses or one.never_wins,
    )
