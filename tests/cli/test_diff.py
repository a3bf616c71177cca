"""`retest diff`: two stored runs in; verdicts, changed cases and what was not compared out."""

from __future__ import annotations

import shutil

import pytest
from rich.cells import cell_len

from support.project import Project
from support.repository import commit_all
from support.versions import case_rows, right_answers, run_version

ROWS = case_rows(14)
FILE = "evals/teams.baseline.jsonl"
HOSTILE = "\x1b[31m配送 [bold]です[/bold]\u2028"


def broken_answers() -> dict[str, list[str]]:
    """Return answers of which five cases are wrong every time, two of them hostile to a terminal."""
    answers = right_answers(ROWS)
    for case_id in ("c00", "c02", "c04", "c01", "c03"):
        answers[case_id] = [HOSTILE if case_id in {"c00", "c02"} else "shipping, I think"] * 5
    return answers


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project with two runs of one suite: all right, then five cases wrong under another prompt."""
    project = Project(tmp_path_factory.mktemp("versions"))
    run_version(project, right_answers(ROWS), ROWS, metrics=["exact_match", "length"])
    run_version(
        project,
        broken_answers(),
        ROWS,
        prompt="どのチームですか？\n{{ q }}\n",
        metrics=["exact_match", "length"],
    )
    return project


def test_a_regression_is_shown_and_exits_0(versions: Project) -> None:
    """It looks: whatever the verdict, the code is 0."""
    done = versions.run("diff")
    assert done.code == 0
    assert "regressed" in done.out
    assert "changed cases: 5 worse, 0 better" in done.out


def test_the_json_has_the_documented_names(versions: Project) -> None:
    """With one pair of arms the metrics stand at the top level."""
    document = versions.run("diff", "latest~1", "latest", "--json").json
    found = document["metrics"]["exact_match"]
    names = ("verdict", "delta", "low", "high", "p_worse", "p_better", "p_adjusted", "mde")
    assert all(name in found for name in names)
    assert (found["verdict"], found["n_cases"]) == ("regressed", 14)
    assert found["delta"] == pytest.approx(-5 / 14)
    assert found["low"] < found["delta"] < found["high"]
    assert document["arms"]["ask/model"]["metrics"] == document["metrics"]


def test_the_other_way_round_is_an_improvement(versions: Project) -> None:
    """The first run named is the baseline."""
    document = versions.run("diff", "latest", "latest~1", "--json").json
    assert document["metrics"]["exact_match"]["verdict"] == "improved"
    assert document["arms"]["ask/model"]["n_better"] == 5


def test_the_changed_cases_come_with_both_answers(versions: Project) -> None:
    """Each changed case is named with its label, passes, and an answer of each side."""
    arm = versions.run("diff", "--json").json["arms"]["ask/model"]
    assert {case["case_id"] for case in arm["changed"]} == {"c00", "c01", "c02", "c03", "c04"}
    worst = arm["changed"][0]
    assert worst["changes"][0]["label"] == "newly_failing"
    assert (worst["changes"][0]["passed_before"], worst["changes"][0]["passed_after"]) == (5, 0)
    assert (worst["before"]["output"], worst["after"]["output"]) == ("返品", HOSTILE)


def test_the_text_fits_80_columns_and_is_harmless(versions: Project) -> None:
    """Japanese counts two columns; control sequences and markup of answers are written out."""
    out = versions.run("diff", "--verbose").out
    assert max(cell_len(line) for line in out.split("\n")) <= 80
    assert "\x1b" not in out
    assert "\u2028" not in out
    assert "\\x1b[31m" in out
    assert "[bold]" in out


def test_the_prompt_diff_is_unified(versions: Project) -> None:
    """What went has a minus, what came a plus."""
    out = versions.run("diff").out
    assert "-Which team?" in out
    assert "+どのチームですか？" in out


def test_one_metric_alone_needs_no_correction(versions: Project) -> None:
    """`--metric` compares only that one; its p stays as it is."""
    found = versions.run("diff", "--metric", "exact_match", "--json").json["metrics"]
    assert list(found) == ["exact_match"]
    assert found["exact_match"]["p_adjusted"] == found["exact_match"]["p"]


def test_slices_say_where_it_happened(versions: Project) -> None:
    """Each tag has its own change."""
    slices = versions.run("diff", "--json").json["arms"]["ask/model"]["slices"]
    japanese = next(part for part in slices if part["name"] == "ja" and part["metric"] == "exact_match")
    assert japanese["n_cases"] == 7
    assert japanese["delta"] == pytest.approx(-3 / 7)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--metric", "exact_mach"), "did you mean 'exact_match'?"),
        (("latest", "latest", "--arm", "ask/model", "ask/modle"), "did you mean 'ask/model'?"),
        (("nosuchrun",), "no run has the id or tag 'nosuchrun'"),
    ],
)
def test_a_wrong_name_is_a_usage_error(versions: Project, args: tuple[str, ...], message: str) -> None:
    """Nothing is compared under a name that is not there."""
    done = versions.run("diff", *args)
    assert done.code == 2
    assert message in " ".join(done.err.split())


def test_a_run_too_far_back_is_nothing_to_judge(versions: Project) -> None:
    """`latest~9` of a suite with two runs exits 5 and says how many there are."""
    done = versions.run("diff", "latest~9")
    assert done.code == 5
    assert "it has 2 in this store" in done.err


def test_a_single_run_is_nothing_to_judge(project: Project) -> None:
    """There is nothing before the first run, and the JSON says so too."""
    run_version(project, right_answers(ROWS[:3], 1), ROWS[:3])
    done = project.run("diff", "--json")
    assert (done.code, done.json["exit_code"]) == (5, 5)
    assert done.json["problems"][0]["slug"] == "diff-no-earlier-run"


def test_cases_that_do_not_pair_are_named_with_the_reason(project: Project) -> None:
    """An edited case drops out, and the rest still compares."""
    run_version(project, right_answers(ROWS, 1), ROWS)
    changed = [{**ROWS[0], "q": "別の質問"}, *ROWS[2:], {**ROWS[1], "id": "new"}]
    run_version(project, right_answers(changed, 1), changed)
    document = project.run("diff", "--json").json
    reasons = {case["case_id"]: case["reason"] for case in document["arms"]["ask/model"]["unpaired"]}
    assert reasons == {
        "c00": "edited: its variables differ",
        "c01": "only in the baseline",
        "new": "only in the candidate",
    }
    assert document["metrics"]["exact_match"]["n_cases"] == 12
    assert "edited: its variables differ: c00" in project.run("diff").out


def test_a_changed_expected_answer_is_scored_anew_on_the_baseline(project: Project) -> None:
    """Both sides are judged against the candidate's expected answer; the same outputs show no change."""
    run_version(project, right_answers(ROWS), ROWS)
    corrected = [{**ROWS[0], "expected": "返品です"}, *ROWS[1:]]
    run_version(project, right_answers(ROWS), corrected)
    found = project.run("diff", "--json").json["metrics"]["exact_match"]
    assert (found["delta"], found["n_cases"]) == (0.0, 14)
    assert found["baseline_mean"] == pytest.approx(13 / 14)
    assert "1 expected answer changed" in found["note"]


