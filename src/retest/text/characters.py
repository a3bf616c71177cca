"""Characters as a reader counts them, and text made safe for libraries written in C."""

from __future__ import annotations

import regex

_GRAPHEME = regex.compile(r"\X")
# Lone surrogates cannot be encoded, and MeCab ends at NUL: both occur in recorded outputs.
_UNSAFE = regex.compile(r"[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff]")


def graphemes(text: str) -> list[str]:
    """Return the grapheme clusters of a text, such as a family emoji or a letter with its accents; joined, the text."""
    return _GRAPHEME.findall(text)


def grapheme_count(text: str) -> int:
    """Return how many characters a reader sees; a line break counts as one, also where it is CR LF."""
    if text.isascii():
        return len(text) - text.count("\r\n")
    return sum(1 for _ in _GRAPHEME.finditer(text))


def encodable(text: str) -> str:
    """Return a text of the same length in code points that any library can take.

    Lone surrogates become U+FFFD, NUL and other control characters become spaces; line breaks and tabs stay.
    """
    if text.isprintable():
        return text
    return _UNSAFE.sub(lambda match: "�" if match.group() >= "\ud800" else " ", text)
