"""The metric `classification`: which label an answer gives, in English and Japanese."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from retest.domain.case import Case
from retest.domain.json_value import JsonValue
from retest.domain.sample import MetricFailure, Response, Score
from retest.metrics.base import MetricContext
from retest.metrics.classification import Classification, ClassificationOptions


def score(output: str, expected: JsonValue, **options: Any) -> Score | MetricFailure:
    metric = Classification(ClassificationOptions(**options), MetricContext(name="c"))
    case = Case(case_id="1", vars={}, content_hash="h", expected=expected)
    found = metric.score(case, Response(output=output))
    assert isinstance(found, Score | MetricFailure)
    return found


def predicted(output: str, **options: Any) -> JsonValue:
    found = score(output, options["labels"][0], **options)
    assert isinstance(found, Score)
    assert found.details is not None
    return found.details["predicted"]


def stated(output: str, confidence: Any) -> JsonValue:
    found = score(output, "a", labels=["a", "b"], confidence=confidence)
    assert isinstance(found, Score)
    assert found.details is not None
    return found.details["confidence"]


ENGLISH = ["refund", "billing", "bug report"]
JAPANESE = ["返金", "不具合", "エラー", "満足", "不満足"]


@pytest.mark.parametrize(
    ("output", "label"),
    [
        ("refund", "refund"),
        ("  Refund.\n", "refund"),  # punctuation around it and case do not count
        ("**Bug   Report**", "bug report"),
        ("ｒｅｆｕｎｄ", "refund"),  # width
        ("money back", "refund"),  # an alias
        ("The label is refund", None),  # more than the label
        ("", None),
        ("\u2028", None),
        ("\ud800", None),  # half of a character
    ],
)
def test_a_whole_answer_is_a_label(output: str, label: str | None) -> None:
    """Nothing may stand beside it but punctuation."""
    assert predicted(output, labels=ENGLISH, aliases={"refund": "money back"}) == label


@pytest.mark.parametrize(
    ("output", "first", "last"),
    [
        ("First I thought billing, but it is a refund.", "billing", "refund"),
        ("refundable", None, None),  # a longer word
        ("non-refund", None, None),
        ("refund-like", None, None),
        ("ラベルはrefundです", "refund", "refund"),  # Japanese around it is no longer word
        ("REFUND/BILLING", "refund", "billing"),
        ("x" * 100_000, None, None),
    ],
)
def test_labels_are_found_as_whole_words(output: str, first: str | None, last: str | None) -> None:
    """The first or the last label in a text, never a part of a word."""
    assert predicted(output, labels=ENGLISH, find="first") == first
    assert predicted(output, labels=ENGLISH, find="last") == last


@pytest.mark.parametrize(
    ("output", "label"),
    [
        ("返金を希望しています", "返金"),  # no spaces needed
        ("カテゴリは「返金」です。", "返金"),
        ("ﾗﾍﾞﾙ: ｴﾗｰ", "エラー"),  # half-width katakana
        ("エラーメッセージについて", None),  # a longer katakana word
        ("エラーが出る", "エラー"),
        ("結論：不満足", "不満足"),  # not the 満足 in it
        ("満足", "満足"),
        ("分かりません", None),
    ],
)
def test_japanese_labels(output: str, label: str | None) -> None:
    """Kanji labels need no spaces, katakana labels are whole words, the longer of two overlapping ones counts."""
    assert predicted(output, labels=JAPANESE, find="first") == label


@pytest.mark.parametrize(
    ("output", "label"),
    [("Score: 3", "3"), ("3.5", None), ("13", None), ("３点", "3"), ("-1", "-1"), ("1,000", None), ("It is 1.", "1")],
)
def test_numbers_are_labels(output: str, label: str | None) -> None:
    """A digit inside a longer number is no label."""
    assert predicted(output, labels=[1, 2, 3, -1], find="last") == label


@pytest.mark.parametrize(
    ("output", "label"),
    [
        ('{"result": {"label": "billing"}}', "billing"),
        ('```json\n{"result": {"label": "Billing"}}\n```', "billing"),
        ('{"result": {"label": null}}', None),
        ('{"result": {"label": ["billing"]}}', None),
        ('{"result": "billing"}', None),
        ("billing", None),
    ],
)
@pytest.mark.parametrize("path", ["result.label", "/result/label"])
def test_a_field_of_json_output(output: str, label: str | None, path: str) -> None:
    """By dotted path or JSON pointer; what is no text there is no label."""
    assert predicted(output, labels=ENGLISH, field=path) == label


def test_an_expression_takes_the_label_out_of_a_text() -> None:
    """Its first group is looked at, and nothing around it."""
    options = {"labels": ENGLISH, "extract": r"Label: (\w+)"}
    assert predicted("refund? No. Label: billing", **options) == "billing"
    assert predicted("billing", **options) is None


def test_a_right_label_scores_1() -> None:
    """The details keep what the confusion matrix needs."""
    found = score("billing", "Billing", labels=ENGLISH)
    assert found == Score(value=1.0, details={"expected": "billing", "predicted": "billing"})


def test_a_wrong_label_scores_0_and_says_both() -> None:
    """The reason names what was expected and what came."""
    found = score("billing", "refund", labels=ENGLISH)
    assert isinstance(found, Score)
    assert (found.value, found.reason) == (0.0, "expected 'refund', got 'billing'")


def test_an_answer_without_a_label_is_wrong() -> None:
    """It has no predicted label, and is neither a failure nor left out."""
    found = score("I cannot say.", "refund", labels=ENGLISH)
    assert isinstance(found, Score)
    assert found.value == 0.0
    assert found.details == {"expected": "refund", "predicted": None}


def test_of_several_expected_labels_any_will_do() -> None:
    """Where none is given, the first stands in the matrix."""
    right = score("billing", ["refund", "billing"], labels=ENGLISH)
    wrong = score("bug report", ["refund", "billing"], labels=ENGLISH)
    assert isinstance(right, Score)
    assert isinstance(wrong, Score)
    assert (right.value, right.details) == (1.0, {"expected": "billing", "predicted": "billing"})
    assert (wrong.value, wrong.details) == (0.0, {"expected": "refund", "predicted": "bug report"})


def test_a_case_without_expected_label_has_nothing_to_say() -> None:
    """It counts neither as right nor as wrong."""
    found = score("billing", None, labels=ENGLISH)
    assert isinstance(found, MetricFailure)
    assert found.kind == "no_expected"


@pytest.mark.parametrize("expected", ["refnd", {"label": "refund"}, ["refund", "shipping"]])
def test_an_expected_answer_that_is_no_label_is_a_failure(expected: JsonValue) -> None:
    """A mistake in the dataset is no mistake of the model."""
    found = score("refund", expected, labels=ENGLISH)
    assert isinstance(found, MetricFailure)
    assert found.kind == "bad_expected"


def test_the_failure_lists_the_labels() -> None:
    """So that the misspelling is seen at once."""
    found = score("refund", "refnd", labels=ENGLISH)
    assert isinstance(found, MetricFailure)
    assert found.message == "expected 'refnd' is none of the labels: refund, billing, bug report"


@pytest.mark.parametrize(
    ("output", "confidence", "value"),
    [
        ("a (85%)", "percentage", 0.85),
        ("60%? No: a, 90 %", "percentage", 0.9),  # the last
        ("a（確信度８５％）", "percentage", 0.85),
        ("a 70パーセント", "percentage", 0.7),
        ("a 150%", "percentage", None),
        ("a", "percentage", None),
        ('{"p": 0.25}', {"field": "p"}, 0.25),
        ('{"p": "25%"}', {"field": "p"}, 0.25),
        ('{"p": 25}', {"field": "p", "percent": True}, 0.25),
        ('{"p": 25}', {"field": "p"}, None),
        ('{"p": true}', {"field": "p"}, None),
        ("p=0.5 p=.75", {"pattern": r"p=([0-9.]+)"}, 0.75),
        ("p=x", {"pattern": r"p=(\w+)"}, None),
    ],
)
def test_a_stated_confidence(output: str, confidence: Any, value: float | None) -> None:
    """From 0 to 1; what lies beyond the scale is no confidence."""
    assert stated(output, confidence) == value


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"labels": ["a"]}, "at least 2"),
        ({"labels": ["a", "a"]}, "twice"),
        ({"labels": ["a", "Ａ"]}, "stands for both"),
        ({"labels": ["a", "b"], "aliases": {"c": ["d"]}}, "none of `labels`"),
        ({"labels": ["a", "b"], "aliases": {"a": ["B"]}}, "stands for both"),
        ({"labels": ["a", " "]}, "says nothing"),
        ({"labels": ["a", "b"], "extract": "("}, "not a regular expression"),
        ({"labels": ["a", "b"], "confidence": {"percent": True}}, "either `field` or `pattern`"),
    ],
)
def test_labels_that_cannot_be_told_apart_are_refused(options: dict[str, Any], said: str) -> None:
    """Before the first call, with what is wrong."""
    with pytest.raises(ValidationError, match=said):
        ClassificationOptions(**options)


@pytest.mark.parametrize(
    ("labels", "output", "label"),
    [
        (["+", "-"], "-", "-"),
        (["+", "-"], ".", None),
        (["C", "C#", "C++"], "C#.", "C#"),  # a mark that is part of the label is not trimmed
        (["C", "C#", "C++"], "`C++`", "C++"),
        (["C", "C#", "C++"], "C", "C"),
        (["1", "-1"], "**-1**", "-1"),
        (["1", "2"], "-1", None),
        (["1", "2"], "0.1", None),
        (["はい", "いいえ"], "「はい」。", "はい"),
        (["👍", "👎"], "👍!", "👍"),
        (["a", "b"], "." * 100_000, None),
    ],
)
def test_marks_around_a_whole_answer(labels: list[str], output: str, label: str | None) -> None:
    """Quotes, stars and full stops do not count, unless a label is made of such."""
    assert predicted(output, labels=labels) == label
