"""Absolute limits and the exit code of a run: pure functions, one table each."""

from __future__ import annotations

from typing import Any

import pytest

from retest.decision.limits import judge_limit, judge_limits, run_exit_code
from retest.domain.figures import Figure, MetricFigures
from retest.domain.suite import GatePolicy, MetricGate
from retest.domain.summary import ArmSummary, LimitResult, MetricSummary, RunSummary
from retest.errors import ExitCode, worst_exit_code


@pytest.mark.parametrize(
    ("minimum", "low", "high", "expected"),
    [
        (0.8, 0.85, 0.95, "pass"),  # the whole interval lies above
        (0.8, 0.80, 0.95, "pass"),  # at the limit is not below it
        (0.8, 0.60, 0.79, "fail"),  # the whole interval lies below
        (0.8, 0.60, 0.80, "inconclusive"),  # its upper end just reaches the limit
        (0.8, 0.70, 0.90, "inconclusive"),
        (0.8, None, None, "inconclusive"),  # one case on an unbounded scale bounds nothing
        (0.8, None, 0.5, "fail"),
        (0.8, 0.9, None, "pass"),
    ],
)
def test_a_minimum_is_judged_by_the_interval(minimum: float, low: float, high: float, expected: str) -> None:
    """Below for sure fails, above passes, else inconclusive."""
    assert judge_limit("min", minimum, metric(low=low, high=high)) == expected


@pytest.mark.parametrize(
    ("maximum", "low", "high", "expected"),
    [
        (100, 20, 90, "pass"),
        (100, 101, 150, "fail"),
        (100, 90, 110, "inconclusive"),
        (100, 20, 100, "pass"),
        (100, None, 150, "inconclusive"),
    ],
)
def test_a_maximum_is_the_mirror_image(maximum: float, low: float, high: float, expected: str) -> None:
    """Above for sure fails."""
    assert judge_limit("max", maximum, metric(low=low, high=high)) == expected


def metric(**changes: Any) -> MetricSummary:
    return MetricSummary(**{"name": "m", "metric": "m", "mean": 0.9, "n_cases": 10, "n_samples": 10, **changes})


def arm(**changes: Any) -> ArmSummary:
    return ArmSummary(**{"name": "a", "metrics": (metric(),), "cases": 10, "samples": 10, **changes})


def limit(judgement: str) -> LimitResult:
    return LimitResult(arm="a", metric="m", limit="min", value=0.5, mean=0.9, low=0.8, high=1.0, judgement=judgement)


UNPROVEN = GatePolicy(block="unproven")


@pytest.mark.parametrize(
    ("summary", "gate", "planned", "code"),
    [
        (RunSummary(arms=(arm(),)), GatePolicy(), 10, ExitCode.PASSED),
        (RunSummary(arms=()), GatePolicy(), 0, ExitCode.NOTHING_TO_JUDGE),
        (RunSummary(arms=(arm(samples=0, cases=0),)), GatePolicy(), 0, ExitCode.NOTHING_TO_JUDGE),
        (RunSummary(arms=(arm(),)), GatePolicy(), 11, ExitCode.INCOMPLETE),  # a sample is missing
        (RunSummary(arms=(arm(errors=1),)), GatePolicy(), 10, ExitCode.INCOMPLETE),  # 10% > 5%
        (RunSummary(arms=(arm(errors=10, cases=0),)), GatePolicy(), 10, ExitCode.INCOMPLETE),  # 4 before 5: no answer
        (RunSummary(arms=(arm(errors=1),)), GatePolicy(max_error_rate=0.1), 10, ExitCode.PASSED),  # at the limit
        (
            RunSummary(arms=(arm(metrics=(metric(failures=10, n_samples=0, n_cases=0),)),)),
            GatePolicy(),
            10,
            ExitCode.INCOMPLETE,
        ),
        (RunSummary(arms=(arm(metrics=()),)), GatePolicy(), 10, ExitCode.NOTHING_TO_JUDGE),  # nothing was measured
        (
            RunSummary(arms=(arm(metrics=(metric(not_applicable=10, n_samples=0, n_cases=0, mean=None),)),)),
            GatePolicy(),
            10,
            ExitCode.NOTHING_TO_JUDGE,
        ),
        (RunSummary(arms=(arm(cases=3),)), GatePolicy(min_cases=5), 10, ExitCode.NOTHING_TO_JUDGE),
        (RunSummary(arms=(arm(),), limits=(limit("fail"),)), GatePolicy(), 10, ExitCode.GATE_FAILED),
        (
            RunSummary(arms=(arm(errors=5),), limits=(limit("fail"),)),
            GatePolicy(),
            10,
            ExitCode.GATE_FAILED,
        ),  # 1 before 4
        (RunSummary(arms=(arm(),), limits=(limit("inconclusive"),)), GatePolicy(), 10, ExitCode.PASSED),
        (RunSummary(arms=(arm(),), limits=(limit("inconclusive"),)), UNPROVEN, 10, ExitCode.INCONCLUSIVE),
    ],
)
def test_the_exit_code_of_a_run(summary: RunSummary, gate: GatePolicy, planned: int, code: ExitCode) -> None:
    """Nothing that was not tested exits 0."""
    assert run_exit_code(summary, gate, planned) is code


