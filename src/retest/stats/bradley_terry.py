"""Ranks versions from pairwise wins: Bradley & Terry 1952, ties as half a win each, a weak prior, intervals by case.

Strengths are log-odds that sum to 0: a version of strength a beats one of strength b with probability
1 / (1 + exp(b - a)). A version that never loses has no finite maximum-likelihood strength, so every version also plays
one imaginary drawn game against a version of average strength; the estimate is the mode of that posterior, found by
Newton's method (the objective is strictly concave). Intervals resample cases, for the comparisons of one case hang
together; before the lower (upper) end of a version's interval is taken, one imaginary case joins in which it loses to
(wins over) all it met, so that twenty wins out of twenty do not claim to be certain.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from retest.stats.intervals import Floats
from retest.stats.resampling import resample_weights

_PRIOR_GAMES = 1.0
_STEPS = 50
_CLOSE = 1e-10
_LEAST_CASES = 3
_SAME = 1e-9
_TAIL = 0.025


@dataclass(frozen=True, slots=True, kw_only=True)
class Duel:
    """What one case says of two versions: `share` is the first's part of the wins, 1 all, .5 a tie, 0 none."""

    case: Hashable
    first: str
    second: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Strength:
    """One version in the ranking.

    Attributes:
        version: its name.
        strength: log-odds against a version of average strength, with `low` and `high` of the 95% interval. None below
            3 cases; `high` also where it never loses, `low` where it never wins: there is no telling how far it goes.
        win_rate: expected share of wins, averaged over the other versions; `win_low`, `win_high` likewise.
        rank: from 1, by strength; `best_rank` to `worst_rank` hold 95% of the resamples.
        wins, ties, losses: duels; a duel that several samples share is won by who won more of them.
        never_loses, never_wins: it won (lost) all of every duel.
    """

    version: str
    strength: float
    low: float | None
    high: float | None
    win_rate: float
    win_low: float | None
    win_high: float | None
    rank: int
    best_rank: int
    worst_rank: int
    wins: int
    ties: int
    losses: int
    never_loses: bool
    never_wins: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PairwiseRanking:
    """All versions, the strongest first.

    Attributes:
        connected: whether chains of comparisons join all versions; where they do not, the order between groups that
            never met says nothing.
        n_cases, n_duels: what it stands on.
    """

    strengths: tuple[Strength, ...]
    connected: bool
    n_cases: int
    n_duels: int


def rank_by_duels(duels: Sequence[Duel], *, seed: int = 0) -> PairwiseRanking:
    """Return the versions ranked by Bradley-Terry strength.

    Args:
        duels: one for each case and pair of versions that was judged; missing judgments are left out.
        seed: of the intervals.

    Raises:
        ValueError: a share outside 0 to 1, or a version against itself.
    """
    for duel in duels:
        if not 0 <= duel.share <= 1 or duel.first == duel.second:
            raise ValueError(f"a duel is between two versions, its share between 0 and 1: {duel}")
    versions = sorted({name for duel in duels for name in (duel.first, duel.second)})
    if not versions:
        return PairwiseRanking(strengths=(), connected=True, n_cases=0, n_duels=0)
    wins = _wins_by_case(duels, versions)
    fitted = _fit(wins.sum(axis=0)[None])[0]
    strengths = [_strength(i, versions, fitted, _resample(wins, i, seed), duels) for i in range(len(versions))]
    return PairwiseRanking(
        strengths=tuple(sorted(strengths, key=lambda one: (one.rank, one.version))),
        connected=_is_connected(wins.sum(axis=0)),
        n_cases=len(wins),
        n_duels=len(duels),
    )


def _wins_by_case(duels: Sequence[Duel], versions: Sequence[str]) -> Floats:
    """Return cases x versions x versions: how much of a duel the row's version won over the column's."""
    place = {name: i for i, name in enumerate(versions)}
    cases = {case: i for i, case in enumerate(dict.fromkeys(duel.case for duel in duels))}
    wins = np.zeros((len(cases), len(versions), len(versions)))
    for duel in duels:
        case, one, two = cases[duel.case], place[duel.first], place[duel.second]
        wins[case, one, two] += duel.share
        wins[case, two, one] += 1 - duel.share
    return wins


def _fit(wins: Floats) -> Floats:
    """Return the strengths for each table of wins, draws x versions, by Newton's method with halved steps."""
    games = wins + wins.transpose(0, 2, 1)
    won = wins.sum(axis=2) + _PRIOR_GAMES / 2
    strengths = np.zeros(won.shape)
    value = _objective(strengths, won, games)
    for _ in range(_STEPS):
        slope, curve = _derivatives(strengths, won, games)
        step = np.linalg.solve(curve, slope[..., None])[..., 0]
        size = np.ones(len(wins))
        for _ in range(_STEPS):
            tried = strengths + size[:, None] * step
            better = _objective(tried, won, games)
            worse = better < value - _CLOSE
            if not worse.any():
                break
            size = np.where(worse, size / 2, size)
        strengths, value = tried, better
        if np.abs(step).max() < _CLOSE:
            break
    found: Floats = strengths - strengths.mean(axis=1, keepdims=True)
    return found