def test_a_changed_metric_is_scored_anew_on_the_baseline(project: Project) -> None:
    """A definition that changed compares by the candidate's definition on both sides."""
    answers = {case_id: [output.upper() for output in outputs] for case_id, outputs in right_answers(ROWS).items()}
    run_version(project, answers, ROWS)
    run_version(project, answers, ROWS, metrics=[{"metric": "exact_match", "casefold": True}])
    document = project.run("diff", "--json").json
    found = document["metrics"]["exact_match"]
    assert (found["baseline_mean"], found["candidate_mean"]) == (1.0, 1.0)
    assert "baseline was scored anew" in found["note"]
    assert [item["what"] for item in document["differences"]] == ["metric exact_match"]


@pytest.mark.parametrize(("flags", "code", "verdict"), [(["--outputs"], 0, "inconclusive"), ([], 5, "not_comparable")])
def test_a_baseline_file_is_scored_anew_from_its_outputs(
    project: Project, flags: list[str], code: int, verdict: str
) -> None:
    """Without the run, a changed metric needs the answers in the file; without them nothing is comparable."""
    answers = {case_id: [output.upper() for output in outputs] for case_id, outputs in right_answers(ROWS).items()}
    run_version(project, answers, ROWS)
    project.run("baseline", "export", "--run", "latest", "-o", "old.jsonl", *flags)
    shutil.rmtree(project.root / ".retest")
    run_version(project, answers, ROWS, metrics=[{"metric": "exact_match", "casefold": True}])
    done = project.run("diff", "old.jsonl", "--json")
    assert (done.code, done.json["metrics"]["exact_match"]["verdict"]) == (code, verdict)


