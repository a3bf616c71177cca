"""action.yml, its shell steps run as a runner would: a shallow clone, a model and GitHub's API on loopback."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.github_server import GitHubServer
from support.openai_server import OpenAIServer, Received, Reply, ok
from support.project import Project
from support.repository import commit_all, git

ROOT = Path(__file__).parents[2]
TOKEN = "the token"
GOOD, BAD, OTHER = "good: {{ question }}\n", "bad: {{ question }}\n", "other: {{ question }}\n"
CASES = 12
_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


def answer(request: Received) -> Reply:
    """Answer right, but to a bad prompt never."""
    word, _, question = request.last_user.partition(": ")
    return ok("?" if word == "bad" else question)


@pytest.fixture
def model() -> Iterator[OpenAIServer]:
    """Give an endpoint whose answers depend on the prompt."""
    with OpenAIServer(answer) as running:
        yield running


@pytest.fixture
def github() -> Iterator[GitHubServer]:
    """Give the part of GitHub's API that comments need."""
    with GitHubServer(token=TOKEN) as running:
        yield running


class Runner:
    """Runs the action in a checkout of one pull request."""

    def __init__(self, folder: Path, origin: Path, github: GitHubServer) -> None:
        self.folder, self._origin, self._github = folder, origin, github
        self._outputs: dict[str, str] = {}
        self._base = ""
        self.summary = ""
        self.shown = ""

    def check_out(self, commit: str, base: str, ledger: Path | None = None) -> Path:
        """Clone one commit as actions/checkout does, with the cached ledger of an earlier job."""
        clone = self.folder / "clone"
        shutil.rmtree(clone, ignore_errors=True)
        git(self.folder, "init", "-q", str(clone))
        git(clone, "remote", "add", "origin", f"file://{self._origin}")
        git(clone, "fetch", "-q", "--depth=1", "origin", commit)
        git(clone, "checkout", "-q", "FETCH_HEAD")
        if ledger is not None:
            shutil.copytree(ledger, clone / ".retest")
        self._base = base
        return clone

    def run(self, *, from_fork: bool = False, **inputs: str) -> int:
        """Run every shell step but the installation; return the verdict's exit code."""
        document: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
        known = {name: str(value.get("default", "")) for name, value in document["inputs"].items()}
        assert inputs.keys() <= known.keys()
        code = -1
        self.shown = ""
        for step in document["runs"]["steps"]:
            if "run" in step and step["name"] != "Install retest":
                if step["name"] == "Comment" and self._outputs.get("no-secrets") != "false":
                    continue  # its `if`, which is read in `test_a_fork_cannot_comment`
                code = self._step(step, {**known, **inputs}, from_fork=from_fork)
        return code

    def _step(self, step: Mapping[str, Any], inputs: Mapping[str, str], *, from_fork: bool) -> int:
        output, summary = self.folder / "output", self.folder / "summary.md"
        output.write_text("")
        summary.write_text("")
        values = {
            **{f"inputs.{name}": value for name, value in inputs.items()},
            **{f"steps.gate.outputs.{name}": value for name, value in self._outputs.items()},
            "inputs.token": TOKEN,
            "runner.temp": str(self.folder / "the temp"),
            "github.event.pull_request.base.sha": self._base,
            "github.event.pull_request.number": "7",
        }
        environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": os.environ.get("HOME", "/"),
            "COLUMNS": "80",
            "PYTHONUTF8": "1",
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(summary),
            "GITHUB_REPOSITORY": "o/r",
            "GITHUB_API_URL": self._github.url,
            **{
                name: "true" if name in {"NO_SECRETS", "FORK"} and from_fork else filled(str(text), values)
                for name, text in step.get("env", {}).items()
            },
        }
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            env=environment,
            cwd=self.folder / "clone",
            capture_output=True,
            timeout=120,
            check=False,
        )
        self.shown += done.stdout.decode() + done.stderr.decode()
        self._outputs |= dict(line.split("=", 1) for line in output.read_text("utf-8").splitlines())
        self.summary = summary.read_text("utf-8") or self.summary
        return done.returncode

    @property
    def reports(self) -> Path:
        """Return the folder that is uploaded."""
        return Path(self._outputs["reports"])

    def keep_ledger(self) -> Path:
        """Return a copy of the ledger, as the cache keeps it."""
        kept = self.folder / "cache"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(self.folder / "clone" / ".retest", kept)
        return kept


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return a text with its expressions evaluated; of a condition only that it is false is needed here."""

    def value(match: re.Match[str]) -> str:
        return "false" if "=" in match[1] else values[match[1]]

    return _EXPRESSION.sub(value, text)


class Repository:
    """The repository on GitHub: a base commit with a good prompt, and pull requests on it."""

    def __init__(self, root: Path, model: OpenAIServer) -> None:
        self.project = Project(root)
        self.project.write(".gitignore", ".retest\n")
        self.project.write_cases(CASES)
        self.project.write("prompts/ask.md", GOOD)
        self.project.write_suite(model.base_url, prompts=["../prompts/ask.md"], gate={"block": "regression"})
        self.base = commit_all(root)
        git(root, "config", "uploadpack.allowAnySHA1InWant", "true")

    def propose(self, prompt: str) -> str:
        """Return the commit of a pull request with another prompt."""
        self.project.write("prompts/ask.md", prompt)
        return commit_all(self.project.root, prompt)


@pytest.fixture
def repository(tmp_path: Path, model: OpenAIServer) -> Repository:
    """Give a repository with one commit."""
    root = tmp_path / "origin"
    root.mkdir()
    return Repository(root, model)


@pytest.fixture
def runner(tmp_path: Path, repository: Repository, github: GitHubServer) -> Runner:
    """Give a machine that has nothing yet."""
    folder = tmp_path / "runner"
    folder.mkdir()
    return Runner(folder, repository.project.root, github)


def test_a_pull_request_is_judged_against_its_base(
    runner: Runner, repository: Repository, model: OpenAIServer, github: GitHubServer
) -> None:
    """Base and head run in a clone of depth 1; the comment says what regressed; pushed again, it is paid for once."""
    runner.check_out(repository.propose(BAD), repository.base)
    assert runner.run() == 1, runner.shown
    assert model.count == 2 * CASES
    (comment,) = github.comments
    assert "regressed" in comment["body"].splitlines()[0]
    written = {path.name for path in runner.reports.iterdir()}
    assert written == {"junit.xml", "report.md", "report.html", "report.json", "retest.sarif"}
    assert "regressed" in runner.summary
    assert "::error" in runner.shown

    runner.check_out(repository.propose(BAD + "\n"), repository.base, runner.keep_ledger())
    assert runner.run() == 1, runner.shown
    assert len(github.comments) == 1


def test_the_comment_follows_the_pull_request(runner: Runner, repository: Repository, github: GitHubServer) -> None:
    """Failed, mended, passed: one comment, changed in place."""
    runner.check_out(repository.propose(BAD), repository.base)
    assert runner.run() == 1
    first = github.comments[0]["body"]
    runner.check_out(repository.propose(OTHER), repository.base, runner.keep_ledger())
    assert runner.run() == 0, runner.shown
    (comment,) = github.comments
    assert comment["body"] != first
    assert "passed" in comment["body"].splitlines()[0].lower()
    assert [method for method, _ in github.requests] == ["GET", "POST", "GET", "PATCH"]


def test_a_committed_baseline_file_of_the_base_is_read(
    runner: Runner, repository: Repository, model: OpenAIServer
) -> None:
    """The base is not run, and the pull request's own baseline file is not believed."""
    project = repository.project
    for command in (("run",), ("baseline", "set"), ("baseline", "export")):
        assert project.run(*command).code == 0
    base = commit_all(project.root, "baseline")
    project.write("prompts/ask.md", BAD)
    assert project.run("run").code == 0
    assert project.run("baseline", "set", "--force").code == 0
    before = model.count
    runner.check_out(commit_all(project.root, "worse, with a baseline as bad"), base)
    assert runner.run() == 1, runner.shown
    assert model.count == before + CASES
    assert runner.run(baseline="own") == 0


