"""Drift between runs by an aggregate other than the mean."""

from __future__ import annotations

import random

import pytest

from retest.stats.dealt_drift import dealt_drift


def runs(shares: list[float], *, cases: int = 150, samples: int = 3) -> list[list[list[float]]]:
    """Return cases whose samples pass with a probability that depends on the run."""
    rng = random.Random(5)  # noqa: S311 - seeded data of a test
    return [[[float(rng.random() < share) for _ in range(samples)] for share in shares] for _ in range(cases)]


@pytest.mark.parametrize("aggregate", ["any", "all", "majority", "max", "pass@2"])
def test_equal_runs_show_no_more_than_sampling(aggregate: str) -> None:
    """The variance of the run means is about what dealing gives."""
    found = dealt_drift(runs([0.6] * 5), aggregate)
    assert found is not None
    assert found.p > 0.01
    assert found.expected_variance == pytest.approx(found.observed_variance, abs=0.004)


@pytest.mark.parametrize("aggregate", ["any", "all", "pass^2"])
def test_a_run_that_lies_apart_is_drift(aggregate: str) -> None:
    """A third of the passes lost in two of five runs is no sampling."""
    found = dealt_drift(runs([0.6, 0.6, 0.6, 0.25, 0.25]), aggregate)
    assert found is not None
    assert found.p < 1e-6
    assert found.tau2 > 0.01


def test_unequal_numbers_of_samples_are_compared_alike() -> None:
    """The best of ten samples is no drift against the best of three."""
    rng = random.Random(1)  # noqa: S311 - seeded data of a test
    cases = [[[float(rng.random() < 0.4) for _ in range(k)] for k in (10, 3, 3)] for _ in range(200)]
    found = dealt_drift(cases, "any")
    assert found is not None
    assert found.p > 0.01


def test_samples_that_never_differ_say_nothing() -> None:
    """Whether another run would differ cannot be told from copies."""
    assert dealt_drift([[[1.0], [1.0], [1.0]]] * 20, "all") is None


def test_the_mean_of_runs_agrees_with_the_formula_for_means() -> None:
    """For means dealing gives the pooled variance within cases, divided by the samples."""
    found = dealt_drift(runs([0.5] * 4, cases=300), "mean")
    assert found is not None
    assert found.expected_variance == pytest.approx(0.25 / 900, rel=0.15)
