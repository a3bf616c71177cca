"""Scoring stored answers again: files in; exit code and text out. No target is called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.judging import JUDGE_MODEL, JudgedServer, grade
from support.openai_server import error
from support.project import Project, Result
from support.versions import case_rows, right_answers, run_version

ROWS = case_rows(6)
LENIENT = {"name": "answer", "metric": "contains"}
STRICT = {"name": "answer", "metric": "exact_match"}


def answers(wrong: str) -> dict[str, list[str]]:
    """Return right answers but for one case, whose answer is only near."""
    return {**right_answers(ROWS, 2), "c00": [wrong, wrong]}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project with one run, and no recording to answer a second time."""
    project = Project(tmp_path)
    run_version(project, answers("返品です"), ROWS, metrics=[STRICT])
    return project


def forget_recording(project: Project) -> None:
    (project.root / "rec" / "answers.jsonl").write_text("", "utf-8")


def change_metric(project: Project, *metrics: dict[str, Any]) -> None:
    """Change the suite's metrics and nothing else."""
    import yaml

    path = project.root / "evals" / "teams.yaml"
    suite = yaml.safe_load(path.read_text("utf-8"))
    path.write_text(yaml.safe_dump({**suite, "metrics": list(metrics)}, allow_unicode=True), "utf-8")


def only(done: Result) -> dict[str, Any]:
    """Return the one metric of the one run that was scored."""
    (run,) = done.json["runs"]
    (metric,) = run["metrics"]
    found: dict[str, Any] = metric
    return found


def test_any_metric_scores_stored_answers(project: Project) -> None:
    """A metric that the suite never had, with its options and a name, is a column of the run from then on."""
    done = project.run("rescore", "latest", "--metric", "contains", "--option", "values=返品", "--as", "言及", "--json")
    assert done.code == 0, done.err
    assert only(done)["scored"] == 12
    assert only(done)["means"] == {"ask/model": 0.5}
    shown = project.run("show", "--json").json
    assert list(shown["arms"]["ask/model"]["metrics"]) == ["answer", "言及"]


def test_a_changed_definition_keeps_the_scores_before(project: Project) -> None:
    """Means before and now are shown, the new one counts, and going back scores nothing twice."""
    change_metric(project, LENIENT)
    changed = only(project.run("rescore", "latest", "--json"))
    assert (changed["scored"], changed["kept"]) == (12, 0)
    assert (changed["means_before"]["ask/model"], changed["means"]["ask/model"]) == (pytest.approx(5 / 6), 1.0)
    change_metric(project, STRICT)
    back = only(project.run("rescore", "latest", "--json"))
    assert (back["scored"], back["kept"], back["means"]["ask/model"]) == (0, 12, pytest.approx(5 / 6))


def test_the_screen_says_what_changed(project: Project) -> None:
    """Counts, both means, both signatures."""
    change_metric(project, LENIENT)
    out = project.run("rescore").out
    assert "answer" in out
    assert "0.833" in out
    assert "exact_match before, contains now; the earlier scores are kept" in " ".join(out.split())


def test_the_baseline_is_scored_by_the_same_definition(project: Project) -> None:
    """Like is compared with like, and diff takes those scores: it has nothing to score anew."""
    assert project.run("baseline", "set", "latest").code == 0
    run_version(project, answers("配送"), ROWS, metrics=[STRICT])
    change_metric(project, LENIENT)
    done = project.run("rescore", "latest", "--json")
    assert [run["role"] for run in done.json["runs"]] == ["named", "baseline"]
    forget_recording(project)
    compared = project.run("diff", "--json").json["arms"]["ask/model"]["metrics"]["answer"]
    assert (compared["baseline_mean"], compared["candidate_mean"]) == (1.0, pytest.approx(5 / 6))
    assert compared["note"] is None


def test_diff_uses_scores_by_an_earlier_definition(project: Project) -> None:
    """A baseline that went on to another definition still has those of the candidate's."""
    first = project.run("runs", "--json").json["runs"][0]["run"]
    run_version(project, answers("配送"), ROWS, metrics=[STRICT])
    change_metric(project, LENIENT)
    assert project.run("rescore", first, "--no-baseline").code == 0
    compared = project.run("diff", first, "latest", "--json").json["arms"]["ask/model"]["metrics"]["answer"]
    assert compared["note"] == "the baseline was scored by the candidate's definition too, by retest rescore"
    assert compared["baseline_mean"] == pytest.approx(5 / 6)


