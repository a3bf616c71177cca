"""`retest judge` as a user meets it: files in; exit code, text and a calibration file out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.openai_server import OpenAIServer, Received, Reply, error, ok
from support.project import Project, Result

# A judge's endpoint that grades an answer by the digit in it, and fails where told to.
JUDGES = [{"name": "grader", "provider": "openai", "model": "judge-1", "params": {"temperature": 0}}]


def grading(request: Received) -> Reply:
    """Give the digit that stands in the answer; prose for an answer that says so, HTTP 500 for another."""
    text = request.last_user
    if "prose" in text:
        return ok("I would say it is quite good.")
    if "broken" in text:
        return error(500)
    if "answer_2" in text:  # a pair: the one that says better wins, else whatever stands first
        first, second = (part.split("[[/")[0] for part in text.split("[[answer")[1:3])
        won = "second" if "better" in second and "better" not in first else "first"
        return ok(json.dumps({"justification": "because", "choice": won}))
    digits = [letter for letter in text.split("[[answer")[1].split("]]")[1] if letter.isdigit()]
    return ok(json.dumps({"justification": "because", "grade": int(digits[0])}))


def echoing(request: Received) -> Reply:
    """Answer with what was asked; grade by the digit in the answer."""
    return grading(request) if "[[answer" in request.last_user else ok(request.last_user)


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    """Give the judge's endpoint."""
    with OpenAIServer(grading) as running:
        yield running


def graded(count: int = 30) -> list[dict[str, Any]]:
    """Return labelled rows: the judge gives one point more than people in every fifth."""
    return [
        {
            "id": f"c{i}",
            "question": f"質問 {i}",
            "answer": f"回答 {i % 4 + 1 + (i % 5 == 0)} です",
            "human": i % 4 + 1,
            "machine": i % 4 + 1 + (i % 5 == 0),
        }
        for i in range(count)
    ]


def suite(project: Project, server: OpenAIServer, **changes: Any) -> None:
    """Write a suite whose judge is the server."""
    judges = [{**judge, "base_url": server.base_url} for judge in JUDGES]
    project.write_cases(3)
    metrics = [{"metric": "judge_grade", "name": "quality", "judge": "grader"}]
    project.write_suite(server.base_url, judges=judges, metrics=metrics, **changes)


def calibrate(project: Project, *args: str) -> Result:
    return project.run("judge", "calibrate", *args, OPENAI_API_KEY="test")


RECORDED = ("grade", "--against", "human", "--data", "labelled.jsonl", "--recorded", "machine")


def test_recorded_judgments_need_no_model(project: Project) -> None:
    """Judgments in the rows themselves are enough; the agreement is the share of equal ones."""
    project.write_rows("labelled.jsonl", graded())
    result = calibrate(project, *RECORDED, "--json")
    assert result.code == 0, result.err
    found = result.json["calibration"]
    assert found["items"] == 30
    assert found["figures"]["exact"][0] == pytest.approx(0.8)
    assert found["coefficient"] == "kappa_quadratic"


def test_a_model_is_asked_through_the_ledger(project: Project, server: OpenAIServer) -> None:
    """Asking gives the same figures as recording did, once paid for: the second time nobody is called."""
    project.write_rows("labelled.jsonl", graded())
    suite(project, server)
    args = ("quality", "--suite", "evals/qa.yaml", "--against", "human", "--data", "labelled.jsonl", "--json")
    first = calibrate(project, *args)
    assert first.code == 0, first.err
    asked = server.count
    second = calibrate(project, *args)
    assert (asked, server.count) == (30, 30)
    assert first.json["calibration"]["figures"] == second.json["calibration"]["figures"]
    recorded = calibrate(project, *RECORDED, "--json").json["calibration"]
    assert first.json["calibration"]["figures"]["kappa"][0] == recorded["figures"]["kappa"][0]


def test_errors_of_the_judge_are_missing_data(project: Project, server: OpenAIServer) -> None:
    """Prose and HTTP 500 are left out and counted, neither agreement nor disagreement."""
    rows = graded()
    rows[0]["answer"], rows[1]["answer"] = "prose 1", "broken 1"
    project.write_rows("labelled.jsonl", rows)
    suite(project, server)
    args = ("quality", "--suite", "evals/qa.yaml", "--against", "human", "--data", "labelled.jsonl", "--json")
    result = calibrate(project, *args)
    assert result.code == 0, result.err
    found = result.json["calibration"]
    assert (found["items"], found["failed"]) == (28, 2)
    assert any("no JSON" in failure for failure in found["failures"])


