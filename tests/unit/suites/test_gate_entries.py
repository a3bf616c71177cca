from __future__ import annotations

import pytest

from support.suite_folder import SUITE, SuiteFolder, with_lines


def gate(text: str, metrics: str = "[exact_match]") -> str:
    return with_lines(f"metrics: {metrics}", f"gate: {text}", without="gate metrics")


@pytest.mark.parametrize(
    "text",
    [
        gate("{block: regression}"),
        gate("{block: unproven}"),
        gate("{metrics: {exact_match: {min: 0.8}}}"),
        gate("{metrics: {exact_match: {margin: 0.03}}}"),
        gate("{max_cost_usd: 1}"),
        gate("{never_fail: c1}"),
        gate("{alpha: 0.01}", "[{metric: rouge, pass_if: 0.5}]"),
    ],
)
def test_a_suite_that_says_what_fails_asserts_something(folder: SuiteFolder, text: str) -> None:
    """A threshold, a limit, or a word on regressions is an assertion."""
    assert folder.problems(text) == ()


@pytest.mark.parametrize(
    "text", [with_lines(without="gate"), gate(""), gate("{}"), gate("{alpha: 0.01, min_cases: 2}")]
)
def test_a_suite_that_nothing_can_fail_is_pointed_out(folder: SuiteFolder, text: str) -> None:
    """Without any assertion there is a warning, and the suite still runs."""
    result = folder.load(text)
    assert [(p.slug, p.severity) for p in result.problems] == [("suite-asserts-nothing", "warning")]
    assert len(result.suites) == 1


def test_a_gate_for_an_unknown_metric_is_refused(folder: SuiteFolder) -> None:
    """A mistyped name would gate nothing."""
    found = folder.problem(gate("{metrics: {exact_mach: {min: 1}}}"))
    assert (found.slug, found.fix) == ("gate-unknown-metric", "did you mean 'exact_match'?")
    assert str(found.where) == "evals/qa.yaml:5:18"


def test_the_gate_names_metrics_as_the_suite_calls_them(folder: SuiteFolder) -> None:
    """A renamed metric is gated by its new name, those of a preset by theirs."""
    text = gate("{metrics: {overlap: {min: 0.5}}}", "[{metric: rouge, name: overlap}]")
    assert folder.suite(text).gate.metrics["overlap"].min == 0.5


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{metrics: {exact_match: {min: 80}}}", "can never hold"),
        ("{metrics: {exact_match: {max: -1}}}", "can never hold"),
        ("{metrics: {exact_match: {margin: 3}}}", "covers the whole range"),
    ],
)
def test_limits_outside_the_metrics_range_are_pointed_out(folder: SuiteFolder, text: str, part: str) -> None:
    """80 where values go from 0 to 1 is a percentage by mistake."""
    found = folder.problem(gate(text))
    assert found.severity == "warning"
    assert part in found.message


@pytest.mark.parametrize(
    "text",
    [
        "{block: always}",
        "{alpha: 0}",
        "{alpha: 0.5}",
        "{alpha: .nan}",
        "{case_share: 1}",
        "{min_cases: 0}",
        "{max_error_rate: 1.5}",
        "{max_cost_usd: -1}",
        "{require_same: [modell]}",
        "{metrics: {exact_match: {margin: 0}}}",
        "{metrics: {exact_match: {min: 0.9, max: 0.1}}}",
        "{metrics: {exact_match: {}}}",
        "{metrics: {exact_match: 0.8}}",
        "{metrics: [exact_match]}",
        "{max_latency: 5}",
    ],
)
def test_values_that_make_no_sense_are_refused(folder: SuiteFolder, text: str) -> None:
    """Each key of the gate checks its own range."""
    assert {p.severity for p in folder.problems(gate(text))} == {"error"}


def test_every_key_of_the_gate_arrives(folder: SuiteFolder) -> None:
    """The policy holds what the file says."""
    text = gate(
        "{block: unproven, alpha: 0.01, case_share: 0.3, require_same: model, min_cases: 2, max_error_rate: 0, "
        "max_cost_usd: 2, max_latency_ms: 900, never_fail: [c1]}"
    )
    policy = folder.suite(text).gate
    assert (policy.block, policy.alpha, policy.case_share, policy.require_same) == ("unproven", 0.01, 0.3, ("model",))
    assert (policy.min_cases, policy.max_error_rate, policy.max_cost_usd) == (2, 0, 2)
    assert (policy.max_latency_ms, policy.never_fail) == (900, ("c1",))


def test_the_standard_suite_of_these_tests_is_sound(folder: SuiteFolder) -> None:
    """The other tests change a suite that has no problem of its own."""
    assert folder.problems(SUITE) == ()