def test_a_new_metric_is_scored_on_the_stored_outputs_of_the_baseline(project: Project) -> None:
    """Adding a metric needs no new baseline."""
    run_version(project, right_answers(ROWS, 1), ROWS)
    run_version(project, right_answers(ROWS, 1), ROWS, metrics=["exact_match", "length"])
    found = project.run("diff", "--json").json["metrics"]["length"]
    assert found["n_cases"] == 14
    assert found["baseline_mean"] == found["candidate_mean"]


def test_a_metric_that_cannot_be_scored_anew_is_not_comparable(project: Project) -> None:
    """Its reason is given; the other metrics are judged all the same."""
    source = project.write("metrics/mine.py", "def mine(output):\n    return len(output) > 1\n")
    metrics = ["exact_match", {"metric": "python", "name": "mine", "path": "../metrics/mine.py:mine"}]
    run_version(project, right_answers(ROWS, 1), ROWS, metrics=metrics)
    source.write_text("def mine(output):\n    return len(output) > 2\n", "utf-8")
    run_version(project, right_answers(ROWS, 1), ROWS, metrics=metrics)
    source.unlink()
    done = project.run("diff", "--json")
    assert done.code == 0
    assert done.json["metrics"]["mine"]["verdict"] == "not_comparable"
    assert "cannot be scored anew" in done.json["metrics"]["mine"]["note"]
    assert done.json["metrics"]["exact_match"]["verdict"] != "not_comparable"


def test_a_case_that_cannot_be_scored_anew_is_left_out_of_that_metric(project: Project) -> None:
    """Where one expected answer changed and the metric is gone, the other cases still compare."""
    source = project.write("metrics/mine.py", "def mine(output, expected):\n    return output == expected\n")
    metrics = [{"metric": "python", "name": "mine", "path": "../metrics/mine.py:mine"}]
    run_version(project, right_answers(ROWS, 1), ROWS, metrics=metrics)
    run_version(project, right_answers(ROWS, 1), [{**ROWS[0], "expected": "返品です"}, *ROWS[1:]], metrics=metrics)
    source.unlink()
    found = project.run("diff", "--json").json["metrics"]["mine"]
    assert (found["n_cases"], found["delta"]) == (13, 0.0)
    assert "left out" in found["note"]


def test_a_single_dead_case_behind_a_steady_mean_is_explained(project: Project) -> None:
    """One case that broke is a regression, and the text says that it was not the mean."""
    mixed = right_answers(ROWS, 10) | {"c01": ["no"] * 10}
    run_version(project, mixed, ROWS)
    run_version(project, right_answers(ROWS, 10) | {"c02": ["いいえ"] * 10}, ROWS)
    found = project.run("diff", "--json").json["metrics"]["exact_match"]
    assert (found["verdict"], found["delta"]) == ("regressed", 0.0)
    assert "single cases got worse, whatever the mean did" in " ".join(project.run("diff").out.split())


def test_no_case_in_common_exits_5(project: Project) -> None:
    """Zero comparable cases never look like success, also in the JSON."""
    run_version(project, right_answers(ROWS[:3], 1), ROWS[:3])
    others = [{**row, "id": f"other-{row['id']}"} for row in ROWS[:3]]
    run_version(project, right_answers(others, 1), others)
    done = project.run("diff", "--json")
    assert done.code == 5
    assert (done.json["exit_code"], done.json["comparable"]) == (5, False)
    assert done.json["metrics"]["exact_match"]["verdict"] == "not_comparable"
    assert "3 cases: only in the candidate" in done.err


