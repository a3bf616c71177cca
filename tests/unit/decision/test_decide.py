"""Verdicts per metric: units, directions, scales, and one correction for all that are judged together."""

from __future__ import annotations

import pytest

from retest.decision.decide import MetricScores, Policy, compare_metrics

CASES = [f"c{i}" for i in range(40)]
GOOD = {case: [1.0, 1.0, 1.0] for case in CASES}
BAD = {case: [0.0, 1.0, 0.0] for case in CASES}
SAME = {case: [float(i % 2), float(i % 3 == 0), 1.0] for i, case in enumerate(CASES)}


def test_a_clear_drop_is_regressed() -> None:
    """Delta is candidate - baseline, in the metric's own units."""
    (compared,) = compare_metrics([MetricScores(metric="m", baseline=GOOD, candidate=BAD)], Policy())
    assert (compared.verdict, compared.baseline_mean) == ("regressed", 1.0)
    assert compared.delta == pytest.approx(-2 / 3)


def test_where_lower_is_better_a_rise_is_regressed() -> None:
    """The delta keeps its own sign; the verdict knows the direction."""
    (compared,) = compare_metrics([MetricScores(metric="m", baseline=BAD, candidate=GOOD, direction="lower")], Policy())
    assert compared.verdict == "regressed"
    assert compared.delta == pytest.approx(2 / 3)
    bounds = (compared.low, compared.delta, compared.high)
    assert None not in bounds
    assert sorted(bounds, key=lambda bound: bound or 0.0) == list(bounds)


def test_a_ratio_is_compared_on_the_log_scale() -> None:
    """Twice as slow is +100%, whatever the milliseconds were."""
    slow = {case: [200.0 * (i + 1)] * 3 for i, case in enumerate(CASES)}
    fast = {case: [100.0 * (i + 1)] * 3 for i, case in enumerate(CASES)}
    scores = MetricScores(
        metric="latency", baseline=fast, candidate=slow, direction="lower", scale="log", low=0, high=None
    )
    (compared,) = compare_metrics([scores], Policy())
    assert compared.delta == pytest.approx(1.0)
    assert compared.verdict == "regressed"


def test_the_same_scores_are_never_a_verdict_of_change() -> None:
    """Identical runs are inconclusive without a margin, unchanged where a margin can be proved."""
    scores = MetricScores(metric="m", baseline=GOOD, candidate=GOOD)
    assert compare_metrics([scores], Policy())[0].verdict == "inconclusive"
    wide = MetricScores(metric="m", baseline=GOOD, candidate=GOOD, margin=0.2)
    assert compare_metrics([wide], Policy())[0].verdict == "unchanged"


def test_more_metrics_raise_the_bar_for_each() -> None:
    """Holm multiplies the smallest p by the number of metrics."""
    drop = {case: [0.0 if i < 6 else 1.0] for i, case in enumerate(CASES)}
    ones = {case: [1.0] for case in CASES}
    alone = compare_metrics([MetricScores(metric="m", baseline=ones, candidate=drop)], Policy())[0]
    among = compare_metrics(
        [
            MetricScores(metric="m", baseline=ones, candidate=drop),
            *(MetricScores(metric=f"n{i}", baseline=SAME, candidate=SAME) for i in range(4)),
        ],
        Policy(),
    )[0]
    assert alone.p == among.p
    assert among.p_adjusted == pytest.approx(min(1.0, 5 * alone.p))


def test_nothing_in_common_is_not_comparable_and_corrects_nothing() -> None:
    """A metric without a common case does not make the others harder to judge."""
    other = {f"x{case}": samples for case, samples in GOOD.items()}
    judged = compare_metrics(
        [
            MetricScores(metric="m", baseline=GOOD, candidate=BAD),
            MetricScores(metric="lost", baseline=GOOD, candidate=other),
        ],
        Policy(),
    )
    assert [compared.verdict for compared in judged] == ["regressed", "not_comparable"]
    assert judged[0].p_adjusted == judged[0].p
