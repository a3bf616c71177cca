"""`retest baseline` as a user meets it: what is set, kept, exported and refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.openai_server import OpenAIServer, Received, Reply, error, ok
from support.project import Project

BAD = [{"text": "BAD {{ question }}", "name": "ask"}]
FILE = "evals/qa.baseline.jsonl"


def answer(request: Received) -> Reply:
    """Answer right, but to a bad prompt wrong, and to one that is down with an error in one case."""
    word, _, question = request.last_user.rpartition(" ")
    if word == "DOWN" and question == "q0":
        return error(400)
    return ok("wrong 返品\u2028" if word == "BAD" else question)


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    """Give an endpoint whose answers depend on the prompt."""
    with OpenAIServer(answer) as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, server: OpenAIServer) -> Project:
    """Give a project with one good run and no baseline."""
    made = Project(tmp_path)
    made.write_cases(6)
    made.write_suite(server.base_url, samples=3)
    assert made.run("run").code == 0
    return made


def test_a_baseline_is_set_shown_listed_and_cleared(project: Project) -> None:
    """Running sets none; each command says which run it is about."""
    assert project.run("baseline", "show").code == 5
    run_id = project.run("runs", "--json").json["runs"][0]["run"]
    assert run_id in project.run("baseline", "set").out
    shown = project.run("baseline", "show", "--json").json
    assert (shown["suite"], shown["baseline"], shown["origin"], shown["cases"]) == ("qa", run_id, "named", 6)
    assert project.run("baseline", "list", "--json").json["baselines"][0]["baseline"] == run_id
    assert project.run("baseline", "clear").code == 0
    assert project.run("baseline", "show").code == 5


def test_a_regressed_run_is_promoted_only_by_force(project: Project, server: OpenAIServer) -> None:
    """`set` says what it would replace and shows the comparison; the refusal names the reason and changes nothing."""
    assert project.run("baseline", "set").code == 0
    before = project.run("baseline", "show", "--json").json["baseline"]
    project.write_suite(server.base_url, samples=3, prompts=BAD)
    assert project.run("run").code == 0
    refused = project.run("baseline", "set")
    assert refused.code == 2
    assert f"replaces the baseline {before} of qa" in refused.out
    assert "regressed" in refused.out
    assert "the gate fails: ask/small · exact_match: regressed" in refused.err
    assert project.run("baseline", "show", "--json").json["baseline"] == before
    assert project.run("baseline", "set", "--force").code == 0
    assert project.run("baseline", "show", "--json").json["baseline"] != before


def test_a_first_baseline_is_refused_for_a_limit_alone(project: Project, server: OpenAIServer) -> None:
    """That it has no baseline to be compared with is no objection, and not mentioned."""
    project.write_suite(server.base_url, samples=3, gate={"metrics": {"exact_match": {"max": 0.2}}})
    assert project.run("run").code == 1
    refused = project.run("baseline", "set")
    assert refused.code == 2
    assert "the gate fails: ask/small · exact_match: limit" in refused.err
    assert "no baseline to compare with" not in refused.err


def test_a_run_with_errors_is_refused(project: Project, server: OpenAIServer) -> None:
    """Missing answers would be missing from every later comparison."""
    prompts = [{"text": "DOWN {{ question }}", "name": "ask"}]
    project.write_suite(server.base_url, samples=3, prompts=prompts, gate={"max_error_rate": 1.0})
    project.run("run")
    refused = project.run("baseline", "set")
    assert refused.code == 2
    assert "3 of its 18 samples are errors" in refused.err


def test_an_incomplete_run_is_refused(project: Project, server: OpenAIServer) -> None:
    """A run that its budget ended has fewer samples than it planned."""
    project.write_suite(server.base_url, samples=3, prompts=BAD)
    assert project.run("run", "--max-calls", "4").code == 4
    refused = project.run("baseline", "set")
    assert refused.code == 2
    assert "the run is incomplete" in refused.err


def test_few_repeats_are_warned_of(project: Project) -> None:
    """One sample a case hides what varies."""
    assert project.run("run", "--samples", "1").code == 0
    assert "it has 1 sample a case" in project.run("baseline", "set").err


def test_the_best_of_equal_runs_is_warned_of(tmp_path: Path) -> None:
    """A second draw of the same version that happened to be better is no better version."""
    project = Project(tmp_path)
    project.write_cases(4)
    with OpenAIServer(lambda request: ok("?" if request.index < 4 else request.last_user)) as server:
        project.write_suite(server.base_url, samples=3)
        assert project.run("run").code == 0
        assert project.run("run", "--fresh").code == 0
    assert "the best of 2 runs of the same version" in " ".join(project.run("baseline", "set").err.split())


def test_a_run_of_another_suite_is_not_mistaken(project: Project, server: OpenAIServer) -> None:
    """`--suite` and a run that contradict each other: exit 2."""
    run_id = project.run("runs", "--json").json["runs"][0]["run"]
    project.write_suite(server.base_url, name="other")
    refused = project.run("baseline", "set", run_id, "--suite", "evals/qa.yaml")
    assert refused.code == 2
    assert "is a run of suite qa, not of other" in refused.err


def verdict(project: Project, *args: str) -> Any:
    """Return the decision and every verdict of a gate."""
    document = project.run("gate", "--json", *args).json
    metrics = {name: values | {"note": None} for name, values in document["comparison"]["metrics"].items()}
    return document["outcome"], [reason["message"] for reason in document["reasons"]], metrics


def test_a_file_gives_the_verdict_of_its_run(project: Project, server: OpenAIServer) -> None:
    """The same numbers, p-values included, from the store, from the file, and from the file on another machine."""
    assert project.run("baseline", "set").code == 0
    project.write_suite(server.base_url, samples=3, prompts=BAD)
    stored = verdict(project)
    assert stored[0] == "failed"
    assert project.run("baseline", "export").code == 0
    assert verdict(project) == stored
    shutil.rmtree(project.root / ".retest")
    assert verdict(project) == stored


def test_the_file_is_stable_and_one_case_is_one_line(project: Project) -> None:
    """Exporting twice gives the same bytes: a header, then one sorted line a case and arm."""
    for name in ("a.jsonl", "b.jsonl"):
        assert project.run("baseline", "export", "--run", "latest", "-o", name).code == 0
    text = (project.root / "a.jsonl").read_text("utf-8")
    assert text == (project.root / "b.jsonl").read_text("utf-8")
    header, *lines = [json.loads(line) for line in text.splitlines()]
    assert (header["retest_baseline"], header["suite"], header["lines"]) == (1, "qa", 6)
    assert [line["case"] for line in lines] == sorted(f"c{i}" for i in range(6))
    assert lines[0]["scores"] == {"exact_match": [1.0, 1.0, 1.0]}


def test_answers_in_the_file_are_shown_where_the_run_is_not(project: Project, server: OpenAIServer) -> None:
    """With --outputs a clean clone sees before and after; no answer breaks a line in two."""
    project.write_cases(12)
    project.write_suite(server.base_url, samples=3, prompts=BAD)
    assert project.run("run").code == 0
    assert project.run("baseline", "export", "--run", "latest", "-o", FILE, "--outputs").code == 0
    assert len((project.root / FILE).read_text("utf-8").splitlines()) == 13
    shutil.rmtree(project.root / ".retest")
    project.write_suite(server.base_url, samples=3)
    document = project.run("gate", "--json").json
    changed = document["comparison"]["arms"]["ask/small"]["changed"]
    assert changed[0]["before"]["output"] == "wrong 返品\u2028"
    assert changed[0]["after"]["output"] == f"q{changed[0]['case_id'].removeprefix('c')}"


def test_a_refresh_rewrites_the_file_where_the_suite_keeps_one(project: Project, server: OpenAIServer) -> None:
    """Edit, gate, refresh, commit: the file follows, and the gate passes."""
    assert project.run("baseline", "set").code == 0
    assert project.run("baseline", "export").code == 0
    before = (project.root / FILE).read_text("utf-8")
    project.write_suite(server.base_url, samples=3, prompts=BAD)
    assert project.run("baseline", "refresh").code == 2
    assert (project.root / FILE).read_text("utf-8") == before
    assert project.run("baseline", "refresh", "--force").code == 0
    assert (project.root / FILE).read_text("utf-8") != before
    assert project.run("gate").code == 0


def test_an_import_stands_beside_the_suite(project: Project, server: OpenAIServer) -> None:
    """A sound file of the suite is taken; one of another suite, or in the place of another file, is refused."""
    assert project.run("baseline", "export", "--run", "latest", "-o", "ci.jsonl").code == 0
    assert project.run("baseline", "import", "ci.jsonl").code == 0
    assert project.run("baseline", "show", "--json").json["origin"] == "file"
    project.write(FILE, (project.root / FILE).read_text("utf-8") + "\n")
    assert project.run("baseline", "import", "ci.jsonl").code == 2
    assert project.run("baseline", "import", "ci.jsonl", "--force").code == 0
    project.write_suite(server.base_url, name="other")
    assert "not of other" in project.run("baseline", "import", "ci.jsonl").err


def conflict(text: str) -> str:
    lines = text.splitlines()
    return "\n".join([lines[0], "<<<<<<< HEAD", lines[1], "=======", lines[1], ">>>>>>> theirs", *lines[2:]]) + "\n"


@pytest.mark.parametrize(
    ("damage", "slug"),
    [
        (conflict, "baseline-merge-conflict"),
        (lambda text: text.replace('"retest_baseline": 1', '"retest_baseline": 2'), "baseline-file-newer"),
        (lambda text: text[: text.rindex("{")], "baseline-file-format"),  # the last line is gone
        (lambda text: text[:-20], "baseline-file-format"),  # cut off
        (lambda text: text.replace('"case": "c1"', '"case": "c0"'), "baseline-file-format"),  # twice the same case
        (lambda text: text.replace('"exact_match": [1.0', '"other": [1.0', 1), "baseline-file-format"),
        (lambda text: text.replace("[1.0, 1.0", '[1.0, "yes"', 1), "baseline-file-format"),
        (lambda text: text.replace("[1.0, 1.0", "[1.0, NaN", 1), "baseline-file-format"),
        (lambda text: text.replace('"metrics": [', '"metrics": [3, ', 1), "baseline-file-format"),
        (lambda text: text.replace('"draw": 0', '"draw": null', 1), "baseline-file-format"),
        (lambda _: "", "baseline-file-format"),
        (lambda _: "[]\n", "baseline-file-format"),
        (lambda _: "{}\n", "baseline-file-format"),
    ],
)
def test_a_damaged_file_is_refused_before_any_call(
    project: Project, server: OpenAIServer, damage: Any, slug: str
) -> None:
    """Conflict markers, a newer format, lost and doubled lines: exit 2 with the place, and nothing is paid for."""
    assert project.run("baseline", "export", "--run", "latest", "-o", FILE).code == 0
    project.write(FILE, damage((project.root / FILE).read_text("utf-8")))
    before = server.count
    result = project.run("gate")
    assert (result.code, server.count) == (2, before), result.out + result.err
    assert f"[{slug}]" in result.err
