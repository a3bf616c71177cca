"""`--until-decided` as a user meets it: waves, looks, and the calls that were never made."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.openai_server import OpenAIServer, Received, Reply, ok
from support.project import Project, Result
from support.repository import commit_all

CASES, SAMPLES = 30, 4
PLANNED = CASES * SAMPLES
MARGIN = {"block": "regression", "metrics": {"exact_match": {"margin": 0.2}}}
TIGHT = {"block": "regression", "metrics": {"exact_match": {"margin": 0.01}}}


def answer(request: Received) -> Reply:
    """Answer right, but to a bad prompt never; one in ten of the answers to a shaky one is wrong."""
    word, _, question = request.last_user.rpartition(" ")
    shaky = random.Random(request.body["seed"]).random() < 0.1  # noqa: S311 - no secret
    wrong = word == "BAD" or (word == "DEAD" and question == "q5") or (word == "SHAKY" and shaky)
    return ok("?" if wrong else question, delay_s=0.05 if word == "SLOW" else 0.0)


def prompts(*words: str) -> list[dict[str, str]]:
    """Return a prompt for each word, which tells the server how to answer."""
    return [
        {"text": f"{word} {{{{ question }}}}", "name": "ask" if not place else f"ask{place}"}
        for place, word in enumerate(words)
    ]


@pytest.fixture(scope="module")
def server() -> Iterator[OpenAIServer]:
    """Give an endpoint whose answers depend on the prompt."""
    with OpenAIServer(answer) as running:
        yield running


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory, server: OpenAIServer) -> Project:
    """Give a project whose suite ran well, in one go, and is the baseline; each test takes a copy."""
    made = Project(tmp_path_factory.mktemp("begun"))
    made.write_cases(CASES)
    write(made, server, "GOOD")
    assert made.run("run").code == 0
    assert made.run("baseline", "set").code == 0
    return made


@pytest.fixture
def project(tmp_path: Path, begun: Project) -> Project:
    """Give the project begun."""
    return Project(Path(shutil.copytree(begun.root, tmp_path / "project")))


def write(project: Project, server: OpenAIServer, *words: str, **changes: Any) -> None:
    """Write the suite with prompts of these words, a fixed seed and a margin."""
    target = {
        "name": "small",
        "provider": "openai",
        "model": "test-model",
        "base_url": server.base_url,
        "params": {"temperature": 0.7, "seed": 7},
    }
    given = {"samples": SAMPLES, "prompts": prompts(*words), "targets": [target], "gate": MARGIN, **changes}
    project.write_suite(server.base_url, **given)


def gate(project: Project, *args: str, code: int = 0) -> Result:
    """Gate until decided."""
    done = project.run("gate", "--until-decided", *args)
    assert done.code == code, done.out + done.err
    return done


def flat(text: str) -> str:
    """Return a text without the line ends of an 80-column terminal."""
    return " ".join(text.split())


def test_a_clear_regression_stops_early(project: Project, server: OpenAIServer) -> None:
    """Exit 1 after the first look; the server counts the calls that were made, the report those that were not."""
    write(project, server, "BAD")
    before = server.count
    done = gate(project, "--json", code=1)
    made = server.count - before
    assert made == PLANNED // 6
    assert done.json["calls_saved"] == PLANNED - made
    assert done.json["comparison"]["metrics"]["exact_match"]["verdict"] == "regressed"
    assert (done.json["run"]["planned"], done.json["run"]["status"]) == (made, "complete")


def test_an_unchanged_suite_passes_early_by_its_margin(project: Project, server: OpenAIServer) -> None:
    """Exit 0, said in the words of every report."""
    write(project, server, "SAME")
    before = server.count
    done = gate(project, "--report", "markdown=gate.md", "--report", "junit=gate.xml")
    saved = PLANNED - (server.count - before)
    assert saved > PLANNED // 2
    said = f"{saved} of {PLANNED} calls saved"
    assert "decided after" in flat(done.out)
    assert said in flat(done.out)
    for name in ("gate.md", "gate.xml"):
        assert said in (project.root / name).read_text(encoding="utf-8")


def test_the_verdict_is_repeated_and_never_tested_again(project: Project, server: OpenAIServer) -> None:
    """The same gate, `diff` and `show` say the same without a call."""
    write(project, server, "BAD")
    first = gate(project, "--json", code=1).json["comparison"]["metrics"]["exact_match"]
    before = server.count
    second = gate(project, "--json", code=1)
    assert second.json["comparison"]["metrics"]["exact_match"] == first
    assert second.json["calls_saved"] == PLANNED - PLANNED // 6
    assert project.run("diff", "--json").json["metrics"]["exact_match"] == first
    assert "regressed against r2" in flat(project.run("show", "latest").out)
    assert server.count == before


def test_another_baseline_is_told_that_the_run_was_stopped(project: Project, server: OpenAIServer) -> None:
    """Against anything but what it was judged against its means lean towards its verdict."""
    write(project, server, "SHAKY", samples=1)
    assert project.run("run").code == 0
    write(project, server, "BAD")
    gate(project, code=1)
    done = project.run("diff", "latest~1", "latest", "--json")
    assert any("was sampled until a verdict" in warning for warning in done.json["warnings"])
    assert done.json["metrics"]["exact_match"]["level"] is None


def test_without_a_margin_every_sample_is_taken(project: Project, server: OpenAIServer) -> None:
    """Nothing can pass early, which is said with the key that is missing."""
    write(project, server, "SAME", gate={"block": "regression"})
    before = server.count
    done = gate(project)
    assert server.count - before == PLANNED
    assert "gate.metrics.exact_match.margin is not set" in flat(done.out)
    assert "every sample was taken, no call saved" in flat(done.out)


def test_inconclusive_stays_inconclusive(project: Project, server: OpenAIServer) -> None:
    """A margin too tight to prove: all samples, and the drop that could have been missed; exit 6 where proof is due."""
    write(project, server, "SAME", gate={**TIGHT, "block": "unproven"})
    done = gate(project, code=6)
    assert "not decided after 6 of 6 looks" in flat(done.out)
    assert "could have been missed" in flat(done.out)


def test_a_run_without_a_baseline_says_so(tmp_path: Path, server: OpenAIServer) -> None:
    """`retest run` takes every sample, for there is nothing to decide."""
    project = Project(tmp_path)
    project.write_cases(5)
    write(project, server, "GOOD", samples=2)
    before = server.count
    done = project.run("run", "--until-decided")
    assert (done.code, server.count - before) == (0, 10), done.out + done.err
    assert "no baseline, and no second arm, to decide against" in flat(done.out)


def test_a_run_is_judged_against_its_baseline(project: Project, server: OpenAIServer) -> None:
    """Its exit code is its own: a run looks, a gate fails."""
    write(project, server, "BAD")
    before = server.count
    done = project.run("run", "--until-decided")
    assert (done.code, server.count - before) == (0, PLANNED // 6), done.out + done.err
    assert "exact_match: regressed against" in flat(done.out)


def test_two_arms_decide_each_other(tmp_path: Path, server: OpenAIServer) -> None:
    """Without a baseline, prompts of one run are sampled until every verdict is known."""
    project = Project(tmp_path)
    project.write_cases(CASES)
    write(project, server, "GOOD", "BAD")
    before = server.count
    done = project.run("run", "--until-decided", "--json")
    assert done.code == 0, done.out + done.err
    assert done.json["until_decided"]["outcome"] == "decided"
    assert server.count - before == 2 * PLANNED // 6
    assert done.json["comparisons"][0]["metrics"]["exact_match"]["verdict"] == "regressed"


def test_offline_takes_the_same_waves(project: Project, server: OpenAIServer) -> None:
    """What the ledger has of an early stop is enough to repeat it without a call."""
    write(project, server, "BAD")
    gate(project, code=1)
    before = server.count
    done = gate(project, "--offline", "--json", code=1)
    assert server.count == before
    assert done.json["run"]["planned"] == PLANNED // 6


def test_a_spent_budget_decides_nothing(project: Project, server: OpenAIServer) -> None:
    """Cut short before the first look there is no verdict, whatever the samples say: exit 4, and it can go on."""
    write(project, server, "BAD")
    before = server.count
    done = gate(project, "--max-calls", "10", "--json", code=4)
    assert server.count - before == 10
    assert done.json["comparison"]["metrics"]["exact_match"]["verdict"] == "inconclusive"
    gate(project, code=1)
    assert server.count - before == PLANNED // 6


def test_cases_that_must_never_fail_are_sampled_first(project: Project, server: OpenAIServer) -> None:
    """All their samples are in the first wave; one that fails decides the gate."""
    write(project, server, "SAME", gate={**MARGIN, "never_fail": ["c3"]})
    before = server.count
    gate(project)
    asked = sum(request.last_user == "SAME q3" for request in server.requests[before:])
    assert asked == SAMPLES


def test_few_cases_never_stop_below_the_gates_minimum(project: Project, server: OpenAIServer) -> None:
    """A look at fewer cases than `min_cases` decides nothing."""
    write(project, server, "BAD", gate={**MARGIN, "min_cases": CASES})
    before = server.count
    done = gate(project, "--json", code=1)
    assert server.count - before == PLANNED // 3  # the second look is the first that has all of them
    assert done.json["until_decided"]["looks"] == 2


def test_a_waived_regression_does_not_stop(project: Project, server: OpenAIServer) -> None:
    """It blocks nothing, so that the run goes on until the end."""
    write(project, server, "BAD")
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 3 * 86_400))
    waived = project.run("waive", "exact_match", "--suite", "qa", "--reason", "known", "--expires", day)
    assert waived.code == 0, waived.out + waived.err
    before = server.count
    gate(project)
    assert server.count - before == PLANNED


def test_a_dead_case_is_found_by_sampling_it_again(project: Project, server: OpenAIServer) -> None:
    """The looks pass it by the margin; sampled again with what that saved it fails, and repeating is free."""
    write(project, server, "GOOD", samples=10)
    assert project.run("run").code == 0
    assert project.run("baseline", "set").code == 0
    write(project, server, "DEAD", gate={**MARGIN, "min_cases": CASES})
    assert gate(project).code == 0
    before = server.count
    first = gate(project, "--recheck", "--json", code=1)
    assert first.json["until_decided"]["rechecked"] == 1
    assert first.json["until_decided"]["rechecked_samples"] == server.count - before == 8
    assert first.json["run"]["samples"] == first.json["run"]["planned"]
    again = gate(project, "--recheck", "--json", code=1)
    assert server.count - before == 8
    assert again.json["until_decided"] == first.json["until_decided"]
    assert "sampled again with what was saved" in flat(project.run("show", "latest").out)


@pytest.mark.parametrize(
    "args", [["--recheck"], ["--until-decided", "--recheck", "--fresh-baseline"]], ids=["alone", "fresh"]
)
def test_a_recheck_without_savings_is_refused(project: Project, args: list[str]) -> None:
    """A usage error that says what is missing, before any call."""
    done = project.run("gate", *args)
    assert (done.code, "[recheck-without-savings]" in done.err) == (2, True), done.err


def test_a_fresh_baseline_is_sampled_in_step(project: Project, server: OpenAIServer) -> None:
    """Both sides take the same waves and stop together; the diff that repeats it has the same verdict."""
    commit_all(project.root)
    write(project, server, "BAD")
    before = server.count
    done = gate(project, "--fresh-baseline", "--json", code=1)
    asked = [request.last_user.split()[0] for request in server.requests[before:]]
    assert asked.count("GOOD") == asked.count("BAD") == PLANNED // 6
    again = project.run(*done.json["reproduce"].split()[1:], "--json")
    assert again.json["metrics"]["exact_match"] == done.json["comparison"]["metrics"]["exact_match"]


def test_killed_and_resumed_it_pays_nothing_twice(project: Project, server: OpenAIServer) -> None:
    """A kill midway costs at most what was in flight; the verdict is that of an unbroken run."""
    write(project, server, "SLOW", gate=TIGHT)
    before = server.count
    process = project.start("gate", "--until-decided", "--concurrency", "2")
    deadline = time.monotonic() + 60
    while server.count - before < PLANNED // 4 and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.005)
    process.kill()
    process.communicate()
    assert server.count > before
    resumed = gate(project, "--json")
    assert server.count - before <= PLANNED + 2
    unbroken = gate(project, "--json")
    metrics = [done.json["comparison"]["metrics"]["exact_match"] for done in (resumed, unbroken)]
    assert metrics[0] == metrics[1]
