"""Labels in a text: which spelling stands for which label, and where one occurs in a longer answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import regex

from retest.metrics.normalise import EXTRACTION_TIMEOUT_S, Normaliser, TextOptions

_WIDE = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}ー"
# A letter or digit of a script that puts spaces between words.
_SPACED = rf"[[\p{{L}}\p{{M}}\p{{N}}_]--[{_WIDE}]]"
_KATAKANA = r"[\p{Katakana}ー]"
_AROUND = r"[\p{P}\p{S}\s]"  # quotes, stars, backticks, full stops
# What makes one word of two, or one number: `refund` is not in `non-refund`, and 1 is not in 1.5.
_BEFORE = (f"{_SPACED}-", r"\d[.,]")
_AFTER = (f"-{_SPACED}", r"[.,]\d")


class DuplicateSpellingError(ValueError):
    """Two labels cannot be told apart."""


class LabelFinder:
    """Knows every spelling of every label; width, and where wanted case, do not count."""

    def __init__(self, labels: Sequence[str], aliases: Mapping[str, Sequence[str]], *, casefold: bool) -> None:
        """Prepare the spellings.

        Raises:
            DuplicateSpellingError: one spelling stands for two labels, or nothing is left of one.
        """
        self._fold = Normaliser(TextOptions(casefold=casefold, whitespace="collapse"))
        self._spellings = self._collect(labels, aliases)
        longest_first = sorted(self._spellings, key=lambda spelling: (-len(spelling), spelling))
        self._pattern = regex.compile("|".join(map(_bounded, longest_first)), regex.V1)
        whole = "|".join(map(_unsigned, longest_first))
        self._whole = regex.compile(f"{_AROUND}*?({whole}){_AROUND}*", regex.V1)

    def _collect(self, labels: Sequence[str], aliases: Mapping[str, Sequence[str]]) -> dict[str, str]:
        found: dict[str, str] = {}
        for label in labels:
            for spelling in (label, *aliases.get(label, ())):
                folded = self._fold(spelling)
                if not folded:
                    raise DuplicateSpellingError(f"{spelling!r} says nothing: a label needs a character that is seen")
                if found.setdefault(folded, label) != label:
                    raise DuplicateSpellingError(f"{spelling!r} stands for both '{found[folded]}' and '{label}'")
        return found

    def of(self, text: str) -> str | None:
        """Return the label that a text is, whatever punctuation and marks stand around it; None where it is none.

        Raises:
            TimeoutError: the text takes too long.
        """
        match = self._whole.fullmatch(self._fold(text), timeout=EXTRACTION_TIMEOUT_S)
        return None if match is None else self._spellings[match.group(1)]

    def within(self, text: str, which: Literal["first", "last"]) -> str | None:
        """Return the first or last label in a text, None where there is none.

        Where spellings overlap, the one that starts earlier counts, and of those the longest. Words of scripts with
        spaces, and katakana words, are found whole only: ``able`` is not in ``unable``.

        Raises:
            TimeoutError: the text takes too long.
        """
        found = None
        for match in self._pattern.finditer(self._fold(text), timeout=EXTRACTION_TIMEOUT_S):
            found = self._spellings[match.group()]
            if which == "first":
                break
        return found


def _unsigned(spelling: str) -> str:
    """Return the pattern of a spelling that is not the rest of a number: 5 is not what -5 says."""
    return f"{r'(?<![-−.,])' if spelling[0].isdigit() else ''}{regex.escape(spelling, special_only=True)}"


def _bounded(spelling: str) -> str:
    """Return the pattern of a spelling that is no part of a longer word or number."""
    before = "".join(rf"(?<!{part})" for part in _beside(spelling[0], _BEFORE))
    after = "".join(rf"(?!{part})" for part in _beside(spelling[-1], _AFTER))
    return f"{before}{regex.escape(spelling, special_only=True)}{after}"


def _beside(char: str, joined: tuple[str, str]) -> Iterator[str]:
    """Yield what must not stand beside a character; nothing where words are not told apart by what is beside them."""
    hyphen, decimal = joined
    if regex.fullmatch(_KATAKANA, char, regex.V1):
        yield _KATAKANA
    elif regex.fullmatch(_SPACED, char, regex.V1):
        yield from (_SPACED, hyphen)
        if char.isdigit():
            yield decimal
