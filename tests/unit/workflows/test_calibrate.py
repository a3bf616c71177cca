"""Labelled cases against judgments: what is read, what is refused, what comes out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from retest.domain.calibration import Calibration
from retest.domain.case import Case
from retest.domain.judge import JudgeDefinition
from retest.errors import UsageError
from retest.suites.judge_files import packaged_definition
from retest.workflows.calibrate import CalibrationOrigin, calibrate, pair_judgment, recorded_judgments
from retest.workflows.calibration_files import find_calibration, read_calibrations, save_calibration
from retest.workflows.labelled_cases import LabelFields, find_field, read_labelled
from support.recordings import recorded, rows

ORIGIN = CalibrationOrigin(judge="m", against="human", data="x.jsonl", calibrated_on=date(2026, 11, 23))


def case(number: int, **fields: Any) -> Case:
    return Case(case_id=f"c{number}", vars=fields, content_hash=f"h{number}")


def grade() -> JudgeDefinition:
    return packaged_definition("grade", "ja")


def pairwise() -> JudgeDefinition:
    return packaged_definition("pairwise", "en")


def read(definition: JudgeDefinition, *fields: Mapping[str, Any], **wish: Any) -> Any:
    cases = [case(i, **row) for i, row in enumerate(fields)]
    return read_labelled(cases, definition, LabelFields(label="human", **wish))


def slug(error: pytest.ExceptionInfo[UsageError]) -> str:
    return error.value.problems[0].slug


@pytest.mark.parametrize(
    ("label", "value"),
    [(4, 4.0), ("4", 4.0), (" 3 ", 3.0), (4.0, 4.0), ("良い", 5.0)],
)
def test_labels_become_numbers(label: object, value: float) -> None:
    """Numbers, numbers as text, and words that the user gave a value."""
    found = read(grade(), {"answer": "x", "human": label}, values={"良い": 5.0})
    assert found.cases[0].label == value


@pytest.mark.parametrize("label", [0, 6, "good", "nan", "inf", [4], {"a": 1}])
def test_labels_off_the_scale_are_refused(label: object) -> None:
    """A grade of 6, a word nobody gave a value, no number at all."""
    with pytest.raises(UsageError) as error:
        read(grade(), {"answer": "x", "human": label})
    assert slug(error) == "calibrate-label"


@pytest.mark.parametrize("empty", [None, ""])
def test_rows_without_a_label_are_counted(empty: object) -> None:
    """They are no mistake: not everything has been labelled yet."""
    found = read(grade(), {"answer": "x", "human": 3}, {"answer": "y", "human": empty})
    assert (len(found.cases), found.unlabelled) == (1, 1)


@pytest.mark.parametrize(
    ("label", "share"),
    [(1, 1.0), ("2", 0.0), ("first", 1.0), ("B", 0.0), ("Tie", 0.5), ("output_2", 0.0), ("引き分け", 0.5)],
)
def test_the_better_answer_in_many_words(label: object, share: float) -> None:
    """Data sets name the better of two answers in their own ways."""
    found = read(pairwise(), {"answer_1": "x", "answer_2": "y", "human": label})
    assert found.cases[0].label == share
    assert found.cases[0].answers == ("x", "y")


@pytest.mark.parametrize("judgment", [None, "", "bad", 9, {"judge_output": "?"}, float("nan")])
def test_unreadable_recorded_judgments_are_missing(judgment: object) -> None:
    """A judge that forgot its score has given none: neither 0 nor an error of the data."""
    found = read(grade(), {"answer": "x", "human": 3, "machine": judgment}, recorded="machine")
    assert found.cases[0].recorded is None


def test_a_score_inside_an_object_is_read() -> None:
    """Some judgments are recorded as an object with the score in it."""
    found = read(
        grade(), {"answer": "x", "human": 3, "machine": {"score": 4, "judge_output": "..."}}, recorded="machine"
    )
    assert found.cases[0].recorded == 4


def test_answers_are_needed_to_ask() -> None:
    """Without an answer there is nothing to show; recorded judgments do without."""
    with pytest.raises(UsageError) as error:
        read(grade(), {"question": "?", "human": 3})
    assert slug(error) == "calibrate-no-answer"
    assert read(grade(), {"question": "?", "human": 3, "machine": 3}, recorded="machine").cases[0].answers == ()


def test_an_empty_answer_is_an_answer() -> None:
    """People label empty answers too."""
    assert read(grade(), {"answer": "", "human": 1}).cases[0].answers == ("",)


@pytest.mark.parametrize(
    ("name", "value"),
    [("a", 1), ("b.c", 2), ("gpt-4.1.score", 3), ("d.e.f", 4), ("expected", "ref"), ("nothing", None), ("b.x", None)],
)
def test_nested_fields_are_dotted(name: str, value: object) -> None:
    """Keys may hold dots themselves; the shortest key that leads on is followed."""
    fields = {"a": 1, "b": {"c": 2}, "gpt-4.1": {"score": 3}, "d": {"e": {"f": 4}}}
    found = find_field(Case(case_id="c", vars=fields, content_hash="h", expected="ref"), name)  # type: ignore[arg-type] # JSON
    assert found == value


@pytest.mark.parametrize(
    ("as_given", "swapped", "value"),
    [(1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (0.5, 0.5, 0.5), (1.0, 0.0, 0.5), (0.5, 1.0, 0.5), (None, 1.0, None)],
)
def test_two_orders_make_one_judgment(as_given: float | None, swapped: float | None, value: float | None) -> None:
    """Orders that differ are a tie; a missing one is a missing judgment."""
    assert pair_judgment(as_given, swapped, "why").value == value


def small() -> Calibration:
    labelled = read(
        grade(), *({"answer": "x" * i, "human": i % 5 + 1, "machine": i % 4 + 1} for i in range(40)), recorded="machine"
    )
    return calibrate(grade(), labelled, recorded_judgments(labelled), ORIGIN)


def test_a_file_holds_what_was_measured(tmp_path: Any) -> None:
    """Written and read again it is the same, to four decimals."""
    path = tmp_path / "judges" / "grade.calibration.json"
    save_calibration(path, "grade.calibration.json", small())
    (found,) = read_calibrations(path, "grade.calibration.json")
    assert found.items == small().items
    assert found.confusion == small().confusion
    assert found.headline.value == pytest.approx(small().headline.value, abs=1e-4)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"retest_calibration": 99, "calibrations": []}',
        '{"retest_calibration": 1}',
        '{"retest_calibration": 1, "calibrations": [{}]}',
    ],
)
def test_damaged_files_are_refused(tmp_path: Any, text: str) -> None:
    """Whatever is not a calibration file is said to be none."""
    path = tmp_path / "x.calibration.json"
    path.write_text(text, "utf-8")
    with pytest.raises(UsageError) as error:
        read_calibrations(path, "x")
    assert slug(error) == "calibration-unreadable"


def test_an_older_definition_is_not_calibrated() -> None:
    """Another hash is another definition, whatever it is called."""
    found, reason = find_calibration([small()], packaged_definition("grade", "en"), "m")
    assert found is None
    assert reason == "the definition has changed since it was calibrated"
    assert find_calibration([small()], grade(), "m")[0] is not None


@pytest.mark.data
@pytest.mark.parametrize("variant", ["GPT-4/Vanilla", "LLaMA2/Metrics_Reference"])
def test_published_agreement_comes_out_of_a_calibration(variant: str) -> None:
    """Accuracy in both orders, agreement of the orders and its kappa, as the data's authors have them."""
    cases = {row["id"]: row for row in rows("llmbar", "cases.jsonl")}
    joined = [
        {**cases[row["case_id"]]["vars"], "human": cases[row["case_id"]]["expected"], **row}
        for row in rows("llmbar", "judgements.jsonl")
        if row["variant"] == variant
    ]
    labelled = read(pairwise(), *joined, recorded="winner_ab", swapped="winner_ba")
    found = calibrate(pairwise(), labelled, recorded_judgments(labelled), ORIGIN)
    official = json.loads(recorded("llmbar", "official_statistics.json").read_text("utf-8"))["Natural"][variant]
    shares = {"exact_order_given": "correct_False", "exact_order_swapped": "correct_True", "exact_orders": "equal"}
    for own, theirs in shares.items():
        assert found.figures[own].value == pytest.approx(int(official[theirs].split(" / ")[0]) / 100)
    assert found.figures["kappa_orders"].value == pytest.approx(official["kappa_agreement"])
