"""Two answers, word by word: what went and what came, cut by the rules of each language."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from retest.text.words import segments

_MAX_CHARS = 4_000  # of each answer: comparing takes time that grows with the square
_KEPT = 40  # characters of equal text kept on each side of a change
_MIN_LIKENESS = 0.25  # below, the answers have little more in common than punctuation

PieceKind = Literal["same", "removed", "added", "skipped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A stretch of text of one side."""

    kind: PieceKind
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WordDiff:
    """Both sides as pieces; where the texts have next to nothing in common, each is one piece that is the same."""

    before: tuple[Piece, ...]
    after: tuple[Piece, ...]


def diff_words(before: str, after: str, *, max_chars: int = 400) -> WordDiff:
    """Return both texts with the words that differ marked; long stretches of equal text are cut to their ends.

    Args:
        before: any text; past 4,000 characters it is not looked at.
        after: the same.
        max_chars: of each side in the result.
    """
    first, second = segments(before[:_MAX_CHARS]), segments(after[:_MAX_CHARS])
    # Blanks are half of all segments: looked for on their own they take most of the time and start matches nobody sees.
    matcher = SequenceMatcher(str.isspace, first, second, autojunk=False)
    if matcher.ratio() < _MIN_LIKENESS:
        return WordDiff(before=_plain(before, max_chars), after=_plain(after, max_chars))
    old: list[Piece] = []
    new: list[Piece] = []
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            same = Piece(kind="same", text="".join(first[i1:i2]))
            old.append(same)
            new.append(same)
            continue
        if i2 > i1:
            old.append(Piece(kind="removed", text="".join(first[i1:i2])))
        if j2 > j1:
            new.append(Piece(kind="added", text="".join(second[j1:j2])))
    return WordDiff(before=_shorten(old, max_chars), after=_shorten(new, max_chars))


def _plain(text: str, max_chars: int) -> tuple[Piece, ...]:
    return _cut([Piece(kind="same", text=text)], max_chars)


def _shorten(pieces: Sequence[Piece], max_chars: int) -> tuple[Piece, ...]:
    """Return the pieces with the middle of long equal stretches left out, where all would be too long."""
    if sum(len(piece.text) for piece in pieces) <= max_chars:
        return tuple(pieces)
    last = len(pieces) - 1
    shortened = [part for place, piece in enumerate(pieces) for part in _trimmed(piece, place == 0, place == last)]
    return _cut(shortened, max_chars)


def _trimmed(piece: Piece, is_first: bool, is_last: bool) -> Iterator[Piece]:  # noqa: FBT001 - where the piece stands
    text = piece.text
    if piece.kind != "same" or len(text) <= 2 * _KEPT:
        yield piece
        return
    if not is_first:
        yield Piece(kind="same", text=text[:_KEPT])
    yield Piece(kind="skipped", text="…")
    if not is_last:
        yield Piece(kind="same", text=text[-_KEPT:])


def _cut(pieces: Sequence[Piece], max_chars: int) -> tuple[Piece, ...]:
    kept: list[Piece] = []
    room = max_chars
    for piece in pieces:
        if len(piece.text) > room:
            kept += [Piece(kind=piece.kind, text=piece.text[:room]), Piece(kind="skipped", text="…")]
            return tuple(kept)
        kept.append(piece)
        room -= len(piece.text)
    return tuple(kept)
