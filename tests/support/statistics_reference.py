"""The reference set: every number that the design of the statistics names, with what it is measured by.

`tests/statistics` runs it with few replicates, and with all where marked `statistics_full`; the table in
docs/statistics.md is written from it by `benchmarks/statistics_report.py`.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from retest.stats.boundaries import boundaries, z_values
from retest.stats.bounds import guarded_bounds, units_to_prove
from retest.stats.compare import compare
from retest.stats.intervals import unit_totals
from retest.stats.pairs import PairedScores, paired_scores
from retest.stats.power import mde
from retest.stats.sequential import SequentialGate
from retest.stats.several_metrics import holm
from retest.stats.spread import pooled_sd
from retest.stats.suite_test import relabelling_test
from support.simulate import (
    Draw,
    alarm_rates,
    binary,
    breaking,
    cached_copies,
    clustered_alarm_rates,
    high,
    label_rates,
    lognormal,
    mixed,
    reworded,
    sequential_rates,
    shifted,
    steady,
)

DATA = Path(__file__).parents[2].parent / "shared" / "data"


Measure: TypeAlias = Callable[[int], float]
Limits: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One number: how to measure it, and where it must lie.

    Attributes:
        group: number in the design's list.
        claim: what is measured, in words.
        measure: from a number of replicates to the value.
        limits: where it must lie at the full number of replicates, both ends included.
        fast, full: replicates; 1 where nothing is simulated.
        needs_data: whether it reads the recorded data.
    """

    group: int
    claim: str
    measure: Measure
    limits: Limits
    fast: int = 1
    full: int = 1
    needs_data: bool = False

    def widened(self, replicates: int) -> Limits:
        """Return the limits; fewer than the full replicates widen them by 2.5 standard errors of a share."""
        low, high = self.limits
        if replicates >= self.full:
            return low, high
        return low - _noise(low, replicates), high + _noise(high, replicates)


def _noise(limit: float, replicates: int) -> float:
    if not math.isfinite(limit):
        return 0.0
    share = min(max(limit, 0.01), 0.99)
    return 2.5 * math.sqrt(share * (1 - share) / replicates)


def _p_worse(baseline: list[list[float]], candidate: list[list[float]]) -> Measure:
    return lambda _: relabelling_test(paired_scores(baseline, candidate)).low


def _larger_alarm(draw: Draw) -> Measure:
    return lambda replicates: max(alarm_rates(draw, replicates).values())


def _smaller_alarm(draw: Draw) -> Measure:
    return lambda replicates: min(alarm_rates(draw, replicates).values())


def _found(draw: Draw) -> Measure:
    return lambda replicates: alarm_rates(draw, replicates)["worse"]


def _not_worse(draw: Draw, margin: float = 0.10) -> Measure:
    def measure(replicates: int) -> float:
        pairs = (draw(np.random.default_rng(seed)) for seed in range(replicates))
        lower = [guarded_bounds(unit_totals(pair.deltas)).lower for pair in pairs]
        return sum(bound is not None and bound > -margin for bound in lower) / replicates

    return measure


def _any_alarm_of_ten(replicates: int) -> float:
    draw = binary(mixed, 100, (3, 3))
    alarms = 0
    for seed in range(replicates):
        rng = np.random.default_rng(seed)
        p_values = [relabelling_test(draw(rng), seed=metric).low for metric in range(10)]
        alarms += bool((holm(p_values) <= 0.05).any())
    return alarms / replicates


def _perfect_lower(n_cases: int) -> Measure:
    perfect = {str(case): [1.0] for case in range(n_cases)}
    return lambda _: compare(perfect, perfect, margin=0.05).lower or 0.0


def _perfect(n_cases: int, verdict: str) -> Measure:
    perfect = {str(case): [1.0] for case in range(n_cases)}
    return lambda _: float(compare(perfect, perfect, margin=0.05).verdict == verdict)


def _units(margin: float) -> Measure:
    return lambda _: units_to_prove(margin)


