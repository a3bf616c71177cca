"""Exact comparisons of text."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from retest.domain.sample import Response, Score
from retest.metrics.match import (
    METRICS,
    Contains,
    ContainsAll,
    ContainsAny,
    EndsWith,
    ExactMatch,
    NotContains,
    Regex,
    StartsWith,
)
from support.scoring import built, case, failed, scored, value


@pytest.mark.parametrize(
    ("output", "expected", "equal"),
    [
        ("refund", "refund", 1),
        (" refund\n", "refund", 1),
        ("Refund", "refund", 0),  # case counts unless casefold
        ("返金", "返金", 1),
        ("返金 ", "返 金", 0),
        ("１８", "18", 1),
        ("18", 18, 1),
        ("true", True, 1),
        ("コーデン", ["CODEN", "コーデン"], 1),
        ("codex", ["CODEN", "コーデン"], 0),
        ("", "refund", 0),
        ("", "", 1),  # where nothing is expected, nothing is right
        ("\ud800", "\ud800", 1),
    ],
)
def test_exact_match(output: str, expected: Any, equal: float) -> None:
    """Equal to any reference after normalisation is 1, all else is 0."""
    assert value(built(ExactMatch), output, expected) == equal


def test_a_refusal_is_an_answer() -> None:
    """Where the model refuses, its empty output is compared like any other."""
    outcome = built(ExactMatch).score(case("refund"), Response(output="", refusal="I cannot help with that"))
    assert isinstance(outcome, Score)
    assert outcome.value == 0


def test_the_reason_shows_both_texts() -> None:
    """A person sees at once what differs."""
    assert scored(built(ExactMatch), "解約", "返金").reason == "expected '返金', got '解約'"


def test_a_long_reason_is_shortened() -> None:
    """A page of output does not become a page of reason."""
    assert len(scored(built(ExactMatch), "x" * 100_000, "y" * 100_000).reason or "") < 250


def test_a_case_without_reference_is_a_failure() -> None:
    """No reference is missing data, not a 0."""
    assert failed(built(ExactMatch), "refund").kind == "no_expected"


@pytest.mark.parametrize("expected", [{"a": 1}, ["a", None], [["a"]]])
def test_a_reference_that_is_no_text_is_a_failure(expected: Any) -> None:
    """The message says what came."""
    failure = failed(built(ExactMatch), "a", expected)
    assert (failure.kind, "expected must be a text" in failure.message) == ("bad_expected", True)


def test_a_reference_of_which_nothing_is_left_is_a_failure() -> None:
    """Two texts of punctuation are not equal because both vanish."""
    assert failed(built(ExactMatch, punctuation="remove"), "!", "?").kind == "bad_expected"


def test_extraction_that_finds_nothing_scores_zero() -> None:
    """An answer in another form than asked is wrong, and the reason says so."""
    score = scored(built(ExactMatch, extract="the answer is (.*)"), "B", "B")
    assert (score.value, score.reason) == (0, "`extract` matches nothing in the output")


def test_extraction_that_never_ends_is_a_failure() -> None:
    """A pattern that explodes on an answer ends after a second."""
    metric = built(ExactMatch, extract=r"^(a|aa)+$")
    assert failed(metric, "a" * 60 + "!", "x").kind == "timeout"


@pytest.mark.parametrize(
    ("cls", "output", "wanted"),
    [
        (Contains, "返金を承りました", 1),
        (Contains, "ＲＥＦＵＮＤ", 0),
        (Contains, "承りました", 0),
        (ContainsAny, "refund 済み", 1),
        (ContainsAny, "", 0),
        (ContainsAll, "返金 (refund) を承りました", 1),
        (ContainsAll, "返金を承りました", 0),
        (ContainsAll, "", 0),
        (NotContains, "承りました", 1),
        (NotContains, "返金は承りません", 0),
        (NotContains, "", 1),
        (StartsWith, "返金です", 1),
        (StartsWith, "ご返金です", 0),
        (StartsWith, "", 0),
        (EndsWith, "full refund", 1),
        (EndsWith, "refunds", 0),
        (EndsWith, "", 0),
    ],
)
@pytest.mark.parametrize("from_option", [True, False])
def test_values(cls: Any, output: str, wanted: float, *, from_option: bool) -> None:
    """The texts to look for come from the option, or else from the case."""
    values = ["返金", "refund"]
    if from_option:
        assert value(built(cls, values=values), output) == wanted
    else:
        assert value(built(cls), output, values) == wanted


def test_one_value_needs_no_list() -> None:
    """`values: text` is one value."""
    assert value(built(Contains, values="返金"), "返金します") == 1


def test_a_share_of_the_values() -> None:
    """With `partial` two of three texts are two thirds."""
    metric = built(ContainsAll, values=["a", "b", "z"], partial=True)
    assert value(metric, "a b c") == pytest.approx(2 / 3)
    assert not metric.binary


def test_an_empty_reference_is_refused() -> None:
    """Every text contains the empty text, so it would pass whatever comes."""
    assert failed(built(Contains), "anything", "").kind == "bad_expected"
    assert failed(built(Contains), "anything", "　").kind == "bad_expected"


@pytest.mark.parametrize("values", [[], "", ["a", ""]])
def test_empty_values_are_refused(values: Any) -> None:
    """The same mistake in a suite is found when it is read."""
    with pytest.raises(ValidationError):
        built(Contains, values=values)


def test_the_reason_names_what_is_missing() -> None:
    """Of several texts only the missing ones are named."""
    assert scored(built(ContainsAll, values=["a", "返金"]), "a").reason == "does not contain '返金'"


@pytest.mark.parametrize(
    ("options", "output", "wanted"),
    [
        ({"pattern": r"\d{3}-\d{4}"}, "〒123-4567です", 1),
        ({"pattern": r"\d{3}"}, "１２３", 1),  # \d is any Unicode digit
        ({"pattern": "[0-9]{3}"}, "１２３", 0),
        ({"pattern": "[0-9]{3}", "nfkc": True}, "１２３", 1),
        ({"pattern": r"\p{Han}+", "mode": "fullmatch"}, "返金", 1),
        ({"pattern": r"\p{Han}+", "mode": "fullmatch"}, "返金する", 0),
        ({"pattern": r"\p{Hiragana}"}, "カナ", 0),
        ({"pattern": "yes"}, "YES", 0),
        ({"pattern": "yes", "ignore_case": True}, "YES", 1),
        ({"pattern": "^b$"}, "a\nb", 0),
        ({"pattern": "^b$", "multiline": True}, "a\nb", 1),
        ({"pattern": "a.b"}, "a\nb", 0),
        ({"pattern": "a.b", "dotall": True}, "a\nb", 1),
        ({"pattern": "sorry", "negate": True}, "I am sorry", 0),
        ({"pattern": "sorry", "negate": True}, "", 1),
        ({"pattern": "yes", "mode": "fullmatch", "strip": True}, "yes\n", 1),
        ({"pattern": "x"}, "", 0),
    ],
)
def test_regex(options: dict[str, Any], output: str, wanted: float) -> None:
    """Patterns match as the options say, with Unicode properties."""
    assert value(built(Regex, **options), output) == wanted


def test_a_pattern_may_come_from_the_case() -> None:
    """Without `pattern` each case's `expected` is one, or several."""
    assert value(built(Regex), "注文 42", [r"order \d+", r"注文 \d+"]) == 1


