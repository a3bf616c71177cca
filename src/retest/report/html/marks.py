"""What changed, marked: words of two answers, lines of two prompts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from functools import lru_cache

from retest.domain.comparison import PromptChange
from retest.domain.pages import CaseDetail, CaseSide, ShownSample
from retest.domain.sample import Response
from retest.report.word_diff import Piece, diff_words

_COMPARED = 4_000  # characters of each answer in which words are compared: the time grows with the square
_AT_ONCE = 4  # pairs of answers of that length on one page; of more pairs less is compared, in the same time
_SHORT = 160  # of both: marked whole where nothing is alike, for two labels are read at a glance
_PROMPT_LINES = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedSample:
    """A sample with its answer in pieces; `rest` characters of it are left out."""

    sample: ShownSample
    side: str
    pieces: tuple[Piece, ...] = ()
    rest: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRow:
    """The samples of one index, side by side; None where a side has none."""

    after: MarkedSample | None
    before: MarkedSample | None = None


def sample_rows(detail: CaseDetail, most_chars: int) -> list[SampleRow]:
    """Return the samples of a case, those of one index beside each other, the words that differ marked."""
    if detail.before is None:
        return [SampleRow(after=_whole(sample, "after", most_chars)) for sample in detail.after.samples]
    before, after = _by_index(detail.before), _by_index(detail.after)
    indexes = sorted(before.keys() | after.keys())
    compared = int(_COMPARED * min(1.0, math.sqrt(_AT_ONCE / max(1, len(indexes)))))
    return [_marked_row(before.get(index), after.get(index), most_chars, compared) for index in indexes]


def can_be_compared(row: SampleRow) -> bool:
    """Return whether a person can say which of the two is better: both answered, and not alike."""
    outcomes = [None if marked is None else marked.sample.outcome for marked in (row.before, row.after)]
    texts = [outcome.output for outcome in outcomes if isinstance(outcome, Response)]
    return len(texts) == len(outcomes) and texts[0] != texts[1]


def _by_index(side: CaseSide) -> dict[int, ShownSample]:
    return {sample.sample_index: sample for sample in side.samples}


def _marked_row(before: ShownSample | None, after: ShownSample | None, most_chars: int, compared: int) -> SampleRow:
    first, second = _output(before), _output(after)
    if before is None or after is None or not first or not second or first == second:
        return SampleRow(
            before=None if before is None else _whole(before, "before", most_chars),
            after=None if after is None else _whole(after, "after", most_chars),
        )
    old, new = marked_texts(first[:most_chars], second[:most_chars], compared)
    return SampleRow(
        before=MarkedSample(sample=before, side="before", pieces=old, rest=max(0, len(first) - most_chars)),
        after=MarkedSample(sample=after, side="after", pieces=new, rest=max(0, len(second) - most_chars)),
    )


def _whole(sample: ShownSample, side: str, most_chars: int) -> MarkedSample:
    output = _output(sample)
    pieces = (Piece(kind="same", text=output[:most_chars]),) if output else ()
    return MarkedSample(sample=sample, side=side, pieces=pieces, rest=max(0, len(output) - most_chars))


def _output(sample: ShownSample | None) -> str:
    return sample.outcome.output if sample is not None and isinstance(sample.outcome, Response) else ""


@lru_cache(maxsize=512)  # short answers come again and again
def marked_texts(before: str, after: str, compared: int = _COMPARED) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Return both texts whole, with the words that differ marked; past so many characters nothing is marked."""
    found = diff_words(before[:compared], after[:compared], max_chars=2 * _COMPARED)
    if len(before) + len(after) <= _SHORT and all(piece.kind == "same" for piece in (*found.before, *found.after)):
        return (Piece(kind="removed", text=before),), (Piece(kind="added", text=after),)
    return _joined([*found.before, *_tail(before, compared)]), _joined([*found.after, *_tail(after, compared)])


def _tail(text: str, compared: int) -> list[Piece]:
    return [Piece(kind="same", text=text[compared:])] if len(text) > compared else []


def _joined(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Return the pieces with neighbours of one kind as one, and changed words with only blanks between as one."""
    joined: list[Piece] = []
    for piece in pieces:
        if joined and joined[-1].kind == piece.kind:
            joined[-1] = Piece(kind=piece.kind, text=joined[-1].text + piece.text)
        elif len(joined) > 1 and joined[-2].kind == piece.kind != "same" and joined[-1].text.isspace():
            blank = joined.pop()
            joined[-1] = Piece(kind=piece.kind, text=joined[-1].text + blank.text + piece.text)
        else:
            joined.append(piece)
    return tuple(joined)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffLine:
    """A line of a prompt's diff: ``add``, ``del``, ``at`` (a place) or ``same``."""

    kind: str
    text: str


def prompt_lines(change: PromptChange) -> list[DiffLine]:
    """Return the lines that changed in a prompt, with those around them; empty where only an included file changed."""
    return list(text_diff(change.before, change.after))


def text_diff(before: str, after: str) -> Iterator[DiffLine]:
    """Yield the lines that differ, with three lines around them."""
    lines = unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=3)
    for number, line in enumerate(lines):
        if number < 2:  # noqa: PLR2004 - the names of the files
            continue
        if number > _PROMPT_LINES:
            yield DiffLine(kind="at", text="…")
            return
        yield DiffLine(kind={"+": "add", "-": "del", "@": "at"}.get(line[:1], "same"), text=line)