def test_the_baseline_is_left_alone_where_asked(project: Project) -> None:
    """--no-baseline."""
    assert project.run("baseline", "set", "latest").code == 0
    run_version(project, answers("配送"), ROWS, metrics=[STRICT])
    done = project.run("rescore", "latest", "--metric", "length", "--no-baseline", "--json")
    assert [run["role"] for run in done.json["runs"]] == ["named"]


def test_no_target_is_called(project: Project) -> None:
    """It works where nothing could answer any more."""
    forget_recording(project)
    done = project.run("rescore", "latest", "--metric", "length", "--json")
    assert (done.code, only(done)["scored"]) == (0, 12)


def test_failures_are_counted_and_not_zeros(project: Project) -> None:
    """Exit 4; the mean is of what could be scored."""
    project.write("metrics/odd.py", "def odd(output):\n    return float(output)\n")
    change_metric(project, {"name": "odd", "metric": "python", "path": "../metrics/odd.py:odd"})
    done = project.run("rescore", "latest", "--json")
    assert done.code == 4
    assert only(done)["failures"] == {"raised": 12}
    assert only(done)["means"] == {"ask/model": None}
    project.write("metrics/odd.py", "def odd(output):\n    return 0.5\n")
    again = project.run("rescore", "latest", "--json")
    assert (again.code, only(again)["scored"], only(again)["means"]) == (0, 12, {"ask/model": 0.5})


def test_a_second_time_scores_nothing(project: Project) -> None:
    """What a definition has scored is kept."""
    project.run("rescore", "latest", "--metric", "length")
    again = only(project.run("rescore", "latest", "--metric", "length", "--json"))
    assert (again["scored"], again["kept"]) == (0, 12)


@pytest.mark.parametrize(
    ("args", "slug"),
    [
        (("--metric", "lenght"), "rescore-unknown-metric"),
        (("--metric", "regex", "--option", "patern=x"), "rescore-metric"),
        (("--metric", "review"), "rescore-metric"),
        (("--option", "value=x"), "rescore-metric"),
        (("--metric", "judge_grade"), "rescore-metric"),
        (("--suite", "evals/nothing.yaml"), "suite-file-missing"),
    ],
)
def test_what_cannot_score_is_a_usage_error(project: Project, args: tuple[str, ...], slug: str) -> None:
    """Exit 2 with what to do, and the run as it was."""
    done = project.run("rescore", "latest", *args)
    assert (done.code, slug in done.err) == (2, True), done.err


def test_metrics_of_another_suite(project: Project) -> None:
    """--suite names where the definitions come from."""
    text = (project.root / "evals" / "teams.yaml").read_text("utf-8").replace("name: teams", "name: strict")
    project.write("evals/strict.yaml", text.replace("exact_match", "starts_with"))
    done = project.run("rescore", "latest", "--suite", "evals/strict.yaml", "--json")
    assert only(done)["metric"] == "starts_with"


def test_judges_are_asked_about_stored_answers(tmp_path: Path) -> None:
    """A judge that the suite gained later scores what is there; a second time nobody is asked."""
    project = Project(tmp_path)
    project.write_cases(3)
    with JudgedServer(lambda _: grade(4)) as server:
        project.write_suite(server.base_url)
        assert project.run("run").code == 0
        judges = [{"name": "grader", "provider": "openai", "model": JUDGE_MODEL, "base_url": server.base_url}]
        graded = {"metric": "judge_grade", "name": "quality", "judge": "grader"}
        project.write_suite(server.base_url, judges=judges, metrics=["exact_match", graded])
        asked_before = len(server.requests)
        done = project.run("rescore", "--metric", "quality", "--json")
        assert done.code == 0, done.err
        assert only(done)["scored"] == 3
        assert len(server.judgments) == len(server.requests) - asked_before == 3
        assert only(project.run("rescore", "--metric", "quality", "--json"))["kept"] == 3
        assert len(server.judgments) == 3


def test_a_judge_that_stops_changes_nothing(tmp_path: Path) -> None:
    """A refused key: exit 4, and the run is shown as it was."""
    project = Project(tmp_path)
    project.write_cases(3)
    with JudgedServer(lambda _: error(401)) as server:
        judges = [{"name": "grader", "provider": "openai", "model": JUDGE_MODEL, "base_url": server.base_url}]
        graded = {"metric": "judge_grade", "name": "quality", "judge": "grader"}
        project.write_suite(server.base_url)
        assert project.run("run").code == 0
        project.write_suite(server.base_url, judges=judges, metrics=["exact_match", graded])
        done = project.run("rescore", "--metric", "quality")
        assert done.code == 4
        assert "rescore-stopped" in done.err
        (arm,) = project.run("show", "--json").json["arms"].values()
        assert list(arm["metrics"]) == ["exact_match"]
