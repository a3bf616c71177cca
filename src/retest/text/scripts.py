"""Which writing systems a text uses: enough to choose a tokeniser, without a model and without a dictionary."""

from __future__ import annotations

import unicodedata
from collections import Counter
from functools import lru_cache

import regex

KANA = "Kana"
HAN = "Han"
HANGUL = "Hangul"
LATIN = "Latin"
THAI = "Thai"

# U+30FC (long vowel) and the iteration marks are shared between scripts in Unicode, and Japanese in practice.
_KANA = regex.compile(r"[\p{Hiragana}\p{Katakana}ーｰ]")
_HAN = regex.compile(r"[\p{Han}々〆〇]")
_OTHERS = (
    *(LATIN, HANGUL, THAI, "Cyrillic", "Arabic", "Hebrew", "Greek", "Devanagari", "Bengali", "Tamil", "Telugu"),
    *("Kannada", "Malayalam", "Gujarati", "Gurmukhi", "Sinhala", "Georgian", "Armenian", "Khmer", "Lao", "Myanmar"),
    *("Ethiopic", "Tibetan", "Mongolian"),
)
_OTHER = {name: regex.compile(rf"\p{{Script={name}}}") for name in _OTHERS}

# A Latin letter is a smaller part of a word than a character of the other scripts: an abbreviation or a product name in
# a Japanese sentence must not outweigh the sentence.
_WEIGHT_LATIN = 1 / 3


@lru_cache(maxsize=8192)
def script_of(char: str) -> str | None:
    """Return the script of one character; None for digits, punctuation, symbols and marks."""
    if _KANA.match(char):
        return KANA
    if _HAN.match(char):
        return HAN
    if not unicodedata.category(char).startswith("L"):
        return None
    return next((name for name, pattern in _OTHER.items() if pattern.match(char)), "Other")


def script_counts(text: str) -> Counter[str]:
    """Return script -> number of letters."""
    counts: Counter[str] = Counter()
    for char, number in Counter(text).items():
        script = script_of(char)
        if script is not None:
            counts[script] += number
    return counts


def script_weights(text: str) -> dict[str, float]:
    """Return script -> weight, where three Latin letters weigh as much as one character of another script."""
    counts = script_counts(text)
    return {script: number * (_WEIGHT_LATIN if script == LATIN else 1.0) for script, number in counts.items()}


def is_japanese(text: str) -> bool:
    """Return whether Chinese characters in this text are to be read as Japanese: it has kana."""
    return not text.isascii() and _KANA.search(text) is not None


def dominant_script(text: str) -> str | None:
    """Return the script of most of the text, ``Kana`` for Japanese as a whole; None where there is no letter."""
    if text.isascii():
        return LATIN if any(map(str.isalpha, text)) else None
    weights = script_weights(text)
    if KANA in weights:
        weights[KANA] += weights.pop(HAN, 0.0)
    return max(weights, key=lambda script: weights[script], default=None)