def test_a_pattern_of_a_case_may_be_wrong() -> None:
    """The message says at which position."""
    failure = failed(built(Regex), "a", "a(")
    assert (failure.kind, "position" in failure.message) == ("bad_expected", True)


def test_an_empty_pattern_of_a_case_is_refused() -> None:
    """It matches everything, so it would pass whatever comes."""
    assert failed(built(Regex), "a", "").kind == "bad_expected"


def test_a_pattern_that_explodes_is_a_failure() -> None:
    """An answer on which the pattern backtracks for ever costs `timeout_s`, not the run."""
    failure = failed(built(Regex, pattern=r"^(a|aa)+$", timeout_s=0.2), "a" * 60 + "!")
    assert (failure.kind, "0.2 s" in failure.message) == ("timeout", True)


def test_a_wrong_pattern_is_found_when_the_suite_is_read() -> None:
    """Before the first call, not at the first answer."""
    with pytest.raises(ValidationError, match="not a regular expression"):
        built(Regex, pattern="[")


@pytest.mark.parametrize("cls", METRICS)
def test_every_metric_describes_itself(cls: Any) -> None:
    """A group, a summary without full stop, and options with descriptions."""
    assert cls.info.group == "Matching"
    assert not cls.info.summary.endswith(".")
    assert all(field.description for field in cls.Options.model_fields.values())
    assert cls.info.options() is cls.Options


def test_the_signature_pins_what_was_changed() -> None:
    """Two scores with the same signature were made the same way."""
    assert built(ExactMatch).signature() == "exact_match"
    assert built(ExactMatch, casefold=True).signature() == "exact_match|casefold:True"
