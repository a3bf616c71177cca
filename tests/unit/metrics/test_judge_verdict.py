"""What a judge says is read strictly."""

from __future__ import annotations

import json
from typing import Any

import pytest

from retest.domain.judge import JudgeDefinition, JudgeScale
from retest.domain.sample import Response
from retest.domain.verdict_schema import verdict_schema
from retest.metrics.judge.caller import BadVerdictError
from retest.metrics.judge.verdict import Verdict, read_object, read_verdict

GRADE = JudgeScale(form="grade", low=1, high=5)
CHOICE = JudgeScale(form="choice", choices={"yes": 1.0, "no": 0.0})
RUBRIC = JudgeScale(form="rubric")
CLAIMS = JudgeScale(form="claims")


def definition(scale: JudgeScale, schema: Any = None) -> JudgeDefinition:
    return JudgeDefinition(
        name="d",
        version="1",
        language="en",
        instructions="Judge.",
        inputs=("answer",),
        scale=scale,
        schema=schema or verdict_schema(scale),
    )


def read(scale: JudgeScale, answer: object, *, criteria: int = 0) -> Verdict:
    text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    return read_verdict(definition(scale), Response(output=text), criteria=criteria)


def refused(scale: JudgeScale, answer: object, *, criteria: int = 0) -> str:
    with pytest.raises(BadVerdictError) as caught:
        read(scale, answer, criteria=criteria)
    return str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        '{"justification": "ok", "grade": 4}',
        '  \n{"justification": "ok", "grade": 4}\n',
        '```json\n{"justification": "ok", "grade": 4}\n```',
        'My verdict:\n```\n{"justification": "ok",\n "grade": 4.0}\n```\nDone.',
        '{"justification": "ok", "grade": 4, "confidence": "high"}',
    ],
)
def test_a_verdict_is_an_object_or_one_fenced_block(text: str) -> None:
    """Bare, or in the only fenced block; further fields do no harm."""
    assert read(GRADE, text) == Verdict(value=4.0, justification="ok")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("", "is empty"),
        ("Five!", "has no JSON: Five!"),
        ("grade: 4", "has no JSON"),
        ('so: {"justification": "ok", "grade": 4}', "has no JSON"),
        ('{"justification": "ok", "grade": 4} and more', "is no JSON"),
        ('```json\n{"grade": 1}\n```\n```json\n{"grade": 5}\n```', "2 blocks of JSON"),
        ("[4]", "has no JSON"),
        ("```json\n[4]\n```", "is no JSON object"),
        ('{"justification": "a", "grade": 1, "grade": 5}', "'grade' stands twice"),
        ('{"justification": "a", "grade": NaN}', "NaN is no JSON"),
        ("{" * 100_000, "is no JSON"),
        ({"grade": 4}, "has no 'justification'; it has: grade"),
        ({"justification": "ok"}, "has no 'grade'"),
        ({"justification": 1, "grade": 4}, "'justification' of the judge's answer is no text"),
        ({"justification": "ok", "grade": "4"}, "no whole number"),
        ({"justification": "ok", "grade": 3.5}, "no whole number"),
        ({"justification": "ok", "grade": True}, "no whole number"),
        ({"justification": "ok", "grade": None}, "no whole number"),
        ({"justification": "ok", "grade": 0}, "0 is not from 1 to 5"),
        ({"justification": "ok", "grade": 10**400}, "is not from 1 to 5"),
        ('{"justification": "ok", "grade": 1e999}', "no whole number"),
    ],
)
def test_what_is_no_grade_is_refused(answer: object, said: str) -> None:
    """Prose, a missing field, a value off the scale: each with its reason."""
    assert said in refused(GRADE, answer)


def test_an_answer_that_was_cut_off_is_said_to_be() -> None:
    """The remedy is a higher limit of tokens."""
    with pytest.raises(BadVerdictError, match="cut off by its limit of tokens"):
        read_object(Response(output='{"justification": "beca', finish_reason="length"))


def test_a_refusal_is_told() -> None:
    """A judge may decline."""
    with pytest.raises(BadVerdictError, match="the judge refused: I would rather not"):
        read_object(Response(output="", refusal="I would rather not"))


def test_a_choice_is_one_of_the_names() -> None:
    """It is worth what the scale says; another word, or another case of letters, is none."""
    assert read(CHOICE, {"justification": "ok", "choice": "no"}) == Verdict(value=0.0, justification="ok", choice="no")
    assert "none of: yes, no" in refused(CHOICE, {"justification": "ok", "choice": "Yes"})
    assert "is no text" in refused(CHOICE, {"justification": "ok", "choice": True})


def row(number: Any, *, met: Any = True) -> dict[str, Any]:
    return {"number": number, "justification": f"because {number}", "met": met}


def test_a_rubric_counts_what_was_asked() -> None:
    """Met over asked, in any order; the reason says what is not met."""
    found = read(RUBRIC, {"criteria": [row(2, met=False), row(1), row(3)]}, criteria=3)
    assert found.value == pytest.approx(2 / 3)
    assert found.justification == "2: because 2"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "criteria without an answer: 1, 2 (asked: 2)"),
        ([row(1)], "criteria without an answer: 2"),
        ([row(1), row(1)], "answered twice"),
        ([row(1), row(2), row(3)], "was not asked"),
        ([row(1), row("2")], "was not asked"),
        ([row(None), row(2)], "was not asked"),
        ([{**row(1), "number": True}, row(2)], "was not asked"),
        ([row(1), row(2, met="yes")], "neither true nor false"),
        ([row(1), {"number": 2, "met": True}], "has no 'justification'"),
        (["yes", "no"], "is no list of objects"),
    ],
)
def test_a_rubric_with_a_gap_is_refused(rows: list[Any], said: str) -> None:
    """A criterion left out is no verdict, not one fewer to meet."""
    assert said in refused(RUBRIC, {"criteria": rows}, criteria=2)


def test_claims_are_counted_and_the_unsupported_are_named() -> None:
    """Supported over all; the reason quotes the others."""
    claims = [
        {"claim": "東京は首都だ", "justification": "文脈にある", "supported": True},
        {"claim": "人口は一億だ", "justification": "文脈にない", "supported": False},
    ]
    found = read(CLAIMS, {"claims": claims})
    assert (found.value, found.justification) == (0.5, "not supported: 人口は一億だ")


def test_an_answer_without_claims_has_no_value() -> None:
    """Nothing to support is neither 0 nor 1."""
    assert read(CLAIMS, {"claims": []}).value is None


def test_a_schema_of_ones_own_holds() -> None:
    """Further fields that it requires are required."""
    schema: dict[str, Any] = verdict_schema(GRADE)
    own = {**schema, "properties": {**schema["properties"], "quote": {"type": "string"}}, "required": ["quote"]}
    with pytest.raises(BadVerdictError, match="'quote' is a required property"):
        read_verdict(definition(GRADE, own), Response(output='{"justification": "a", "grade": 1}'))
