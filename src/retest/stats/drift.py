"""Drift between runs of one version: how much more the mean moves than its samples explain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from retest.stats.intervals import finite_array
from retest.stats.pairs import RunScores
from retest.stats.several_metrics import check_alpha
from retest.stats.special import chdtrc, stdtrit


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Run-level drift, from the same version run several times.

    Attributes:
        tau2: variance of the run's own level beyond sampling; 0 where sampling explains all.
        n_runs: the runs it stands on.
        expected_variance, observed_variance: of the run means, without drift and as seen.
    """

    tau2: float
    n_runs: int
    expected_variance: float
    observed_variance: float

    @property
    def p(self) -> float:
        """Return how often sampling alone would move the run means as far (chi square); 0 where it never does."""
        if self.expected_variance == 0:
            return 1.0 if self.observed_variance == 0 else 0.0
        degrees = self.n_runs - 1
        return float(chdtrc(degrees, degrees * self.observed_variance / self.expected_variance))


def estimate_drift(run_means: Sequence[float], standard_errors: Sequence[float]) -> Drift:
    """Return tau^2: the variance of the run means less the mean of their sampling variances, at least 0.

    The standard errors must be those of sampling within cases (`sampling_error`), for the runs share their cases.

    Raises:
        ValueError: for fewer than 3 runs, or unequal numbers.
    """
    means, errors = finite_array(run_means, "run_means"), finite_array(standard_errors, "standard_errors")
    if len(means) != len(errors):
        raise ValueError(f"one standard error for each run: {len(means)} runs, {len(errors)} errors")
    if len(means) < 3:  # noqa: PLR2004 - two runs give one difference, no spread
        raise ValueError(f"drift needs at least 3 runs of the same version, not {len(means)}")
    observed, expected = float(means.var(ddof=1)), float(np.square(errors).mean())
    return Drift(
        tau2=max(0.0, observed - expected),
        n_runs=len(means),
        expected_variance=expected,
        observed_variance=observed,
    )


def sampling_error(run: RunScores) -> float | None:
    """Return the standard error of a run's mean from sampling within its cases; None where no case has a repeat."""
    variance = run.within_variance()
    return None if variance is None else math.sqrt(variance * float((1 / run.counts).sum())) / len(run.counts)


def alarm_limit(standard_error: float, drift: Drift, *, n_units: int, alpha: float = 0.05) -> float:
    """Return how far |delta| must go before it says more than drift: t * sqrt(se^2 + 2 tau^2).

    Both runs drift, hence 2 tau^2. The degrees of freedom are Satterthwaite's, from n_units - 1 for the error and
    n_runs - 1 for the drift.

    Args:
        standard_error: of the mean change.
        drift: from A/A runs.
        n_units: cases or clusters.
        alpha: one-sided.

    Raises:
        ValueError: for fewer than 2 units or a level outside (0, 1).
    """
    check_alpha(alpha)
    if n_units < 2:  # noqa: PLR2004 - one unit has no standard error
        raise ValueError(f"an alarm limit needs at least 2 units, not {n_units}")
    error2, drift2 = standard_error**2, 2 * drift.tau2
    if error2 + drift2 == 0:
        return 0.0
    degrees = (error2 + drift2) ** 2 / (error2**2 / (n_units - 1) + drift2**2 / (drift.n_runs - 1))
    return float(stdtrit(degrees, 1 - alpha)) * math.sqrt(error2 + drift2)