def test_where_several_codes_hold_the_documented_order_decides() -> None:
    """3, 2, 130, 1, 4, 5, 6; and no code at all is nothing to judge."""
    order = [3, 2, 130, 1, 4, 5, 6, 0]
    for index, code in enumerate(order):
        assert worst_exit_code(*(ExitCode(later) for later in order[index:])) == code
    assert worst_exit_code() is ExitCode.NOTHING_TO_JUDGE


def with_figures(*figures: Figure) -> ArmSummary:
    return arm(metrics=(metric(figures=MetricFigures(values=figures, n_cases=10, n_samples=10)),))


def figure(value: float | None, low: float | None = None, high: float | None = None) -> Figure:
    return Figure(name="f1", label="返金", value=value, low=low, high=high)


def gate(**limits: MetricGate) -> GatePolicy:
    return GatePolicy(metrics={name.replace("__", "."): limit for name, limit in limits.items()})


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(0.8, 0.95, "pass"), (0.5, 0.6, "fail"), (0.6, 0.9, "inconclusive")]
)
def test_a_figure_is_judged_by_its_interval(low: float, high: float, expected: str) -> None:
    """Like a mean: surely below fails, surely above passes."""
    limits = gate(m__f1__返金=MetricGate(min=0.7))
    (found,) = judge_limits([with_figures(figure(0.75, low, high))], limits)
    assert (found.metric, found.subject, found.judgement) == ("m.f1.返金", "figure", expected)


@pytest.mark.parametrize("summary", [with_figures(figure(None)), with_figures(), arm()], ids=["none", "other", "no"])
def test_a_figure_that_cannot_be_computed_is_no_pass(summary: ArmSummary) -> None:
    """Nothing was tested: the run ends with code 5, whatever the policy blocks."""
    limits = gate(m__f1__返金=MetricGate(min=0.0))
    results = judge_limits([summary], limits)
    assert [result.mean for result in results] == [None]
    assert run_exit_code(RunSummary(arms=(summary,), limits=results), limits, 10) == ExitCode.NOTHING_TO_JUDGE


def test_a_metric_with_dots_in_its_name_is_no_figure() -> None:
    """Its own limit is judged once, on its mean."""
    summary = arm(metrics=(metric(name="m"), metric(name="m.f1", low=0.8, high=1.0)))
    (found,) = judge_limits([summary], gate(m__f1=MetricGate(min=0.7)))
    assert (found.subject, found.judgement) == ("mean", "pass")


def test_a_mean_that_is_not_there_is_no_pass() -> None:
    """A limit on a metric that scored nothing, beside one that scored, is nothing to judge."""
    summary = arm(metrics=(metric(), metric(name="empty", mean=None, n_cases=0, n_samples=0)))
    policy = gate(empty=MetricGate(min=0.5))
    limits = judge_limits([summary], policy)
    assert run_exit_code(RunSummary(arms=(summary,), limits=limits), policy, 10) == ExitCode.NOTHING_TO_JUDGE
