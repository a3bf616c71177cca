"""Sequential boundaries: how small a p-value must be at each look so that all looks together err at most alpha."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from retest.stats.intervals import Floats, finite_array
from retest.stats.several_metrics import check_alpha
from retest.stats.special import ndtr, ndtri

_POINTS = (401, 2001)
"""Fewest and most points of integration; looks that follow closely need more of them."""
_REACH = 8.0
"""Standard normal deviations covered; beyond 8 lies less than 1e-15."""


def boundaries(information_times: Sequence[float], alpha: float = 0.05) -> Floats:
    """Return for each look the nominal one-sided p-value at which it may reject (Lan & DeMets 1983).

    Up to information time t at most alpha * t^2 is spent (Kim & DeMets 1987, rho = 2). A look that brings no new
    information gets 0: nothing can be rejected there.

    Args:
        information_times: in (0, 1], never falling; 1 is the information of the full design.
        alpha: one-sided error rate over all looks together.

    Raises:
        ValueError: where the times fall or leave (0, 1].
    """
    check_alpha(alpha)
    times = finite_array(information_times, "information_times")
    if times.size and (times[0] <= 0 or times[-1] > 1 + 1e-9 or (np.diff(times) < 0).any()):
        raise ValueError(f"information times must rise within (0, 1]: {times.tolist()}")
    return np.array(_nominal(tuple(np.minimum(times, 1.0).tolist()), alpha))


@lru_cache(maxsize=2048)
def _nominal(times: tuple[float, ...], alpha: float) -> tuple[float, ...]:
    """Follow the density of the score that has not crossed yet from look to look (Armitage, McPherson & Rowe 1969).

    The score at time t is normal with variance t; it is integrated with Simpson's rule below each boundary.
    """
    n_points = _grid_size(times)
    nominal: list[float] = []
    grid, mass = np.zeros(1), np.ones(1)  # at time 0 all of the mass is at 0
    before, spent = 0.0, 0.0
    for time in times:
        step = np.sqrt(time - before)
        to_spend = alpha * time**2 - spent
        if step <= 0 or to_spend <= 0:
            nominal.append(0.0)
            continue
        limit = _crossing(grid, mass, step, to_spend, np.sqrt(time))
        nominal.append(float(ndtr(-limit / np.sqrt(time))))
        points = np.linspace(-_REACH * np.sqrt(time), limit, n_points)
        grid, mass = points, _carried_on(points, grid, mass, step)
        before, spent = time, alpha * time**2
    return tuple(nominal)


def _crossing(grid: Floats, mass: Floats, step: float, to_spend: float, scale: float) -> float:
    """Return the score above which lies the probability to be spent, by bisection."""
    low, high = -_REACH * scale, _REACH * scale
    for _ in range(60):
        middle = (low + high) / 2
        if float(mass @ ndtr((grid - middle) / step)) > to_spend:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _grid_size(times: tuple[float, ...]) -> int:
    """Return an odd number of points, at least two to each standard deviation between two looks where possible."""
    steps = np.sqrt([step for step in np.diff([0.0, *times]) if step > 0])
    fewest, most = _POINTS
    return int(np.clip(4 * _REACH / steps.min(initial=1.0), fewest, most)) // 2 * 2 + 1


def _carried_on(points: Floats, grid: Floats, mass: Floats, step: float) -> Floats:
    """Return the probability carried by each point at this look, given the points and masses of the look before."""
    kernel = np.exp(-np.square((points[:, None] - grid[None, :]) / step) / 2) / (step * np.sqrt(2 * np.pi))
    simpson = np.ones(len(points))
    simpson[1:-1:2], simpson[2:-1:2] = 4.0, 2.0
    carried: Floats = (kernel @ mass) * simpson * (points[1] - points[0]) / 3
    return carried


def z_values(nominal: Floats) -> Floats:
    """Return boundaries on the scale of a standard normal statistic."""
    z: Floats = -ndtri(nominal)
    return z
