"""Before the run: the smallest drop that a design can see, and the cheapest design that sees a given drop."""

from __future__ import annotations

import math
from dataclasses import dataclass

from retest.stats.several_metrics import check_alpha
from retest.stats.special import stdtrit

TYPICAL_VARIANCE = 0.104
"""Within-case variance of pass or fail over a suite of mixed difficulty: the mean of p (1 - p) for p ~ Beta(.5, .3)."""
_SPREAD = (0.15, 0.3)
_CONCENTRATED = (0.8, 0.0)


def mde(  # noqa: PLR0913 - one argument a term of the formula, and most have a default
    n_cases: int,
    k_baseline: float,
    k_candidate: float,
    variance_baseline: float = TYPICAL_VARIANCE,
    variance_candidate: float | None = None,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    spread: bool = True,
    design_effect: float = 1.0,
) -> float:
    """Return the smallest drop of the mean that the suite's test finds with this power, on a scale of width 1.

    MDE = (b + sqrt(b^2 + 4 q^2 V0 / n)) / 2, plus 1/N where both runs have one sample a case, with
    q = t(1 - alpha, n - 1) + t(power, n - 1), n = N / design_effect, V0 = s2a / ka + s2b / kb and
    b = q^2 (h + g / kb) / n, where b stands for how unequally a drop hits the cases. An approximation, made for pass
    rates. Infinite where one unit or fewer is left; a value past 1 means that no drop can be seen.

    Args:
        n_cases: N.
        k_baseline: samples per case of the baseline.
        k_candidate: samples per case of the candidate.
        variance_baseline: within-case variance, from a stored baseline; without repeats at most mean * (1 - mean).
        variance_candidate: the same as the baseline's where not given.
        alpha: one-sided.
        power: the chance to find the drop.
        spread: whether the drop is spread over the suite (h = .15, g = .3) or concentrated in few cases (.8, 0).
        design_effect: 1 + (m - 1) ICC for clusters of m cases.

    Raises:
        ValueError: for numbers that no design has.
    """
    check_alpha(alpha)
    _check_design(n_cases, k_baseline, k_candidate, power, design_effect)
    s2a, s2b = variance_baseline, variance_baseline if variance_candidate is None else variance_candidate
    if not (s2a >= 0 and s2b >= 0):
        raise ValueError(f"a variance cannot be negative: {s2a}, {s2b}")
    n_units = n_cases / design_effect
    if n_units <= 1:
        return math.inf
    h, g = _SPREAD if spread else _CONCENTRATED
    q2 = float(stdtrit(n_units - 1, 1 - alpha) + stdtrit(n_units - 1, power)) ** 2
    sampling = s2a / k_baseline + s2b / k_candidate
    uneven = q2 * (h + g / k_candidate) / n_units
    single = 1 / n_cases if k_baseline == k_candidate == 1 else 0.0
    return (uneven + math.sqrt(uneven**2 + 4 * q2 * sampling / n_units)) / 2 + single


def _check_design(n_cases: int, k_baseline: float, k_candidate: float, power: float, design_effect: float) -> None:
    if not (n_cases >= 1 and k_baseline > 0 and k_candidate > 0):
        raise ValueError(f"a design needs cases and samples: {n_cases} cases, {k_baseline} and {k_candidate} samples")
    if not 0 < power < 1:
        raise ValueError(f"power must lie between 0 and 1, not {power}")
    if not design_effect > 0:
        raise ValueError(f"a design effect must be positive, not {design_effect}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Cases and samples per case of both runs, what they cost and what they see.

    Attributes:
        calls: what is still to be paid for: the candidate's calls, and the baseline's unless it is stored.
        mde: the drop it sees, on a scale of width 1.
    """

    n_cases: int
    k_baseline: int
    k_candidate: int
    calls: int
    mde: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a design has to work with.

    Attributes:
        max_cases: the cases that there are.
        variance: within-case variance.
        k_stored: samples per case of a stored baseline, already paid for; None where both runs are to be made.
        alpha, power, spread, design_effect: as for `mde`.
    """

    max_cases: int
    variance: float = TYPICAL_VARIANCE
    k_stored: int | None = None
    alpha: float = 0.05
    power: float = 0.8
    spread: bool = True
    design_effect: float = 1.0

    def design(self, n_cases: int, k: int) -> Design:
        """Return the design with so many cases, and k samples for each run that is to be made."""
        k_baseline = k if self.k_stored is None else self.k_stored
        found = mde(
            n_cases,
            k_baseline,
            k,
            self.variance,
            alpha=self.alpha,
            power=self.power,
            spread=self.spread,
            design_effect=self.design_effect,
        )
        runs = 2 if self.k_stored is None else 1
        return Design(n_cases=n_cases, k_baseline=k_baseline, k_candidate=k, calls=runs * n_cases * k, mde=found)


def cheapest_design(drop: float, setting: Setting, *, max_samples: int = 50) -> Design | None:
    """Return the design with the fewest calls that sees this drop; None where none of this size does.

    Of equally cheap ones the one with more cases: cases before repeats.

    Args:
        drop: on a scale of width 1.
        setting: what there is to work with.
        max_samples: most samples per case.

    Raises:
        ValueError: where the drop is not positive.
    """
    if not drop > 0:
        raise ValueError(f"the drop to be seen must be positive, not {drop}")
    found = [
        setting.design(n_cases, k)
        for k in range(1, max_samples + 1)
        if (n_cases := _fewest_cases(drop, setting, k)) is not None
    ]
    return min(found, key=lambda design: (design.calls, -design.n_cases), default=None)


def _fewest_cases(drop: float, setting: Setting, k: int) -> int | None:
    """Return the fewest cases with which k samples see the drop; more cases always see more."""
    low, high = 1, setting.max_cases
    if high < 1 or setting.design(high, k).mde > drop:
        return None
    while low < high:
        middle = (low + high) // 2
        if setting.design(middle, k).mde <= drop:
            high = middle
        else:
            low = middle + 1
    return low
