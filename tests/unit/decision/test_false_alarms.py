"""Samples dealt into two sides: as many alarms as alpha allows, and none where nothing varies."""

from __future__ import annotations

import random

import pytest

from retest.decision.decide import MetricScores, Policy
from retest.decision.false_alarms import SplitDesign, pooled_scores, split_alarms, split_sizes
from retest.domain.suite import GatePolicy


def coins(share: float, samples: int = 6) -> dict[str, list[float | None]]:
    """Return 30 cases whose samples pass with some probability."""
    rng = random.Random(3)  # noqa: S311 - seeded data of a test
    return {f"例{case}": [float(rng.random() < share) for _ in range(samples)] for case in range(30)}


def metric(scores: dict[str, list[float | None]], name: str = "m") -> MetricScores:
    """Return a metric with all samples on one side."""
    return MetricScores(metric=name, baseline=scores, candidate={})


def test_the_rate_stays_at_alpha() -> None:
    """Dealing is what the test supposes; the interval of 300 splits holds the level or lies below it."""
    design = SplitDesign(samples=(3, 3), splits=300)
    found = split_alarms({"a": [metric(coins(0.5))]}, Policy(), GatePolicy(), design)
    assert found.trials == 300
    assert found.low is not None
    assert found.low <= 0.05
    assert found.alarms > 0


def test_the_same_seed_gives_the_same_count() -> None:
    """A second look says the same."""
    design = SplitDesign(samples=(3, 3), splits=40)
    first, second = (split_alarms({"a": [metric(coins(0.5))]}, Policy(seed=5), GatePolicy(), design) for _ in range(2))
    assert first == second


def test_what_never_varies_never_alarms() -> None:
    """All samples pass; a gate that asks for proof is told so."""
    design = SplitDesign(samples=(3, 3), splits=20)
    found = split_alarms({"a": [metric(coins(1.0))]}, Policy(), GatePolicy(block="unproven"), design)
    assert (found.alarms, found.unproven) == (0, 20)


def test_a_case_of_one_sample_is_left_out() -> None:
    """It cannot be on both sides; the others are still judged."""
    design = SplitDesign(samples=(1, 1), splits=20)
    found = split_alarms({"a": [metric({**coins(0.5, 2), "single": [1.0]})]}, Policy(), GatePolicy(), design)
    assert found.trials == 20


def test_missing_samples_are_dealt_too() -> None:
    """A sample without a score is missing on whichever side it falls."""
    holes = {case: [None, *samples[1:]] for case, samples in coins(0.5).items()}
    design = SplitDesign(samples=(3, 3), splits=20)
    assert split_alarms({"a": [metric(holes)]}, Policy(), GatePolicy(), design).trials == 20


@pytest.mark.parametrize(
    ("pooled", "per_run", "sizes"),
    [
        (9, 3, (3, 3)),  # three runs: either side is a whole run
        (5, 5, (2, 3)),  # one recording: halves
        (2, 1, (1, 1)),
        (1, 1, None),  # one sample is all
        (0, 3, None),
    ],
)
def test_a_side_is_as_large_as_a_run_where_it_can_be(pooled: int, per_run: int, sizes: tuple[int, int] | None) -> None:
    """Else it is a half."""
    assert split_sizes(pooled, per_run) == sizes


def test_runs_are_pooled_over_the_cases_that_all_have() -> None:
    """In the order of the runs."""
    runs = [{"a": [1.0], "b": [0.0]}, {"b": [1.0]}]
    assert pooled_scores(runs) == {"b": [0.0, 1.0]}
    assert pooled_scores([]) == {}
