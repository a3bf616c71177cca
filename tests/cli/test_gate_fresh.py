"""`retest gate --fresh-baseline`: both sides anew in one session; and the plain gate, whose verdict is sticky."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.openai_server import OpenAIServer, Received, Reply, error, ok
from support.project import Project, Result
from support.repository import commit_all, git

PROMPT = "prompts/質問 文.md"
GOOD, BAD, SAME = "良い good: {{ question }}\n", "悪い bad: {{ question }}\n", "別の other: {{ question }}\n"
CASES, SAMPLES = 10, 3
CALLS = CASES * SAMPLES


def answer(request: Received) -> Reply:
    """Answer right, but to a bad prompt never."""
    word, _, question = request.last_user.partition(": ")
    return ok("?" if word.endswith("bad") else question)


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    """Give an endpoint whose answers depend on the prompt."""
    with OpenAIServer(answer) as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, server: OpenAIServer) -> Project:
    """Give a repository whose committed suite ran well and is the baseline."""
    made = Project(tmp_path)
    made.write(".gitignore", ".retest\n")
    made.write_cases(CASES)
    made.write(PROMPT, GOOD)
    made.write_suite(server.base_url, prompts=[f"../{PROMPT}"], samples=SAMPLES)
    commit_all(made.root)
    assert made.run("run").code == 0
    assert made.run("baseline", "set").code == 0
    return made


def fresh(project: Project, *args: str, code: int = 0) -> Result:
    """Gate on fresh answers."""
    done = project.run("gate", "--fresh-baseline", *args)
    assert done.code == code, done.out + done.err
    return done


def test_both_sides_are_sampled_anew(project: Project, server: OpenAIServer) -> None:
    """As many calls as two runs take, from the baseline's own commit; and again as many the next time."""
    before = server.count
    done = fresh(project)
    assert server.count == before + 2 * CALLS
    assert "sampled anew, in one session" in " ".join(done.out.split())
    fresh(project)
    assert server.count == before + 4 * CALLS


def test_the_calls_of_both_go_out_interleaved(project: Project, server: OpenAIServer) -> None:
    """A drift over the minutes falls on both alike: neither side is done before the other has begun."""
    project.write(PROMPT, SAME)
    before = server.count
    fresh(project)
    sent = [request.last_user[:2] for request in server.requests[before:]]
    first, second = ([place for place, word in enumerate(sent) if word == name] for name in ("良い", "別の"))
    assert len(first) == len(second) == CALLS
    assert first[-1] > second[0]
    assert second[-1] > first[0]


def test_a_regression_is_found(project: Project) -> None:
    """Exit 1, with the comparison that repeats it for nothing."""
    project.write(PROMPT, BAD)
    done = fresh(project, "--json", code=1)
    assert numbers(done)[1]["verdict"] == "regressed"
    assert done.json["reproduce"].startswith("retest diff r")
    again = project.run(*done.json["reproduce"].split()[1:], "--json")
    assert again.json["metrics"]["exact_match"]["verdict"] == "regressed"


def test_a_revision_is_run_without_a_baseline_file(project: Project, server: OpenAIServer) -> None:
    """`git:REV` is that revision's suite: it needs neither a file there nor a run in the store."""
    git(project.root, "tag", "v1")
    project.write(PROMPT, BAD)
    commit_all(project.root)
    assert project.run("baseline", "clear").code == 0
    before = server.count
    done = fresh(project, "--baseline", "git:v1", code=1)
    assert server.count == before + 2 * CALLS
    assert "the baseline is v1, run again" in " ".join(done.out.split())


def test_a_baseline_of_uncommitted_prompts_is_run_from_its_stored_definition(
    project: Project, server: OpenAIServer
) -> None:
    """No commit has the prompt that it was made with: the stored text is laid over the files."""
    project.write(PROMPT, SAME)
    assert project.run("run").code == 0
    assert project.run("baseline", "set").code == 0
    project.write(PROMPT, BAD)
    before = server.count
    fresh(project, code=1)
    sent = [request.last_user[:2] for request in server.requests[before:]]
    assert (sent.count("別の"), sent.count("悪い")) == (CALLS, CALLS)


def test_a_committed_file_alone_is_enough(project: Project, server: OpenAIServer) -> None:
    """Another machine: the file beside the suite and git's objects, no store."""
    assert project.run("baseline", "export").code == 0
    project.write(PROMPT, BAD)
    before = server.count
    fresh(project, "--store", str(project.root / "other.db"), code=1)
    assert server.count == before + 2 * CALLS


def test_outside_git_the_file_has_the_prompts(project: Project, tmp_path: Path, server: OpenAIServer) -> None:
    """The definition stored in the baseline file is run, on the data that is there."""
    assert project.run("baseline", "export").code == 0
    (tmp_path / ".git").rename(tmp_path / "no git")
    project.write(PROMPT, BAD)
    before = server.count
    fresh(project, "--store", str(tmp_path / "other.db"), code=1)
    sent = [request.last_user[:2] for request in server.requests[before:]]
    assert (sent.count("良い"), sent.count("悪い")) == (CALLS, CALLS)


