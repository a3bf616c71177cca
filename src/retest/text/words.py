"""Words and diff-friendly segments in any language, chosen by the characters themselves.

Japanese runs are cut by MeCab, Thai runs by `retest.text.thai`, everything else at Unicode word boundaries (UAX #29),
which makes each Chinese character one word and each space-separated Korean or Latin word one. Text that mixes languages
is cut run by run.
"""

from __future__ import annotations

import regex

from retest.text.japanese import japanese_cuts
from retest.text.scripts import is_japanese
from retest.text.thai import thai_words

AUTO = "auto"

_JAPANESE = r"(?:[\p{Han}\p{Hiragana}\p{Katakana}ーｰ々〆〇]\p{M}*)+"
_THAI = r"(?:\p{Thai}\p{M}*)+"
_RUN = regex.compile(rf"(?P<japanese>{_JAPANESE})|(?P<thai>{_THAI})")
_THAI_RUN = regex.compile(rf"(?P<thai>{_THAI})")
_BOUNDARY = regex.compile(r"(?wV1)\b")
_ALPHANUMERIC = regex.compile(r"[\p{L}\p{N}]")


def segments(text: str, language: str = AUTO) -> list[str]:
    """Return words, punctuation marks and runs of white space; joined, they are exactly the text.

    Args:
        text: anything, also lone surrogates and control characters.
        language: ``ja`` reads Chinese characters as Japanese also where there is no kana, ``auto`` only where there is.
    """
    if text.isascii():
        return _by_boundary(text)
    japanese = language == "ja" or (language == AUTO and is_japanese(text))
    cuts = japanese_cuts(text) if japanese else None
    return _by_run(text, cuts)


def words(text: str, language: str = AUTO) -> list[str]:
    """Return the segments that hold a letter or digit, in their own spelling."""
    return [segment for segment in segments(text, language) if _ALPHANUMERIC.search(segment)]


def _by_boundary(text: str) -> list[str]:
    return [piece for piece in _BOUNDARY.split(text) if piece]


def _by_run(text: str, cuts: set[int] | None) -> list[str]:
    """Cut Japanese runs (where `cuts` are given) and Thai runs by their own rules, the rest at word boundaries."""
    pieces: list[str] = []
    position = 0
    for run in (_THAI_RUN if cuts is None else _RUN).finditer(text):
        start, end = run.span()
        pieces += _by_boundary(text[position:start])
        pieces += thai_words(run["thai"]) if cuts is None or run["thai"] else _at(text, start, end, cuts)
        position = end
    return pieces + _by_boundary(text[position:])


def _at(text: str, start: int, end: int, cuts: set[int]) -> list[str]:
    """Return the pieces of ``text[start:end]`` between the cuts."""
    ends = [cut for cut in range(start + 1, end) if cut in cuts] + [end]
    return [text[a:b] for a, b in zip([start, *ends], ends, strict=False)]
