"""A sequential gate keeps its error rate where both sides grow, and where cases share clusters."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from scipy.special import expit, logit

from retest.stats.sequential import SequentialGate
from support.simulate import mixed, shifted

_FAST, _FULL = 120, 1000


def _decide(gate: SequentialGate, baseline: object, candidate: object) -> tuple[str, float]:
    look = 0
    while not (decision := gate.step(look, [baseline], [candidate])).stops:  # type: ignore[list-item] # arrays of scores
        look += 1
    return decision.outcome, decision.calls / decision.calls_planned


@lru_cache(maxsize=8)
def _growing(points: float, replicates: int) -> tuple[float, float]:
    """Return how often two new runs of 100 x 5 fail the gate, and the share of the calls that they took."""
    found = []
    for seed in range(replicates):
        rng = np.random.default_rng(seed)
        chances = mixed(rng, 100)
        changed = shifted(points)(rng, chances) if points else chances
        first, second = ((rng.random((100, 5)) < p[:, None]).astype(np.float64) for p in (chances, changed))
        gate = SequentialGate(100, 5, 5, 1, 0.1, seed=seed, growing_baseline=True)
        found.append(_decide(gate, first, second))
    return sum(outcome == "fail" for outcome, _ in found) / replicates, sum(calls for _, calls in found) / replicates


@lru_cache(maxsize=8)
def _clustered(replicates: int, *, declared: bool) -> float:
    """Return how often unchanged clusters, shocked together anew in each run (sd .8 on logits), fail the gate."""
    cluster, fails = np.repeat(np.arange(20), 10), 0
    for seed in range(replicates):
        rng = np.random.default_rng(seed)
        level = logit(mixed(rng, 200))
        first, second = (
            (rng.random((200, 3)) < expit(level + rng.normal(0, 0.8, 20)[cluster])[:, None]).astype(np.float64)
            for _ in range(2)
        )
        clusters = cluster.tolist() if declared else None
        gate = SequentialGate(200, 3, 3, 1, None, seed=seed, clusters=clusters)
        fails += _decide(gate, first, second)[0] == "fail"
    return fails / replicates


_REPLICATES = pytest.mark.parametrize(
    "replicates", [_FAST, pytest.param(_FULL, marks=pytest.mark.statistics_full)], ids=["few", "all"]
)


def _noise(replicates: int) -> float:
    return 0.0 if replicates == _FULL else 2.5 * float(np.sqrt(0.05 * 0.95 / replicates))


@_REPLICATES
def test_two_unchanged_runs_that_grow_together_rarely_fail(replicates: int) -> None:
    """At most 7% false alarms where both sides are sampled in step."""
    assert _growing(0, replicates)[0] <= 0.07 + _noise(replicates)


@_REPLICATES
def test_a_drop_between_two_growing_runs_is_found_early(replicates: int) -> None:
    """Twenty points: all but always found, with less than half of the calls."""
    fails, calls = _growing(-20, replicates)
    assert fails >= 0.97 - _noise(replicates)
    assert calls <= 0.5


@_REPLICATES
def test_declared_clusters_rarely_fail(replicates: int) -> None:
    """At most 7% false alarms where whole clusters move by chance."""
    assert _clustered(replicates, declared=True) <= 0.07 + _noise(replicates)


@_REPLICATES
def test_clusters_that_are_not_declared_alarm(replicates: int) -> None:
    """What the declaration is for: at least a tenth alarms without it."""
    assert _clustered(replicates, declared=False) >= 0.1 - _noise(replicates)
