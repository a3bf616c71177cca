"""A rate with its interval, from hits in independent trials."""

from __future__ import annotations

from retest.stats.special import betaincinv


def rate_interval(hits: int, trials: int, *, level: float = 0.95) -> tuple[float, float]:
    """Return the exact two-sided interval of a rate (Clopper & Pearson 1934); (0, 1) without a trial.

    Raises:
        ValueError: for fewer than no hits, more hits than trials, or a level outside (0, 1).
    """
    if not 0 <= hits <= trials:
        raise ValueError(f"hits must lie between 0 and the {trials} trials, not {hits}")
    if not 0 < level < 1:
        raise ValueError(f"a level must lie between 0 and 1, not {level}")
    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else float(betaincinv(hits, trials - hits + 1, tail))
    high = 1.0 if hits == trials else float(betaincinv(hits + 1, trials - hits, 1 - tail))
    return low, high
