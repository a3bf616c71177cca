r"""Numbers in running text, English and Japanese, as exact fractions.

Understood: ``1,234.5``, ``-3``, ``−3``, ``$-3``, ``3/4``, ``1 1/2``, ``½``, LaTeX's ``\frac{3}{4}``, ``1.5e3``,
``3 × 10^5``, ``50%``, ``1.8 billion``, full-width digits, any Unicode decimal digits, ``1万2千``, ``3.5億``,
``三百二十``, ``二〇二四``, ``マイナス5``. No number goes over a line break. Digits that belong to a word
(``m2``, ``H2O``, ``A1``), exponents and superscripts are no numbers of their own.
"""

from __future__ import annotations

import re
import unicodedata
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Literal

DecimalMark = Literal[".", ","]

# A model that repeats one digit for ever answers nothing; exact arithmetic on it would only cost time.
_MAX_LITERAL = 1000

_DIGITS = {char: value for value, char in enumerate("〇一二三四五六七八九")} | {"零": 0, "壱": 1, "弐": 2, "参": 3}
_TENS = {"十": 10, "拾": 10, "百": 100, "千": 1000}
_MYRIADS = {"万": 10**4, "萬": 10**4, "億": 10**8, "兆": 10**12, "京": 10**16}
_KANJI_DIGIT = "".join(_DIGITS)
_UNIT = "".join(_TENS) + "".join(_MYRIADS)

_CURRENCY = "$€£¥₹₩฿₫₱₽₺"
_LITERAL = r"""
    (?: \d{1,3}(?:(?:,|\{,\}|['\u2019\u00a0\u2009\u202f])\d{3})+(?!\d)   # 1,234,567
      | \d{1,2}(?:,\d\d){1,8},\d{3}(?!\d)                                # 12,34,567
      | \d+
    )(?:\.\d+)?
    | (?<![\w.])\.\d+                                                    # .5
"""
_NUMBER = rf"""
    (?: (?P<minus>(?<![0-9A-Za-z)\]%.\-])-|マイナス\ ?) (?:\\?[{_CURRENCY}]\ ?)?
      | \\?[{_CURRENCY}]\ ?(?P<inner_minus>-)
    )?
    (?: \\[dt]?frac\{{(?P<numerator>\d{{1,400}})\}}\{{(?P<denominator>\d{{1,400}})\}}
      | (?<![A-Za-z_^\d]) (?<!\^\{{) (?<!\^-) (?<![A-Za-z]\.)
        (?: (?:(?P<whole>\d{{1,400}})\ )?(?<!/)(?P<over>\d{{1,400}})/(?P<under>\d{{1,400}})(?![\d/]|\.\d)
          | (?P<literal>{_LITERAL})
            (?: [eE](?P<exponent>[+-]?\d{{1,3}})(?![\w])
              | \ ?(?:×|x|\*|\\times)\ ?10\^\{{?(?P<power>-?\d{{1,3}})\}}?
              | \ (?P<word>thousand|million|billion|trillion)\b
              | (?P<units>[{_UNIT}][{_KANJI_DIGIT}{_UNIT}\d,.]*(?<![,.]))
            )?
        )
    )
"""
_WORDS = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_PERCENT = ("%", " %", "\\%", "％", "パーセント", " percent")
_SWAPPED_MARKS = {ord(","): ".", ord("."): ","}
# Kanji that are numerals here and parts of words there; the commonest words are left out.
_KANJI_WORDS = r"一(?:緒|番|般|定|部|方|致|旦|応|切|体|見|瞬|同|層|気|概)|十分|万一|千葉|三重|四国|九州|八百屋|百貨"
_KANJI_NUMBER = re.compile(
    rf"(?!{_KANJI_WORDS})(?P<minus>マイナス)?(?P<units>[{_KANJI_DIGIT}{''.join(_TENS)}][{_KANJI_DIGIT}{_UNIT}]*)"
)
_PIECE = re.compile(rf"(?P<literal>\d[\d,]*(?:\.\d+)?)|(?P<digits>[{_KANJI_DIGIT}]+)|(?P<unit>[{_UNIT}])")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundNumber:
    """A number; `unscaled` is 1.8 in ``1.8 billion``, for questions that ask how many billions."""

    value: Fraction
    unscaled: Fraction | None = None
    percent: bool = False


@cache
def _number_pattern() -> re.Pattern[str]:
    """Compiled at the first number: a pattern of this size costs more than importing the module."""
    return re.compile(_NUMBER, re.VERBOSE)


