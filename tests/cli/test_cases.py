"""Cases of runs appended to datasets: files in; exit code, text and files out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from support.project import Project, Result
from support.versions import case_rows, right_answers, run_version

ROWS = case_rows(8)
ANSWER = {"name": "answer", "metric": "exact_match"}


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two runs, the first the baseline; the second is wrong on c00 and half wrong on c01."""
    project = Project(tmp_path_factory.mktemp("two-runs"))
    before = {**right_answers(ROWS, 2), "c02": ["配送", "配送"]}
    run_version(project, before, ROWS, metrics=[ANSWER])
    assert project.run("baseline", "set", "latest").code == 0
    after = {**right_answers(ROWS, 2), "c00": ["=返品です", "=返品です"], "c01": ["billing!", "billing"]}
    run_version(project, after, ROWS, metrics=[ANSWER])
    for case, said in (("c00", ("--label", "bad", "--tag", "敬語")), ("c03", ("--label", "bad"))):
        done = project.run("review", "add", "latest", "--case", case, "--reviewer", "佐藤", *said)
        assert done.code == 0, done.err
    return project.root


@pytest.fixture
def project(two_runs: Path, tmp_path: Path) -> Project:
    """Return a project of one's own with the two runs."""
    shutil.copytree(two_runs, tmp_path / "project")
    return Project(tmp_path / "project")


def add(project: Project, *args: str) -> Result:
    return project.run("cases", "add", *args)


def rows(project: Project, name: str = "datasets/teams-added.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (project.root / name).read_text("utf-8").splitlines()]


def test_badly_reviewed_cases_are_added_once(project: Project) -> None:
    """With their own tags, those of the reviews and the one that is given; a second time nothing is written."""
    first = add(project, "--from", "latest", "--where", "label=bad", "--tag", "hard")
    assert first.code == 0, first.err
    assert first.out.split() == ["added", "2", "cases", "to", "datasets/teams-added.jsonl", "c00", "c03"]
    again = add(project, "--where", "label=bad", "--json")
    assert (again.json["added"], again.json["already_there"]) == ([], ["c00", "c03"])
    assert rows(project) == [
        {"id": "c00", "q": "質問 0", "expected": "返品", "tags": ["ja", "敬語", "hard"]},
        {"id": "c03", "q": "question 3", "expected": "billing", "tags": ["en", "hard"]},
    ]


def test_what_got_worse_is_a_regression(project: Project) -> None:
    """By the mean of the case since the baseline; what got better is not among it."""
    done = add(project, "--where", "change=worse", "--to", "datasets/reg.jsonl")
    assert done.code == 0, done.err
    assert [(row["id"], row["tags"]) for row in rows(project, "datasets/reg.jsonl")] == [
        ("c00", ["ja", "敬語", "regression"]),
        ("c01", ["en", "regression"]),
    ]
    assert add(project, "--where", "change=better", "--json").json["added"] == ["c02"]


def test_nothing_is_written_where_nothing_fits_or_where_it_is_only_tried(project: Project) -> None:
    """Exit 5 for the former; the latter says what would be written."""
    assert add(project, "--where", "answer<1", "--where", "answer>0").code == 5
    tried = add(project, "--where", "answer<1", "--where", "case-tag=en", "--dry-run")
    assert tried.out.split()[:4] == ["would", "add", "1", "case"]
    assert not (project.root / "datasets" / "teams-added.jsonl").exists()


def test_a_suite_reads_the_file_that_was_written(project: Project) -> None:
    """And its cases are the same cases: the recording answers them."""
    assert add(project, "--where", "label=bad").code == 0
    suite = json.loads((project.root / "evals" / "teams.yaml").read_text("utf-8"))
    suite |= {"name": "hard", "dataset": {**suite["dataset"], "path": "../datasets/teams-added.jsonl"}}
    project.write("evals/hard.yaml", json.dumps(suite, ensure_ascii=False))
    done = project.run("run", "evals/hard.yaml", "--json", "-q")
    assert done.code == 0, done.err
    column = project.run("show", "--json").json["arms"]["ask/model"]["metrics"]["answer"]
    assert (column["mean"], column["n_cases"]) == (0.5, 2)


def test_a_row_that_is_there_is_never_replaced(project: Project) -> None:
    """Another question under the same id, or another expected answer: exit 2 with the line, and the file as it was."""
    text = '{"id": "c03", "q": "question 3", "expected": "refund"}\n{"id": "c00", "q": "別の質問"}'
    path = project.write("datasets/mine.jsonl", text)
    done = add(project, "--where", "label=bad", "--to", "datasets/mine.jsonl")
    assert done.code == 2
    assert "the row of case c00 asks something else under the same id\n  datasets/mine.jsonl:2" in done.err
    assert "the row of case c03 expects another answer\n  datasets/mine.jsonl:1" in done.err
    assert path.read_text("utf-8") == text


@pytest.mark.parametrize(
    ("args", "slug"),
    [
        ((), "cases-where"),
        (("--where", "label=bad", "--to", "datasets/table.csv"), "cases-file"),
    ],
    ids=["none", "csv"],
)
def test_what_cannot_be_is_a_usage_error(project: Project, args: tuple[str, ...], slug: str) -> None:
    """Exit 2 and what to do."""
    project.write("datasets/table.csv", "id,q\nc00,質問\n")
    done = add(project, *args)
    assert (done.code, slug in done.err) == (2, True), done.err
