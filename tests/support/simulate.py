"""Simulated suites: pass probabilities as real suites have them, and the ways in which a new version changes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from retest.stats.case_labels import label_cases
from retest.stats.pairs import PairedScores, paired_scores
from retest.stats.sequential import LookDecision, SequentialGate
from retest.stats.suite_test import relabelling_test, sign_flip_test
from retest.stats.tails import Tails

Floats: TypeAlias = NDArray[np.float64]
Suite: TypeAlias = Callable[[np.random.Generator, int], Floats]
Change: TypeAlias = Callable[[np.random.Generator, Floats], Floats]
Draw: TypeAlias = Callable[[np.random.Generator], PairedScores]


def mixed(rng: np.random.Generator, n_cases: int) -> Floats:
    """Return pass probabilities of a suite of mixed difficulty, many near 0 and 1 (U in the design)."""
    return np.clip(rng.beta(0.5, 0.3, n_cases), 1e-9, 1 - 1e-9)


def high(rng: np.random.Generator, n_cases: int) -> Floats:
    """Return pass probabilities of a suite that nearly always passes."""
    return np.clip(rng.beta(4, 0.3, n_cases), 1e-9, 1 - 1e-9)


def steady(rng: np.random.Generator, n_cases: int) -> Floats:
    """Return pass probabilities of a suite whose cases all pass all but always."""
    return np.clip(rng.beta(200, 1, n_cases), 1e-9, 1 - 1e-9)


def unchanged(rng: np.random.Generator, chances: Floats) -> Floats:
    """Return the same pass probabilities."""
    return chances


def shifted(points: float) -> Change:
    """Return a change that moves the mean by so many points, with the same logit shift for all cases."""

    def change(rng: np.random.Generator, chances: Floats) -> Floats:
        low, up = -20.0, 20.0
        for _ in range(60):
            middle = (low + up) / 2
            moved = float(expit(logit(chances) + middle).mean() - chances.mean()) * 100
            low, up = (middle, up) if moved < points else (low, middle)
        return np.asarray(expit(logit(chances) + low))

    return change


def reworded(rng: np.random.Generator, chances: Floats) -> Floats:
    """Return pass probabilities after logit effects of sd 1.5 on single cases that leave the mean where it was."""
    effects = rng.normal(0, 1.5, len(chances))
    low, up = -5.0, 5.0
    for _ in range(60):
        middle = (low + up) / 2
        moved = expit(logit(chances) + effects + middle).mean() - chances.mean()
        low, up = (middle, up) if moved < 0 else (low, middle)
    return np.asarray(expit(logit(chances) + effects + low))


def breaking(rng: np.random.Generator, chances: Floats) -> Floats:
    """Return pass probabilities of which each falls to .02 with a chance of one in ten."""
    return np.where(rng.random(len(chances)) < 0.1, 0.02, chances)


def binary(suite: Suite, n_cases: int, sizes: tuple[int, int], change: Change = unchanged) -> Draw:
    """Return a draw of pass or fail scores with these numbers of samples."""

    def draw(rng: np.random.Generator) -> PairedScores:
        chances = suite(rng, n_cases)
        first = rng.random((n_cases, sizes[0])) < chances[:, None]
        second = rng.random((n_cases, sizes[1])) < change(rng, chances)[:, None]
        return paired_scores(first.astype(np.float64), second.astype(np.float64))

    return draw


def cached_copies(suite: Suite, n_cases: int, copies: int) -> Draw:
    """Return a draw where every case has one answer per run, copied."""

    def draw(rng: np.random.Generator) -> PairedScores:
        chances = suite(rng, n_cases)[:, None]
        first, second = ((rng.random((n_cases, 1)) < chances).astype(np.float64) for _ in range(2))
        return paired_scores(np.repeat(first, copies, axis=1), np.repeat(second, copies, axis=1))

    return draw


def lognormal(n_cases: int, sizes: tuple[int, int]) -> Draw:
    """Return a draw of skewed positive scores, such as latencies."""

    def draw(rng: np.random.Generator) -> PairedScores:
        level = rng.normal(0, 1, (n_cases, 1))
        first, second = (np.exp(level + rng.normal(0, 1, (n_cases, size))) for size in sizes)
        return paired_scores(first, second)

    return draw


def alarm_rates(draw: Draw, replicates: int, *, alpha: float = 0.05) -> Mapping[str, float]:
    """Return how often the suite's test says worse, and better."""
    tails = [relabelling_test(draw(np.random.default_rng(seed)), seed=seed) for seed in range(replicates)]
    return _rates(tails, alpha)


