"""Twelve ways to pass without having tested, tried on `gate`, `compare` and `diff`: each says what is wrong, none is 0.

`run` has its own in test_never_green.py; the table of mistakes in files is tried on it here as well.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.openai_server import OpenAIServer, Received, Reply, ok, unauthorized
from support.project import Project, Result
from support.repository import commit_all, git
from support.waiting import wait_until

CASES = 8
DATASET = {"path": "../datasets/qa.jsonl", "id": "id", "expected": "expected"}
OTHER = [{"text": "other {{ question }}", "name": "ask"}]
JUDGE: dict[str, Any] = {"name": "grader", "provider": "openai", "model": "judge-model"}


def answer(request: Received) -> Reply:
    """Answer with the question, whatever stands before it; slowly where that is asked for."""
    word, _, question = request.last_user.rpartition(" ")
    return ok(question, delay_s=0.2 if word == "slow" else 0.0)


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    """Give an endpoint that answers all that it is asked."""
    with OpenAIServer(answer) as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, server: OpenAIServer) -> Project:
    """Give a committed suite that ran well and is its own baseline: whatever fails now is what the test broke."""
    made = Project(tmp_path)
    made.write(".gitignore", ".retest\n")
    made.write_cases(CASES)
    made.write_suite(server.base_url, gate={"block": "regression"})
    commit_all(made.root)
    assert made.run("run").code == 0
    assert made.run("baseline", "set").code == 0
    return made


Breaks = Callable[[Project, str], object]

MISTAKES: dict[str, tuple[Breaks, int, str]] = {
    "missing dataset": (
        lambda project, _: (project.root / "datasets/qa.jsonl").unlink(),
        2,
        "suite-file-missing",
    ),
    "empty file": (lambda project, _: project.write("datasets/qa.jsonl", ""), 2, "dataset-empty"),
    "filter without match": (
        lambda project, url: project.write_suite(url, dataset={**DATASET, "where": {"id": "nobody"}}),
        2,
        "dataset-filter-empty",
    ),
    "misspelt key": (
        lambda project, url: project.write_suite(url, metrics=None, metrcs=["exact_match"]),
        2,
        "suite-unknown-key",
    ),
    "misspelt metric": (
        lambda project, url: project.write_suite(url, metrics=["exact_mach"]),
        2,
        "suite-unknown-metric",
    ),
    "misspelt metric in the gate": (
        lambda project, url: project.write_suite(url, gate={"metrics": {"exact_mach": {"min": 0.9}}}),
        2,
        "gate-unknown-metric",
    ),
    "misspelt variable": (
        lambda project, url: project.write_suite(url, prompts=[{"text": "{{ qestion }}", "name": "ask"}]),
        2,
        "suite-unknown-variable",
    ),
}
COMMANDS: dict[str, tuple[str, ...]] = {
    "run": ("run",),
    "gate": ("gate", "--report", "markdown=gate.md"),
    "fresh gate": ("gate", "--fresh-baseline", "--report", "markdown=gate.md"),
    "compare": ("compare", "HEAD", "WORKTREE"),
    "aa": ("aa",),
}


@pytest.mark.parametrize(
    ("mistake", "command"),
    [
        *((mistake, command) for mistake in MISTAKES for command in ("gate", "compare")),
        *(("misspelt key", command) for command in ("run", "fresh gate", "aa")),  # they share the check
    ],
)
def test_a_mistake_in_the_files_is_found_before_any_call(
    project: Project, server: OpenAIServer, mistake: str, command: str
) -> None:
    """With its own message, by whatever command; no report reads like a pass."""
    breaks, code, slug = MISTAKES[mistake]
    breaks(project, server.base_url)
    before = server.count
    done = project.run(*COMMANDS[command])
    assert done.code == code, done.out + done.err
    assert f"[{slug}]" in done.err
    assert server.count == before
    never_says_passed(project, done)


def test_every_mistake_has_its_own_message() -> None:
    """The slug tells them apart."""
    slugs = [slug for _, _, slug in MISTAKES.values()]
    assert len(set(slugs)) == len(slugs)


def never_says_passed(project: Project, done: Result) -> None:
    """Check that neither the terminal nor a report claims a pass."""
    assert not done.out.startswith("PASSED")
    report = project.root / "gate.md"
    if report.exists():
        assert "passed" not in report.read_text("utf-8").splitlines()[0].lower()


DECIDING = ("gate", "fresh gate", "compare")


@pytest.mark.parametrize("command", DECIDING)
def test_every_call_refused(project: Project, command: str) -> None:
    """A key that is refused: exit 4, few calls, one message."""
    with OpenAIServer(lambda _: unauthorized()) as refusing:
        project.write_suite(refusing.base_url, gate={"block": "regression"}, prompts=OTHER)
        done = project.run(*COMMANDS[command])
    assert done.code == 4, done.out + done.err
    assert "HTTP 401" in " ".join(done.err.split())
    never_says_passed(project, done)


@pytest.mark.parametrize("command", DECIDING)
def test_refused_midway(project: Project, command: str) -> None:
    """The answers that came before are no verdict."""
    with OpenAIServer(lambda r: unauthorized() if r.index >= 4 else answer(r)) as refusing:
        project.write_suite(refusing.base_url, gate={"block": "regression"}, prompts=OTHER)
        done = project.run(*COMMANDS[command], "--concurrency", "1")
    assert done.code == 4, done.out + done.err
    never_says_passed(project, done)


@pytest.mark.parametrize("command", DECIDING)
def test_interrupted(project: Project, server: OpenAIServer, command: str) -> None:
    """Exit 130, with the command that goes on; and that one decides."""
    project.write_suite(
        server.base_url, gate={"block": "regression"}, prompts=[{"text": "slow {{ question }}", "name": "ask"}]
    )
    before = server.count
    process = project.start(*COMMANDS[command], "--concurrency", "2")
    wait_until(lambda: server.count >= before + 2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err.decode()
    assert f"retest {COMMANDS[command][0]}" in (out + err).decode()
    assert not out.decode().startswith("PASSED")
    if command != "compare":
        assert project.run(*COMMANDS[command]).code == 0


@pytest.mark.parametrize("command", ["gate", "fresh gate"])
def test_missing_baseline(project: Project, server: OpenAIServer, command: str) -> None:
    """Exit 5, before any call."""
    assert project.run("baseline", "clear").code == 0
    before = server.count
    done = project.run(*COMMANDS[command])
    assert (done.code, server.count) == (5, before)
    assert "[gate-no-baseline]" in done.err
    never_says_passed(project, done)


def test_missing_baseline_of_a_diff(project: Project) -> None:
    """One run alone is compared with nothing; a file that is not there is named."""
    assert project.run("baseline", "clear").code == 0
    alone = project.run("diff")
    assert (alone.code, "[diff-no-earlier-run]" in alone.err) == (5, True)
    missing = project.run("diff", "evals/qa.baseline.jsonl")
    assert (missing.code, "[baseline-file-missing]" in missing.err) == (5, True)


def test_a_baseline_compared_with_itself(project: Project) -> None:
    """Its zero change would read like a test that passed."""
    done = project.run("diff")
    assert (done.code, "[diff-no-later-run]" in done.err) == (5, True)


@pytest.mark.parametrize("command", ["gate", "fresh gate"])
def test_baseline_of_another_suite(project: Project, server: OpenAIServer, command: str) -> None:
    """A file of another suite beside this one: exit 5, before any call."""
    assert project.run("baseline", "export").code == 0
    file = project.root / "evals/qa.baseline.jsonl"
    header, *rest = file.read_text("utf-8").splitlines()
    other = json.dumps({**json.loads(header), "suite": "another"})
    file.write_text("\n".join([other, *rest, ""]), "utf-8")
    before = server.count
    done = project.run(*COMMANDS[command])
    assert (done.code, server.count) == (5, before), done.out + done.err
    assert "[baseline-other-suite]" in done.err
    never_says_passed(project, done)
    assert project.run("diff").code == 5


def edit_every_case(project: Project) -> None:
    """Give every case another question under its old id."""
    rows = [{"id": f"c{i}", "question": f"new-q{i}", "expected": f"new-q{i}"} for i in range(CASES)]
    project.write_rows("datasets/qa.jsonl", rows)


@pytest.mark.parametrize("command", ["gate", "compare"])
def test_zero_comparable_cases(project: Project, command: str) -> None:
    """All cases were edited: both sides ran well, and nothing pairs."""
    edit_every_case(project)
    done = project.run(*COMMANDS[command])
    assert done.code == 5, done.out + done.err
    assert "edited" in " ".join((done.out + done.err).split())
    never_says_passed(project, done)


def test_zero_comparable_cases_of_a_fresh_gate(project: Project) -> None:
    """The baseline's own cases are run, and none of them is there any more."""
    edit_every_case(project)
    done = project.run(*COMMANDS["fresh gate"])
    assert done.code == 5, done.out + done.err
    never_says_passed(project, done)


