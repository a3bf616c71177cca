"""Two stored runs to a comparison: age, status, seeds, usage."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from retest.domain.comparison import RunComparison
from retest.domain.run import Run
from retest.domain.sample import CallError, MetricFailure, Response, Usage
from retest.store.database import Store, open_store
from retest.workflows.diff import DiffOptions, diff_runs, stored_side
from support.store_data import START, Clock, make_arm, make_metric, make_record, make_run, store_run

METRICS = (make_metric("exact_match"),)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    with open_store(str(tmp_path / "retest.db"), clock=clock) as opened:
        yield opened


def run(run_id: str, **changes: object) -> Run:
    return make_run(run_id, metrics=METRICS, **changes)  # type: ignore[arg-type] # fields by name


def compared(store: Store, first: str, second: str, now: datetime = START) -> RunComparison:
    sides = [stored_side(store, store.get_run(name)) for name in (first, second)]
    return diff_runs(sides[0], sides[1], DiffOptions(), cwd=Path(), now=now)


def put(store: Store, name: str, answer: str | Response | CallError = "returns", **changes: object) -> None:
    """Store a run of three cases x two samples."""
    records = [
        make_record((0, case, sample), answer, key=f"{name}-{case}-{sample}")
        for case in range(3)
        for sample in range(2)
    ]
    store_run(store, run(name, **changes), records)


def test_old_answers_of_the_baseline_are_warned_about(store: Store) -> None:
    """Past 30 days the model behind the name may be another."""
    put(store, "a")
    put(store, "b")
    fresh = compared(store, "a", "b", START + timedelta(days=29))
    old = compared(store, "a", "b", START + timedelta(days=31))
    assert fresh.age_days == pytest.approx(29)
    assert fresh.warnings == ()
    assert "31 days old" in old.warnings[0]


def test_an_unfinished_side_is_warned_about(store: Store) -> None:
    """Samples that never came could say otherwise."""
    put(store, "a")
    put(store, "b")
    store.update_run("b", status="interrupted")
    assert "the candidate b is interrupted" in compared(store, "a", "b").warnings[0]


def test_a_run_against_itself_is_said_to_be_so(store: Store) -> None:
    """Nobody takes it for an A/A test."""
    put(store, "a")
    assert compared(store, "a", "a").warnings == ("both sides are the same run",)


def test_usage_is_per_answer_on_the_paired_cases(store: Store) -> None:
    """Latency, tokens and cost; errors are counted and cost nothing."""
    cheap = Response(output="x", latency_ms=100, usage=Usage(input_tokens=10, output_tokens=2), cost_usd=0.001)
    dear = Response(output="x", latency_ms=300, usage=Usage(input_tokens=40, output_tokens=4), cost_usd=0.004)
    put(store, "a", cheap)
    put(store, "b", dear)
    (arm,) = compared(store, "a", "b").arms
    assert arm.baseline_usage is not None
    assert arm.candidate_usage is not None
    assert (arm.baseline_usage.latency_p50_ms, arm.candidate_usage.latency_p50_ms) == (100, 300)
    assert (arm.candidate_usage.input_tokens, arm.candidate_usage.output_tokens) == (40, 4)
    assert arm.candidate_usage.cost_usd == pytest.approx(0.004)
    assert arm.candidate_usage.answers == 6


def test_an_unknown_price_is_no_cost_of_zero(store: Store) -> None:
    """One answer without a price makes the mean unknown."""
    put(store, "a", Response(output="x", cost_usd=0.5))
    put(store, "b")
    (arm,) = compared(store, "a", "b").arms
    assert arm.candidate_usage is not None
    assert arm.candidate_usage.cost_usd is None


def test_a_case_whose_calls_all_failed_is_left_out_with_the_reason(store: Store) -> None:
    """A failed call is missing, not zero; the bounds say what it could hide."""
    put(store, "a")
    failed = CallError(kind="timeout", message="no answer")
    records = [make_record((0, case, s), failed if case == 1 else "returns") for case in range(3) for s in range(2)]
    records[0] = make_record((0, 0, 0), failed)
    store_run(store, run("b"), records)
    (arm,) = compared(store, "a", "b").arms
    assert [(item.case_id, item.reason) for item in arm.unpaired] == [("case-1", "no sample in the candidate")]
    assert arm.metrics[0].n_cases == 2
    assert arm.metrics[0].delta == 0
    assert arm.metrics[0].missing_low == pytest.approx(-0.5)
    assert arm.metrics[0].missing_high == 0


def test_a_metric_with_nothing_to_say_misses_nothing(store: Store) -> None:
    """`not_applicable` is no missing sample; a metric that raised is one."""
    silent = {"exact_match": MetricFailure(kind="not_applicable", message="")}
    raised = {"exact_match": MetricFailure(kind="raised", message="")}
    for name, outcome in (("a", None), ("b", silent), ("c", raised)):
        records = [make_record((0, case, 0), scores=outcome if case == 0 else None) for case in range(3)]
        store_run(store, run(name), records)
    assert compared(store, "a", "b").arms[0].metrics[0].missing_low is None
    assert compared(store, "a", "c").arms[0].metrics[0].missing_low is not None


def test_a_changed_prompt_is_shown_once_for_all_arms(store: Store) -> None:
    """Two targets share one prompt; its change is one change."""
    for name, text in (("a", "old {{ message }}"), ("b", "new {{ message }}")):
        arms = tuple(make_arm(f"intent/{t}", prompt_source=text, prompt_hash=text) for t in ("small", "large"))
        records = [make_record((arm, 0, 0)) for arm in range(2)]
        store_run(store, run(name, arms=arms), records)
    found = compared(store, "a", "b")
    assert [(prompt.before, prompt.after) for prompt in found.prompts] == [("old {{ message }}", "new {{ message }}")]


def test_the_same_runs_always_give_the_same_comparison(store: Store) -> None:
    """The draws are seeded from what is compared."""
    put(store, "a")
    put(store, "b", "else")
    assert compared(store, "a", "b") == compared(store, "a", "b")


def test_errors_are_counted_also_where_a_case_has_no_answer(store: Store) -> None:
    """The errors of a case that dropped out are not lost with it."""
    put(store, "a")
    put(store, "b", CallError(kind="timeout", message="no answer"))
    found = compared(store, "a", "b")
    (arm,) = found.arms
    assert arm.candidate_usage is not None
    assert (arm.n_cases, arm.candidate_usage.errors) == (0, 6)
    assert not found.is_comparable
