"""`retest compare` on real git repositories and a real server: files in; exit code and text out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.bad_prompts import answer
from support.openai_server import OpenAIServer
from support.project import Project
from support.repository import commit_all, git

PROMPT = "prompts/質問 文.md"
GOOD, BAD = "good: {{ question }}\n", "bad: {{ question }}\n"


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    """Return a server that answers by the prompt."""
    with OpenAIServer(answer) as running:
        yield running


@pytest.fixture
def versions(tmp_path: Path, server: OpenAIServer) -> Project:
    """Return a project with a good prompt at the tag v1, a bad one at v2, and a note at v3 that changes no prompt."""
    project = Project(tmp_path)
    project.write(".gitignore", ".retest\n")
    project.write_cases(20)
    project.write(PROMPT, GOOD)
    project.write_suite(server.base_url, prompts=[f"../{PROMPT}"], gate={"block": "regression"})
    for number, text in enumerate((GOOD, BAD, BAD), start=1):
        project.write(PROMPT, text)
        project.write("notes.md", f"version {number}\n")
        commit_all(project.root)
        git(project.root, "tag", f"v{number}")
    return project


def compared(project: Project, *args: str, code: int = 0) -> Any:
    """Return what ``compare --json`` says."""
    result = project.run("compare", *args, "--json")
    assert result.code == code, result.err
    return result.json


def verdict(document: Any) -> str:
    """Return the one verdict."""
    return str(document["metrics"]["exact_match"]["verdict"])


def test_a_regression_is_found_and_an_improvement_the_other_way_round(versions: Project) -> None:
    """Any verdict exits 0; the second comparison needs no call."""
    worse = compared(versions, "v1", "v2")
    assert (verdict(worse), [side["calls"] for side in worse["versions"]]) == ("regressed", [20, 20])
    better = compared(versions, "v2", "v1")
    assert (verdict(better), [side["calls"] for side in better["versions"]]) == ("improved", [0, 0])


def test_the_repository_is_not_touched(versions: Project) -> None:
    """With a dirty tree on a detached HEAD, index, status and HEAD are as before; no copy is left."""
    root = versions.root
    git(root, "checkout", "-q", "--detach", "v1")
    versions.write(PROMPT, "half-finished {{ question }")  # would be an error, were it read
    versions.write("datasets/qa.jsonl", "")
    versions.write("new file.md", "新しい")
    before = git(root, "status", "--porcelain=v2", "--branch"), (root / ".git" / "index").read_bytes()
    scratch = root.parent / f"{root.name}-tmp"
    scratch.mkdir()
    result = versions.run("compare", "v1", "v2", TMPDIR=str(scratch))
    assert result.code == 0, result.err
    assert (git(root, "status", "--porcelain=v2", "--branch"), (root / ".git" / "index").read_bytes()) == before
    assert list(scratch.iterdir()) == []


def test_what_did_not_change_costs_nothing(versions: Project, server: OpenAIServer) -> None:
    """Two revisions with one prompt make one set of calls, and the result says so."""
    result = versions.run("compare", "v2", "v3")
    assert result.code == 0, result.err
    assert server.count == 20
    assert "20 calls made, 20 answers already paid for" in result.out
    assert "v2 and v3: nothing that the suite uses differs" in result.out


def test_a_run_knows_the_revision_it_came_from(versions: Project) -> None:
    """Commit, branch and a clean tree are the revision's, whatever is checked out; WORKTREE is what is on disk."""
    git(versions.root, "branch", "old", "v1")
    versions.write(PROMPT, GOOD)
    compared(versions, "old", "WORKTREE")
    worktree, old = sorted(
        versions.run("runs", "--json").json["runs"], key=lambda run: not run["provenance"]["git_dirty"]
    )
    assert old["provenance"]["git_commit"] == git(versions.root, "rev-parse", "v1")
    assert (old["provenance"]["git_branch"], old["provenance"]["git_dirty"]) == ("old", False)
    assert (worktree["provenance"]["git_branch"], worktree["provenance"]["git_dirty"]) == ("main", True)


def test_one_revision_is_compared_with_the_files_on_disk(versions: Project) -> None:
    """As with `git diff`, the working tree is the other side."""
    versions.write(PROMPT, GOOD)
    assert verdict(compared(versions, "v2")) == "improved"


def test_three_dots_compare_with_where_the_branch_left(versions: Project) -> None:
    """What happened on main meanwhile is not held against the branch."""
    git(versions.root, "checkout", "-q", "-b", "topic", "v1")
    versions.write("notes.md", "nothing to do with prompts\n")
    commit_all(versions.root)
    document = compared(versions, "main...topic")
    assert document["versions"][0]["git_commit"] == git(versions.root, "rev-parse", "v1")
    assert verdict(document) in {"unchanged", "inconclusive"}
    assert verdict(compared(versions, "main", "topic")) == "improved"


