"""What a metric sees with what it has, and what its margin takes."""

from __future__ import annotations

import pytest

from retest.decision.needs import Size, flaky_cases, metric_need
from retest.domain.run import RunMetric
from retest.domain.suite import GatePolicy, MetricGate
from retest.stats.power import mde

MATCH = RunMetric(name="m", metric="exact_match", signature="s", binary=True)
SIZE = Size(cases=50, units=50, samples=3)
MIXED = {f"c{i}": [1.0, float(i % 2), float(i % 3 == 0)] for i in range(50)}


def gate(margin: float) -> GatePolicy:
    """Return a gate with a margin for the metric."""
    return GatePolicy(metrics={"m": MetricGate(margin=margin)})


def test_what_it_sees_is_the_formula_of_power() -> None:
    """With the spread of its own repeats, and all of alpha where no single case could fail."""
    need = metric_need("a", MATCH, MIXED, SIZE, GatePolicy())
    assert need is not None
    assert need.seen == pytest.approx(mde(50, 3, 3, need.repeat_sd**2))
    assert (need.drop, need.is_margin) == (0.05, False)


def test_a_margin_is_what_is_to_be_seen() -> None:
    """More samples, or more cases, see a smaller drop; and a margin takes cases of its own to be proved."""
    wide, narrow = metric_need("a", MATCH, MIXED, SIZE, gate(0.3)), metric_need("a", MATCH, MIXED, SIZE, gate(0.08))
    assert wide is not None
    assert narrow is not None
    assert wide.is_margin
    assert wide.samples == 2
    assert narrow.samples is None or narrow.samples > 3
    assert narrow.cases is not None
    assert narrow.cases > 50
    assert wide.cases_to_prove is not None
    assert narrow.cases_to_prove is not None
    assert wide.cases_to_prove < narrow.cases_to_prove


def test_a_scale_from_one_to_five_keeps_its_units() -> None:
    """A drop is in points of that scale."""
    graded = RunMetric(name="m", metric="judge", signature="s", low=1.0, high=5.0)
    need = metric_need(
        "a", graded, {case: [1 + 4 * v for v in values] for case, values in MIXED.items()}, SIZE, gate(0.4)
    )
    same = metric_need("a", MATCH, MIXED, SIZE, gate(0.1))
    assert need is not None
    assert same is not None
    assert need.seen == pytest.approx(4 * (same.seen or 0.0))
    assert need.cases_to_prove == same.cases_to_prove


def test_clusters_see_less() -> None:
    """Fifty cases of ten clusters are ten units."""
    alone = metric_need("a", MATCH, MIXED, SIZE, GatePolicy())
    clustered = metric_need("a", MATCH, MIXED, Size(cases=50, units=10, samples=3), GatePolicy())
    assert alone is not None
    assert clustered is not None
    assert (clustered.seen or 1.0) > (alone.seen or 1.0)


@pytest.mark.parametrize(
    "metric",
    [
        RunMetric(name="m", metric="latency", signature="s", low=0.0, high=None, scale="log"),
        RunMetric(name="m", metric="length", signature="s", low=0.0, high=None),
    ],
)
def test_a_scale_without_a_width_has_no_forecast(metric: RunMetric) -> None:
    """Nothing says how large a drop is."""
    assert metric_need("a", metric, MIXED, SIZE, GatePolicy()) is None


def test_without_repeats_nothing_is_known() -> None:
    """One sample a case has no spread of its own."""
    assert metric_need("a", MATCH, {"c": [1.0], "d": [None]}, SIZE, GatePolicy()) is None
    assert metric_need("a", MATCH, {}, SIZE, GatePolicy()) is None


def test_flaky_cases_pass_now_and_then() -> None:
    """Steady ones are not named, however many samples they have."""
    pooled = {"always": [1.0] * 9, "never": [0.0] * 9, "時々": [1.0, 0.0, 1.0] * 3}
    assert list(flaky_cases([MATCH], {"m": pooled})) == ["時々"]


def test_a_metric_that_says_not_what_passes_names_nobody() -> None:
    """A score between is no flaking."""
    graded = RunMetric(name="m", metric="bleu", signature="s")
    assert list(flaky_cases([graded], {"m": {"a": [0.2, 0.9] * 5}})) == []
