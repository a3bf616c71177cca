"""What comes of asking a judge which of two answers is better, in both orders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Place = Literal["first", "second", "tie"]
PAIRWISE = "judge_pairwise"
"""The registered name of the metric that compares two answers."""

_WORTH = {"first": 1.0, "second": 0.0, "tie": 0.5}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderVerdict:
    """What one judge said of a pair shown in one order: the place that won, and why."""

    place: Place
    justification: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairVote:
    """One judge's vote on one pair of answers, asked in both orders; None where the judge failed in that order.

    Attributes:
        baseline_first: shown the baseline's answer first.
        candidate_first: shown the candidate's answer first.
        failure: why a verdict is missing.
    """

    judge: str
    vote: int
    baseline_first: OrderVerdict | None
    candidate_first: OrderVerdict | None
    failure: str | None = None

    @property
    def score(self) -> float | None:
        """Return 1 where the candidate wins in both orders, 0 where the baseline does, else .5: a flip is a tie.

        None where a verdict is missing: an error is no tie.
        """
        if self.baseline_first is None or self.candidate_first is None:
            return None
        one, two = 1 - _WORTH[self.baseline_first.place], _WORTH[self.candidate_first.place]
        return one if one == two else 0.5

    @property
    def is_flip(self) -> bool | None:
        """Return whether the two orders name different winners; None where one is missing."""
        if self.baseline_first is None or self.candidate_first is None:
            return None
        return _WORTH[self.baseline_first.place] != 1 - _WORTH[self.candidate_first.place]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedPair:
    """One answer of each side to one case, with all votes on them; the answers have the same `sample_index`.

    `same` where both sides have one and the same answer, paid for once: a tie, and nobody is asked.
    """

    case_id: str
    sample_index: int
    votes: tuple[PairVote, ...] = ()
    same: bool = False

    @property
    def score(self) -> float | None:
        """Return the mean over the votes that are complete, None where none is."""
        if self.same:
            return 0.5
        known = [score for vote in self.votes if (score := vote.score) is not None]
        return sum(known) / len(known) if known else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A share with its two-sided 95% interval over cases; None is what the data cannot say."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeUse:
    """What the judging took: calls made now, judgments already paid for, tokens, cost (None where unknown)."""

    calls: int = 0
    ledger_hits: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PairwiseResult:
    """Two arms on one pairwise metric; the verdict stands with the other metrics' of the comparison.

    Attributes:
        definition, judges: labels of what was asked and who was.
        n_cases: with at least one complete pair; `n_pairs` complete pairs.
        missing: pairs without a verdict in both orders; `failures` says why, each reason once.
        unpaired: answers without a counterpart of the same sample index.
        same: pairs that are one and the same answer on both sides (nothing that is sent changed): ties, not asked.
        win, tie, loss: of the candidate; shares of pairs, averaged within a case first.
        flip_rate: share of votes whose two orders differ (each counted as a tie).
        first_share: share of judgments won by the answer shown first, a tie counting half.
        position_p: that flips favour neither place (exact sign test).
        cases: case id -> mean over its complete pairs: 1 where the candidate won all, .5 a tie, 0 none.
    """

    metric: str
    baseline: str
    candidate: str
    definition: str
    judges: tuple[str, ...]
    n_cases: int
    n_pairs: int
    missing: int
    unpaired: int
    win: Share
    tie: Share
    loss: Share
    flip_rate: Share
    first_share: Share
    position_p: float
    cases: Mapping[str, float] = field(default_factory=dict)
    same: int = 0
    failures: tuple[str, ...] = ()
    use: JudgeUse = field(default_factory=JudgeUse)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairwiseRank:
    """One version in a Bradley-Terry ranking; see `retest.stats.bradley_terry.Strength` for the fields."""

    rank: int
    best_rank: int
    worst_rank: int
    version: str
    win_rate: float
    low: float | None
    high: float | None
    strength: float
    strength_low: float | None
    strength_high: float | None
    wins: int
    ties: int
    losses: int
    open_ended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PairwiseRanking:
    """More than two versions on one pairwise metric, the strongest first.

    `connected` is false where no chain of comparisons joins them all: then the order between groups says nothing.
    """

    metric: str
    group: str
    n_cases: int
    n_pairs: int
    connected: bool
    versions: tuple[PairwiseRank, ...]