def test_what_cannot_be_run_again_is_said_with_what_was_tried(project: Project, server: OpenAIServer) -> None:
    """A prompt in the suite itself, never committed, known from a file alone: exit 5, before any call."""
    project.write_suite(server.base_url, prompts=[{"name": "ask", "text": "x: {{ question }}"}], samples=SAMPLES)
    assert project.run("run").code == 0
    assert project.run("baseline", "set").code == 0
    assert project.run("baseline", "export").code == 0
    project.write_suite(server.base_url, prompts=[{"name": "ask", "text": "y: {{ question }}"}], samples=SAMPLES)
    before = server.count
    done = fresh(project, "--store", str(project.root / "other.db"), code=5)
    assert server.count == before
    assert "gate-baseline-not-rerunnable" in done.err
    assert "its stored definition" in done.err


def test_without_a_baseline_nothing_is_called(project: Project, server: OpenAIServer) -> None:
    """Exit 5, as without the flag."""
    assert project.run("baseline", "clear").code == 0
    before = server.count
    assert "gate-no-baseline" in fresh(project, code=5).err
    assert server.count == before


def test_a_baseline_that_does_not_come_to_its_end_judges_nothing(project: Project) -> None:
    """The endpoint answers the candidate alone: exit 4, and no report that reads like a pass."""
    with OpenAIServer(lambda r: error(400) if r.last_user.startswith("良い") else answer(r)) as half:
        project.write_suite(half.base_url, prompts=[f"../{PROMPT}"], samples=SAMPLES)
        commit_all(project.root)
        git(project.root, "tag", "v1")
        project.write(PROMPT, SAME)
        done = project.run("gate", "--fresh-baseline", "--baseline", "git:v1", "--report", "markdown=gate.md")
    assert done.code == 4
    assert "gate-baseline-incomplete" in done.err
    assert "PASSED" not in done.out
    assert "passed" not in (project.root / "gate.md").read_text("utf-8").splitlines()[0].lower()


def test_a_budget_is_for_both_sides(project: Project, server: OpenAIServer) -> None:
    """It stops both, and the exit code says so."""
    before = server.count
    fresh(project, "--max-calls", "7", code=4)
    assert server.count == before + 7


def shaky(request: Received) -> Reply:
    """Answer by a coin that falls differently at every call."""
    right = random.Random(request.index).random() < 0.5  # noqa: S311 - a seeded coin, no secret
    return ok(request.last_user.partition(": ")[2] if right else "?")


def test_the_plain_gate_is_sticky_where_answers_vary(tmp_path: Path) -> None:
    """The same content keeps its samples, so its verdict; a fresh sampling beside it does not change that."""
    project = Project(tmp_path)
    project.write_cases(CASES)
    project.write(PROMPT, GOOD)
    with OpenAIServer(shaky) as server:
        project.write_suite(server.base_url, prompts=[f"../{PROMPT}"], samples=SAMPLES)
        commit_all(project.root)
        assert project.run("run").code == 0
        assert project.run("baseline", "set").code == 0
        project.write(PROMPT, SAME)
        first = numbers(project.run("gate", "--json"))
        paid = server.count
        anew = numbers(project.run("gate", "--fresh-baseline", "--json"))
        assert server.count == paid + 2 * CALLS
        assert numbers(project.run("gate", "--json")) == first
        assert server.count == paid + 2 * CALLS
    assert anew != first


def numbers(done: Result) -> Any:
    """Return what a gate found, without what differs by the run."""
    return done.json["outcome"], done.json["comparison"]["metrics"]["exact_match"]


def test_a_base_without_a_baseline_file_is_run(project: Project, server: OpenAIServer) -> None:
    """The suite as it is there, from the ledger where it has the answers; the candidate's calls are made."""
    git(project.root, "tag", "base")
    assert project.run("baseline", "clear").code == 0
    project.write(PROMPT, BAD)
    before = server.count
    done = project.run("gate", "--baseline", "base:base", "--json")
    assert done.code == 1, done.err
    assert server.count == before + CALLS
    assert numbers(done)[1]["verdict"] == "regressed"
    assert "--baseline base:base" in done.json["reproduce"]
    assert numbers(project.run("gate", "--baseline", "base:base", "--json")) == numbers(done)
    assert server.count == before + CALLS


def test_nothing_changed_since_the_base_costs_nothing(project: Project, server: OpenAIServer) -> None:
    """One answer serves both sides, and the gate passes."""
    git(project.root, "tag", "base")
    before = server.count
    assert project.run("gate", "--baseline", "base:base").code == 0
    assert server.count == before


def test_a_base_with_a_baseline_file_is_not_run(project: Project, server: OpenAIServer) -> None:
    """The committed file is read from git's objects."""
    assert project.run("baseline", "export").code == 0
    commit_all(project.root)
    git(project.root, "tag", "base")
    project.write(PROMPT, BAD)
    before = server.count
    done = project.run("gate", "--baseline", "base:base", "--store", str(project.root / "other.db"), "--json")
    assert (done.code, done.json["baseline"]) == (1, "git:base")
    assert server.count == before + CALLS


def test_a_suite_that_the_base_lacks_has_its_own_baseline(project: Project, server: OpenAIServer) -> None:
    """A pull request that adds a suite brings a baseline with it; without one it is not judged: exit 5."""
    git(project.root, "tag", "base")
    (project.root / "evals/qa.yaml").rename(project.root / "evals/new.yaml")
    assert project.run("gate", "--baseline", "base:base").code == 0
    assert project.run("baseline", "clear").code == 0
    before = server.count
    assert "gate-no-baseline" in project.run("gate", "--baseline", "base:base").err
    assert server.count == before


def test_a_base_that_is_not_in_the_clone_is_a_usage_error(project: Project) -> None:
    """Found before any call."""
    done = project.run("gate", "--baseline", "base:nowhere")
    assert done.code == 2
    assert "nowhere" in done.err
