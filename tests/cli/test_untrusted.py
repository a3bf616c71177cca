"""A stranger's pull request on the command line: refused before anything ran or was called; an honest one passes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.bad_prompts import answer
from support.openai_server import OpenAIServer
from support.project import Project
from support.repository import commit_all, git
from support.stranger import CODE, MARKER

KEY = "sk-planted-0123456789abcdef"


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    """Return the endpoint that the base names."""
    with OpenAIServer(answer) as running:
        yield running


@pytest.fixture
def evil() -> Iterator[OpenAIServer]:
    """Return an endpoint that a stranger names."""
    with OpenAIServer(answer) as running:
        yield running


@pytest.fixture
def checkout(tmp_path: Path, server: OpenAIServer) -> Project:
    """Return a project whose only commit is the branch `trusted`."""
    root = tmp_path / "checkout"
    root.mkdir()
    project = Project(root)
    project.write(".gitignore", ".retest\n.env\n")
    project.write_cases(6)
    project.write("prompts/ask.md", "good: {{ question }}\n")
    project.write_suite(server.base_url, prompts=["../prompts/ask.md"], gate={"block": "regression"})
    commit_all(root, "trusted")
    git(root, "branch", "trusted")
    return project


def malicious(project: Project, evil: OpenAIServer) -> None:
    """Have the suite call elsewhere with another key, run code three times, and read outside."""
    project.write("evals/code.py", CODE)
    targets = [
        {"provider": "openai", "model": "m", "base_url": evil.base_url, "api_key_env": "AWS_SECRET_ACCESS_KEY"},
        {"provider": "python", "path": "code.py:answer"},
        {"provider": "command", "argv": ["sh", "-c", f"touch {MARKER}"]},
    ]
    metrics = [{"metric": "python", "path": "code.py:score"}]
    project.write_suite(prompts=["../../outside.md"], targets=targets, metrics=metrics)


COMMANDS = {
    "check": ("check",),
    "run": ("run",),
    "dry run": ("run", "--dry-run"),
    "gate": ("gate", "--baseline", "base:trusted"),
    "fresh": ("gate", "--fresh-baseline", "--baseline", "git:trusted"),
    "compare": ("compare", "trusted", "WORKTREE"),
    "compare commits": ("compare", "trusted", "HEAD"),
    "aa": ("aa",),
    "plan": ("plan",),
    "render": ("render", "evals/qa.yaml"),
    "try": ("try", "prompts/ask.md", "--suite", "evals/qa.yaml", "--var", "question=x"),
    "bisect": ("bisect", "trusted", "HEAD", "--metric", "exact_match"),
}


IN_EVERY_RUN = {"run", "gate", "compare"}  # the others take the same way, and a second each


@pytest.mark.parametrize(
    "name", [name if name in IN_EVERY_RUN else pytest.param(name, marks=pytest.mark.slow) for name in COMMANDS]
)
def test_nothing_runs_and_nothing_is_called(
    checkout: Project, server: OpenAIServer, evil: OpenAIServer, name: str
) -> None:
    """Every command that reads a suite refuses it, with exit code 2, the place and the slug."""
    malicious(checkout, evil)
    commit_all(checkout.root, "a stranger's")
    result = checkout.run(*COMMANDS[name], "--untrusted", "--base", "trusted", AWS_SECRET_ACCESS_KEY=KEY)
    assert result.code == 2, result.out + result.err
    assert (server.count, evil.count) == (0, 0)
    assert not list(checkout.root.rglob(MARKER))
    said = result.out + result.err
    assert all(slug in said for slug in ("[untrusted-code]", "[untrusted-path]", "[untrusted-endpoint]"))
    assert "evals/qa.yaml:" in said
    assert KEY not in said


@pytest.mark.parametrize("command", ["gate", "compare"])
def test_an_honest_pull_request_passes(checkout: Project, server: OpenAIServer, command: str) -> None:
    """Another wording runs beside the base and is judged."""
    checkout.write("prompts/ask.md", "better: {{ question }}\n")
    arguments = {"gate": ("gate", "--baseline", "base:trusted"), "compare": ("compare", "trusted", "WORKTREE")}
    result = checkout.run(*arguments[command], "--untrusted", "--json", OPENAI_API_KEY=KEY)
    if command == "compare":
        assert result.code == 2, "without --base, nobody vouches for the endpoint"
        result = checkout.run(*arguments[command], "--untrusted", "--base", "trusted", "--json", OPENAI_API_KEY=KEY)
    assert result.code == 0, result.err
    assert server.count == 12


def test_the_code_of_the_base_runs_for_the_base_alone(checkout: Project, server: OpenAIServer) -> None:
    """A base with a Python metric is run as it is; the stranger's side, which has it too, is refused."""
    checkout.write("evals/code.py", CODE)
    metrics = ["exact_match", {"metric": "python", "path": "code.py:score"}]
    checkout.write_suite(server.base_url, prompts=["../prompts/ask.md"], metrics=metrics)
    commit_all(checkout.root, "trusted")
    git(checkout.root, "branch", "-f", "trusted")
    refused = checkout.run("gate", "--baseline", "base:trusted", "--untrusted")
    assert (refused.code, server.count) == (2, 0)
    checkout.write_suite(server.base_url, prompts=["../prompts/ask.md"])
    passed = checkout.run("gate", "--baseline", "base:trusted", "--untrusted")
    assert passed.code == 0, passed.err
    assert not list(checkout.root.rglob(MARKER))


