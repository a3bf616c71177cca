"""Numbers as people and models write them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retest.metrics.numbers import find_kanji_numbers, find_numbers, last_number
from retest.metrics.numeric import Numeric
from support.scoring import built, failed, scored, value


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        # a number glued to Japanese text
        ("答えは18個です", [18]),
        ("第3章", [3]),
        ("答えは-5です", [-5]),
        ("答えはマイナス5度", [-5]),
        # full-width and other digits
        ("１，２３４円", [1234]),
        ("－５", [-5]),
        ("３．５％", ["3.5"]),
        ("๑๒", [12]),
        ("٣", [3]),
        # thousands
        ("1,234,567.89", ["1234567.89"]),
        ("12,34,567", [1234567]),
        ("1\u00a0000", [1000]),
        ("1'000", [1000]),
        ("1{,}000", [1000]),
        ("1,2,3", [1, 2, 3]),
        ("100,0", [100, 0]),
        # signs and what is none
        ("−5", [-5]),
        ("-$5", [-5]),
        ("$-5", [-5]),
        ("-￥500", [-500]),
        ("20-4", [20, 4]),
        ("20 - 4", [20, 4]),
        ("3–5個", [3, 5]),
        ("2024-05-20", [2024, 5, 20]),
        ("x=-3", [-3]),
        ("(-3)", [-3]),
        ("GPT-4", [4]),
        # currency
        ("$57.", [57]),
        ("\\$500", [500]),
        ("¥500", [500]),
        # decimals
        ("is .5", ["0.5"]),
        ("...5", [5]),
        ("3.", [3]),
        ("1.2.3", ["1.2", 3]),
        # fractions
        ("3/4", ["3/4"]),
        ("1 1/2 cups", ["3/2"]),
        ("1½", ["3/2"]),
        ("½", ["1/2"]),
        ("\\frac{3}{4}", ["3/4"]),
        ("10/25/1987", [10, 25, 1987]),
        ("5/0", []),
        # powers of ten
        ("1.5e3", [1500]),
        ("3 × 10^5", [300000]),
        ("3 \\times 10^{-2}", ["3/100"]),
        ("1.8 billion", [1800000000]),
        # Japanese units
        ("1万2千", [12000]),
        ("3.5億円", [350000000]),
        ("12万3456", [123456]),
        ("1億2,000万円", [120000000]),
        ("5千万", [50000000]),
        ("3千", [3000]),
        ("2万五千", [25000]),
        # what belongs to a word or an exponent
        ("60 m2", [60]),
        ("60m²", [60]),
        ("60 m^2", [60]),
        ("H2O", []),
        ("e5", []),
        # none
        ("", []),
        ("なし", []),
    ],
)
def test_numbers(text: str, numbers: list[int | str]) -> None:
    """Each way to write a number is read, and what is no number is not."""
    assert [found.value for found in find_numbers(text)] == [Fraction(number) for number in numbers]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("三百二十個", [320]),
        ("二〇二四年", [2024]),
        ("千五百", [1500]),
        ("一億二千万", [120000000]),
        ("マイナス三度", [-3]),
        ("十分です", []),  # enough
        ("一緒に一番へ", []),  # together, to the first
        ("万", []),
    ],
)
def test_kanji_numerals(text: str, numbers: list[int]) -> None:
    """Numerals in kanji are read; the commonest words with such characters are not."""
    assert [found.value for found in find_kanji_numbers(text)] == numbers


def test_kanji_count_only_without_digits() -> None:
    """一度 after the answer 18 is no number."""
    found = last_number("答えは18個です。もう一回確かめました。")
    assert found is not None
    assert found.value == 18


@given(
    st.integers(min_value=-(10**12), max_value=10**12), st.sampled_from(["{}", "{:,}", "答えは{}です。", "is ${:,}."])
)
def test_any_integer_is_read_back(number: int, form: str) -> None:
    """What Python writes is what is read, whatever stands around it."""
    found = last_number(form.format(number))
    assert found is not None
    assert found.value == number


@given(st.text())
def test_any_text_is_read_without_raising(text: str) -> None:
    """No text breaks the reader."""
    last_number(text)


@pytest.mark.parametrize(
    ("options", "output", "expected", "equal"),
    [
        ({}, "16 - 3 - 4 = 9, 9 * 2 = 18", "18", 1),
        ({}, "合計は１８ドルです。", "18", 1),
        ({}, "18.00", 18, 1),
        ({}, "70,000", "70000", 1),
        ({}, "70000", "70,000", 1),
        ({}, "0.1", 0.1, 1),
        ({}, "0.3333", "1/3", 0),
        ({"tolerance": 0.001}, "0.3333", "1/3", 1),
        ({"rel_tolerance": 0.01}, "1005", 1000, 1),
        ({"rel_tolerance": 0.01}, "1011", 1000, 0),
        ({"tolerance": 0.1}, "0.3", 0.2, 1),  # a tenth is a tenth: no binary rounding
        ({"which": "first"}, "36 hours in 4 weeks", 36, 1),
        ({}, "50%", 50, 1),
        ({"percent": "fraction"}, "50%", 0.5, 1),
        ({"percent": "fraction"}, "0.5", "50%", 1),
        ({"decimal_mark": ","}, "1.234,5", "1234,5", 1),
        ({}, "1.8 billion", 1800000000, 1),
        ({}, "1.8 billion", 1.8, 1),  # "how many billions?"
        ({}, "7 or 8", [8, 9], 1),
        ({}, "7", [8, 9], 0),
        ({"extract": r"ANSWER:\s*(.*)"}, "ANSWER: 18\nchecked in 3 steps", 18, 1),
        ({}, "", 18, 0),
        ({}, "わかりません", 18, 0),
        ({}, "9" * 100_000, 18, 0),
        ({}, "3" * 400, 18, 0),
    ],
)
def test_numeric(options: dict[str, Any], output: str, expected: Any, equal: float) -> None:
    """The output's number is compared exactly, or within the tolerance."""
    assert value(built(Numeric, **options), output, expected) == equal


@pytest.mark.parametrize("expected", ["eighteen", True, {"a": 1}, float("nan"), float("inf"), ""])
def test_a_reference_without_number_is_a_failure(expected: Any) -> None:
    """The message says what came."""
    assert failed(built(Numeric), "18", expected).kind == "bad_expected"


def test_no_reference_is_a_failure() -> None:
    """Missing data is no 0."""
    assert failed(built(Numeric), "18").kind == "no_expected"


def test_the_reason_shows_both_numbers() -> None:
    """With separators, as a person reads them."""
    assert scored(built(Numeric), "答えは84,000です", 70000).reason == "expected 70,000, got 84,000"


def test_extraction_finds_nothing() -> None:
    """An answer in another form than asked scores 0."""
    assert value(built(Numeric, extract="ANSWER: (.*)"), "18", 18) == 0