def test_a_renamed_prompt_is_still_compared(versions: Project, server: OpenAIServer) -> None:
    """One prompt on each side pairs whatever it is called; the diff names each by revision and path."""
    git(versions.root, "mv", PROMPT, "prompts/new.md")
    versions.write_suite(server.base_url, prompts=["../prompts/new.md"], gate={"block": "regression"})
    commit_all(versions.root)
    document = compared(versions, "v1", "HEAD")
    assert verdict(document) == "regressed"
    paths = [(prompt["before_path"], prompt["after_path"]) for prompt in document["prompts"]]
    assert paths == [(f"v1:{PROMPT}", "HEAD:prompts/new.md")]


def test_three_revisions_give_a_ranking(versions: Project) -> None:
    """The best first; what cannot be told apart shares a rank."""
    document = compared(versions, "v2", "v1", "v3")
    rows = [(row["rank"], row["label"], row["verdict"]) for row in document["rankings"][0]["versions"]]
    assert rows[0] == (1, "v1", "improved")
    assert [(rank, label) for rank, label, _ in rows[1:]] == [(2, "v2"), (2, "v3")]
    shown = versions.run("compare", "v2", "v1", "v3")
    assert "2= v2" in " ".join(shown.out.split())
    assert "baseline" in shown.out


def test_two_prompt_files_are_two_arms_of_one_run(versions: Project) -> None:
    """They need no git; the suite's own prompt takes no part."""
    versions.write("prompts/a.md", GOOD)
    versions.write("prompts/b.md", BAD)
    document = compared(versions, "prompts/a.md", "prompts/b.md", "--suite", "evals/qa.yaml")
    assert document["baseline"]["run"] == document["candidate"]["run"]
    assert list(document["arms"]) == ["b/small"]
    assert verdict(document) == "regressed"


def test_a_folder_below_the_root_works(versions: Project) -> None:
    """Paths are those that a person types there; store and settings are the project's."""
    inner = versions.root / "evals"
    below = Project(versions.root / "scratch")
    below.root = inner
    document = compared(below, "v1", "v2", "--suite", "qa.yaml")
    assert verdict(document) == "regressed"
    assert (versions.root / ".retest" / "retest.db").exists()
    assert not (inner / ".retest").exists()


def test_code_is_that_of_its_revision(tmp_path: Path) -> None:
    """Targets, metrics and the helper files that they import are each revision's own."""
    project = Project(tmp_path)
    project.write(".gitignore", ".retest\n__pycache__\n")
    project.write_cases(12)
    project.write("evals/bot.py", "import shared\n\ndef answer(prompt):\n    return shared.reply(prompt)\n")
    project.write(
        "evals/judge.py", "import marks\n\ndef score(output, expected):\n    return marks.mark(output, expected)\n"
    )
    project.write("evals/marks.py", "def mark(output, expected):\n    return float(output == expected)\n")
    project.write("evals/shared.py", "def reply(prompt):\n    return prompt.strip()\n")
    target = {"name": "bot", "provider": "python", "path": "bot.py:answer"}
    metric = {"metric": "python", "name": "mine", "path": "judge.py:score", "range": [0, 1]}
    project.write_suite(targets=[target], metrics=[metric], gate={"block": "regression"})
    commit_all(project.root)
    # The target's own file must differ, or its answers count as the same: see `version` of the python target.
    project.write("evals/bot.py", "import shared\n\ndef answer(prompt):\n    return shared.reply(prompt) + ''\n")
    project.write("evals/shared.py", "def reply(prompt):\n    return 'worse'\n")
    commit_all(project.root)
    project.write("evals/shared.py", "raise SystemExit('the working tree is not asked')\n")
    document = compared(project, "HEAD~1", "HEAD")
    assert document["metrics"]["mine"]["verdict"] == "regressed"
    assert (document["metrics"]["mine"]["baseline_mean"], document["metrics"]["mine"]["candidate_mean"]) == (1.0, 0.0)


def test_a_changed_recording_is_no_unchanged_arm(tmp_path: Path) -> None:
    """The prompt is the same, and the answers are others: nothing is said to be shared."""
    project = Project(tmp_path)
    project.write(".gitignore", ".retest\n")
    project.write_cases(12)
    project.write_suite(targets=[{"name": "old", "provider": "replay", "path": "../recordings/a.jsonl"}])
    for text in ("q{}", "no"):
        rows = [{"id": f"c{i}", "output": text.format(i)} for i in range(12)]
        project.write_rows("recordings/a.jsonl", rows)
        commit_all(project.root)
    result = project.run("compare", "HEAD~1", "HEAD")
    assert result.code == 0, result.err
    assert "regressed" in result.out
    assert "serves both" not in result.out


