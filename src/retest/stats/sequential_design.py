"""The design of a sequential gate: who is sampled until which look, and how much of alpha each look may spend."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from retest.stats.boundaries import boundaries


def case_order(n_cases: int, seed: int) -> tuple[int, ...]:
    """Return the random order in which cases are sampled; the same for the same seed."""
    return tuple(np.random.default_rng(seed).permutation(n_cases).tolist())


def call_schedule(order: Sequence[int], k: int, looks: int) -> tuple[tuple[int, ...], ...]:
    """Return samples per case after each look: breadth first along the case order, at equal shares of the calls."""
    n_cases = len(order)
    schedule = []
    for look in range(1, looks + 1):
        full, rest = divmod(round(look / looks * n_cases * k), n_cases)
        counts = [full] * n_cases
        for case in order[:rest]:
            counts[case] += 1
        schedule.append(tuple(counts))
    return tuple(schedule)


def baseline_schedule(
    schedule: Sequence[Sequence[int]], stored: Sequence[int], *, growing: bool
) -> tuple[tuple[int, ...], ...]:
    """Return the baseline's samples per case at each look: all that are stored, or as many as the candidate has."""
    if not growing:
        return (tuple(stored),) * len(schedule)
    return tuple(tuple(min(pair) for pair in zip(counts, stored, strict=True)) for counts in schedule)


def information_times(schedule: Sequence[Sequence[int]], baseline: Sequence[Sequence[int]]) -> tuple[float, ...]:
    """Return V_full / V_look: V is the sampling variance of the mean change over touched cases, up to a factor."""

    def variance(look: int) -> float:
        pairs = zip(baseline[look], schedule[look], strict=True)
        touched = [1 / before + 1 / after for before, after in pairs if before and after]
        return sum(touched) / len(touched) ** 2 if touched else float("inf")

    full = variance(-1)
    times = [full / variance(look) for look in range(len(schedule))]
    # Few cases with unequal numbers may lose information by the next case: no look knows less than the one before.
    # Rounded, for the order of the cases moves the last digits: equal designs have equal boundaries, computed once.
    return tuple(np.maximum.accumulate(np.minimum(times, 1.0)).round(12).tolist())


def nominal_levels(times: Sequence[float], alpha: float) -> tuple[float, ...]:
    """Return the nominal level of each look; one before the first sample has none."""
    empty = sum(time <= 0 for time in times)
    if not 0 < alpha < 1:
        return (max(0.0, min(1.0, alpha)),) * len(times)
    return (0.0,) * empty + tuple(boundaries(times[empty:], alpha).tolist())
