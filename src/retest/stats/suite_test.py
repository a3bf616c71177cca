"""The test of the suite: did the mean over cases move, given what relabelling the samples alone would do?"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from retest.stats.deals import Dealer, Tally, pool_shapes
from retest.stats.intervals import Floats
from retest.stats.pairs import PairedScores
from retest.stats.tails import N_DRAWS, Tails, drawn_tails

Index: TypeAlias = NDArray[np.intp]

_ZERO_VARIANCE = 1e-13
"""A variance below this share of the mean square is rounding, not spread."""
_BLOCK = 4_000_000


def relabelling_test(pairs: PairedScores, *, seed: int = 0, n_draws: int = N_DRAWS) -> Tails:
    """Return p that the mean is as low (worse) and as high (better), by dealing each case's samples again.

    Null hypothesis: within each case all samples, of both runs, are exchangeable: nothing changed. Exact for any
    numbers of samples and cases then; studentised, so that it is also right asymptotically where cases moved both
    ways with a mean of zero (Chung & Romano 2013). One case alone has no spread over cases: its delta is the statistic.

    Args:
        pairs: paired scores; the unit of analysis is the case.
        seed: same seed, same result.
        n_draws: most deals drawn.
    """
    canonical, swapped = pairs.in_canonical_order()
    rng = np.random.default_rng(seed)
    dealer = Dealer(pool_shapes(canonical))
    n_cases = canonical.n_cases
    deltas = canonical.deltas
    observed = Tally(sums=deltas.sum(keepdims=True), squares=np.square(deltas).sum(keepdims=True))

    def draw(size: int) -> Floats:
        return _studentised(dealer.draw(rng, size), n_cases)

    tails = drawn_tails(float(_studentised(observed, n_cases)[0]), draw, n_draws=n_draws)
    if pairs.first.fingerprint() == pairs.second.fingerprint():
        larger = max(
            tails.low, tails.high
        )  # both are equal but for the noise of drawing, and no order tells them apart
        return Tails(low=larger, high=larger)
    return tails.swapped() if swapped else tails


def dealt_variance(pairs: PairedScores, *, n_draws: int = 512) -> float:
    """Return the variance of a case's delta under relabelling, averaged over the cases; the same for either order."""
    canonical, _ = pairs.in_canonical_order()
    tally = Dealer(pool_shapes(canonical)).draw(np.random.default_rng(0), n_draws)
    return float(tally.squares.mean()) / pairs.n_cases


def _studentised(tally: Tally, n_cases: int) -> Floats:
    if n_cases == 1:
        return tally.sums
    mean = tally.sums / n_cases
    variance = (tally.squares - tally.sums * mean) / (n_cases - 1)
    return _ratio(mean, variance / n_cases, tally.squares / n_cases**2)


def _ratio(mean: Floats, error_variance: Floats, scale: Floats) -> Floats:
    """Return mean / error; no spread gives an infinity with the mean's sign, and 0 where the mean is 0 as well."""
    spread = error_variance > _ZERO_VARIANCE * scale
    moved = np.square(mean) > _ZERO_VARIANCE * scale
    infinite = np.where(moved, np.copysign(np.inf, mean), 0.0)
    return np.divide(mean, np.sqrt(np.maximum(error_variance, 0)), out=infinite, where=spread)


def sign_flip_test(pairs: PairedScores, cluster: Index, *, seed: int = 0, n_draws: int = N_DRAWS) -> Tails:
    """Return p that the mean is as low and as high, by flipping the sign of whole clusters' totals.

    Null hypothesis: each cluster's total change is symmetric about 0. The statistic is the mean over its CR1 error.

    Args:
        pairs: paired scores.
        cluster: the cluster's number 0..G-1, for each case.
        seed: same seed, same result.
        n_draws: most flips drawn.
    """
    canonical, swapped = pairs.in_canonical_order()
    sizes = np.bincount(cluster).astype(np.float64)
    totals = np.bincount(cluster, weights=canonical.deltas).astype(np.float64)
    order = np.lexsort((sizes, totals))
    totals, sizes = totals[order], sizes[order]
    rng = np.random.default_rng(seed)

    def draw(n_flips: int) -> Floats:
        rows = max(1, _BLOCK // len(totals))
        parts = [min(rows, n_flips - start) for start in range(0, n_flips, rows)]
        return np.concatenate([_clustered(_signs(rng, (part, len(totals))), totals, sizes) for part in parts])

    observed = _clustered(np.ones((1, len(totals))), totals, sizes)
    tails = drawn_tails(float(observed[0]), draw, n_draws=n_draws)
    return tails.swapped() if swapped else tails


def _signs(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    coins = rng.integers(0, 2, size=shape, dtype=np.int8).astype(np.float64)
    return 2 * coins - 1


def _clustered(signs: Floats, totals: Floats, sizes: Floats) -> Floats:
    """Return the mean over its CR1 error, for each row of signs."""
    n_clusters, n_cases = len(totals), sizes.sum()
    mean: Floats = signs @ totals / n_cases
    squares = np.square(totals).sum()
    residuals = squares - 2 * mean * (signs @ (totals * sizes)) + np.square(mean) * np.square(sizes).sum()
    scale = np.full_like(mean, squares / n_cases**2)
    if n_clusters == 1:
        return mean
    return _ratio(mean, n_clusters / (n_clusters - 1) * residuals / n_cases**2, scale)