def clustered_alarm_rates(replicates: int, *, declared: bool) -> Mapping[str, float]:
    """Return alarm rates for 20 clusters of 10 cases that are shocked together, anew in each run (sd .8 on logits)."""
    cluster = np.repeat(np.arange(20), 10)
    tails = []
    for seed in range(replicates):
        rng = np.random.default_rng(seed)
        level = logit(mixed(rng, 200))
        first, second = (
            (rng.random((200, 3)) < expit(level + rng.normal(0, 0.8, 20)[cluster])[:, None]).astype(np.float64)
            for _ in range(2)
        )
        pairs = paired_scores(first, second)
        tails.append(sign_flip_test(pairs, cluster, seed=seed) if declared else relabelling_test(pairs, seed=seed))
    return _rates(tails, 0.05)


def _rates(tails: list[Tails], alpha: float) -> Mapping[str, float]:
    return {
        "worse": sum(tail.low <= alpha for tail in tails) / len(tails),
        "better": sum(tail.high <= alpha for tail in tails) / len(tails),
    }


@lru_cache(maxsize=16)
def sequential_rates(points: float, replicates: int) -> Mapping[str, float]:
    """Return how often a sequential gate (N = 100, ka = 10, k = 3, margin .10) fails and passes, and calls used."""
    decisions = [_run_sequential(points, seed) for seed in range(replicates)]
    return {
        "fail": sum(decision.outcome == "fail" for decision in decisions) / replicates,
        "pass": sum(decision.outcome == "pass" for decision in decisions) / replicates,
        "calls": sum(decision.calls / decision.calls_planned for decision in decisions) / replicates,
    }


def _run_sequential(points: float, seed: int) -> LookDecision:
    rng = np.random.default_rng(seed)
    chances = mixed(rng, 100)
    changed = shifted(points)(rng, chances) if points else chances
    baseline = (rng.random((100, 10)) < chances[:, None]).astype(np.float64)
    candidate = (rng.random((100, 3)) < changed[:, None]).astype(np.float64)
    gate = SequentialGate(100, 10, 3, ["passes"], 0.10, alpha=0.05, seed=seed)
    look = 0
    while not (decision := gate.step(look, {"passes": baseline}, {"passes": candidate})).stops:
        look += 1
    return decision


@lru_cache(maxsize=16)
def label_rates(n_broken: int, replicates: int) -> Mapping[str, float]:
    """Return false share, found share and flags per run of the case labels at 5 + 5 samples, 100 cases.

    Cases that mostly passed are broken: nobody can see a case break that never passed.
    """
    false = found = flagged = 0
    for seed in range(replicates):
        rng = np.random.default_rng(seed)
        chances = mixed(rng, 100)
        broken = rng.choice(np.flatnonzero(chances > 0.5), n_broken, replace=False)
        changed = chances.copy()
        changed[broken] = 0.02
        labels = label_cases(rng.binomial(5, chances), [5] * 100, rng.binomial(5, changed), [5] * 100).labels
        named = {case for case, label in enumerate(labels) if label.startswith("newly")}
        right = {case for case in named & set(broken.tolist()) if labels[case] == "newly_failing"}
        flagged, found, false = flagged + len(named), found + len(right), false + len(named - right)
    return {
        "false": false / max(1, flagged),
        "found": found / max(1, n_broken * replicates),
        "flags": flagged / replicates,
    }
