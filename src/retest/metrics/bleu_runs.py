"""Runs of words that two texts have in common, counted as BLEU counts them, in a fraction of sacrebleu's time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

Run = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """The runs of one length in a text, or in several; `counts` is None where each occurs once."""

    distinct: frozenset[Run]
    counts: Counter[Run] | None

    def matches(self, other: Runs) -> int:
        """Return how many of these are among the others, each as often as the others have it."""
        common = self.distinct & other.distinct
        if self.counts is None or other.counts is None:
            return len(common)
        return sum(min(self.counts[run], other.counts[run]) for run in common)

    def __or__(self, other: Runs) -> Runs:
        """Return the runs of both texts, each as often as the text has it that has it most."""
        if self.counts is None and other.counts is None:
            return Runs(distinct=self.distinct | other.distinct, counts=None)
        return _runs((self.counts or Counter(self.distinct)) | (other.counts or Counter(other.distinct)))


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedText:
    """A text's number of words, and its runs of one word, of two, and so on."""

    words: int
    runs: Sequence[Runs]


def count_runs(text: str, order: int) -> CountedText:
    """Return the runs of up to `order` words of a text whose words stand between spaces."""
    words = text.split()
    runs = []
    for length in range(1, order + 1):
        found = list(zip(*(words[start:] for start in range(length)), strict=False))
        distinct = frozenset(found)
        runs.append(Runs(distinct=distinct, counts=None if len(distinct) == len(found) else Counter(found)))
    return CountedText(words=len(words), runs=runs)


def sufficient_statistics(answer: CountedText, references: Sequence[CountedText]) -> list[int]:
    """Return what BLEU is computed of, in sacrebleu's order.

    The answer's length, that of the reference nearest to it (of two as near the shorter), the matches of each order,
    the runs of each order in the answer.
    """
    _, nearest = min((abs(answer.words - text.words), text.words) for text in references)
    best = list(references[0].runs)
    for text in references[1:]:
        best = [one | other for one, other in zip(best, text.runs, strict=True)]
    matches = [own.matches(theirs) for own, theirs in zip(answer.runs, best, strict=True)]
    totals = [max(0, answer.words - before) for before in range(len(matches))]
    return [answer.words, nearest, *matches, *totals]


def _runs(counts: Counter[Run]) -> Runs:
    return Runs(distinct=frozenset(counts), counts=counts)