def test_zero_comparable_cases_of_a_diff(project: Project) -> None:
    """Diff only looks, but it saw nothing: exit 5 with its own message."""
    edit_every_case(project)
    assert project.run("run").code == 0
    done = project.run("diff")
    assert (done.code, "[diff-not-comparable]" in done.err) == (5, True)


def test_a_shallow_clone_without_the_base(project: Project, tmp_path: Path) -> None:
    """The revision that was to be compared with is not there: exit 2, and how to fetch it."""
    project.write("notes.md", "more")
    commit_all(project.root, "more")
    base = git(project.root, "rev-parse", "HEAD~1")
    clone = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{project.root}", str(clone))
    shallow = object.__new__(Project)
    shallow.root = clone
    for args in (("gate", "--baseline", f"base:{base}"), ("compare", base, "HEAD")):
        done = shallow.run(*args)
        assert done.code == 2, done.out + done.err
        assert "fetch" in done.err


def judged_suite(project: Project, answers: str, judge: str) -> None:
    """Write a suite whose only metric asks a judge."""
    project.write_suite(
        answers,
        judges=[{**JUDGE, "base_url": judge}],
        metrics=[{"metric": "judge_grade", "judge": "grader"}],
        gate={"block": "regression"},
    )


@pytest.mark.parametrize(
    "says",
    [
        "A fine answer, I would give it a good grade.",  # prose
        '{"justification": "It is right."}',  # no score
        '{"justification": "It is right.", "grade": null}',
    ],
    ids=["prose", "no score", "null"],
)
@pytest.mark.parametrize("command", ["run", "gate", "compare"])
def test_a_judge_that_gives_no_verdict(project: Project, server: OpenAIServer, says: str, command: str) -> None:
    """Its words are no score: exit 4, and every answer counts as not scored."""
    with OpenAIServer(lambda _: ok('{"justification": "It is right.", "grade": 5}')) as fair:
        judged_suite(project, server.base_url, fair.base_url)
        assert project.run("run").code == 0
        assert project.run("baseline", "set", "--force").code == 0
        commit_all(project.root, "judged")
    with OpenAIServer(lambda _: ok(says)) as judge:
        judged_suite(project, server.base_url, judge.base_url)
        done = project.run(*COMMANDS[command])
    assert done.code == 4, done.out + done.err
    never_says_passed(project, done)
