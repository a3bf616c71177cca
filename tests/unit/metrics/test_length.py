from __future__ import annotations

from typing import Any

import pytest

from retest.domain.case import Case
from retest.domain.sample import MetricFailure, Response, Score, Usage
from retest.metrics.base import MetricContext
from retest.metrics.length import Length, LengthOptions

CASE = Case(case_id="1", vars={}, content_hash="")


def length(**options: Any) -> Length:
    return Length(LengthOptions(**options), MetricContext(name="length"))


@pytest.mark.parametrize(
    ("unit", "text", "expected"),
    [
        ("characters", "", 0),
        ("characters", "日本語です", 5),
        ("characters", "👨‍👩‍👧‍👦か\u3099", 2),
        ("characters", "a\ud800\0", 3),
        ("words", "", 0),
        ("words", "Don't stop now.", 3),
        ("words", "私は東京に行きます。", 6),
        ("words", "北京是中国的首都", 8),
        ("words", "나는 학교에 갔다", 3),
        ("sentences", "", 0),
        ("sentences", "Dr. Smith left. He ran!", 2),
        ("sentences", "「行く。」と言った。帰った。", 2),
    ],
)
def test_length_in_each_unit(unit: str, text: str, expected: float) -> None:
    """Characters, words and sentences are counted as a reader of the language would."""
    assert length(unit=unit).score(CASE, Response(output=text)) == Score(value=expected)


def test_tokens_are_the_providers() -> None:
    """Tokens are what the provider reports."""
    response = Response(output="x", usage=Usage(output_tokens=42))
    assert length(unit="tokens").score(CASE, response) == Score(value=42.0)


def test_unreported_tokens_are_a_failure() -> None:
    """Where the provider reports no tokens there is no score, and a hint."""
    outcome = length(unit="tokens").score(CASE, Response(output="x"))
    assert isinstance(outcome, MetricFailure)
    assert outcome.kind == "no_usage"


def test_length_is_compared_on_the_log_scale() -> None:
    """Length is unbounded above, and twice as long is the same change from 10 as from 100."""
    metric = length()
    assert (metric.scale, metric.low, metric.high, metric.direction) == ("log", 0.0, None, "lower")


def test_signature_names_the_tokeniser_of_words() -> None:
    """Counting words pins MeCab; counting characters needs nothing."""
    assert "mecab-0.996-IPA" in length(unit="words").signature()
    assert length().signature() == "length"