def test_a_link_in_the_place_of_a_report_is_not_written_through(checkout: Project, server: OpenAIServer) -> None:
    """Nor is a baseline read through one; what the command names outside the checkout is its own business."""
    outside = checkout.root.parent / "outside.md"
    outside.write_text("as it was", "utf-8")
    (checkout.root / "report.md").symlink_to(outside)
    flags = ("--untrusted", "--baseline", "base:trusted")
    refused = checkout.run("gate", *flags, "--report", "markdown=report.md")
    assert (refused.code, "[untrusted-path]" in refused.err, server.count) == (2, True, 0)
    assert outside.read_text("utf-8") == "as it was"
    assert checkout.run("gate", "--untrusted", "--base", "trusted", "--baseline", "report.md").code == 2
    assert checkout.run("gate", *flags, "--report", "markdown=../outside.md").code == 0
    assert outside.read_text("utf-8") != "as it was"


def test_a_prompt_of_its_own_is_no_link_either(checkout: Project, server: OpenAIServer) -> None:
    """`try` and `render` read no file outside."""
    (checkout.root.parent / "outside.md").write_text("the secret", "utf-8")
    (checkout.root / "prompts/link.md").symlink_to(checkout.root.parent / "outside.md")
    for command in (
        ("render", "prompts/link.md"),
        ("try", "prompts/link.md", "--base-url", server.base_url, "-m", "m"),
    ):
        result = checkout.run(*command, "--untrusted")
        assert (result.code, "the secret" in result.out + result.err) == (2, False)
    assert server.count == 0


def event(project: Project, head: str) -> str:
    """Return the path of GitHub's event of a pull request from a repository."""
    base = {"sha": git(project.root, "rev-parse", "trusted"), "ref": "main", "repo": {"full_name": "team/p"}}
    document: dict[str, Any] = {"pull_request": {"head": {"repo": {"full_name": head}}, "base": base}}
    return str(project.write(".retest/event.json", json.dumps(document)))