def test_pairs_are_asked_in_both_orders(project: Project, server: OpenAIServer) -> None:
    """A judge that falls back on the first place is found out: flips are ties, and the place is reported."""
    rows = [
        {"id": f"p{i}", "question": "q", "answer_1": f"good {i}", "answer_2": f"better {i}" if i % 2 else f"good, {i}"}
        for i in range(20)
    ]
    project.write_rows("pairs.jsonl", [{**row, "best": 2 if i % 2 else 1} for i, row in enumerate(rows)])
    suite(project, server)
    args = ("pairwise", "--suite", "evals/qa.yaml", "--against", "best", "--data", "pairs.jsonl", "--json")
    found = calibrate(project, *args).json["calibration"]
    assert server.count == 40
    assert found["bias"]["flip_rate"][0] == pytest.approx(0.5)
    assert found["bias"]["first_share"][0] == pytest.approx(0.75)
    assert found["figures"]["exact"][0] == pytest.approx(0.5)
    assert found["position_p"] < 0.01


def test_the_result_is_kept_beside_the_definition(project: Project) -> None:
    """A second calibration of the same judge takes the first one's place; another judge's stands beside it."""
    project.write_rows("labelled.jsonl", graded())
    for name in ("a", "a", "b"):
        assert calibrate(project, *RECORDED, "--judge-name", name).code == 0
    document = json.loads((project.root / "judges/grade.en.calibration.json").read_text("utf-8"))
    assert [entry["judge"] for entry in document["calibrations"]] == ["a", "b"]


def test_the_same_judgments_give_the_same_file(project: Project) -> None:
    """Intervals are seeded, figures rounded: nothing changes where nothing changed."""
    project.write_rows("labelled.jsonl", graded())
    texts = []
    for _ in range(2):
        calibrate(project, *RECORDED)
        texts.append((project.root / "judges/grade.en.calibration.json").read_text("utf-8"))
    assert texts[0] == texts[1]


def test_a_minimum_that_is_not_shown_exits_1(project: Project) -> None:
    """The interval must lie above the minimum, and the message says by how much it does not."""
    project.write_rows("labelled.jsonl", graded())
    result = calibrate(project, *RECORDED, "--min-agreement", "0.95")
    assert result.code == 1
    assert "below the .95" in " ".join(result.err.split())
    assert calibrate(project, *RECORDED, "--min-agreement", "0.3").code == 0


def test_80_columns_are_enough(project: Project) -> None:
    """No line of the report is wider than the terminal."""
    project.write_rows("labelled.jsonl", graded())
    assert max(len(line) for line in calibrate(project, *RECORDED).out.splitlines()) <= 80


@pytest.mark.parametrize(
    ("args", "slug"),
    [
        (("grade", "--against", "nobody", "--data", "labelled.jsonl", "--recorded", "machine"), "calibrate-no-labels"),
        (("closed_qa", "--against", "human", "--data", "labelled.jsonl", "--recorded", "machine"), "calibrate-label"),
        (("gradd", "--against", "human", "--data", "labelled.jsonl"), "judge-unknown"),
        (("grade", "--against", "human", "--data", "labelled.jsonl"), "calibrate-judge"),
        (("grade", "--against", "human", "--data", "none.jsonl"), "calibrate-data"),
        (("grade", "--against", "human"), "calibrate-data"),
        ((*RECORDED, "--coefficient", "kapa"), "calibrate-coefficient"),
        (("pairwise", "--against", "which", "--data", "labelled.jsonl"), "calibrate-no-answer"),
    ],
)
def test_mistakes_are_named(project: Project, args: tuple[str, ...], slug: str) -> None:
    """Every mistake before a call: exit 2 and its slug."""
    project.write_rows("labelled.jsonl", [{**row, "which": 1, "answer": None} | {"x": 1} for row in graded()])
    if slug != "calibrate-no-answer":
        project.write_rows("labelled.jsonl", graded())
    result = calibrate(project, *args)
    assert result.code == 2, result.out + result.err
    assert f"[{slug}]" in result.err


def test_no_judgment_at_all_is_nothing_to_judge(project: Project, server: OpenAIServer) -> None:
    """A judge that only writes prose measures nothing: exit 5, and nothing is kept."""
    project.write_rows("labelled.jsonl", [{**row, "answer": "prose"} for row in graded(5)])
    suite(project, server)
    result = calibrate(project, "quality", "--suite", "evals/qa.yaml", "--against", "human", "--data", "labelled.jsonl")
    assert result.code == 5, result.out + result.err
    assert "[calibrate-nothing]" in result.err
    assert not (project.root / "judges").exists()


