"""Tests of how a metric's own aggregate enters a comparison."""

from __future__ import annotations

import random

import pytest

from retest.decision.decide import Policy, compare_metrics
from retest.decision.metric_scores import metric_scores, short_of_samples
from retest.domain.comparison import MetricComparison
from retest.domain.run import RunMetric
from retest.domain.suite import Direction, GatePolicy, MetricGate, PassIf
from retest.workflows.aa_numbers import one_sided

CASES = [f"c{i}" for i in range(40)]


def compared(metric: RunMetric, before: list[float], after: list[float]) -> MetricComparison:
    """Compare 40 equal cases."""
    scores = metric_scores(metric, dict.fromkeys(CASES, before), dict.fromkeys(CASES, after))
    return compare_metrics([scores], Policy())[0]


def metric(aggregate: str, *, direction: Direction = "higher", pass_if: PassIf | None = None) -> RunMetric:
    """Return a metric of passes, or of scores where something says what passes."""
    return RunMetric(
        name="m",
        metric="python",
        signature="m",
        direction=direction,
        binary=pass_if is None,
        pass_if=pass_if,
        aggregate=aggregate,
    )


@pytest.mark.parametrize(
    ("aggregate", "before", "after"),
    [
        ("mean", 1.0, 0.6),
        ("any", 1.0, 1.0),
        ("all", 1.0, 0.0),
        ("majority", 1.0, 1.0),
        ("pass@2", 1.0, 0.9),
        ("pass^2", 1.0, 0.3),
        ("min", 1.0, 0.0),
        ("max", 1.0, 1.0),
    ],
)
def test_means_are_of_the_aggregate(aggregate: str, before: float, after: float) -> None:
    """Three of five passes where there were five mean another thing to each aggregate."""
    found = compared(metric(aggregate), [1, 1, 1, 1, 1], [1, 0, 1, 0, 1])
    assert found.baseline_mean == pytest.approx(before)
    assert found.candidate_mean == pytest.approx(after)
    assert found.delta == pytest.approx(after - before)


def test_any_does_not_regress_while_one_sample_passes() -> None:
    """Fewer passing samples are no regression of a metric that asks for one."""
    assert compared(metric("any"), [1, 1, 1], [1, 0, 0]).verdict == "inconclusive"
    assert compared(metric("mean"), [1, 1, 1], [1, 0, 0]).verdict == "regressed"


def test_a_pass_is_better_where_lower_scores_are() -> None:
    """Where lower is better, a metric of passes still improves when more samples pass."""
    found = compared(metric("all", direction="lower"), [1, 1, 1, 1, 1], [0, 0, 0, 0, 0])
    assert (found.verdict, found.candidate_mean) == ("improved", 1.0)


def test_the_lowest_of_a_metric_where_lower_is_better() -> None:
    """The lowest sample is still the lowest one when the sign is flipped for the test."""
    toxic = metric("min", direction="lower", pass_if=PassIf(max=0.5))
    found = compared(toxic, [0.1, 0.9, 0.9, 0.9, 0.9], [0.6, 0.9, 0.9, 0.9, 0.9])
    assert found.baseline_mean == pytest.approx(0.1)
    assert found.candidate_mean == pytest.approx(0.6)
    assert found.delta == pytest.approx(0.5)


def test_pass_if_decides_what_is_aggregated() -> None:
    """Graded scores become passes by the metric's own threshold."""
    graded = metric("any", pass_if=PassIf(min=0.7))
    assert compared(graded, [0.2, 0.8], [0.6, 0.6]).delta == -1.0


@pytest.mark.parametrize("aggregate", ["any", "all", "min", "max", "majority"])
def test_unequal_numbers_of_samples_are_no_change(aggregate: str) -> None:
    """The best of ten samples is not compared with the best of three: nothing changed, and delta is near 0."""
    rng = random.Random(1)  # noqa: S311 - made-up scores
    before = {f"c{i}": [float(rng.random() < 0.5) for _ in range(10)] for i in range(400)}
    after = {f"c{i}": [float(rng.random() < 0.5) for _ in range(3)] for i in range(400)}
    (found,) = compare_metrics([metric_scores(metric(aggregate), before, after)], Policy())
    assert found.delta is not None
    assert abs(found.delta) < 0.07


@pytest.mark.parametrize("aggregate", ["any", "all", "majority", "pass@2", "max"])
def test_unchanged_runs_seldom_alarm(aggregate: str) -> None:
    """With 5 samples against 3 of the same chances, at most a few of 100 comparisons alarm in either direction."""
    rng = random.Random(2)  # noqa: S311 - made-up scores
    alarms = 0
    for seed in range(100):
        chances = {f"c{i}": rng.betavariate(0.5, 0.3) for i in range(20)}
        before = {case: [float(rng.random() < p) for _ in range(5)] for case, p in chances.items()}
        after = {case: [float(rng.random() < p) for _ in range(3)] for case, p in chances.items()}
        (found,) = compare_metrics([metric_scores(metric(aggregate), before, after)], Policy(seed=seed))
        alarms += found.verdict == "regressed"
    assert alarms <= 11  # 5 expected; more than 11 has a chance below .5% at 5%


def test_too_few_samples_are_not_comparable() -> None:
    """A pass@5 of three samples does not exist."""
    assert compared(metric("pass@5"), [1, 1, 1], [1, 1, 1]).verdict == "not_comparable"


def test_missing_samples_bound_the_aggregate() -> None:
    """A missing sample can be the one that passes, or not."""
    both_pass: dict[str, list[float | None]] = {case: [1.0, 1.0] for case in CASES}
    one_missing: dict[str, list[float | None]] = {case: [0.0, None] for case in CASES}
    scores = metric_scores(metric("any"), both_pass, one_missing)
    (found,) = compare_metrics([scores], Policy())
    assert (found.missing_low, found.missing_high) == (-1.0, 0.0)


def test_a_case_with_too_few_samples_for_its_aggregate_is_named() -> None:
    """pass@3 of two samples is no number; a side without any sample has a reason of its own."""
    scores = metric_scores(
        metric("pass@3"),
        {"whole": [1, 0, 1], "short": [1, 1, 1], "empty": [None, None, None], "both": [1, None, 1]},
        {"whole": [1, 1, 1], "short": [1, None, 1], "empty": [1, 1, 1], "both": [1, 0]},
    )
    assert [(case.case_id, case.reason) for case in short_of_samples([scores])] == [
        ("short", "fewer than 3 samples in the candidate, for m"),
        ("both", "fewer than 3 samples in the baseline and the candidate, for m"),
    ]


@pytest.mark.parametrize("aggregate", ["mean", "any", "all", "max"])
def test_other_aggregates_leave_no_case_out(aggregate: str) -> None:
    """They take any number of samples."""
    assert not list(short_of_samples([metric_scores(metric(aggregate), {"a": [1]}, {"a": [1]})]))


def test_samples_are_dealt_as_the_gate_judges_them() -> None:
    """`retest aa` splits the passes of a metric that aggregates passes, and keeps the margin."""
    length = RunMetric(
        name="length",
        metric="length",
        signature="length",
        direction="lower",
        low=0,
        high=None,
        pass_if=PassIf(max=100),
        aggregate="all",
    )
    gate = GatePolicy(metrics={"length": MetricGate(margin=0.1)})
    found = one_sided(length, gate, {"a": [50, 150, None]})
    assert found.baseline == {"a": [1.0, 0.0, None]}
    assert (found.aggregate, found.direction, found.margin) == ("all", "higher", 0.1)
