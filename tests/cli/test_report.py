"""`retest report`, and the HTML report of a gate: stored runs in, one file out."""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path

import pytest

from support.project import Project
from support.versions import case_rows, right_answers, run_version

ROWS = case_rows(14)


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project with two runs: all right, then four cases wrong under another prompt."""
    project = Project(tmp_path_factory.mktemp("reported"))
    run_version(project, right_answers(ROWS), ROWS)
    answers = right_answers(ROWS) | {f"c0{index}": ["間違い"] * 5 for index in range(4)}
    run_version(project, answers, ROWS, prompt="どのチームですか？\n{{ q }}\n")
    return project


def pages(text: str) -> list[str]:
    """Return the pages of the cases."""
    chunks = re.findall(r'class="chunk">([^<]*)<', text)
    return [part for chunk in chunks for part in json.loads(gzip.decompress(base64.b64decode(chunk)))]


def written(project: Project, *args: str, path: str = "report.html") -> str:
    """Write a report and return it."""
    done = project.run("report", *args, "-o", path)
    assert done.code == 0, done.err
    assert done.out.startswith(path)
    return (project.root / path).read_text("utf-8")


def test_one_run(versions: Project) -> None:
    """Without names the latest: its cases, each with its answers and the prompt as it was sent."""
    text = written(versions)
    found = pages(text)
    assert len(found) == 14
    assert "どのチームですか？" in found[0]
    assert found[0].count('class="sample after"') == 5
    assert text.count("failing") > 0


def test_two_runs(versions: Project) -> None:
    """The first is the baseline; the cases that got worse are named, both answers marked."""
    text = written(versions, "latest~1", "latest", "--lang", "en", path="out/two.html")
    assert "regressed" in text
    assert text.count('data-s="newly_failing"') >= 4
    assert "<del>返品</del>" in pages(text)[0]
    assert "+どのチームですか？" in text


def test_against_the_baseline_of_the_suite(versions: Project) -> None:
    """As `retest diff` chooses it."""
    text = written(versions, "--baseline", path="baseline.html")
    assert "regressed" in text


def test_only_the_metrics_asked_for(versions: Project) -> None:
    """A metric that no run has is a mistake."""
    done = versions.run("report", "latest~1", "latest", "-m", "nonsense")
    assert done.code == 2


def test_a_folder_that_cannot_be_written_is_said(versions: Project) -> None:
    """With a slug, and the code of a mistake in the command."""
    done = versions.run("report", "-o", "retest.toml/report.html")
    assert (done.code, "report-unwritable" in done.err) == (2, True)


def test_an_unknown_run(versions: Project) -> None:
    """Nothing is written."""
    done = versions.run("report", "nonsense", "-o", "none.html")
    assert done.code == 2
    assert not (versions.root / "none.html").exists()


def test_arms_of_one_run_are_compared(tmp_path: Path) -> None:
    """Each with the first."""
    project = Project(tmp_path)
    project.write("prompts/second.md", "Second\n{{ q }}\n")
    rows = case_rows(6)
    run_version(project, right_answers(rows), rows, prompts=["../prompts/ask.md", "../prompts/second.md"])
    text = written(project, "--lang", "en")
    assert "arms of one run" in text
    assert "second/model" in text


def test_the_gate_writes_it_with_cases_and_answers(versions: Project) -> None:
    """What was decided stands at the top."""
    assert versions.run("baseline", "set", "latest~1").code == 0
    done = versions.run("gate", "--report", "html=gate.html")
    assert done.code == 1, done.err
    text = (versions.root / "gate.html").read_text("utf-8")
    assert "gate failed" in text
    assert "exact_match regressed by" in text
    assert len(pages(text)) == 14
    assert "間違い" in pages(text)[0]


def test_the_gate_writes_it_where_nothing_could_be_judged(versions: Project) -> None:
    """A report that reads as if it had passed would be wrong."""
    done = versions.run("gate", "evals/missing.yaml", "--report", "html=none.html")
    assert done.code == 2
    text = (versions.root / "none.html").read_text("utf-8")
    assert 'data-t="gate_passed"' not in text
    assert "evals/missing.yaml" in text