def _objective(strengths: Floats, won: Floats, games: Floats) -> Floats:
    apart = strengths[:, :, None] - strengths[:, None, :]
    likelihood = (won * strengths).sum(axis=1)
    # log(exp(a) + exp(b)) for each pair once, and log(1 + exp(a)) for the imaginary games
    pairs = (games * (np.logaddexp(0, apart) + strengths[:, None, :])).sum(axis=(1, 2)) / 2
    result: Floats = likelihood - pairs - _PRIOR_GAMES * np.logaddexp(0, strengths).sum(axis=1)
    return result


def _derivatives(strengths: Floats, won: Floats, games: Floats) -> tuple[Floats, Floats]:
    chance = _logistic(strengths[:, :, None] - strengths[:, None, :])
    against_average = _logistic(strengths)
    slope = won - (games * chance).sum(axis=2) - _PRIOR_GAMES * against_average
    weight = games * chance * (1 - chance)
    own = weight.sum(axis=2) + _PRIOR_GAMES * against_average * (1 - against_average)
    return slope, np.eye(strengths.shape[1]) * own[:, :, None] - weight


def _logistic(values: Floats) -> Floats:
    return np.exp(-np.logaddexp(0, -values))


def _resample(wins: Floats, index: int, seed: int) -> tuple[Floats, Floats] | None:
    """Return the strengths in resampled cases, once with a case that the version loses, once with one that it wins."""
    if len(wins) < _LEAST_CASES:
        return None
    met = (wins + wins.transpose(0, 2, 1)).sum(axis=0)[index] > 0
    lost, won = np.zeros((2, *wins.shape[1:]))
    lost[met, index] = won[index, met] = 1.0
    return _resampled_fit(np.concatenate([wins, lost[None]]), seed), _resampled_fit(
        np.concatenate([wins, won[None]]), seed
    )


def _resampled_fit(wins: Floats, seed: int) -> Floats:
    # Weights of cases times their tables of wins: one product gives the tables of a whole block of draws.
    flat = wins.reshape(len(wins), -1)
    blocks = [_fit((weights @ flat).reshape(-1, *wins.shape[1:])) for weights in resample_weights(len(wins), seed=seed)]
    return np.concatenate(blocks)


def _strength(
    index: int, versions: Sequence[str], fitted: Floats, drawn: tuple[Floats, Floats] | None, duels: Sequence[Duel]
) -> Strength:
    own = [
        duel.share if duel.first == versions[index] else 1 - duel.share
        for duel in duels
        if versions[index] in {duel.first, duel.second}
    ]
    rank = int((fitted > fitted[index] + _SAME).sum()) + 1
    known = Strength(
        version=versions[index],
        strength=float(fitted[index]),
        low=None,
        high=None,
        win_rate=float(_win_rates(fitted[None])[0, index]),
        win_low=None,
        win_high=None,
        rank=rank,
        best_rank=1,
        worst_rank=len(versions),
        wins=sum(share > 0.5 for share in own),  # noqa: PLR2004 - more than half of the duel
        ties=sum(share == 0.5 for share in own),  # noqa: PLR2004 - half of it
        losses=sum(share < 0.5 for share in own),  # noqa: PLR2004 - less than half
        never_loses=all(share == 1 for share in own),
        never_wins=all(share == 0 for share in own),
    )
    return known if drawn is None else _with_interval(known, index, *drawn)


def _with_interval(known: Strength, index: int, below: Floats, above: Floats) -> Strength:
    return replace(
        known,
        low=None if known.never_wins else min(known.strength, _quantile(below[:, index], _TAIL)),
        high=None if known.never_loses else max(known.strength, _quantile(above[:, index], 1 - _TAIL)),
        win_low=0.0 if known.never_wins else min(known.win_rate, _quantile(_win_rates(below)[:, index], _TAIL)),
        win_high=1.0 if known.never_loses else max(known.win_rate, _quantile(_win_rates(above)[:, index], 1 - _TAIL)),
        best_rank=min(known.rank, int(_quantile(_ranks(above, index), _TAIL))),
        worst_rank=max(known.rank, math.ceil(_quantile(_ranks(below, index), 1 - _TAIL))),
    )


def _win_rates(strengths: Floats) -> Floats:
    """Return each version's expected share of wins against the others, averaged over them."""
    chance = _logistic(strengths[:, :, None] - strengths[:, None, :])
    rates: Floats = (chance.sum(axis=2) - 0.5) / max(1, strengths.shape[1] - 1)
    return rates


def _ranks(strengths: Floats, index: int) -> Floats:
    found: Floats = (strengths > strengths[:, [index]] + _SAME).sum(axis=1) + 1.0
    return found


def _quantile(values: Floats, level: float) -> float:
    return float(np.quantile(values, level))


def _is_connected(wins: Floats) -> bool:
    met = (wins + wins.T) > 0
    reached = np.zeros(len(met), dtype=bool)
    reached[0] = True
    for _ in range(len(met)):
        reached = reached | met[reached].any(axis=0)
    return bool(reached.all())
