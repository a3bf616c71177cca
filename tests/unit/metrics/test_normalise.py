"""Normalisation and extraction: what counts as the same text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from retest.metrics.normalise import Extract, Extractor, Normaliser, TextOptions


@pytest.mark.parametrize(
    ("options", "text", "normalised"),
    [
        ({}, " a\u3000", "a"),  # ideographic space is white space
        ({}, "ＡＢＣ１２３", "ABC123"),
        ({}, "ｶﾞｷﾞ", "ガギ"),  # half-width katakana with a separate voicing mark
        ({}, "か\u3099", "が"),  # the same letter in two code points
        ({"nfkc": False}, "Ａ１", "Ａ１"),
        ({}, "\ufeff答え\u200b", "答え"),  # a byte order mark and a zero-width space at the ends
        ({"strip": False}, " a ", " a "),
        ({"casefold": True}, "STRASSE", "strasse"),
        ({"casefold": True}, "Straße", "strasse"),
        ({"casefold": True}, "ＹＥＳ", "yes"),
        ({"punctuation": "trim"}, "「はい。」", "はい"),
        ({"punctuation": "trim"}, "(B).", "B"),
        ({"punctuation": "trim"}, "-5.", "-5"),  # a sign is no punctuation
        ({"punctuation": "remove"}, "don't, stop!", "dont stop"),
        ({"punctuation": "remove"}, "-1.5, 1,000", "-1.5 1,000"),
        ({"punctuation": "remove"}, "東京、大阪。", "東京大阪"),
        ({"whitespace": "collapse"}, "a \r\n\u3000b", "a b"),
        ({"whitespace": "remove"}, "東 京\n都", "東京都"),
        ({"whitespace": "collapse"}, "a\u2028b", "a b"),  # a line separator
        ({}, "\ud800", "\ud800"),  # a lone surrogate, as recordings have them
    ],
)
def test_normalised(options: dict[str, object], text: str, normalised: str) -> None:
    """Each option does what it says, in English and Japanese."""
    assert Normaliser(TextOptions.model_validate(options))(text) == normalised


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    """A normalised text is normal, for the strictest options."""
    normalise = Normaliser(TextOptions(extract=None, casefold=True, punctuation="remove", whitespace="remove"))
    once = normalise(text)
    assert normalise(once) == once


def test_the_first_group_of_the_last_match_is_the_answer() -> None:
    """A model that corrects itself is judged by its last word."""
    assert Extractor(r"answer is (\w+)")("the answer is A. No, the answer is B.") == "B"


def test_the_first_match_can_be_taken() -> None:
    """`which: first` takes the first match."""
    rule = Extract(pattern=r"答えは(\d+)", which="first", missing="empty")
    assert Extractor(rule)("答えは１２です。答えは34です。") == "１２"


def test_a_pattern_without_groups_takes_the_whole_match() -> None:
    """A group is not needed."""
    assert Extractor(r"\([A-F]\)")("So (B).") == "(B)"


def test_the_group_that_took_part_is_taken() -> None:
    """Alternatives may each have a group of their own."""
    assert Extractor(r"answer: (\w+)|答え：(\w+)")("答え：猫") == "猫"


def test_nothing_found_is_nothing() -> None:
    """By default an answer in another form says nothing."""
    assert Extractor("answer is (.*)")("B") is None


def test_the_whole_text_can_stand_in() -> None:
    """`missing: whole` compares the text as it is."""
    assert Extractor(Extract(pattern="answer is (.*)", which="last", missing="whole"))("B") == "B"


def test_a_mistake_in_a_pattern_is_found_when_the_suite_is_read() -> None:
    """The message says what is wrong and where in the pattern."""
    with pytest.raises(ValidationError, match="position 4"):
        TextOptions.model_validate({"extract": "abc("})
