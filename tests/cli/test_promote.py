"""`retest promote`: a label moves between versions of a prompt, ready to be committed and not committed."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.openai_server import OpenAIServer
from support.project import Project
from support.repository import commit_all, git

V1 = "---\r\nmodel: m   # keep\r\nlabels:\r\n  - production\r\n  - old\r\n---\r\n一 {{ question }}\r\n"
V2 = "二 {{ question }}\n"


@pytest.fixture
def prompts(tmp_path: Path) -> Project:
    """Return a repository with two versions of a prompt, and one of another that has the same label."""
    project = Project(tmp_path)
    project.write(".gitignore", ".retest\n")
    (project.root / "prompts").mkdir()
    (project.root / "prompts/intent-v1.md").write_bytes(V1.encode())
    project.write("prompts/intent-v2.md", V2)
    project.write("prompts/other.md", "---\nlabels: [production]\n---\nx {{ question }}\n")
    commit_all(project.root, "start")
    return project


def test_a_label_moves_and_all_else_stays(prompts: Project) -> None:
    """Line ends and comments are kept; another prompt keeps its label; git has the change uncommitted."""
    done = prompts.run("promote", "prompts/intent-v2.md", "production")
    assert done.code == 0, done.err
    assert (prompts.root / "prompts/intent-v1.md").read_bytes().decode() == V1.replace("  - production\r\n", "")
    assert (prompts.root / "prompts/intent-v2.md").read_text("utf-8") == f"---\nlabels: [production]\n---\n{V2}"
    assert git(prompts.root, "status", "--short").split() == ["M", "prompts/intent-v1.md", "M", "prompts/intent-v2.md"]
    assert "+labels: [production]" in done.out
    assert "-  - production" in done.out


def test_the_proposed_message_can_be_committed(prompts: Project) -> None:
    """By the command that is printed."""
    done = prompts.run("promote", "prompts/intent-v2.md", "production", "--json")
    command = done.json["command"]
    git(prompts.root, *command.removeprefix("git ").split())
    said = git(prompts.root, "log", "-1", "--format=%B")
    assert said.startswith("Label prompts/intent-v2.md production")
    assert "Taken from prompts/intent-v1.md." in said
    assert git(prompts.root, "status", "--short") == ""


def test_a_dry_run_writes_nothing(prompts: Project) -> None:
    """It shows the same change."""
    done = prompts.run("promote", "prompts/intent-v2.md", "production", "--dry-run", "--json")
    assert [edit["path"] for edit in done.json["edits"]] == ["prompts/intent-v2.md", "prompts/intent-v1.md"]
    assert (done.json["written"], done.json["command"]) == (False, None)
    assert git(prompts.root, "status", "--short") == ""


def test_a_label_that_is_there_stays(prompts: Project) -> None:
    """Nothing is written where nothing is to be done."""
    done = prompts.run("promote", "prompts/intent-v1.md", "production")
    assert (done.code, "has the label production" in done.out) == (0, True)
    assert git(prompts.root, "status", "--short") == ""


def test_a_file_that_is_named_loses_the_label_too(prompts: Project) -> None:
    """`--from`, where names do not tell that two files are one prompt."""
    named = ("--from", "prompts/other.md", "--from", "prompts/intent-v1.md")
    done = prompts.run("promote", "prompts/intent-v2.md", "production", *named, "--json")
    assert sorted(edit["path"] for edit in done.json["edits"]) == [
        "prompts/intent-v1.md",
        "prompts/intent-v2.md",
        "prompts/other.md",
    ]
    assert (prompts.root / "prompts/other.md").read_text("utf-8") == "x {{ question }}\n"


def test_a_label_costs_nothing(prompts: Project) -> None:
    """Its prompt stays the same version: no call is made, the run is the same configuration, and filters find it."""
    prompts.write_cases(2)
    with OpenAIServer() as server:
        prompts.write_suite(server.base_url, prompts=["../prompts/intent-v2.md"])
        before = prompts.run("run", "--json").json
        assert prompts.run("promote", "prompts/intent-v2.md", "production").code == 0
        after = prompts.run("run", "--json").json
        assert server.count == 2
        runs = prompts.run("runs", "--json").json["runs"]
        hashes = {arm["prompt_hash"] for run in runs for arm in run["arms"]}
        assert (len(runs), len(hashes)) == (2, 1)
        labelled = prompts.run("runs", "--label", "production", "--json").json["runs"]
        assert [run["run"] for run in labelled] == [after["run"]]
        assert before["run"] != after["run"]


@pytest.mark.parametrize(
    ("args", "slug"),
    [
        (("prompts/gone.md", "production"), "promote-prompt"),
        (("prompts/chat.json", "production"), "promote-prompt"),
        (("prompts/braces.md", "production"), "promote-prompt"),
        (("prompts/intent-v2.md", " "), "promote-label"),
        (("prompts/intent-v2.md", "two\nlines"), "promote-label"),
        (("prompts/intent-v2.md", "production", "--from", "prompts/gone.md"), "promote-prompt"),
    ],
    ids=["missing", "json", "braces", "blank", "two lines", "from a missing one"],
)
def test_what_cannot_be_labelled_is_an_error(prompts: Project, args: tuple[str, ...], slug: str) -> None:
    """Exit 2, a slug, and nothing written."""
    prompts.write("prompts/chat.json", '[{"role": "user", "content": "{{ question }}"}]')
    prompts.write("prompts/braces.md", "---\n{model: x}\n---\nhi {{ question }}\n")
    commit_all(prompts.root, "more")
    done = prompts.run("promote", *args)
    assert (done.code, f"[{slug}]" in done.err) == (2, True), done.err
    assert git(prompts.root, "status", "--short") == ""
