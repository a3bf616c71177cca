"""`retest log` and plots: the versions of a prompt as git sees them, with what their runs came to."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from retest.domain.prompt_log import LogWish
from retest.errors import UsageError
from retest.report.log_json import log_document
from retest.workflows.prompt_log import open_store, read_log
from retest.workflows.settings import load_settings
from retest.workflows.workspace import Workspace
from support.project import Project
from support.repository import commit_all, git
from support.versions import case_rows, right_answers, run_version

ROWS = case_rows(16)
FIRST, SECOND = "One\n{{ q }}\n", "二番目\n{{ q }}\n" + "Answer with the name of one team and nothing else.\n" * 8


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, list[str], list[str]]:
    """Return a project whose prompt was improved, renamed and labelled, with its commits and runs, the oldest first."""
    project = Project(tmp_path_factory.mktemp("log"))
    project.write(".gitignore", ".retest\n")
    good = right_answers(ROWS, 3)
    bad = {case: ["wrong"] * 3 if number < 8 else said for number, (case, said) in enumerate(good.items())}
    runs = [run_version(project, bad, ROWS, prompt=FIRST, metrics=["exact_match", "length"])]
    commits = [commit_all(project.root, "First version")]
    runs.append(run_version(project, good, ROWS, prompt=SECOND, metrics=["exact_match", "length"]))
    commits.append(commit_all(project.root, "二つ目の版\n\nbecause of refunds"))
    git(project.root, "mv", "prompts/ask.md", "prompts/asks.md")
    project.write("prompts/asks.md", f"---\nlabels: [production]\n---\n{SECOND}")
    commits.append(commit_all(project.root, "Renamed and labelled"))
    return project, commits, runs


def versions(project: Project, path: str = "prompts/asks.md", **wish: Any) -> Any:
    """Return what `retest log --json` says, without a process of its own."""
    workspace = Workspace(cwd=project.root, settings=load_settings(project.root, {}, {}))
    with ExitStack() as stack:
        return log_document(read_log(workspace, open_store(workspace, stack), path, LogWish(**wish)))["versions"]


def test_each_version_stands_with_its_commit(history: tuple[Project, list[str], list[str]]) -> None:
    """The newest first: commit, author, whole message, size of the change, labels; a rename is followed."""
    project, commits, _ = history
    found = project.run("log", "prompts/asks.md", "--json").json["versions"]
    assert [version["commit"] for version in found] == commits[::-1]
    assert found[1]["message"] == "二つ目の版\n\nbecause of refunds"
    assert [(version["added"], version["removed"]) for version in found] == [(3, 0), (9, 1), (2, 0)]
    assert [version["labels"] for version in found] == [["production"], [], []]
    assert found[0]["renamed_from"] == "prompts/ask.md"


def test_each_version_has_its_results_and_the_verdict(history: tuple[Project, list[str], list[str]]) -> None:
    """Of the runs that used its very text, judged against the version before as `retest diff` judges."""
    project, commits, runs = history
    newest, second, first = versions(project)
    assert [result["run"] for result in first["results"]] == runs[:1]
    assert first["results"][0]["metrics"]["exact_match"]["verdict"] is None
    (result,) = second["results"]
    assert (result["run"], result["against"]) == (runs[1], runs[0])
    metric = result["metrics"]["exact_match"]
    assert (metric["verdict"], metric["mean"]) == ("improved", 1.0)
    compared = project.run("diff", runs[0], runs[1], "--json").out
    assert f'"p_better": {metric["comparison"]["p_better"]}' in compared
    assert newest["same_as"] == commits[1][:8]
    assert newest["results"][0]["run"] == runs[1]
    assert newest["results"][0]["metrics"]["exact_match"]["verdict"] is None


def test_the_terminal_says_it_in_lines(history: tuple[Project, list[str], list[str]]) -> None:
    """Commit, message, labels, means and verdicts."""
    project, commits, _ = history
    shown = project.run("log", "prompts/asks.md").out
    assert all(commit[:8] in shown for commit in commits)
    assert "[production]" in shown
    assert "二つ目の版" in shown
    assert "improved" in shown


def test_versions_are_chosen_by_label_metric_and_number(history: tuple[Project, list[str], list[str]]) -> None:
    """An older version that is not shown is still compared with."""
    project, commits, _ = history
    assert [version["commit"] for version in versions(project, label="production")] == [commits[2]]
    assert versions(project, label="nobody") == []
    assert list(versions(project, metrics=("length",))[1]["results"][0]["metrics"]) == ["length"]
    assert versions(project, limit=2)[1]["results"][0]["metrics"]["exact_match"]["verdict"] == "improved"
    assert versions(project, suite="other")[1]["results"] == []


def test_what_is_not_committed_stands_on_top(tmp_path: Path) -> None:
    """A changed file and one that git has never seen; a prompt that is broken is said to be."""
    project = Project(tmp_path)
    project.write("prompts/a.md", "One {{ q }}\n")
    commit_all(project.root, "first")
    project.write("prompts/a.md", "Two {{ q }\n")
    found = versions(project, "prompts/a.md")
    assert [(version["commit"] is None, version["prompt_hash"] is None) for version in found] == [
        (True, True),
        (False, False),
    ]
    assert "no sound prompt" in project.run("log", "prompts/a.md").out
    project.write("prompts/b.md", "New {{ q }}\n")
    assert [version["message"] for version in versions(project, "prompts/b.md")] == ["not in git"]


def test_runs_of_a_text_that_no_commit_has_are_counted(tmp_path: Path) -> None:
    """They are said to be there, and are not shown as another version's."""
    project = Project(tmp_path)
    run_version(project, right_answers(ROWS[:2], 1), ROWS[:2], prompt="Never committed {{ q }}\n")
    project.write("prompts/ask.md", "Committed {{ q }}\n")
    commit_all(project.root, "first")
    assert versions(project, "prompts/ask.md")[0]["results"] == []
    assert "1 run of this path used a text" in " ".join(project.run("log", "prompts/ask.md").out.split())