def test_a_broken_calibration_file_is_said(project: Project) -> None:
    """A conflict marker in the file is no calibration: exit 2, and the file stays as it is."""
    project.write_rows("labelled.jsonl", graded())
    project.write("judges/grade.en.calibration.json", "<<<<<<< HEAD\n")
    result = calibrate(project, *RECORDED)
    assert result.code == 2
    assert "[calibration-unreadable]" in result.err
    assert (project.root / "judges/grade.en.calibration.json").read_text("utf-8") == "<<<<<<< HEAD\n"


def test_labels_of_ones_own_words(project: Project) -> None:
    """Words that people used are worth what --label says."""
    rows = [
        {**row, "human": "良い" if row["human"] > 2 else "悪い", "machine": 5 if i % 2 else 1}
        for i, row in enumerate(graded())
    ]
    project.write_rows("labelled.jsonl", rows)
    found = calibrate(project, *RECORDED, "--label", "良い=5", "--label", "悪い=1", "--json").json["calibration"]
    assert found["labels"] == ["1", "5"]


def test_hostile_text_is_shown_harmless(project: Project) -> None:
    """Terminal escapes in field names and labels never reach the terminal."""
    rows = [{**row, "hu\x1b[31mman": "\x1b]0;x\x07"} for row in graded()]
    project.write_rows("labelled.jsonl", rows)
    result = calibrate(
        project, "grade", "--against", "hu\x1b[31mman", "--data", "labelled.jsonl", "--recorded", "machine"
    )
    assert result.code == 2
    assert "\x1b" not in result.err
    assert "\x07" not in result.err


def test_list_shows_what_is_calibrated(project: Project) -> None:
    """Own definitions and those that come with retest; the calibration of the very definition."""
    project.write_rows("labelled.jsonl", graded())
    calibrate(project, *RECORDED)
    rows = {row["name"]: row for row in project.run("judge", "list", "--json").json["definitions"]}
    assert rows["grade"]["calibration"]["items"] == 30
    assert rows["pairwise"]["calibration"] is None


def test_show_says_what_the_judge_is_told(project: Project) -> None:
    """Instructions, scale, examples and the form of the answer, in the language asked for."""
    result = project.run("judge", "show", "pairwise", "--language", "ja")
    assert result.code == 0, result.err
    assert "回答1の方が良い" in result.out


@pytest.mark.parametrize("language", ["en", "ja"])
def test_show_moderation_shows_no_instructions(project: Project, language: str) -> None:
    """The endpoint is never sent any, so that those of a chat judge would be untrue."""
    result = project.run("judge", "show", "moderation", "--language", language)
    assert result.code == 0, result.err
    assert "told: nothing; the endpoint is sent the answer alone" in result.out
    assert "JSON" not in result.out


def gated(project: Project, server: OpenAIServer, **demand: Any) -> None:
    """Write a suite whose gate demands something of its judge, run it and make the run the baseline."""
    suite(project, server, prompts=[{"text": "{{ question }} 4", "name": "ask"}], gate={"judges": demand})
    project.run("run", OPENAI_API_KEY="test")
    project.run("baseline", "set", "--force", OPENAI_API_KEY="test")


@pytest.fixture
def echo() -> Iterator[OpenAIServer]:
    """Give an endpoint that answers with the question, and grades by the digit in it."""

    def reply(request: Received) -> Reply:
        return grading(request) if request.body["model"] == "judge-1" else ok("回答 4")

    with OpenAIServer(reply) as running:
        yield running


def test_an_uncalibrated_judge_may_not_gate(project: Project, echo: OpenAIServer) -> None:
    """The gate demands agreement that was never measured: exit 1 before any call, and the command to measure it."""
    gated(project, echo, quality=0.5)
    paid = echo.count
    result = project.run("gate", "--samples", "2", OPENAI_API_KEY="test")
    assert result.code == 1, result.out + result.err
    assert echo.count == paid  # it is said before anything is paid for
    text = " ".join(result.out.split())
    assert "the judge may not gate: it was never calibrated" in text
    assert "retest judge calibrate quality" in text


def test_a_calibrated_judge_may_gate(project: Project, echo: OpenAIServer) -> None:
    """After calibration with enough agreement the gate passes; a higher demand fails with both numbers."""
    gated(project, echo, quality={"min_agreement": 0.5})
    project.write_rows("labelled.jsonl", graded(60))
    args = ("quality", "--suite", "evals/qa.yaml", "--against", "human", "--data", "labelled.jsonl")
    assert calibrate(project, *args).code == 0
    assert project.run("gate", OPENAI_API_KEY="test").code == 0
    suite(
        project,
        echo,
        prompts=[{"text": "{{ question }} 4", "name": "ask"}],
        gate={"judges": {"grader": {"min_agreement": 0.99, "coefficient": "exact"}}},
    )
    result = project.run("gate", OPENAI_API_KEY="test")
    assert result.code == 1, result.out + result.err
    assert "below the .99 that is demanded" in " ".join(result.out.split())


