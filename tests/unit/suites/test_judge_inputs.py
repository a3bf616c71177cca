"""What judges are shown must be in the rows: found out before the first call."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.judged_suites import JudgedFolder


@pytest.fixture
def judged(tmp_path: Path) -> JudgedFolder:
    """Return a project with a prompt and two cases: question and expected."""
    return JudgedFolder(tmp_path)


def test_usual_names_need_no_telling(judged: JudgedFolder) -> None:
    """A passage is a context."""
    judged.write_rows([{"id": "c1", "question": "q", "passage": "文脈", "expected": "a"}])
    assert judged.wrong(metrics=["judge_groundedness"]) == ()


def test_what_no_row_has_is_an_error(judged: JudgedFolder) -> None:
    """With the fields that there are, and how to name one."""
    (found,) = judged.wrong(metrics=["judge_groundedness"])
    assert found.slug == "suite-judge-input"
    assert "the context, and no row has it" in found.message
    assert found.fix == "name the field: inputs: {context: FIELD}"


def test_a_field_can_be_named(judged: JudgedFolder) -> None:
    """`inputs` says where an input stands."""
    judged.write_rows([{"id": "c1", "question": "q", "資料": "文脈", "expected": "a"}])
    assert judged.wrong(metrics=[{"metric": "judge_groundedness", "inputs": {"context": "資料"}}]) == ()


def test_a_mistyped_field_gets_a_suggestion(judged: JudgedFolder) -> None:
    """The name closest to it among the rows' own."""
    judged.write_rows([{"id": "c1", "question": "q", "material": "m", "expected": "a"}])
    (found,) = judged.wrong(metrics=[{"metric": "judge_groundedness", "inputs": {"context": "materal"}}])
    assert found.fix == "did you mean 'material'?"


def test_the_rows_that_lack_it_are_named(judged: JudgedFolder) -> None:
    """One of three rows: how many, and where the first of them stand."""
    rows = [{"id": f"c{i}", "question": "q", "context": "k" if i else None, "expected": "a"} for i in range(3)]
    judged.write_rows(rows)
    (found,) = judged.wrong(metrics=["judge_groundedness"])
    assert "1 of 3 rows lack it" in found.message
    assert any("datasets/qa.jsonl:1 (case 'c0')" in detail for detail in found.details)


def test_each_input_of_each_metric_is_told_once(judged: JudgedFolder) -> None:
    """However many rows lack it."""
    judged.write_rows([{"id": f"c{i}", "question": "q", "expected": "a"} for i in range(50)])
    problems = judged.wrong(metrics=["judge_groundedness", {"metric": "judge_groundedness", "name": "again"}])
    assert [problem.slug for problem in problems] == ["suite-judge-input"] * 2