def test_a_metric_that_fails_says_why_the_exit_code_is_not_0(tmp_path: Path) -> None:
    """An import inside a function finds no file of the revision: it fails aloud and reads no other revision's file."""
    project = Project(tmp_path)
    project.write(".gitignore", ".retest\n__pycache__\n")
    project.write_cases(3)
    project.write("prompts/a.md", GOOD)
    project.write("evals/bot.py", "def answer(prompt):\n    return prompt.split()[-1]\n")
    project.write("evals/late_helper.py", "value = 1.0\n")
    project.write("evals/judge.py", "def score(output):\n    import late_helper\n    return late_helper.value\n")
    target = {"name": "bot", "provider": "python", "path": "bot.py:answer"}
    metric = {"metric": "python", "name": "mine", "path": "judge.py:score", "range": [0, 1]}
    project.write_suite(prompts=["../prompts/a.md"], targets=[target], metrics=[metric])
    commit_all(project.root)
    result = project.run("compare", "HEAD", "WORKTREE")
    assert result.code == 4
    assert "the run of HEAD" in result.err
    assert "mine could not score 3 answers" in result.err


def test_a_mistake_in_a_revision_names_it(versions: Project, server: OpenAIServer) -> None:
    """The place is written as git writes it; nothing is called."""
    versions.write_suite(server.base_url, prompts=["../prompts/none.md"])
    commit_all(versions.root)
    result = versions.run("compare", "v1", "HEAD")
    assert result.code == 2
    assert "HEAD:evals/qa.yaml" in result.err
    assert "retest-" not in result.err  # no name of a temporary folder
    assert server.count == 0


def test_a_refusal_is_one_json_object(versions: Project) -> None:
    """Scripts read why nothing was run."""
    document = compared(versions, "v1", "v9", code=2)
    assert [problem["slug"] for problem in document["problems"]] == ["revision-unknown"]


def test_the_same_commit_under_two_names_is_run_once(versions: Project) -> None:
    """On main itself, main against HEAD is no comparison, and says so."""
    document = compared(versions, "main", "HEAD")
    assert document["baseline"]["run"] == document["candidate"]["run"]
    assert document["warnings"] == ["both sides are the same run"]


@pytest.mark.parametrize(
    ("args", "slug"),
    [
        (["v1", "v9"], "revision-unknown"),
        (["--", "v1", "--all"], "revision-unknown"),
        (["v1", PROMPT], "compare-mixed"),
        ([PROMPT], "compare-mixed"),
        ([PROMPT, f"./{PROMPT}"], "compare-same-prompt"),
        (["v1", "v2", "--suite", "evals/none.yaml"], "suite-file-missing"),
    ],
)
def test_what_cannot_be_compared_is_a_usage_error(versions: Project, args: list[str], slug: str) -> None:
    """Found before any call, with a message of its own."""
    result = versions.run("compare", *args)
    assert (result.code, f"[{slug}]" in result.err) == (2, True), result.err


def test_a_shallow_clone_says_what_to_fetch(versions: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    """CI's usual clone lacks the base: the message says how to get it."""
    clone = tmp_path_factory.mktemp("clone") / "c"
    git(versions.root, "clone", "-q", "--depth", "1", versions.root.as_uri(), str(clone))
    result = Project(clone).run("compare", "HEAD~1", "HEAD")
    assert result.code == 2
    assert "fetch-depth: 0" in result.err


def test_no_suite_in_common_is_nothing_to_judge(versions: Project, server: OpenAIServer) -> None:
    """Exit 5, and the suites that only one side has are named."""
    versions.write_suite(server.base_url, name="other", prompts=[f"../{PROMPT}"])
    commit_all(versions.root)
    result = versions.run("compare", "v1", "HEAD")
    assert result.code == 5
    assert "suite other is not in v1" in result.err


def test_offline_without_the_answers_is_incomplete(versions: Project, server: OpenAIServer) -> None:
    """Exit 4 and no call; the side that is short of answers is named with its count."""
    assert versions.run("run").code == 0
    result = versions.run("compare", "v1", "v2", "--offline")
    assert result.code == 4
    assert "[compare-incomplete]" in result.err
    assert "0 of 20 samples have an answer" in result.err
    assert server.count == 20


def test_the_budget_is_for_both_sides_together(versions: Project, server: OpenAIServer) -> None:
    """25 calls are 25 calls, and the same command goes on where it ended."""
    assert versions.run("compare", "v1", "v2", "--max-calls", "25").code == 4
    assert server.count == 25
    assert verdict(compared(versions, "v1", "v2", "--max-calls", "25")) == "regressed"
    assert server.count == 40


def test_both_sides_are_called_at_the_same_time(versions: Project, server: OpenAIServer) -> None:
    """Neither side waits for the other to end, so that a slow drift of the provider falls on both."""
    compared(versions, "v1", "v2", "--concurrency", "4")
    bad = ["bad" in request.last_user for request in server.requests]
    assert bad.index(True) < 10
    assert any(not is_bad for is_bad in bad[-10:])
    assert server.peak <= 4


def test_a_dry_run_calls_and_stores_nothing(versions: Project, server: OpenAIServer) -> None:
    """The plan of each side is shown."""
    result = versions.run("compare", "v1", "v2", "--dry-run")
    assert result.code == 0
    assert "qa at v1" in result.err
    assert "20 calls to make" in result.err
    assert server.count == 0
    assert "no run" in (versions.run("runs").out + versions.run("runs").err)
