"""Looks at two arms, as `--until-decided` takes them, keep their error rate whatever the samples of a case come to."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from retest.decision.decide import MetricScores
from retest.decision.sequential import ArmLooks, LookDesign
from retest.domain.sequential import RECHECK_SAMPLES, ArmStand
from retest.stats.compare import compare
from retest.stats.sequential_design import call_schedule, case_order
from retest.workflows.pair_looks import SUSPECT_P
from support.simulate import mixed, shifted

Passes: TypeAlias = NDArray[np.bool_]

_CASES, _BEFORE, _AFTER, _LOOKS = 40, 6, 4, 6
_REPLICATES = pytest.mark.parametrize(
    "replicates", [60, pytest.param(600, marks=pytest.mark.statistics_full)], ids=["few", "all"]
)
_IDS = tuple(f"c{number}" for number in range(_CASES))


def _scores(metric: str, baseline: Passes, candidate: Passes, aggregate: str, margin: float | None) -> MetricScores:
    sides = [dict(zip(_IDS, scores.astype(float).tolist(), strict=True)) for scores in (baseline, candidate)]
    return MetricScores(metric=metric, baseline=sides[0], candidate=sides[1], aggregate=aggregate, margin=margin)


def _until_decided(looks: ArmLooks, metrics: list[MetricScores]) -> tuple[str, int, ArmStand]:
    """Return the outcome, the number of looks and how the arms stand, single cases judged at the stop alone."""
    for number in range(_LOOKS):
        last = number == _LOOKS - 1
        found = looks.look(number, metrics, final=last)
        if found is None:
            continue  # `pass@2` sees nothing before the second sample
        if found.stops and not last:
            found = looks.look(number, metrics, final=True)
        if found is not None and found.stops:
            return found.outcome, number + 1, looks.stand("before", "after", {})
    raise AssertionError("the last look always ends it")


@lru_cache(maxsize=8)
def _rechecked(replicates: int, *, dead: bool) -> float:
    """Return how often the gate fails where suspects are sampled eight times more; one case may have died."""
    fails = 0
    for seed in range(replicates):
        rng = np.random.default_rng(seed)
        chances = mixed(rng, _CASES)
        after = chances.copy()
        if dead:
            after[int(np.argmax(chances))] = 0.02
        design = LookDesign(
            case_ids=_IDS,
            paired=frozenset(_IDS),
            samples=_AFTER,
            looks=_LOOKS,
            seed=seed,
            most_samples=_AFTER + RECHECK_SAMPLES,
        )
        baseline, all_samples = (
            rng.random((_CASES, count)) < p[:, None] for count, p in ((10, chances), (_AFTER + RECHECK_SAMPLES, after))
        )
        metric = _scores("m", baseline, all_samples[:, :_AFTER], "mean", 0.2)
        looks = ArmLooks(design)
        _, taken, _ = _until_decided(looks, [metric])
        counts = call_schedule(case_order(_CASES, seed), _AFTER, _LOOKS)[taken - 1]
        seen = {
            case_id: all_samples[place, : counts[place]].astype(float).tolist() for place, case_id in enumerate(_IDS)
        }
        unlikely = compare(metric.baseline, seen).case_p
        suspects = [case_id for case_id, p in unlikely.items() if p <= SUSPECT_P]
        if taken < _LOOKS and suspects:
            more = {
                case_id: all_samples[place, : counts[place] + RECHECK_SAMPLES].astype(float).tolist()
                for place, case_id in enumerate(_IDS)
                if case_id in suspects
            }
            looks.recheck([replace(metric, candidate={**seen, **more})], [str(case_id) for case_id in suspects])
        fails += any(stand.verdict == "regressed" for stand in looks.stand("before", "after", {}).metrics)
    return fails / replicates


@lru_cache(maxsize=16)
def _simulated(
    aggregates: tuple[str, ...], points: float, replicates: int, *, n_comparisons: int = 1, growing: bool = False
) -> tuple[float, float, float]:
    """Return how often the gate fails, how often any verdict is "regressed", and the share of looks it takes."""
    fails = regressed = taken = 0
    for seed in range(replicates):
        rng = np.random.default_rng(seed)
        design = LookDesign(
            case_ids=_IDS,
            paired=frozenset(_IDS),
            samples=_AFTER,
            looks=_LOOKS,
            seed=seed,
            growing=growing,
            n_comparisons=n_comparisons,
        )
        chances = mixed(rng, _CASES)
        after = shifted(points)(rng, chances) if points else chances
        outcomes = []
        for _ in range(n_comparisons):
            metrics = [
                _scores(
                    f"m{place}",
                    rng.random((_CASES, _AFTER if growing else _BEFORE)) < chances[:, None],
                    rng.random((_CASES, _AFTER)) < after[:, None],
                    aggregate,
                    0.1,
                )
                for place, aggregate in enumerate(aggregates)
            ]
            outcomes.append(_until_decided(ArmLooks(design), metrics))
        fails += any(outcome == "fail" for outcome, _, _ in outcomes)
        taken += max(looks for _, looks, _ in outcomes)
        regressed += any(metric.verdict == "regressed" for _, _, stand in outcomes for metric in stand.metrics)
    return fails / replicates, regressed / replicates, taken / replicates / _LOOKS


def _limit(replicates: int) -> float:
    """Return what a rate of 5% exceeds in one of a thousand such simulations, but 7% of the full one."""
    return 0.07 if replicates >= 300 else 0.05 + 3.1 * (0.05 * 0.95 / replicates) ** 0.5


@_REPLICATES
@pytest.mark.parametrize("aggregate", ["mean", "any", "all", "majority", "pass@2"])
def test_unchanged_arms_rarely_fail(aggregate: str, replicates: int) -> None:
    """Six looks alarm no more than one test would."""
    if aggregate != "mean" and replicates < 300:
        replicates //= 2
    assert _simulated((aggregate,), 0.0, replicates)[0] <= _limit(replicates)


@_REPLICATES
def test_several_metrics_share_alpha(replicates: int) -> None:
    """Three unchanged metrics together alarm as rarely as one."""
    assert _simulated(("mean", "mean", "all"), 0.0, replicates)[0] <= _limit(replicates)


@_REPLICATES
def test_several_arms_share_alpha(replicates: int) -> None:
    """Any of three arms may fail the gate, and unchanged ones rarely do."""
    assert _simulated(("mean",), 0.0, replicates, n_comparisons=3)[0] <= _limit(replicates)


@_REPLICATES
def test_sides_that_grow_together_rarely_fail(replicates: int) -> None:
    """A baseline that is sampled beside the candidate errs no more."""
    assert _simulated(("mean",), 0.0, replicates, growing=True)[0] <= _limit(replicates)


@_REPLICATES
def test_the_verdict_that_is_kept_is_the_one_that_stopped(replicates: int) -> None:
    """The p-values of the whole design, compared with alpha, say what the look's own said of its level."""
    fails, regressed, _ = _simulated(("mean",), -20.0, replicates)
    assert fails == regressed


@_REPLICATES
def test_unchanged_suspects_rarely_fail(replicates: int) -> None:
    """Whichever cases are sampled again, all of them are corrected for."""
    assert _rechecked(replicates, dead=False) <= _limit(replicates)


@_REPLICATES
def test_a_dead_case_is_found_by_sampling_suspects_again(replicates: int) -> None:
    """One dead case of forty moves the mean by less than the margin: the looks alone would pass it."""
    assert _rechecked(replicates, dead=True) >= 0.5


@_REPLICATES
def test_a_drop_is_found_early(replicates: int) -> None:
    """Twenty points are found in at most two thirds of the looks."""
    fails, _, looks = _simulated(("mean",), -20.0, replicates)
    assert fails >= 0.85
    assert looks <= 0.7
