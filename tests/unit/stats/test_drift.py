from __future__ import annotations

import math

import numpy as np
import pytest

from retest.stats.drift import Drift, alarm_limit, estimate_drift, sampling_error
from retest.stats.pairs import run_scores


def test_sampling_alone_is_no_drift() -> None:
    """Means that differ no more than their errors give tau of 0."""
    assert estimate_drift([0.50, 0.51, 0.49], [0.05, 0.05, 0.05]).tau2 == 0.0


def test_drift_is_found_back() -> None:
    """A level that moves by .03 from run to run is estimated over many runs."""
    rng = np.random.default_rng(0)
    means = 0.7 + rng.normal(0, 0.03, 500) + rng.normal(0, 0.01, 500)
    assert math.sqrt(estimate_drift(means.tolist(), [0.01] * 500).tau2) == pytest.approx(0.03, rel=0.1)


def test_two_runs_are_too_few() -> None:
    """Drift needs three runs."""
    with pytest.raises(ValueError, match="at least 3 runs"):
        estimate_drift([0.5, 0.6], [0.1, 0.1])


def test_one_error_for_each_run() -> None:
    """Unequal numbers are refused."""
    with pytest.raises(ValueError, match="one standard error"):
        estimate_drift([0.5, 0.6, 0.7], [0.1])


def test_the_sampling_error_is_that_of_the_mean() -> None:
    """Against the formula: sqrt(s2 * sum(1/k)) / n."""
    run = run_scores([[0.0, 1.0], [1.0, 1.0, 0.0, 0.0]])
    within = (0.5 + 1.0) / 4
    assert sampling_error(run) == pytest.approx(math.sqrt(within * 0.75) / 2)


def test_no_repeats_no_sampling_error() -> None:
    """Single samples leave it unknown."""
    assert sampling_error(run_scores([[1.0], [0.0]])) is None


def _drift(tau2: float) -> Drift:
    return Drift(tau2=tau2, n_runs=5, expected_variance=0.0, observed_variance=tau2)


def test_without_drift_the_limit_is_students() -> None:
    """t(.95, n - 1) standard errors."""
    assert alarm_limit(0.02, _drift(0.0), n_units=21) == pytest.approx(1.7247182 * 0.02)


def test_drift_widens_the_limit() -> None:
    """Both runs drift: 2 tau^2 joins the error, with few degrees of freedom."""
    assert alarm_limit(0.0, _drift(0.0004), n_units=21) == pytest.approx(2.1318468 * math.sqrt(0.0008))


def test_nothing_varies_nothing_is_allowed() -> None:
    """Without error and drift any change is one."""
    assert alarm_limit(0.0, _drift(0.0), n_units=21) == 0.0


def test_one_unit_has_no_error() -> None:
    """A standard error needs two units."""
    with pytest.raises(ValueError, match="at least 2 units"):
        alarm_limit(0.1, _drift(0.0), n_units=1)
