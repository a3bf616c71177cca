"""How hard a Japanese text is to read, from its characters alone."""

from __future__ import annotations

from collections.abc import Iterable

import regex

from retest.text.sentences import sentences

# A long vowel mark belongs to the kana before it.
_RUNS = {
    "alphabet": regex.compile(r"[A-Za-zＡ-Ｚａ-ｚ]+"),
    "hiragana": regex.compile(r"\p{Hiragana}[\p{Hiragana}ー]*"),
    "kanji": regex.compile(r"[\p{Han}々〆]+"),
    "katakana": regex.compile(r"\p{Katakana}[\p{Katakana}ーｰ]*"),
}
_COMMA = regex.compile(r"[、，,]")
_LETTER = regex.compile(r"[\p{L}\p{N}]")
_KANJI = regex.compile(r"[\p{Han}々]")


def tateisi(text: str) -> float | None:
    """Return the readability score RS' of Tateisi, Ono and Yamada (COLING 1988, simplified formula).

    ``RS' = -0.12 ls - 1.37 la + 7.4 lh - 23.18 lc - 5.4 lk - 4.67 cp + 115.79`` with the mean number of characters per
    sentence (ls), per run of alphabet (la), hiragana (lh), kanji (lc) and katakana (lk), 0 where there is no such run,
    and the commas per sentence (cp). Over the authors' 77 texts the mean is 50 and the standard deviation 10; higher is
    easier, and there is no bound. None where the text has no sentence.
    """
    found = sentences(text)
    if not found:
        return None
    ls = _mean(len(sentence) for sentence in found)
    la, lh, lc, lk = (_mean(len(run) for run in pattern.findall(text)) for pattern in _RUNS.values())
    cp = len(_COMMA.findall(text)) / len(found)
    return -0.12 * ls - 1.37 * la + 7.4 * lh - 23.18 * lc - 5.4 * lk - 4.67 * cp + 115.79


def kanji_ratio(text: str) -> float | None:
    """Return the share (0..1) of kanji among letters and digits; None where there are none."""
    letters = len(_LETTER.findall(text))
    return len(_KANJI.findall(text)) / letters if letters else None


def _mean(lengths: Iterable[int]) -> float:
    known = list(lengths)
    return sum(known) / len(known) if known else 0.0