def test_an_included_file_belongs_to_the_version(tmp_path: Path) -> None:
    """A version's results are found though its text alone does not make its hash."""
    project = Project(tmp_path)
    project.write("prompts/parts/rules.md", "Be short.\n")
    prompt = "{% include 'parts/rules.md' %}\n{{ q }}\n"
    run_id = run_version(project, right_answers(ROWS[:2], 1), ROWS[:2], prompt=prompt)
    commit_all(project.root, "first")
    (version,) = versions(project, "prompts/ask.md")
    assert [result["run"] for result in version["results"]] == [run_id]


@pytest.mark.parametrize("path", ["nope.md", "../outside.md", "."])
def test_a_file_without_history_is_an_error(history: tuple[Project, list[str], list[str]], path: str) -> None:
    """Nothing is made up."""
    with pytest.raises(UsageError) as caught:
        versions(history[0], path)
    assert caught.value.problems[0].slug == "log-unknown-prompt"


def test_outside_git_there_is_no_log(tmp_path: Path) -> None:
    """It says what to do instead."""
    project = Project(tmp_path)
    project.write("prompts/a.md", "One {{ q }}\n")
    done = project.run("log", "prompts/a.md")
    assert (done.code, "[revision-no-repository]" in done.err) == (2, True)


def test_a_history_is_plotted(history: tuple[Project, list[str], list[str]]) -> None:
    """On the terminal, and to an SVG or PNG file."""
    project, commits, _ = history
    shown = project.run("log", "prompts/asks.md", "--plot")
    assert shown.code == 0
    assert commits[0][:8] in shown.out
    assert "teams · model" in shown.out
    assert project.run("log", "prompts/asks.md", "-m", "length", "--plot", "out.svg").code == 0
    assert (project.root / "out.svg").read_text("utf-8").startswith("<svg ")
    assert project.run("log", "prompts/asks.md", "--plot", "out.png").code == 0
    assert (project.root / "out.png").read_bytes().startswith(b"\x89PNG")


def test_runs_are_plotted_and_chosen_by_label(history: tuple[Project, list[str], list[str]]) -> None:
    """Only runs of a prompt that carried the label then."""
    project, _, runs = history
    shown = project.run("runs", "--plot", "exact_match", "-o", "runs.svg")
    assert shown.code == 0, shown.err
    assert all(run in (project.root / "runs.svg").read_text("utf-8") for run in runs)
    assert project.run("runs", "--label", "production", "--json").json["runs"] == []


@pytest.mark.parametrize(
    ("args", "slug"),
    [
        (("runs", "--plot", "nothing"), "plot-nothing"),
        (("runs", "--plot", "exact_match", "-o", "x.gif"), "plot-file"),
        (("runs", "-o", "x.svg"), "plot-file"),
        (("log", "prompts/asks.md", "x.svg"), "plot-file"),
        (("log", "prompts/asks.md", "-m", "nothing", "--plot"), "plot-nothing"),
    ],
    ids=["no metric", "gif", "no plot", "no --plot", "no result"],
)
def test_what_cannot_be_plotted_is_an_error(
    history: tuple[Project, list[str], list[str]], args: tuple[str, ...], slug: str
) -> None:
    """Exit 2, a slug, and no file."""
    done = history[0].run(*args)
    assert (done.code, f"[{slug}]" in done.err) == (2, True), done.err
