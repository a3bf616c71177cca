"""`retest compare --until-decided`: versions sampled in step, and stopped together, on a real repository and server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.bad_prompts import answer
from support.openai_server import OpenAIServer
from support.project import Project
from support.repository import commit_all, git

PROMPT = "prompts/質問.md"
SAMPLES = 12
FULL = 2 * 20 * SAMPLES


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    """Return a server that answers by the prompt."""
    with OpenAIServer(answer) as running:
        yield running


@pytest.fixture
def versions(tmp_path: Path, server: OpenAIServer) -> Project:
    """Return a project of twenty cases with a good prompt at the tag v1 and a bad one at v2."""
    project = Project(tmp_path)
    project.write(".gitignore", ".retest\n")
    project.write_cases(20)
    project.write_suite(server.base_url, prompts=[f"../{PROMPT}"], samples=SAMPLES)
    for number, text in enumerate(("good", "bad"), start=1):
        project.write(PROMPT, f"{text}: {{{{ question }}}}\n")
        commit_all(project.root)
        git(project.root, "tag", f"v{number}")
    return project


def test_two_revisions_stop_once_the_verdict_stands(versions: Project, server: OpenAIServer) -> None:
    """What is saved is what the server was not asked; the same comparison again repeats the verdict and asks nobody."""
    first = versions.run("compare", "v1", "v2", "--until-decided", "--json").json
    assert first["metrics"]["exact_match"]["verdict"] == "regressed"
    saved = sum(side["until_decided"]["calls_saved"] for side in first["versions"])
    assert saved == FULL - server.count > FULL // 2
    count = server.count
    again = versions.run("compare", "v1", "v2", "--until-decided", "--json").json
    assert server.count == count
    assert again["metrics"]["exact_match"]["p_adjusted"] == first["metrics"]["exact_match"]["p_adjusted"]


def test_the_result_says_how_far_each_version_was_sampled(versions: Project) -> None:
    """In words, one line a version."""
    done = versions.run("compare", "v1", "v2", "--until-decided")
    assert done.code == 0, done.err
    assert [line.split(":")[0] for line in done.out.splitlines() if "decided after" in line] == ["v1", "v2"]


def test_versions_that_differ_in_nothing_take_no_sample_twice(versions: Project, server: OpenAIServer) -> None:
    """The very same prompt on both sides: every look is quiet, and nothing is called a regression."""
    git(versions.root, "tag", "v1-again", "v1")
    found = versions.run("compare", "v1", "v1-again", "--until-decided", "--json").json
    assert found["metrics"]["exact_match"]["verdict"] != "regressed"
    assert server.count == FULL // 2


def test_a_search_stops_each_step_once_it_knows_where_to_go_on(versions: Project, server: OpenAIServer) -> None:
    """Of two versions, a bisection samples a part."""
    found = versions.run("bisect", "v1", "v2", "--metric", "exact_match", "--json")
    assert found.code == 0, found.err
    assert len(found.json["suspects"]) == 1
    assert server.count < FULL // 2
