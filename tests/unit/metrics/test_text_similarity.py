"""Similarity by edit distance."""

from __future__ import annotations

from typing import Any

import pytest

from retest.metrics.text_similarity import Similarity
from support.scoring import built, failed, scored, value


@pytest.mark.parametrize(
    ("options", "output", "expected", "similarity"),
    [
        ({}, "kitten", "sitting", 1 - 3 / 7),
        ({}, "返金します", "返金します", 1),
        ({}, "返金をします", "返金します", 1 - 1 / 6),  # one particle more
        ({}, "ＡＢＣ", "ABC", 1),
        ({}, "ABC", "abc", 0),
        ({"casefold": True}, "ABC", "abc", 1),
        ({}, "", "abc", 0),
        ({}, "\ud800", "a", 0),
        ({}, "cat", ["dog", "cats"], 0.75),  # the closest of several
        ({"extract": "答え：(.*)"}, "考えました。答え：猫", "猫", 1),
    ],
)
def test_similarity(options: dict[str, Any], output: str, expected: Any, similarity: float) -> None:
    """One minus the edits over the longer length, for the closest reference."""
    assert value(built(Similarity, **options), output, expected) == pytest.approx(similarity)


def test_the_reason_names_the_closest_reference() -> None:
    """Of several references the one that counted is shown."""
    assert scored(built(Similarity), "cat", ["dog", "cats"]).reason == "closest to 'cats'"


def test_no_reference_is_a_failure() -> None:
    """Missing data is no 0."""
    assert failed(built(Similarity), "cat").kind == "no_expected"


def test_the_signature_names_the_library() -> None:
    """Values of two versions of the library are told apart."""
    assert built(Similarity).signature().startswith("similarity|rapidfuzz:")
