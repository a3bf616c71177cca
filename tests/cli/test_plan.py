"""`retest plan` as a user meets it: files in; exit code and text out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.openai_server import OpenAIServer, Received, Reply, ok
from support.project import Project


def answer(request: Received) -> Reply:
    """Answer wrong now and then, so that repeats differ."""
    return ok(request.last_user if request.index % 3 else "?")


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    """Give an endpoint that is right in two of three answers."""
    with OpenAIServer(answer) as running:
        yield running


def text(out: str) -> str:
    return " ".join(out.split())


def test_a_plan_calls_nothing_and_stores_no_run(project: Project, server: OpenAIServer) -> None:
    """Nothing is paid for, and there is no run afterwards."""
    project.write_cases(10)
    project.write_suite(server.base_url)
    result = project.run("plan")
    assert (result.code, server.count) == (0, 0), result.err
    assert project.run("runs", "--json").json["runs"] == []


def test_without_a_run_the_spread_is_assumed_aloud(project: Project) -> None:
    """The table says so, and a note says what was assumed."""
    project.write_cases(100)
    project.write_suite(samples=3)
    result = project.run("plan")
    assert "7.4 pt" in result.out, result.out + result.err
    assert "the spread of repeats is assumed" in text(result.out)


def test_what_no_formula_foretells_is_said(project: Project) -> None:
    """The formulas are of means; what a margin needs is known all the same."""
    project.write_cases(20)
    metrics = [{"metric": "exact_match", "aggregate": "pass@3"}]
    project.write_suite(samples=3, metrics=metrics, gate={"metrics": {"exact_match": {"margin": 0.03}}})
    result = project.run("plan", "--detect", "5pt")
    assert result.code == 0, result.err
    assert "which drop pass@3 of the samples would see is not foretold" in text(result.out)
    assert "margin 0.03 of exact_match: no run of this size could prove it" in text(result.out)
    assert " pt" not in result.out


def test_the_numbers_are_those_of_the_design_notes(project: Project) -> None:
    """100 cases with 3 samples on both sides see 7.43 points, 50 cases 11.13."""
    project.write_cases(100)
    project.write_suite(samples=3)
    assert project.run("plan", "--json").json["metrics"][0]["seen"]["spread"] == pytest.approx(0.0743, abs=5e-5)
    few = project.run("plan", "--json", "--cases", "50").json
    assert few["metrics"][0]["seen"]["spread"] == pytest.approx(0.1113, abs=5e-5)
    assert (few["cases"], few["planned"]) == (50, 150)


def test_calls_in_the_ledger_are_not_planned_again(project: Project, server: OpenAIServer) -> None:
    """After a run, the same content costs nothing, more samples cost the difference, another prompt all of it."""
    project.write_cases(10)
    project.write_suite(server.base_url, samples=2)
    assert project.run("run", "-q").code == 0
    plan = project.run("plan", "--samples", "3", "--json").json
    assert (plan["planned"], plan["in_ledger"]) == (30, 20)
    assert (plan["now"]["calls"], plan["anew"]["calls"]) == (10, 30)


def test_the_spread_is_measured_on_the_baseline(project: Project, server: OpenAIServer) -> None:
    """A baseline gives the variance, and its own number of samples."""
    project.write_cases(12)
    project.write_suite(server.base_url, samples=4)
    assert project.run("run", "-q").code == 0
    before = project.run("plan", "--json").json
    assert (before["baseline_samples"], before["metrics"][0]["source"]) == (None, "measured")
    assert project.run("baseline", "set").code == 0
    plan = project.run("plan", "--samples", "2", "--json").json
    assert (plan["baseline_samples"], plan["metrics"][0]["source"]) == (4, "measured")
    assert plan["metrics"][0]["variance"] > 0


def test_imagined_cases_cost_what_the_others_do(project: Project) -> None:
    """Four times the cases take four times the calls, and see a smaller drop."""
    project.write_cases(10)
    project.write_suite(samples=2)
    real, imagined = project.run("plan", "--json").json, project.run("plan", "--cases", "40", "--json").json
    assert imagined["now"]["calls"] == 4 * real["now"]["calls"] == 80
    assert imagined["now"]["tokens"] == pytest.approx(4 * real["now"]["tokens"], abs=2)
    assert imagined["metrics"][0]["seen"]["spread"] < real["metrics"][0]["seen"]["spread"]


@pytest.mark.parametrize("drop", ["10pt", "0.1"])
def test_a_drop_is_written_in_points_or_as_a_share(project: Project, drop: str) -> None:
    """Both are a tenth of the scale, and the design that is found sees it."""
    project.write_cases(100)
    project.write_suite()
    plan = project.run("plan", "--detect", drop, "--json").json
    found = plan["metrics"][0]["cheapest"][0]
    assert (found["drop"], found["shape"], found["enough_cases"]) == (pytest.approx(0.1), "spread", True)
    again = project.run("plan", "--cases", str(found["cases"]), "--samples", str(found["samples"]), "--json").json
    assert again["metrics"][0]["seen"]["spread"] <= 0.1


@pytest.mark.parametrize("drop", ["5", "-1pt"])
def test_a_drop_that_is_none_is_refused(project: Project, drop: str) -> None:
    """Exit 2 with what is expected."""
    project.write_cases(3)
    project.write_suite()
    result = project.run("plan", f"--detect={drop}")
    assert result.code == 2, result.out
    assert "[plan-detect]" in result.err


def test_a_margin_that_no_run_of_this_size_proves_is_said(project: Project) -> None:
    """An all-perfect suite needs 53 cases for a margin of .05."""
    project.write_cases(52)
    project.write_suite(gate={"metrics": {"exact_match": {"margin": 0.05}}})
    assert "no run of this size could prove it; it takes at least 53 cases" in text(project.run("plan").out)
    assert "could prove it" not in text(project.run("plan", "--cases", "53").out)


def test_a_single_case_sees_nothing(project: Project) -> None:
    """The plan says so, and does not fail."""
    project.write_cases(1)
    project.write_suite()
    result = project.run("plan", "--detect", "5pt")
    assert result.code == 0, result.err
    assert "none" in result.out


JUDGED: dict[str, Any] = {
    "metrics": ["exact_match", {"metric": "judge_grade", "judge": "grader", "judge_samples": 3}],
    "judges": [{"name": "grader", "provider": "openai", "model": "grader-1", "base_url": "http://127.0.0.1:9/v1"}],
}


def test_calls_of_judges_are_counted_apart(project: Project) -> None:
    """Three votes on each of twenty samples; at an unknown price the cost is unknown, and a gate asks again."""
    project.write_cases(10)
    project.write_suite(samples=2, **JUDGED)
    done = project.run("plan")
    assert "judges, on top: at most 60 calls" in text(done.out), done.out + done.err
    assert "cost unknown" in done.out
    assert "both sides judged again" in text(done.out)
    judging = project.run("plan", "--json").json["judging"]
    assert (judging["calls"], judging["cost_usd"]) == (60, None)
    assert judging["tokens"] > 60 * 150


def test_imagined_cases_are_judged_too(project: Project) -> None:
    """Twice the cases, twice the calls of judges."""
    project.write_cases(10)
    project.write_suite(samples=2, **JUDGED)
    assert project.run("plan", "--json", "--cases", "20").json["judging"]["calls"] == 120


def test_a_targets_own_price_is_what_its_calls_cost(project: Project) -> None:
    """No list knows the model: the suite says what it costs, and a budget in dollars is taken."""
    project.write_cases(10)
    price = {"input": 1.0, "output": 1000.0}
    server = {"provider": "openai", "base_url": "http://127.0.0.1:9/v1", "price": price}
    target = {"name": "small", "model": "in-house", "params": {"max_tokens": 100}, **server}
    judges = [{**JUDGED["judges"][0], "price": price}]
    project.write_suite(targets=[target], metrics=JUDGED["metrics"], judges=judges)
    plan = project.run("plan", "--json").json
    assert plan["now"]["cost_usd"] == pytest.approx(10 * 100 * 1000 / 1e6, rel=0.05)
    assert plan["judging"]["cost_usd"] > 30 * 150 * 1000 / 1e6
    assert project.run("run", "--dry-run", "--max-cost", "5").code == 0
