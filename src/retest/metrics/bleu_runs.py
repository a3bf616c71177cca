"""Runs of words that two texts have in common, counted as BLEU counts them, in a fraction of sacrebleu's time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any, TypeAlias

Known: TypeAlias = frozenset[Any] | Counter[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedReferences:
    """The references of a case, counted once for all its answers.

    Attributes:
        lengths: words of each.
        runs: for each length of runs: how often the reference has one that has it most; a set where that is once each.
    """

    lengths: tuple[int, ...]
    runs: Sequence[Known]


def count_references(texts: Sequence[Sequence[str]], order: int) -> CountedReferences:
    """Count the runs of up to `order` words of references, at least one, given as their words."""
    runs = [_known(texts, length) for length in range(1, order + 1)]
    return CountedReferences(lengths=tuple(map(len, texts)), runs=runs)


def _known(texts: Sequence[Sequence[str]], length: int) -> Known:
    if len(texts) == 1:
        distinct = frozenset(_runs(texts[0], length))
        if len(distinct) == max(0, len(texts[0]) - length + 1):
            return distinct  # made in half the time of a count
    counted: Counter[Any] = reduce(or_, (Counter(_runs(words, length)) for words in texts))
    return counted


def sufficient_statistics(words: Sequence[str], references: CountedReferences) -> list[int]:
    """Return what BLEU of an answer's words is computed of, in sacrebleu's order.

    The answer's length, that of the reference nearest to it (of two as near the shorter), the matches of each order,
    the runs of each order in the answer.
    """
    length, order = len(words), len(references.runs)
    nearest = min(references.lengths, key=lambda other: (abs(length - other), other))
    matches = [_matches(_runs(words, number), known) for number, known in enumerate(references.runs, 1)]
    return [length, nearest, *matches, *(max(0, length - before) for before in range(order))]


def _runs(words: Sequence[str], length: int) -> Iterable[Any]:
    """Return the words, the pairs, and so on; what only passes by is never held."""
    return words if length == 1 else zip(*(words[start:] for start in range(length)), strict=False)


def _matches(runs: Iterable[Any], known: Known) -> int:
    """Return how many runs are among those known, each as often as it is known."""
    found = list(filter(known.__contains__, runs))
    distinct = len(set(found))
    if distinct == len(found) or isinstance(known, frozenset):
        return distinct
    counts = Counter(found)
    return sum(map(min, counts.values(), map(known.__getitem__, counts)))
