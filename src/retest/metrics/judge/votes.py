"""Several votes on one answer: one score, what the judges disagree on, and how much a judge wavers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from statistics import fmean, median

from retest.domain.json_value import JsonValue
from retest.domain.judge import Combine
from retest.domain.sample import Score
from retest.metrics.judge.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One verdict of one judge; `number` counts the repeats of that judge."""

    judge: str
    number: int
    value: float
    justification: str
    choice: str | None = None
    details: Mapping[str, JsonValue] = field(default_factory=dict)


def cast(judge: str, number: int, verdict: Verdict) -> Vote | None:
    """Return a verdict as a vote, None where there was nothing to judge."""
    if verdict.value is None:
        return None
    return Vote(
        judge=judge,
        number=number,
        value=verdict.value,
        justification=verdict.justification,
        choice=verdict.choice,
        details=verdict.details,
    )


def score_votes(votes: Sequence[Vote], combine: Combine) -> Score:
    """Return the votes as one score, each of them kept in its details."""
    values = [vote.value for vote in votes]
    value, tied = combine_values(values, combine)
    details: dict[str, JsonValue] = {"votes": [_document(vote) for vote in votes]}
    if len(votes) > 1:
        details["agreement"] = agreement(values)
    if tied:
        details["tie"] = True
    return Score(value=value, reason=_reason(votes, value, tied=tied), details=details)


def combine_values(values: Sequence[float], combine: Combine) -> tuple[float, bool]:
    """Return one value, and whether it stands for a tie.

    A majority is the value with the most votes. Where several have as many, none of them has won: the value is their
    mean, so that two judges who contradict each other neither pass nor fail an answer.
    """
    if combine == "mean":
        return fmean(values), False
    if combine == "median":
        return median(values), False
    counts = Counter(values)
    most = max(counts.values())
    winners = [value for value, count in counts.items() if count == most]
    return fmean(winners), len(winners) > 1


def agreement(values: Sequence[float]) -> float:
    """Return the share of pairs of votes that are equal: 1 where all agree."""
    pairs = list(combinations(values, 2))
    return sum(first == second for first, second in pairs) / len(pairs)


def _document(vote: Vote) -> dict[str, JsonValue]:
    document: dict[str, JsonValue] = {
        "judge": vote.judge,
        "vote": vote.number,
        "value": vote.value,
        "justification": vote.justification,
    }
    if vote.choice is not None:
        document["choice"] = vote.choice
    return {**document, **vote.details}


def _reason(votes: Sequence[Vote], value: float, *, tied: bool) -> str:
    """Return the justification of the vote that is closest to the score."""
    closest = min(votes, key=lambda vote: abs(vote.value - value))
    text = f"{closest.choice}: {closest.justification}" if closest.choice is not None else closest.justification
    if len(votes) == 1:
        return text
    shown = ", ".join(f"{vote.value:g}" for vote in votes)
    return f"{'a tie' if tied else f'{len(votes)} votes'} ({shown}): {text}"