def _boundary(look: int) -> Measure:
    return lambda _: float(z_values(boundaries([0.2, 0.4, 0.6, 0.8, 1.0]))[look])


def _time(look: int) -> Measure:
    return lambda _: SequentialGate(100, 10, 3, 1, 0.1, alpha=0.05, seed=0).information_times[look]


def _seconds(case: tuple[int, int, bool], _: int) -> float:
    """Measure the slow case, a drop, where the draws cannot stop early."""
    n_cases, k, real = case
    rng = np.random.default_rng(0)
    chances = mixed(rng, n_cases)[:, None]
    shape = (n_cases, k)
    first, second = (
        chances - drop + rng.normal(0, 0.2, shape) if real else (rng.random(shape) < chances - drop).astype(np.float64)
        for drop in (0.0, 0.1)
    )
    start = time.perf_counter()
    relabelling_test(paired_scores(first, second))
    return time.perf_counter() - start


def _rows(folder: str) -> list[dict[str, Any]]:
    text = (DATA / folder / "outputs.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.split("\n") if line]


@lru_cache(maxsize=1)
def _game_of_24() -> dict[str, np.ndarray[tuple[int, int], np.dtype[np.float64]]]:
    """Return the solved flags of 50 cases x 100 samples, for each of both prompts."""
    solved: dict[str, dict[object, list[float]]] = {}
    for row in _rows("tot_game24"):
        solved.setdefault(str(row["variant"]), {}).setdefault(row["case_id"], []).append(float(bool(row["label"])))
    return {variant: np.array(list(cases.values())) for variant, cases in solved.items()}


def _random_halves(replicates: int) -> float:
    """Return the larger alarm rate over random splits of each prompt's own samples into 5 and 5."""
    prompts = list(_game_of_24().values())

    def draw(rng: np.random.Generator) -> PairedScores:
        samples = prompts[int(rng.integers(len(prompts)))]
        picked = rng.permuted(samples, axis=1)[:, :10]
        return paired_scores(picked[:, :5], picked[:, 5:])

    return max(alarm_rates(draw, replicates).values())


def _judge_sd(_: int) -> float:
    takes = [[float(take) for take in row["judge_takes"]] for row in _rows("ja_judge_repeats")]
    return pooled_sd(takes) or 0.0


_LOSSES = ([[1.0]] * 7 + [[0.0]] * 3, [[0.0]] * 6 + [[1.0]] + [[0.0]] * 3)
_PAIRS = (
    [[1.0, 1.0], [1.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 1.0]],
    [[0.0, 0.0], [1.0, 0.0], [0.0, 0.0], [1.0, 1.0], [0.0, 0.0], [1.0, 0.0]],
)
_REAL = (
    [[0.9, 0.8, 0.85], [0.7, 0.75, 0.6], [0.5, 0.65, 0.55], [0.8, 0.9, 0.95], [0.4, 0.6, 0.5]],
    [[0.7], [0.65], [0.5], [0.85], [0.35]],
)
_DEAD = ([[1.0] * 5] * 4, [[0.0] * 5] * 4)
_SIZES = {
    "U 20 cases 3/3": binary(mixed, 20, (3, 3)),
    "high 20 cases 10/1": binary(high, 20, (10, 1)),
    "high 20 cases 1/10": binary(high, 20, (1, 10)),
    "high 50 cases 5/5": binary(high, 50, (5, 5)),
    "U 100 cases 3/3": binary(mixed, 100, (3, 3)),
    "U 100 cases 5/5, cases moved both ways (logit sd 1.5)": binary(mixed, 100, (5, 5), reworded),
    "U 100 cases, ten cached copies": cached_copies(mixed, 100, 10),
    "lognormal 12 cases 10/3": lognormal(12, (10, 3)),
}


_TRUE: Limits = (1.0, 1.0)


def _near(value: float, slack: float) -> Limits:
    return value - slack, value + slack


def _at_most(limit: float) -> Limits:
    return -math.inf, limit


def _at_least(limit: float) -> Limits:
    return limit, math.inf


def _simulated(group: int, claim: str, measure: Measure, limits: Limits) -> Check:
    return Check(group=group, claim=claim, measure=measure, limits=limits, fast=200, full=1000)


def _exactness() -> list[Check]:
    data = (
        ("six losses, no gain, one sample: p_worse", _LOSSES, _near(0.015625, 0.004)),
        ("six cases, two samples each: p_worse", _PAIRS, _near(0.01042, 0.004)),
        ("five cases of real values, 3 against 1: p_worse", _REAL, _near(0.02734, 0.005)),
        ("four cases x 5, all right to all wrong: p_worse", _DEAD, _near(0.024, 0.004)),
    )
    return [Check(group=1, claim=claim, measure=_p_worse(*runs), limits=limits) for claim, runs, limits in data]


def _size() -> list[Check]:
    larger = [
        _simulated(2, f"{name}: alarms, larger of both directions", _larger_alarm(draw), _at_most(0.068))
        for name, draw in _SIZES.items()
    ]
    smaller = _smaller_alarm(_SIZES["U 100 cases 3/3"])
    return [*larger, _simulated(2, "U 100 cases 3/3: alarms, smaller of both directions", smaller, _at_least(0.033))]


def _power() -> list[Check]:
    data = (
        ("U 100 x 3, -5 points: found", binary(mixed, 100, (3, 3), shifted(-5)), _near(0.58, 0.05)),
        ("U 100 x 3, -10 points: found", binary(mixed, 100, (3, 3), shifted(-10)), _at_least(0.95)),
        ("U 50 x 5, -10 points: found", binary(mixed, 50, (5, 5), shifted(-10)), _near(0.94, 0.05)),
        ("U 20 x 5, -10 points: found", binary(mixed, 20, (5, 5), shifted(-10)), _near(0.66, 0.05)),
    )
    return [_simulated(3, claim, _found(draw), limits) for claim, draw, limits in data]


def _clusters() -> list[Check]:
    def alarms(replicates: int, *, declared: bool) -> float:
        return max(clustered_alarm_rates(replicates, declared=declared).values())

    return [
        _simulated(5, "clusters declared: alarms", partial(alarms, declared=True), _at_most(0.07)),
        _simulated(5, "clusters not declared: alarms", partial(alarms, declared=False), _at_least(0.10)),
    ]


def _guard() -> list[Check]:
    spread = binary(steady, 50, (3, 3), shifted(-10))
    concentrated = binary(steady, 50, (3, 3), breaking)
    return [
        Check(
            group=6, claim="20 perfect cases: lower bound", measure=_perfect_lower(20), limits=_near(-0.1297, 0.0005)
        ),
        Check(
            group=6,
            claim="20 perfect cases, margin .05: inconclusive",
            measure=_perfect(20, "inconclusive"),
            limits=_TRUE,
        ),
        Check(
            group=6, claim="100 perfect cases: lower bound", measure=_perfect_lower(100), limits=_near(-0.0263, 0.0005)
        ),
        Check(
            group=6, claim="100 perfect cases, margin .05: unchanged", measure=_perfect(100, "unchanged"), limits=_TRUE
        ),
        *(
            Check(
                group=6, claim=f"cases that prove a margin of {margin:g}", measure=_units(margin), limits=(cases, cases)
            )
            for margin, cases in ((0.03, 88), (0.05, 53), (0.10, 27))
        ),
        _simulated(6, "steady 50 x 3, spread drop of the margin: false not_worse", _not_worse(spread), _at_most(0.065)),
        _simulated(
            6, "steady 50 x 3, a tenth of cases dead: false not_worse", _not_worse(concentrated), _at_most(0.065)
        ),
        _simulated(6, "U 50 x 3 unchanged: not_worse", _not_worse(binary(mixed, 50, (3, 3))), _at_least(0.55)),
    ]


def _looks() -> list[Check]:
    z = (2.878, 2.470, 2.201, 1.982, 1.790)
    times = (0.197, 0.394, 0.510, 0.722, 0.839, 1.0)
    return [
        *(
            Check(
                group=7, claim=f"look {look + 1} of 5: boundary z", measure=_boundary(look), limits=_near(value, 0.005)
            )
            for look, value in enumerate(z)
        ),
        *(
            Check(group=7, claim=f"look {look + 1} of 6: information", measure=_time(look), limits=_near(value, 0.0006))
            for look, value in enumerate(times)
        ),
    ]


def _sequential() -> list[Check]:
    data = (
        (0, "fail", _at_most(0.07)),
        (0, "pass", _at_least(0.92)),
        (0, "calls", _at_most(0.50)),
        (-3, "fail", (0.2, 0.4)),
        (-10, "fail", _at_least(0.96)),
        (-10, "pass", _at_most(0.05)),
        (-10, "calls", _at_most(0.45)),
        (-20, "fail", _at_least(0.99)),
        (-20, "calls", _at_most(0.24)),
    )
    words = {"fail": "fails", "pass": "passes", "calls": "share of the calls used"}

    def measure(points: int, outcome: str, replicates: int) -> float:
        return sequential_rates(points, replicates)[outcome]

    return [
        _simulated(8, f"change of {points} points: {words[outcome]}", partial(measure, points, outcome), limits)
        for points, outcome, limits in data
    ]


def _several() -> list[Check]:
    return [
        Check(
            group=9,
            claim="ten unchanged metrics, 100 x 3: any alarm after Holm",
            measure=_any_alarm_of_ten,
            limits=_at_most(0.08),
            fast=100,
            full=1000,
        )
    ]


def _without_replicates(value: Callable[[], float]) -> Measure:
    return lambda _: value()


def _visible() -> list[Check]:
    data = (
        ("mde(50, 3, 3, .104)", partial(mde, 50, 3, 3, 0.104), 0.1113),
        ("mde(100, 3, 3)", partial(mde, 100, 3, 3), 0.0743),
        ("mde(100, 10, 1)", partial(mde, 100, 10, 1), 0.1000),
        ("mde(20, 5, 5)", partial(mde, 20, 5, 5), 0.1585),
    )
    return [
        Check(group=10, claim=claim, measure=_without_replicates(drop), limits=_near(value, 0.0005))
        for claim, drop, value in data
    ]


def _labels() -> list[Check]:
    data = (
        (10, "false", "10% broken: false share of the names", _at_most(0.13)),
        (10, "found", "10% broken: found", _at_least(0.65)),
        (0, "flags", "unchanged: names a run", _at_most(0.2)),
    )

    def measure(n_broken: int, rate: str, replicates: int) -> float:
        return label_rates(n_broken, replicates)[rate]

    return [_simulated(11, claim, partial(measure, broken, rate), limits) for broken, rate, claim, limits in data]


def _speed() -> list[Check]:
    data = (("1,000 cases 5 + 5 binary", (1000, 5, False)), ("100 cases 3 + 3 real-valued", (100, 3, True)))
    return [
        Check(
            group=12, claim=f"{name}, a drop, 9,999 draws: seconds", measure=partial(_seconds, case), limits=_at_most(1)
        )
        for name, case in data
    ]


def _recorded() -> list[Check]:
    return [
        Check(
            group=13,
            claim="unchanged halves of game-of-24 samples, 50 x 5: alarms, larger of both directions",
            measure=lambda _: _random_halves(300),
            limits=_at_most(0.07),
            needs_data=True,
        ),
        Check(
            group=13,
            claim="three gradings of one answer: within-item standard deviation",
            measure=_judge_sd,
            limits=_near(0.5, 0.1),
            needs_data=True,
        ),
    ]


CHECKS: tuple[Check, ...] = tuple(
    check
    for group in (
        _exactness,
        _size,
        _power,
        _clusters,
        _guard,
        _looks,
        _sequential,
        _several,
        _visible,
        _labels,
        _speed,
        _recorded,
    )
    for check in group()
)