@cache
def _plain_table() -> dict[int, str]:
    """Full-width signs and every Unicode decimal digit to ASCII; superscripts are no decimal digits and stay."""
    table = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    table |= {0xFFE5: "¥", 0x3000: " ", 0x2044: "/", 0x2212: "-", 0xFE63: "-", 0x2013: "-", 0x2010: "-", 0x2011: "-"}
    for code in range(0x660, 0x1FBFA):
        digit = unicodedata.decimal(chr(code), None)
        if digit is not None:
            table[code] = str(digit)
    for code in (0xBC, 0xBD, 0xBE, *range(0x2150, 0x215F)):
        table[code] = " " + unicodedata.normalize("NFKC", chr(code)).replace("\u2044", "/")
    return table


def plain_digits(text: str) -> str:
    """Return the text with digits, signs and separators in their ASCII form."""
    return text if text.isascii() else text.translate(_plain_table())


def find_numbers(text: str, *, decimal_mark: DecimalMark = ".") -> Iterator[FoundNumber]:
    """Yield the numbers of a text in order, without those written in kanji alone."""
    text = plain_digits(text)
    if decimal_mark == ",":
        text = text.translate(_SWAPPED_MARKS)
    for match in _number_pattern().finditer(text):
        value = _value(match)
        if value is None:
            continue
        word = match["word"]
        yield FoundNumber(
            value=value * _WORDS[word] if word else value,
            unscaled=value if word else None,
            percent=text.startswith(_PERCENT, match.end()),
        )


def find_kanji_numbers(text: str) -> Iterator[FoundNumber]:
    """Yield the numerals written in kanji alone; only for texts without digits: 一 and 十 are parts of many words."""
    for match in _KANJI_NUMBER.finditer(text):
        value = _units_value(match["units"])
        if value is not None:
            yield FoundNumber(value=-value if match["minus"] else value, percent=text.startswith(_PERCENT, match.end()))


def _last(numbers: Iterator[FoundNumber]) -> FoundNumber | None:
    return next(iter(deque(numbers, maxlen=1)), None)


def last_number(text: str, *, decimal_mark: DecimalMark = ".") -> FoundNumber | None:
    """Return the last number of a text; reads from the last line upwards, for answers end long texts."""
    for line in reversed(text.split("\n")):
        found = _last(find_numbers(line, decimal_mark=decimal_mark))
        if found is not None:
            return found
    return _last(find_kanji_numbers(text))


def first_number(text: str, *, decimal_mark: DecimalMark = ".") -> FoundNumber | None:
    """Return the first number of a text."""
    found = next(find_numbers(text, decimal_mark=decimal_mark), None)
    return found or next(find_kanji_numbers(text), None)


def _value(match: re.Match[str]) -> Fraction | None:
    value = _magnitude(match)
    if value is None:
        return None
    return -value if match["minus"] or match["inner_minus"] else value


def _magnitude(match: re.Match[str]) -> Fraction | None:
    literal = match["literal"]
    if literal is None:
        return _quotient(match)
    if len(literal) > _MAX_LITERAL:
        return None
    if match["units"]:
        return _units_value(_without_separators(literal) + match["units"])
    value = _exact(literal)
    exponent = match["exponent"] or match["power"]
    return value * Fraction(10) ** int(exponent) if exponent else value


def _quotient(match: re.Match[str]) -> Fraction | None:
    over, under = match["over"] or match["numerator"], match["under"] or match["denominator"]
    if int(under) == 0:
        return None
    return Fraction(int(match["whole"] or 0)) + Fraction(int(over), int(under))


def _without_separators(literal: str) -> str:
    return re.sub(r"[^\d.]", "", literal)


def _exact(literal: str) -> Fraction:
    if literal.isdecimal():
        return Fraction(int(literal))
    return Fraction(Decimal(_without_separators(literal)))


def _units_value(numeral: str) -> Fraction | None:
    """Return the value of 1万2千, 三百二十 or 二〇二四; None where the parts do not make a number."""
    if len(numeral) > _MAX_LITERAL:
        return None
    total = section = Fraction(0)
    pending: Fraction | None = None
    for piece in _PIECE.finditer(numeral):
        unit = piece["unit"]
        if unit is None:
            if pending is not None:
                return None
            pending = _exact(piece["literal"]) if piece["literal"] else _positional(piece["digits"])
        elif unit in _TENS:
            section += (Fraction(1) if pending is None else pending) * _TENS[unit]
            pending = None
        else:
            section += pending or 0
            total += (section or 1) * _MYRIADS[unit]
            section, pending = Fraction(0), None
    return total + section + (pending or 0)


def _positional(digits: str) -> Fraction:
    return Fraction(int("".join(str(_DIGITS[char]) for char in digits)))