def test_another_model_is_not_calibrated_by_its_name(project: Project, echo: OpenAIServer) -> None:
    """A calibration holds for the model and the definition it was made with, and for no other."""
    gated(project, echo, quality=0.5)
    project.write_rows("labelled.jsonl", graded(60))
    calibrate(project, *RECORDED, "--judge-name", "openai/other")
    result = project.run("gate", OPENAI_API_KEY="test")
    assert result.code == 1
    assert "calibrated with another judge: openai/other" in " ".join(result.out.split())


def test_a_demand_of_nobody_is_a_mistake(project: Project, server: OpenAIServer) -> None:
    """gate.judges must name a metric that asks a model, or a judge."""
    suite(project, server, gate={"judges": {"qualty": 0.5}})
    result = project.run("check")
    assert result.code == 2
    assert "[gate-unknown-judge]" in result.err + result.out
    assert "did you mean 'quality'" in " ".join((result.err + result.out).split())


def test_without_reviews_there_is_nothing_to_hold_a_judge_against(project: Project, server: OpenAIServer) -> None:
    """Reviews that are not there are said to be missing, before anybody is asked."""
    suite(project, server)
    result = calibrate(project, "quality", "--suite", "evals/qa.yaml", "--against", "reviews")
    assert (result.code, "[store-not-found]" in result.err) == (2, True)
    assert project.run("run", "--offline").code == 4
    result = calibrate(project, "quality", "--suite", "evals/qa.yaml", "--against", "reviews")
    assert (result.code, "[calibrate-reviews]" in result.err) == (2, True)
    assert server.count == 0


# -- held against reviews ----------------------------------------------------------------------------------------------


def reviewed(project: Project, server: OpenAIServer, count: int = 12) -> None:
    """Run a suite whose answers hold a digit, graded alike by the judge, and let two people rate the answers."""
    rows = [{"id": f"c{i}", "question": f"回答 {i % 4 + 1} です"} for i in range(count)]
    suite(project, server, dataset={"path": "../datasets/qa.jsonl", "id": "id"})
    project.write_rows("datasets/qa.jsonl", rows)
    done = project.run("run", OPENAI_API_KEY="test")
    assert done.code == 0, done.err
    said = [
        {"case_id": f"c{i}", "sample_index": 0, "reviewer": name, "scores": {"nice": score}, "label": label}
        for i in range(count)
        for name, score, label in (("佐藤", i % 4 + 1, "good"), ("mori", min(5, i % 4 + 1 + i % 2), "bad"))
    ]
    project.write_rows("said.jsonl", said)
    taken = project.run("review", "import", "said.jsonl", "--run", "latest", "--scale", "nice=1-5")
    assert taken.code == 0, taken.err


AGAINST = ("quality", "--suite", "evals/qa.yaml", "--against", "reviews")


def test_a_judge_is_held_against_every_reviewer(project: Project) -> None:
    """Each person's rating is a case; where two differ the judge agrees with one. One answer is asked about once."""
    with OpenAIServer(echoing) as server:
        reviewed(project, server)
        asked = server.count
        done = calibrate(project, *AGAINST, "--dimension", "nice", "--json")
        assert done.code == 0, done.err
        found = done.json["calibration"]
        assert (found["items"], found["data"]) == (24, "reviews of qa: nice")
        assert found["figures"]["exact"][0] == pytest.approx(18 / 24)
        assert server.count - asked == 12


def test_scores_of_the_run_are_the_judgments(project: Project) -> None:
    """--recorded: nobody is asked, and the judge is the one that gave them, so that a gate can demand it."""
    with OpenAIServer(echoing) as server:
        reviewed(project, server)
        asked = server.count
        done = calibrate(project, *AGAINST, "--dimension", "nice", "--recorded", "quality", "--run", "latest", "--json")
        assert done.code == 0, done.err
        found = done.json["calibration"]
        assert server.count == asked
        assert found["figures"]["exact"][0] == pytest.approx(18 / 24)
        assert found["judge"] == "openai/judge-1(temperature=0)"
        shown = calibrate(project, *AGAINST)
        assert (shown.code, "people rated several dimensions" in shown.err) == (2, True)
        words = calibrate(project, *AGAINST, "--dimension", "label")
        assert (words.code, "the labels bad, good have no value" in words.err) == (2, True)
        worth = ("--label", "good=4", "--label", "bad=1", "--recorded", "quality")
        valued = calibrate(project, *AGAINST, "--dimension", "label", *worth, "--json")
        assert valued.json["calibration"]["items"] == 24, valued.err
