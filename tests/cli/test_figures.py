"""Figures of whole runs from the command line: classified, shown, compared, gated, exported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.project import Project

LABELS = ["返金", "billing", "bug"]
METRICS: list[Any] = [
    {"metric": "classification", "name": "intent", "labels": LABELS, "find": "last", "confidence": "percentage"},
    {"metric": "chrf"},
]
TARGET = {"name": "r", "provider": "replay", "fields": {"case": "id", "sample": "n", "output": "output"}}


def recording(right: int) -> list[dict[str, Any]]:
    """Return two answers a case: of each label's ten cases the first `right` are right, one names no label."""
    return [
        {"id": f"{label}{i}", "n": n, "output": answer(label, i, right)}
        for label in LABELS
        for i in range(10)
        for n in (0, 1)
    ]


def answer(label: str, number: int, right: int) -> str:
    if number < right:
        return f"ラベルは{label} (90%)"
    return "分かりません" if number == 9 else f"{LABELS[(LABELS.index(label) + 1) % 3]} (60%)"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project with a run that is right in 7 of 10 cases, and a later one that is right in 5."""
    made = Project(tmp_path_factory.mktemp("figures"))
    rows = [{"id": f"{x}{i}", "question": f"{x}{i}", "expected": x} for x in LABELS for i in range(10)]
    made.write_rows("datasets/qa.jsonl", rows)
    for name, right in (("old", 7), ("new", 5)):
        made.write_rows(f"datasets/{name}.jsonl", recording(right))
        target = {**TARGET, "path": f"../datasets/{name}.jsonl"}
        made.write_suite(targets=[target], metrics=METRICS, samples=2, gate={"metrics": {"intent": {"min": 0.1}}})
        assert made.run("run", "-q").code == 0
    return made


def test_show_prints_the_matrix_in_columns(project: Project) -> None:
    """Expected against given, the answers without a label in the last column."""
    lines = project.run("show", "latest~1").out.splitlines()
    (row,) = (line for line in lines if line.startswith("返金") and "·" in line)
    assert row.split() == ["返金", "14", "4", "·", "2"]


def test_labels_are_left_out_on_request(project: Project) -> None:
    """`--no-figures` keeps the overview short."""
    assert "by label" not in project.run("show", "--no-figures").out


def test_json_has_every_figure(project: Project) -> None:
    """Values with intervals, labels, and the matrix by name."""
    figures = project.run("show", "latest~1", "--json").json["metrics"]["intent"]["figures"]
    assert figures["values"]["accuracy"]["value"] == pytest.approx(0.7)
    assert figures["values"]["ece"]["low"] is not None
    assert figures["labels"]["返金"]["recall"]["value"] == pytest.approx(0.7)
    assert figures["confusion"]["返金"] == {"返金": 14, "billing": 4, "(none)": 2}


def test_diff_shows_figures_before_and_after(project: Project) -> None:
    """Paired by case, with an interval and no verdict."""
    arms = project.run("diff", "latest~1", "latest", "--json").json["arms"]
    change = arms["ask/r"]["figures"]["intent.accuracy"]
    assert (change["before"], change["after"]) == (pytest.approx(0.7), pytest.approx(0.5))
    assert change["low"] < change["delta"] == pytest.approx(-0.2)
    assert "verdict" not in change


def test_export_has_the_labels_of_each_sample(project: Project) -> None:
    """What was expected, what was given and how sure it said it was."""
    rows = [json.loads(line) for line in project.run("export", "latest", "--to", "jsonl").out.splitlines()]
    assert rows[0]["labels"] == {"intent": {"expected": "返金", "predicted": "返金", "confidence": 0.9}}
    header = project.run("export", "latest", "--to", "csv").out.splitlines()[0]
    assert "label.intent" in header


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"intent.f1_macro": {"min": 0.2}}, 0),
        ({"intent.f1_macro": {"min": 0.9}}, 1),
        ({"intent.recall.返金": {"min": 0.95}}, 1),
        ({"intent.ece": {"max": 0.9}}, 0),
    ],
    ids=["kept", "not kept", "of a label", "lower is better"],
)
def test_a_run_fails_by_a_figure(project: Project, limits: dict[str, Any], code: int) -> None:
    """A limit on a figure is judged like any other."""
    target = {**TARGET, "path": "../datasets/new.jsonl"}
    project.write_suite(targets=[target], metrics=METRICS, samples=2, gate={"metrics": limits})
    assert project.run("run", "-q").code == code


def test_a_figure_of_nothing_is_no_pass(tmp_path: Path) -> None:
    """Where no expected answer is a label nothing is judged: exit 5 or 4, and never 0."""
    project = Project(tmp_path)
    rows: list[dict[str, Any]] = [
        {"id": "返金0", "question": "q", "expected": "refund"},
        {"id": "返金1", "question": "q", "expected": None},
    ]
    project.write_rows("datasets/qa.jsonl", rows)
    project.write_rows("datasets/r.jsonl", recording(7)[:4])
    gate = {"metrics": {"intent.f1_macro": {"min": 0.0}}, "max_error_rate": 1.0}
    target = {**TARGET, "path": "../datasets/r.jsonl"}
    project.write_suite(targets=[target], metrics=[METRICS[0], "length"], gate=gate)
    done = project.run("run")
    assert done.code == 5
    assert "the figure cannot be computed" in done.out


def test_the_gates_reports_name_the_figure(project: Project) -> None:
    """JUnit, Markdown and JSON alike."""
    target = {**TARGET, "path": "../datasets/new.jsonl"}
    limits = {"intent.f1_macro": {"min": 0.9}}
    project.write_suite(targets=[target], metrics=METRICS, samples=2, gate={"metrics": limits})
    reports = [word for name in ("junit=r.xml", "markdown=r.md", "json=r.json") for word in ("--report", name)]
    done = project.run("gate", "--baseline", "latest~1", *reports)
    assert done.code == 1
    for name in ("r.xml", "r.md", "r.json"):
        assert "intent.f1_macro" in (project.root / name).read_text("utf-8")
    assert "the figure must be at least 0.9" in done.out


def test_a_baseline_file_compares_like_its_run(project: Project) -> None:
    """Whatever the order of its lines: cases are paired by their ids, and the intervals are the same."""
    run = project.run("runs", "--json").json["runs"][-1]["run"]
    later = project.run("runs", "--json").json["runs"][-2]["run"]
    assert project.run("baseline", "export", "--run", run, "-o", "before.jsonl", "--outputs").code == 0
    found = [
        project.run("diff", side, later, "--json").json["arms"]["ask/r"]["figures"] for side in (run, "before.jsonl")
    ]
    assert found[0] == found[1]
