"""`retest bisect` on a real git repository and a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.bad_prompts import answer
from support.openai_server import OpenAIServer
from support.project import Project
from support.repository import commit_all, git

PROMPT = "prompts/質問.md"


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    """Return a server that answers by the prompt."""
    with OpenAIServer(answer) as running:
        yield running


@pytest.fixture
def history(tmp_path: Path, server: OpenAIServer) -> Project:
    """Return eight commits: the prompt changes at 2, gets bad at 5 and changes again at 7; the others change a note."""
    project = Project(tmp_path)
    project.write(".gitignore", ".retest\n")
    project.write_cases(20)
    project.write_suite(server.base_url, prompts=[f"../{PROMPT}"])
    texts = {1: "good", 2: "fine", 5: "bad", 7: "bad indeed"}
    for number in range(1, 9):
        if number in texts:
            project.write(PROMPT, f"{texts[number]}: {{{{ question }}}}\n")
        project.write("notes.md", f"{number}\n")
        commit_all(project.root, f"変更 {number}")
        git(project.root, "tag", f"c{number}")
    return project


def test_the_commit_that_regressed_is_found(history: Project, server: OpenAIServer) -> None:
    """It is named with its title and the prompt's diff; each version of the prompt is paid for once at most."""
    before = git(history.root, "status", "--porcelain=v2", "--branch")
    result = history.run("bisect", "c1", "main", "--metric", "exact_match")
    assert result.code == 0, result.err
    assert "this commit regressed" in result.out
    assert "変更 5" in result.out
    assert "+bad: {{ question }}" in result.out
    assert server.count <= 80
    assert git(history.root, "status", "--porcelain=v2", "--branch") == before


def test_a_broken_commit_right_before_leaves_it_open(history: Project) -> None:
    """Exit 6, and all that it may be are named."""
    git(history.root, "checkout", "-q", "-b", "topic", "c1")
    history.write(PROMPT, "{{ question ")
    commit_all(history.root, "broken")
    history.write(PROMPT, "bad: {{ question }}\n")
    commit_all(history.root, "mended")
    result = history.run("bisect", "c1", "topic", "--metric", "exact_match", "--json")
    assert result.code == 6, result.err
    assert len(result.json["suspects"]) == 2
    assert result.json["steps"][0]["judgement"] == "unknown"


@pytest.mark.parametrize(
    ("args", "code", "slug"),
    [
        (["c5", "c6", "--metric", "exact_match"], 5, "bisect-no-regression"),
        (["c8", "c1", "--metric", "exact_match"], 2, "bisect-not-before"),
        (["c1", "c1", "--metric", "exact_match"], 2, "bisect-not-before"),
        (["c1", "c8", "--metric", "exact_mach"], 2, "bisect-which-suite"),
        (["c1", "c9", "--metric", "exact_match"], 2, "revision-unknown"),
        (["c1", "c8", "--metric", "exact_match", "--offline"], 4, "bisect-incomplete"),
    ],
)
def test_what_cannot_be_searched_says_why(history: Project, args: list[str], code: int, slug: str) -> None:
    """Each has its own message and exit code."""
    result = history.run("bisect", *args)
    assert (result.code, f"[{slug}]" in result.err) == (code, True), result.err