def test_require_same_forbids_other_parameters(project: Project) -> None:
    """Parameters are declared; with `gate.require_same` a difference blocks before any statistic."""
    prompt = "---\nparams: {{temperature: {0}}}\n---\nWhich team? {{{{ q }}}}\n"
    run_version(project, right_answers(ROWS, 1), ROWS, prompt=prompt.format(0.1))
    run_version(project, right_answers(ROWS, 1), ROWS, prompt=prompt.format(0.9))
    declared = project.run("diff", "--json")
    assert declared.code == 0
    assert "parameter temperature" in [item["what"] for item in declared.json["arms"]["ask/model"]["differences"]]
    gate = {"require_same": ["params"], "max_error_rate": 1.0}
    run_version(project, right_answers(ROWS, 1), ROWS, prompt=prompt.format(0.1), gate=gate)
    blocked = project.run("diff")
    assert blocked.code == 5
    assert "gate.require_same forbids it: parameter temperature differs" in " ".join(blocked.out.split())


def test_the_margin_of_the_candidate_suite_counts(project: Project) -> None:
    """With a margin that 14 perfect cases can prove, the verdict is unchanged instead of inconclusive."""
    gate = {"metrics": {"exact_match": {"margin": 0.4}}, "max_error_rate": 1.0}
    run_version(project, right_answers(ROWS), ROWS)
    run_version(project, right_answers(ROWS), ROWS, gate=gate)
    found = project.run("diff", "--json").json["metrics"]["exact_match"]
    assert (found["verdict"], found["margin"]) == ("unchanged", 0.4)


def test_a_model_that_changed_behind_its_name_is_pointed_out(project: Project) -> None:
    """The same model name answered under another id."""
    run_version(project, right_answers(ROWS, 1), ROWS, extra={"model": "m-0314"})
    run_version(project, right_answers(ROWS, 1), ROWS, extra={"model": "m-0613"})
    notes = project.run("diff", "--json").json["arms"]["ask/model"]["notes"]
    assert any("m-0314 in the baseline and m-0613 in the candidate" in note for note in notes)


def test_several_arms_pair_by_name_and_the_rest_is_named(project: Project) -> None:
    """Without one pair only, the metrics stand under the arms; an arm that is gone is said to be left out."""
    targets = [{"name": name, "provider": "replay", "path": "../rec/answers.jsonl"} for name in ("a", "b", "old")]
    run_version(project, right_answers(ROWS, 1), ROWS, targets=targets)
    run_version(project, right_answers(ROWS, 1), ROWS, targets=targets[:2])
    document = project.run("diff", "--json").json
    assert set(document["arms"]) == {"ask/a", "ask/b"}
    assert "metrics" not in document
    assert document["unpaired_arms"] == ["arm ask/old: only in the baseline"]
    one = project.run("diff", "latest~1", "latest", "--arm", "ask/old", "ask/b", "--json").json
    assert one["arms"]["ask/b"]["baseline"] == "ask/old"
    assert "exact_match" in one["metrics"]


def small(project: Project, answers: dict[str, list[str]] | None = None) -> str:
    """Run the suite on three cases; return the run's id."""
    return run_version(project, answers or right_answers(ROWS[:3], 3), ROWS[:3])


def wrong_answers() -> dict[str, list[str]]:
    """Return answers of which all are wrong."""
    return {row["id"]: ["?"] * 3 for row in ROWS[:3]}


def compared(project: Project, *args: str) -> tuple[str, str]:
    """Return which two sides are compared, as they are labelled."""
    done = project.run("diff", *args, "--json")
    assert done.code == 0, done.out + done.err
    return done.json["baseline"]["run"], done.json["candidate"]["run"]


def test_without_names_the_baseline_is_compared_with_the_latest_run(project: Project) -> None:
    """Without a baseline the two latest runs, said aloud; else the run named in the store, or the file before it."""
    first, second, third = (small(project) for _ in range(3))
    assert compared(project) == (second, third)
    assert "suite teams has no baseline: its two latest runs are compared" in project.run("diff").out
    assert project.run("baseline", "set", first).code == 0
    assert compared(project) == (first, third)
    assert "suite teams: its baseline, named in the store, against its latest run" in project.run("diff").out
    assert project.run("baseline", "export", "--run", second, "-o", FILE).code == 0
    assert compared(project) == (FILE, third)
    assert "suite teams: its baseline, beside it, against its latest run" in project.run("diff").out


