"""Sentences of English, Japanese and like-punctuated text, by rule."""

from __future__ import annotations

import regex

# A sentence may end after a run of these, with the closing quotes and brackets that follow.
_END = regex.compile(
    r"(?P<wide>(?:[。｡！？]|．(?!\d))[。｡！？!?．]*)[」』）)】〉》”’\"']*"
    r"|(?P<narrow>[.!?…]+)[”’\"')\]]*(?=\s|$)"
    r"|(?P<open>[「『（【〈《])|(?P<close>[」』）】〉》])"
    r"|(?P<line>(?:\r\n|[\n\r\u2028\u2029])\s*)"
)
_CLOSING = frozenset("」』）】〉》")
_ABBREVIATION = regex.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|Sr|Jr|vs|etc|cf|al|approx|Inc|Ltd|Co|Corp|No|Nos|Fig|Figs|Eq|Vol|pp|Gen|Sen|Rep"
    r"|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|e\.g|i\.e|a\.m|p\.m|U\.S|U\.K|Ph\.D)|\b\p{Lu})\.$"
)
_LETTER_OR_DIGIT = regex.compile(r"[\p{L}\p{N}]")
_CONTINUES = regex.compile(r"[\p{Hiragana}、]")
_GOES_ON = regex.compile(r"\p{Ll}")


def sentences(text: str) -> list[str]:
    """Return the sentences, stripped of outer white space; pieces without a letter or digit are left out.

    A sentence ends at ``。 ！ ？`` outside brackets, at ``. ! ?`` before white space (not after an abbreviation or an
    initial, and not where the next word is in lower case), and at a line break, except where one breaks a line of
    running text: the line ends without a full stop and the next begins in lower case.
    """
    pieces = (text[start:end].strip() for start, end in _spans(text))
    return [piece for piece in pieces if _LETTER_OR_DIGIT.search(piece)]


def _spans(text: str) -> list[tuple[int, int]]:
    cuts = [0]
    depth = 0
    for match in _END.finditer(text):
        if match["open"]:
            depth += 1
        elif match["close"]:
            depth = max(depth - 1, 0)
        elif match["line"]:
            if not _runs_on(text, cuts[-1], match):
                depth = 0  # a bracket left open does not reach into the next line
                cuts.append(match.end())
        else:
            depth = max(depth - sum(char in _CLOSING for char in match.group()), 0)
            if depth == 0 and _ends(text, cuts[-1], match):
                cuts.append(match.end())
    return list(zip(cuts, [*cuts[1:], len(text)], strict=True))


def _runs_on(text: str, start: int, match: regex.Match[str]) -> bool:
    """Return whether a line break lies within a sentence."""
    before = text[max(start, match.start() - 3) : match.start()].rstrip()[-1:]
    single = sum(char in "\n\u2028\u2029" for char in match.group()) <= 1
    return single and bool(_GOES_ON.match(text, match.end())) and (before.isalnum() or before in {",", ";"})


def _ends(text: str, start: int, match: regex.Match[str]) -> bool:
    """Return whether a full stop ends the sentence that began at `start`."""
    if match["wide"]:
        return not _quotes(text, start, match)
    if match["narrow"] == "." and _ABBREVIATION.search(text[max(start, match.start() - 12) : match.start() + 1]):
        return False
    following = text[match.end() : match.end() + 3].lstrip()
    return "\n" in text[match.end() : match.end() + 2] or not _GOES_ON.match(following)


def _quotes(text: str, start: int, match: regex.Match[str]) -> bool:
    """Return whether a closed bracket is part of a longer sentence, as in 「行く。」と言った。 (a speech)."""
    closing = match.group()[-1:]
    if closing not in _CLOSING:
        return False
    aside = closing in "）)】〉" and text[start : start + 1] not in "（(【〈"
    return aside or _CONTINUES.match(text, match.end()) is not None
