"""From verdicts to pass or fail: one table of every edge."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from retest.decision.gate import GateFacts, GuardedCase, judge_gate
from retest.domain.comparison import ArmComparison, ComparedRun, MetricComparison, RunComparison
from retest.domain.gate import Waiver
from retest.domain.suite import GatePolicy
from retest.domain.summary import ArmSummary, LimitResult, MetricSummary, RunSummary
from support.store_data import START

TODAY = date(2026, 11, 23)
SUMMARY = RunSummary(
    arms=(
        ArmSummary(
            name="a",
            metrics=(MetricSummary(name="m", metric="m", mean=0.9, n_cases=10, n_samples=10),),
            cases=10,
            samples=10,
            cost_usd=0.5,
        ),
    )
)
SIDE = ComparedRun(label="r", suite="qa", started_at=START, status="complete")


def metric(verdict: str = "unchanged", p: float = 0.5, **changes: Any) -> MetricComparison:
    values: dict[str, Any] = {
        "metric": "m",
        "verdict": verdict,
        "direction": "higher",
        "scale": "linear",
        "baseline_mean": 0.9,
        "candidate_mean": 0.6,
        "delta": -0.3,
        "low": -0.4,
        "high": -0.2,
        "p": p,
        "p_adjusted": p,
        "p_worse": p,
        "p_better": 1 - p,
        "p_cases": p,
        "mde": 0.1,
        "margin": None,
        "n_cases": 10,
    }
    return MetricComparison(**values | changes)


def compared(*metrics: MetricComparison, n_cases: int = 10, arms: int = 1) -> RunComparison:
    arm = ArmComparison(baseline="a", candidate="a", metrics=metrics, n_cases=n_cases)
    return RunComparison(baseline=SIDE, candidate=SIDE, arms=(arm,) * arms)


def facts(comparison: RunComparison | None = None, **changes: Any) -> GateFacts:
    values: dict[str, Any] = {"summary": SUMMARY, "status": "complete", "planned": 10, "today": TODAY}
    return GateFacts(comparison=comparison or compared(metric()), **values | changes)


def limited(judgement: str) -> RunSummary:
    limit = LimitResult(arm="a", metric="m", limit="min", value=0.95, mean=0.9, low=0.8, high=1, judgement=judgement)
    return replace(SUMMARY, limits=(limit,))


def summed(**changes: Any) -> RunSummary:
    return RunSummary(arms=(replace(SUMMARY.arms[0], **changes),))


def waiver(expires: date, **changes: Any) -> Waiver:
    return Waiver(**{"suite": "qa", "metric": "m", "reason": "agreed", "expires": expires, **changes})


REGRESSED = compared(metric("regressed", 0.001))
UNSURE = compared(metric("inconclusive"))
NOT_COMPARABLE = metric("not_comparable", 1.0, n_cases=0, note="its definition changed")
GONE = metric("not_comparable", 1.0, n_cases=0, note="only in the baseline", metric="old")
FAILING = GuardedCase(arm="a", case_id="c", metric="m", failed=1, samples=3)
PROOF = {"block": "unproven"}


@pytest.mark.parametrize(
    ("given", "policy", "code", "kinds"),
    [
        # verdicts
        (facts(), {}, 0, []),
        (facts(compared(metric("improved"), metric("not_worse"))), PROOF, 0, []),
        (facts(REGRESSED), {}, 1, ["regressed"]),
        (facts(REGRESSED), PROOF, 1, ["regressed"]),
        (facts(UNSURE), {}, 0, ["unproven"]),  # passes, and says what could have been missed
        (facts(UNSURE), PROOF, 6, ["unproven"]),
        (facts(compared(metric("regressed", 0.001), metric("inconclusive"))), PROOF, 1, ["regressed", "unproven"]),
        # Holm corrects over an arm's metrics only: with two arms .03 is not sure any more, .02 is
        (facts(compared(metric("regressed", 0.03), arms=2)), {}, 0, ["unproven", "unproven"]),
        (facts(compared(metric("regressed", 0.02), arms=2)), {}, 1, ["regressed", "regressed"]),
        (facts(compared(metric("regressed", 0.03), arms=2)), PROOF, 6, ["unproven", "unproven"]),
        # nothing to judge
        (replace(facts(), comparison=None), {}, 5, ["baseline"]),
        (facts(RunComparison(baseline=SIDE, candidate=SIDE)), {}, 5, ["not_comparable"]),  # no arm in common
        (facts(compared(NOT_COMPARABLE, n_cases=0)), {}, 5, ["not_comparable"]),
        (facts(compared(n_cases=0)), {}, 5, ["not_comparable"]),  # no metric at all
        (facts(compared(metric(), NOT_COMPARABLE)), {}, 5, ["not_comparable"]),  # one of two metrics is not judged
        (facts(compared(metric(), GONE)), {}, 0, ["not_comparable"]),  # the suite has it no more: only said
        (facts(compared(metric(), n_cases=9)), {"min_cases": 10}, 5, ["not_comparable"]),
        (facts(compared(metric(), n_cases=10)), {"min_cases": 10}, 0, []),
        (facts(compared(metric("regressed", 0.001), n_cases=9)), {"min_cases": 10}, 1, ["not_comparable", "regressed"]),
        # limits
        (facts(summary=limited("pass")), {}, 0, []),
        (facts(summary=limited("fail")), {}, 1, ["limit"]),
        (facts(summary=limited("inconclusive")), {}, 0, ["unproven"]),
        (facts(summary=limited("inconclusive")), PROOF, 6, ["unproven"]),
        (facts(), {"max_cost_usd": 0.5}, 0, []),  # at the limit is within it
        (facts(), {"max_cost_usd": 0.4}, 1, ["cost"]),
        (facts(summary=summed(cost_usd=None)), {"max_cost_usd": 0.4}, 5, ["not_comparable"]),  # unknown is not free
        (facts(summary=summed(cost_usd=None)), {}, 0, []),
        (facts(latency_ms={"a": 200.0}), {"max_latency_ms": 200}, 0, []),
        (facts(latency_ms={"a": 200.1}), {"max_latency_ms": 200}, 1, ["latency"]),
        (facts(latency_ms={"a": None}), {"max_latency_ms": 200}, 5, ["not_comparable"]),
        # single cases
        (facts(guarded=(FAILING,)), {}, 1, ["case_rule"]),
        (facts(guarded=(replace(FAILING, failed=0),)), {}, 0, []),
        (facts(guarded=(replace(FAILING, failed=0, samples=0),)), {}, 4, ["errors"]),  # guarded, but never judged
        # what is missing
        (facts(summary=summed(errors=1)), {"max_error_rate": 0.1}, 0, []),
        (facts(summary=summed(errors=2)), {"max_error_rate": 0.1}, 4, ["errors"]),
        (facts(REGRESSED, summary=summed(errors=2)), {"max_error_rate": 0.1}, 1, ["errors", "regressed"]),
        (facts(planned=11), {}, 4, ["errors"]),
        (facts(status="incomplete"), {}, 4, ["errors"]),
        (facts(status="interrupted"), {}, 130, ["errors"]),
        (facts(REGRESSED, status="interrupted"), {}, 130, ["errors", "regressed"]),
        (facts(summary=RunSummary(), planned=0), {}, 5, []),  # no arm: nothing was tested
        # waivers: through the day they name, for their metric, and never for errors or single cases
        (facts(REGRESSED, waivers=(waiver(TODAY),)), {}, 0, ["regressed"]),
        (facts(REGRESSED, waivers=(waiver(date(2026, 11, 22)),)), {}, 1, ["regressed"]),
        (facts(REGRESSED, waivers=(waiver(TODAY, metric="other"),)), {}, 1, ["regressed"]),
        (facts(UNSURE, waivers=(waiver(TODAY),)), PROOF, 0, ["unproven"]),
        (facts(summary=limited("fail"), waivers=(waiver(TODAY),)), {}, 0, ["limit"]),
        (facts(guarded=(FAILING,), waivers=(waiver(TODAY),)), {}, 1, ["case_rule"]),
        (facts(summary=summed(errors=9), waivers=(waiver(TODAY),)), {}, 4, ["errors"]),
    ],
)
def test_every_edge_of_the_gate(given: GateFacts, policy: dict[str, Any], code: int, kinds: list[str]) -> None:
    """The exit code, and what is said, for each situation."""
    decision = judge_gate(given, GatePolicy(**policy))
    assert (int(decision.exit_code), sorted(reason.kind for reason in decision.reasons)) == (code, kinds)


def test_an_inconclusive_pass_says_what_could_have_been_missed() -> None:
    """The size of the drop stands in the message."""
    reason = judge_gate(facts(UNSURE), GatePolicy()).reasons[0]
    assert "a drop of less than 0.1 could have been missed" in reason.message


@pytest.mark.parametrize(
    ("n_cases", "said"),
    [(1, "a drop of any size could have been missed"), (40, "which drop could have been missed cannot be told")],
)
def test_an_unknown_spread_is_no_promise(n_cases: int, said: str) -> None:
    """One case misses everything; cases that all changed alike say nothing of the next run."""
    given = facts(compared(metric("inconclusive", mde=None, n_cases=n_cases)))
    assert any(said in reason.message for reason in judge_gate(given, GatePolicy()).reasons)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (693.4, 1_376.2, "693 before, 1,376 now (+683)"),
        (1_500_000.0, 12.0, "1,500,000 before, 12 now (-1,499,988)"),
        (0.9, 0.6, "0.9 before, 0.6 now (-0.3)"),
        (0.0, 0.00004, "0 before, 0.00004 now (+0.00004)"),
        (1.0, 1.0, "1 before, 1 now (+0)"),
    ],
)
def test_a_number_has_no_exponent(before: float, after: float, words: str) -> None:
    """A latency reads 1,376 and not 1.38e+03."""
    changes = {"baseline_mean": before, "candidate_mean": after, "delta": after - before}
    reason = judge_gate(facts(compared(metric("inconclusive", **changes))), GatePolicy()).reasons[0]
    assert words in reason.message


def test_a_lifted_reason_names_its_waiver() -> None:
    """A reader sees why it did not block, and until when."""
    reason = judge_gate(facts(REGRESSED, waivers=(waiver(TODAY),)), GatePolicy()).reasons[0]
    assert (reason.blocking, reason.waived_by) == (False, "agreed (until 2026-11-23)")


def test_an_expired_waiver_is_pointed_out() -> None:
    """Whoever thought it was waived learns why it blocks."""
    expired = waiver(date(2026, 11, 1))
    reason = judge_gate(facts(REGRESSED, waivers=(expired,)), GatePolicy()).reasons[0]
    assert reason.message.endswith("its waiver expired on 2026-11-01")


def test_blocking_reasons_come_first() -> None:
    """What decides is read first."""
    given = facts(compared(metric("inconclusive"), metric("regressed", 0.001)))
    assert [reason.blocking for reason in judge_gate(given, GatePolicy()).reasons] == [True, False]
