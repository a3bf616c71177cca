"""What pages show of each case: values, states, distributions."""

from __future__ import annotations

from typing import Any

import pytest

from retest.domain.comparison import CaseChange
from retest.domain.run import RunMetric
from retest.domain.suite import CasePasses
from retest.workflows.page_values import ArmValues, case_values, compared_state, plain_state, shared_histogram


def metric(**changes: Any) -> RunMetric:
    values: dict[str, Any] = {"name": "m", "metric": "exact_match", "signature": "s", "binary": True}
    return RunMetric(**(values | changes))


@pytest.mark.parametrize(
    ("how", "expected"),
    [("mean", 0.5), ("min", 0.0), ("max", 1.0), ("any", 1.0), ("all", 0.0), ("majority", 0.0), ("pass@1", 0.5)],
)
def test_a_case_has_the_value_that_its_aggregate_makes(how: str, expected: float) -> None:
    """A missing sample counts as nothing."""
    assert case_values(metric(aggregate=how), {"a": [1.0, 0.0, None]}) == {"a": expected}


def test_a_case_without_scores_has_no_value() -> None:
    """Neither 0 nor anything else."""
    assert case_values(metric(), {"a": [None], "b": [], "c": [1.0]}) == {"c": 1.0}
    assert case_values(metric(), {}) == {}


@pytest.mark.parametrize(
    ("passed", "rule", "expected"),
    [
        ((5, 5), "majority", "passing"),
        ((0, 5), "any", "failing"),
        ((3, 5), "majority", "mixed"),
        ((1, 1), "all", "passing"),
        ((0, 0), "all", "scored"),
    ],
)
def test_the_state_of_a_case(passed: tuple[int, int], rule: Any, expected: str) -> None:
    """Samples that do not agree are said to do so, whatever the rule makes of them."""
    own = ArmValues(passes={"m": {"a": passed}})
    assert plain_state("a", own, [metric(case_passes=CasePasses(rule=rule))]) == expected


def test_an_error_is_said_first() -> None:
    """Before anything that the other samples did."""
    own = ArmValues(passes={"m": {"a": (4, 4)}}, errors={"a": 1})
    assert plain_state("a", own, [metric()]) == "error"
    assert compared_state("a", own, []) == "error"


def test_the_most_urgent_change_is_the_state() -> None:
    """A case that got better on one metric and worse on another got worse."""
    shared: dict[str, Any] = {
        "baseline_mean": 0.0,
        "candidate_mean": 1.0,
        "certainty": 1.0,
        "samples_before": 1,
        "samples_after": 1,
    }
    changes = [CaseChange(metric="a", label="better", **shared), CaseChange(metric="b", label="worse", **shared)]
    assert compared_state("x", ArmValues(), changes) == "worse"
    assert compared_state("x", ArmValues(), []) == "same"


def test_both_sides_are_counted_in_the_same_bins() -> None:
    """Also where the scale has no end: from the smallest to the largest value of either."""
    found = shared_histogram(metric(binary=False, high=None), {"a": 10.0, "b": 30.0}, {"a": 0.0})
    assert found is not None
    assert (found.low, found.high) == (0.0, 30.0)
    assert (sum(found.after), sum(found.before)) == (2, 1)
    assert (found.before[0], found.after[-1]) == (1, 1)


def test_a_scale_with_ends_keeps_them() -> None:
    """Two distributions can be compared by eye."""
    found = shared_histogram(metric(), {"a": 0.4, "b": 1.0}, None)
    assert found is not None
    assert (found.low, found.high, len(found.after), found.before) == (0.0, 1.0, 10, ())


def test_what_passes_is_counted_between_0_and_1() -> None:
    """Whatever the scale of the scores."""
    found = shared_histogram(metric(aggregate="majority", low=1.0, high=5.0), {"a": 0.0, "b": 1.0}, None)
    assert found is not None
    assert (found.low, found.high) == (0.0, 1.0)


def test_one_value_for_all_still_has_a_width() -> None:
    """A histogram of nothing but one number is one bar."""
    found = shared_histogram(metric(binary=False, high=None), {"a": 7.0, "b": 7.0}, None)
    assert found is not None
    assert (found.low, found.high, sum(found.after)) == (7.0, 8.0, 2)
    assert shared_histogram(metric(), {}, {}) is None