def test_a_fork_is_judged_from_the_cached_ledger(
    runner: Runner, repository: Repository, model: OpenAIServer, github: GitHubServer
) -> None:
    """No secret, no call, no comment: what an earlier job paid for gives the verdict."""
    head = repository.propose(BAD)
    runner.check_out(head, repository.base)
    assert runner.run(comment="false") == 1
    github.comments.clear()
    before = model.count
    runner.check_out(head, repository.base, runner.keep_ledger())
    assert runner.run(from_fork=True) == 1, runner.shown
    assert (model.count, github.comments) == (before, [])
    assert "no call is made" in runner.shown


def test_a_fork_without_a_ledger_never_passes(runner: Runner, repository: Repository, model: OpenAIServer) -> None:
    """What could not be run is said, and the exit code is that of an incomplete run."""
    runner.check_out(repository.propose(OTHER), repository.base)
    assert runner.run(from_fork=True) == 4, runner.shown
    assert model.count == 0
    assert "not complete" in runner.shown
    assert "passed" not in (runner.reports / "report.md").read_text("utf-8").splitlines()[0].lower()


def test_a_fork_cannot_comment() -> None:
    """The step's own condition asks for secrets, and is no part of the verdict."""
    steps = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))["runs"]["steps"]
    (comment,) = [step for step in steps if step.get("name") == "Comment"]
    assert "steps.gate.outputs.no-secrets == 'false'" in comment["if"]
    assert comment["continue-on-error"] is True


def test_a_comment_that_is_refused_leaves_the_verdict(
    runner: Runner, repository: Repository, github: GitHubServer
) -> None:
    """GitHub says no: the gate passes all the same."""
    github.token = "another"
    runner.check_out(repository.propose(OTHER), repository.base)
    assert runner.run() == 0, runner.shown
    assert github.comments == []


@pytest.mark.parametrize("in_merge_request", [True, False])
def test_the_gitlab_job_of_the_documentation_runs(
    tmp_path: Path,
    repository: Repository,
    in_merge_request: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """Its script as it stands in docs/ci.md: against the base in a merge request, else the suite's own baseline."""
    text = (ROOT / "docs" / "ci.md").read_text("utf-8").split("## GitLab")[1]
    block = re.search(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert block is not None
    (script,) = [line for line in yaml.safe_load(block[1])["retest"]["script"] if line.startswith("retest")]
    project = repository.project
    assert project.run("run").code == 0
    assert project.run("baseline", "set").code == 0
    project.write("prompts/ask.md", BAD)
    prices = project.write("prices.toml", PRICES)
    project.write("retest.toml", f'prices = ["{prices.name}"]\n')
    base = {"CI_MERGE_REQUEST_DIFF_BASE_SHA": repository.base} if in_merge_request else {}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script],
        env=project.env(**base, PATH=path),
        cwd=project.root,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stderr.decode()
    assert (project.root / "junit.xml").is_file()
    assert "regressed" in (project.root / "report.md").read_text("utf-8").splitlines()[0]


PRICES = """\
[models."test-model"]
input = 0.1
output = 0.1
"""
