"""A regression within the drift between equal runs is pointed out, and stays a regression."""

from __future__ import annotations

from dataclasses import replace

import pytest

from retest.decision.decide import JudgedMetric, MetricScores, Policy, judge_metrics
from retest.decision.drift import mark_drift
from retest.domain.self_test import MeasuredDrift

CASES = [f"c{i}" for i in range(40)]
BEFORE = {case: [1.0, 1.0, 1.0] for case in CASES}
AFTER = {case: [1.0, 1.0, 0.0 if number % 2 else 1.0] for number, case in enumerate(CASES)}  # mean 5/6
DROP = MetricScores(metric="m", baseline=BEFORE, candidate=AFTER)
DRIFT = MeasuredDrift(arm="a", metric="m", signature="s", tau2=0.1**2, n_runs=3)


def marked(scores: MetricScores, drift: MeasuredDrift, policy: Policy | None = None) -> JudgedMetric:
    """Return the metric with its drift."""
    own = policy or Policy()
    (found,) = mark_drift(judge_metrics([scores], own), {"m": drift}, own)
    return found


def test_a_regression_within_the_drift_is_pointed_out() -> None:
    """The verdict stands; the limit is t * sqrt(se^2 + 2 tau^2)."""
    compared = marked(DROP, DRIFT).comparison
    assert (compared.verdict, compared.within_drift) == ("regressed", True)
    assert compared.drift_limit is not None
    assert compared.drift_limit > 0.1 * 2**0.5 * 1.645


def test_a_regression_beyond_the_drift_is_not() -> None:
    """A hundredth of the drift, over many runs."""
    compared = marked(DROP, replace(DRIFT, tau2=0.001**2, n_runs=20)).comparison
    assert (compared.verdict, compared.within_drift) == ("regressed", False)
    assert compared.drift_limit is not None
    assert compared.drift_limit < 0.1


def test_no_drift_sets_no_limit() -> None:
    """Where sampling explains all, the verdict is as without a measurement."""
    judged = judge_metrics([DROP], Policy())
    assert mark_drift(judged, {"m": replace(DRIFT, tau2=0.0)}, Policy()) == judged
    assert mark_drift(judged, {"other": DRIFT}, Policy()) == judged


def test_only_a_regression_is_within_a_drift() -> None:
    """An improvement of the same size has the limit beside it, and no remark."""
    better = marked(replace(DROP, baseline=AFTER, candidate=BEFORE), DRIFT).comparison
    assert (better.verdict, better.within_drift) == ("improved", False)


def test_a_ratio_has_its_limit_as_a_share() -> None:
    """A rise by up to exp(limit) - 1."""
    slow = {case: [110.0 + number, 112.0, 115.0] for number, case in enumerate(CASES)}
    fast = {case: [100.0 + number, 102.0, 105.0] for number, case in enumerate(CASES)}
    scores = MetricScores(metric="m", baseline=fast, candidate=slow, direction="lower", scale="log", low=0, high=None)
    compared = marked(scores, DRIFT).comparison
    assert (compared.verdict, compared.within_drift) == ("regressed", True)
    assert compared.drift_limit == pytest.approx(0.51, abs=0.03)


def test_one_case_has_no_limit() -> None:
    """One unit has no standard error."""
    one = replace(DROP, baseline={"c": [1.0] * 9}, candidate={"c": [0.0] * 9})
    assert marked(one, DRIFT).comparison.drift_limit is None


def test_clusters_are_the_units() -> None:
    """Forty cases of two clusters have the error of two units."""
    clusters = {case: f"k{number % 2}" for number, case in enumerate(CASES)}
    alone = marked(DROP, replace(DRIFT, tau2=1e-6)).comparison.drift_limit
    clustered = marked(DROP, replace(DRIFT, tau2=1e-6), Policy(clusters=clusters)).comparison.drift_limit
    assert alone is not None
    assert clustered is not None
    assert clustered > 3 * alone
