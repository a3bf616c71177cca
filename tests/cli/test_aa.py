"""`retest aa`: a suite against itself. False alarms, drift, flaky cases, needs; and nothing is paid for twice."""

from __future__ import annotations

import random
from typing import Any

import pytest

from support.openai_server import OpenAIServer, Received, Reply, ok
from support.project import Project, Result

CASES, SAMPLES = 12, 3
CALLS = CASES * SAMPLES


def coin(request: Received, share: float = 0.5) -> Reply:
    """Answer right with some probability, differently at every call."""
    right = random.Random(request.index).random() < share  # noqa: S311 - a seeded coin, no secret
    return ok(request.last_user if right else "no idea")


def drifting(request: Received) -> Reply:
    """Answer ever better, run after run, as if the model behind the name were changed between them."""
    return coin(request, (0.15, 0.5, 0.95)[min(request.index // CALLS, 2)])


def write_suite(project: Project, base_url: str, **changes: Any) -> None:
    project.write_cases(CASES)
    project.write_suite(base_url, samples=SAMPLES, **changes)


def against_itself(project: Project, *args: str) -> Result:
    return project.run("aa", "--splits", "40", "--concurrency", "1", *args)


def test_three_runs_with_fresh_draws_are_compared(project: Project) -> None:
    """Each run pays for its own answers; all pairs are judged both ways, and the pooled samples are dealt."""
    with OpenAIServer(coin) as server:
        write_suite(project, server.base_url)
        done = against_itself(project, "--json")
        assert done.code == 0, done.err
        assert server.count == 3 * CALLS
    found = done.json
    assert len(set(found["runs"])) == 3
    assert (found["pairs"]["trials"], found["splits"]["trials"]) == (6, 40)
    assert found["splits"]["samples"] == [SAMPLES, SAMPLES]
    assert found["splits"]["low"] <= found["splits"]["alarms"] / 40 <= found["splits"]["high"]
    draws = [project.run("show", run, "--json").json["draw"] for run in found["runs"]]
    assert len(set(draws)) == 3
    assert 0 not in draws


def test_the_terminal_says_what_was_found(project: Project) -> None:
    """False alarms with an interval, drift per metric, flaky cases, and what the margin takes, in 80 columns."""
    with OpenAIServer(coin) as server:
        write_suite(project, server.base_url, gate={"metrics": {"exact_match": {"margin": 0.1}}})
        done = against_itself(project)
    assert "false alarm" in done.out
    assert "drift from run to run" in done.out
    assert "flaky, 12 cases: c0" in done.out
    assert "10.0 pt margin" in done.out
    assert max(map(len, done.out.splitlines())) <= 80


def test_a_drift_between_runs_is_found_and_kept(project: Project) -> None:
    """A model that changes from run to run has a drift; a regression that stays within it is pointed out.

    A baseline file takes the drift along to where the runs are not.
    """
    with OpenAIServer(drifting) as server:
        write_suite(project, server.base_url)
        found = against_itself(project, "--json").json
    (drift,) = found["drifts"]
    assert drift["p"] < 0.01
    assert drift["tau"] > 0.2
    best, worst = found["runs"][2], found["runs"][0]
    compared = project.run("diff", best, worst, "--json").json["metrics"]["exact_match"]
    assert compared["verdict"] == "regressed"
    assert compared["within_drift"]
    assert compared["drift_limit"] > abs(compared["delta"])
    shown = project.run("diff", best, worst).out
    assert "within the drift that retest aa measured" in " ".join(shown.split())
    for run, name in ((best, "best.jsonl"), (worst, "worst.jsonl")):
        assert project.run("baseline", "export", "--run", run, "-o", name).code == 0
    elsewhere = project.run("diff", "best.jsonl", "worst.jsonl", "--json", "--store", "another.db").json
    assert elsewhere["metrics"]["exact_match"]["drift_limit"] == compared["drift_limit"]


def test_the_gate_says_that_a_regression_stays_within_the_drift(project: Project) -> None:
    """It still fails: the reader is told what else may have done it."""
    with OpenAIServer(drifting) as server:
        write_suite(project, server.base_url)
        found = against_itself(project, "--json").json
    with OpenAIServer(lambda request: coin(request, 0.15)) as server:
        write_suite(project, server.base_url)
        done = project.run("gate", "--baseline", found["runs"][2])
    assert done.code == 1
    assert "within the drift between equal runs" in " ".join(done.out.split())


def test_an_unfinished_measurement_goes_on(project: Project) -> None:
    """A budget that ends in the second run: exit 4; the same command pays for the rest alone."""
    with OpenAIServer(coin) as server:
        write_suite(project, server.base_url)
        cut = against_itself(project, "--max-calls", str(CALLS + 5))
        assert cut.code == 4
        assert "the same command goes on: retest aa" in cut.err
        assert server.count == CALLS + 5
        done = against_itself(project, "--json")
        assert done.code == 0, done.err
        assert server.count == 3 * CALLS
    assert len(done.json["runs"]) == 3


def test_a_new_measurement_has_new_draws(project: Project) -> None:
    """A finished measurement is not taken for an unfinished one."""
    with OpenAIServer(coin) as server:
        write_suite(project, server.base_url)
        first = against_itself(project, "--json").json["runs"]
        second = against_itself(project, "--json").json["runs"]
        assert server.count == 6 * CALLS
    assert not set(first) & set(second)


def test_an_ordinary_fresh_run_is_no_part_of_it(project: Project) -> None:
    """`retest run --fresh` left unfinished is resumed by itself, and not by `retest aa`."""
    with OpenAIServer(coin) as server:
        write_suite(project, server.base_url)
        assert project.run("run", "--fresh", "--max-calls", "5").code == 4
        assert against_itself(project).code == 0
        assert server.count == 5 + 3 * CALLS
        assert project.run("run", "--fresh").code == 0
        assert server.count == 4 * CALLS


def test_runs_that_never_differ_say_nothing_of_drift(project: Project) -> None:
    """Copies of one answer are called so."""
    with OpenAIServer(lambda request: ok(request.last_user)) as server:
        write_suite(project, server.base_url)
        done = against_itself(project)
    assert done.code == 0
    assert "every run gave the same scores" in " ".join(done.out.split())


def test_fresh_draws_have_seeds_of_their_own(project: Project) -> None:
    """A fixed seed would give every run the answers of the first."""
    seeds = []

    def note(request: Received) -> Reply:
        seeds.append(request.body["seed"])
        return coin(request)

    with OpenAIServer(note) as server:
        write_suite(project, server.base_url)
        assert against_itself(project, "--set", "targets.0.params.seed=7").code == 0
    assert len(set(seeds)) == 3 * CALLS


def write_recording(project: Project, samples: int, **changes: Any) -> None:
    rows = [
        {"case_id": f"例{case}", "sample_index": sample, "output": "はい" if (case + sample) % 3 else "いいえ"}
        for case in range(CASES)
        for sample in range(samples)
    ]
    project.write_rows("datasets/answers.jsonl", rows)
    cases = [{"id": f"例{case}", "question": f"質問{case}", "expected": "はい"} for case in range(CASES)]
    project.write_rows("datasets/qa.jsonl", cases)
    target = {"name": "recorded", "provider": "replay", "path": "../datasets/answers.jsonl"}
    project.write_suite(targets=[target], samples=samples, **changes)


def test_a_recording_has_no_fresh_draws_and_is_dealt_all_the_same(project: Project) -> None:
    """One run, no drift, said so; the samples that it has still give the rate of false alarms."""
    write_recording(project, 4)
    done = against_itself(project)
    assert done.code == 0, done.err
    assert "no fresh draws" in done.out
    assert "2 against 2 samples a case" in done.out
    assert "例1" in done.out
    assert "run against run" not in done.out


def test_what_an_aggregate_keeps_from_being_said_is_said(project: Project) -> None:
    """Sides of two samples have no pass@3, and no formula tells which drop it would see."""
    write_recording(project, 4, metrics=[{"metric": "exact_match", "aggregate": "pass@3"}])
    found = against_itself(project, "--json").json
    assert found["needs"] == []
    said = " ".join(found["notes"])
    assert "pass@3 takes 3 samples on each dealt side" in said
    assert "which drop pass@3 of the samples would see is not foretold" in said


def test_a_recording_of_one_sample_has_nothing_to_compare(project: Project) -> None:
    """Exit 5: nothing was compared with anything."""
    write_recording(project, 1)
    done = against_itself(project, "--json")
    assert done.code == 5
    assert "aa-nothing-to-compare" in done.err
    assert done.json["exit_code"] == 5


@pytest.mark.parametrize("flags", [("--runs", "2"), ("--splits", "3")])
def test_too_few_runs_or_splits_are_refused(project: Project, flags: tuple[str, ...]) -> None:
    """Two runs are one difference and no spread."""
    write_recording(project, 4)
    assert project.run("aa", *flags).code == 2


def test_a_refused_key_leaves_it_incomplete(project: Project) -> None:
    """Every call refused: exit 4, nothing is judged."""
    with OpenAIServer(lambda _: Reply(status=401)) as server:
        write_suite(project, server.base_url)
        done = against_itself(project)
    assert done.code == 4
    assert "false alarm" not in done.out