def test_a_fork_is_noticed_by_itself(checkout: Project, evil: OpenAIServer) -> None:
    """On GitHub without any flag; the repository's own pull request, and --no-untrusted, go on as ever."""
    checkout.write("evals/code.py", CODE)
    checkout.write_suite(evil.base_url, metrics=[{"metric": "python", "path": "code.py:score"}])
    stranger = event(checkout, "stranger/p")
    refused = checkout.run("check", GITHUB_ACTIONS="true", GITHUB_EVENT_PATH=stranger)
    assert (refused.code, "[untrusted-code]" in refused.err + refused.out) == (2, True)
    assert "[untrusted-endpoint]" in refused.err + refused.out
    assert not list(checkout.root.rglob(MARKER))
    assert checkout.run("check", "--no-untrusted", GITHUB_ACTIONS="true", GITHUB_EVENT_PATH=stranger).code == 0
    assert list(checkout.root.rglob(MARKER))


def test_a_merge_request_of_another_project_is_noticed(checkout: Project, evil: OpenAIServer) -> None:
    """On GitLab too, for every command, also those without the flag."""
    checkout.write_suite(evil.base_url)
    for command in (("run",), ("baseline", "set")):
        result = checkout.run(
            *command,
            CI_MERGE_REQUEST_SOURCE_PROJECT_ID="8",
            CI_PROJECT_ID="7",
            CI_MERGE_REQUEST_DIFF_BASE_SHA=git(checkout.root, "rev-parse", "trusted"),
        )
        assert result.code == 2
    assert evil.count == 0


def test_pytest_holds_suites_of_a_stranger_back_too(checkout: Project, evil: OpenAIServer) -> None:
    """The plugin asks the same question; what pytest itself runs of the checkout is another matter."""
    checkout.write("evals/code.py", CODE)
    checkout.write_suite(evil.base_url, metrics=[{"metric": "python", "path": "code.py:score"}])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--retest", "--retest-live", "evals"],
        cwd=checkout.root,
        env=checkout.env(RETEST_UNTRUSTED="1"),
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode != 0, b"untrusted-code" in done.stdout + done.stderr) == (True, True)
    assert not list(checkout.root.rglob(MARKER))
    assert evil.count == 0


def test_dotenv_is_not_read(checkout: Project, evil: OpenAIServer, server: OpenAIServer) -> None:
    """A file of the checkout cannot redirect what the base leaves to the environment."""
    suite: dict[str, Any] = {"prompts": ["../prompts/ask.md"], "targets": [{"provider": "openai", "model": "m"}]}
    checkout.write_suite(**suite)
    commit_all(checkout.root, "trusted")
    git(checkout.root, "branch", "-f", "trusted")
    checkout.write(".env", f"OPENAI_BASE_URL={evil.base_url}\n")
    result = checkout.run(
        "run", "--untrusted", "--base", "trusted", OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY=KEY
    )
    assert result.code == 0, result.err
    refused = checkout.run("run", "--fresh", "--untrusted", "--base", "trusted", OPENAI_API_KEY="", timeout_s=60)
    assert refused.code == 2
    assert (evil.count, server.count) == (0, 6)


def test_a_run_that_is_stored_scores_nothing_by_the_strangers_code(checkout: Project, server: OpenAIServer) -> None:
    """`rescore` and `diff` build stored metrics again, but none that runs code."""
    checkout.write("evals/code.py", CODE.replace("return 1.0", "return 0.0"))
    metrics = [{"metric": "python", "path": "code.py:score", "name": "mine"}]
    checkout.write_suite(server.base_url, prompts=["../prompts/ask.md"], metrics=metrics)
    commit_all(checkout.root, "trusted")
    assert checkout.run("run", OPENAI_API_KEY=KEY).code == 0
    (marker,) = checkout.root.rglob(MARKER)
    marker.unlink()
    checkout.write("evals/code.py", CODE)
    for command in (("rescore", "latest"), ("rescore", "latest", "--metric", "mine")):
        assert checkout.run(*command, "--untrusted", "--base", "HEAD").code == 2
    checkout.run("diff", "latest", "latest", RETEST_UNTRUSTED="1")
    assert not list(checkout.root.rglob(MARKER))