def test_a_baseline_file_stands_for_its_run(project: Project) -> None:
    """On either side it gives the numbers of the run, and its answers where the run is gone."""
    first = small(project)
    second = small(project, wrong_answers())
    assert project.run("baseline", "export", "--run", first, "-o", "kept.jsonl", "--outputs").code == 0
    by_run = project.run("diff", first, second, "--json").json["metrics"]
    assert project.run("delete", first, "--yes").code == 0
    assert compared(project, "kept.jsonl") == ("kept.jsonl", second)
    document = project.run("diff", "kept.jsonl", "--json").json
    assert document["metrics"] == by_run
    assert {case["before"]["output"] for case in document["arms"]["ask/model"]["changed"]} <= {"返品", "billing"}
    turned = project.run("diff", second, "kept.jsonl", "--json").json["metrics"]["exact_match"]
    assert turned["delta"] == -by_run["exact_match"]["delta"] == 1


def test_two_files_compare_where_nothing_was_run(project: Project) -> None:
    """A clean clone has no store yet."""
    for name, answers in (("a.jsonl", None), ("b.jsonl", wrong_answers())):
        assert project.run("baseline", "export", "--run", small(project, answers), "-o", name).code == 0
    shutil.rmtree(project.root / ".retest")
    assert compared(project, "a.jsonl", "b.jsonl") == ("a.jsonl", "b.jsonl")


def test_a_revision_means_the_baseline_file_committed_there(project: Project) -> None:
    """Whatever the working tree has; on both sides too, and a revision without the file exits 5."""
    empty = commit_all(project.root)
    assert project.run("baseline", "export", "--run", small(project), "-o", FILE).code == 0
    commit_all(project.root)
    latest = small(project, wrong_answers())
    assert project.run("baseline", "export", "--run", latest, "-o", FILE).code == 0
    commit_all(project.root)
    assert compared(project, "git:HEAD~1") == ("git:HEAD~1", latest)
    document = project.run("diff", "git:HEAD~1", "git:HEAD", "--json").json
    assert document["metrics"]["exact_match"]["delta"] == -1
    assert project.run("diff", FILE, "git:HEAD~1", "--json").json["metrics"]["exact_match"]["delta"] == 1
    refused = project.run("diff", f"git:{empty}")
    assert (refused.code, "baseline-not-in-revision" in refused.err) == (5, True)
    bare = project.run("diff", "HEAD~1", "HEAD")
    assert (bare.code, "git:HEAD~1 is the baseline file committed there" in bare.err) == (2, True)


@pytest.mark.parametrize(
    ("name", "code", "slug"),
    [
        ("none.jsonl", 5, "baseline-file-missing"),
        ("rec/answers.jsonl", 2, "baseline-file-format"),
        ("latest", 5, "diff-no-later-run"),
        (FILE, 5, "diff-no-later-run"),
        ("other.jsonl", 5, "diff-no-later-run"),
    ],
)
def test_a_name_without_a_run_to_compare_is_refused(project: Project, name: str, code: int, slug: str) -> None:
    """No such file, a file of something else, the latest run itself by any name, and a suite that never ran here."""
    small(project)
    assert project.run("baseline", "export", "--run", "latest", "-o", FILE).code == 0
    text = (project.root / FILE).read_text("utf-8")
    project.write("other.jsonl", text.replace('"suite": "teams"', '"suite": "team"'))
    done = project.run("diff", name)
    assert (done.code, f"[{slug}]" in done.err) == (code, True), done.err


def test_a_baseline_that_is_the_latest_run_is_not_compared_with_itself(project: Project) -> None:
    """No change between a run and itself would read like a test that passed."""
    small(project)
    assert project.run("baseline", "set").code == 0
    done = project.run("diff")
    assert (done.code, "nothing came after it" in done.err) == (5, True)
