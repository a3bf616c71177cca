"""Runs of words that two texts have in common, counted as BLEU counts them, in a fraction of sacrebleu's time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedReferences:
    """The references of a case, counted once for all its answers.

    Attributes:
        lengths: words of each.
        runs: for each length of runs: how often the reference has one that has it most.
    """

    lengths: tuple[int, ...]
    runs: Sequence[Counter[Any]]


def count_references(texts: Sequence[Sequence[str]], order: int) -> CountedReferences:
    """Count the runs of up to `order` words of references, at least one, given as their words."""
    by_order = zip(*(_runs(words, order) for words in texts), strict=True)
    runs: list[Counter[Any]] = [reduce(or_, map(Counter, same)) for same in by_order]
    return CountedReferences(lengths=tuple(map(len, texts)), runs=runs)


def sufficient_statistics(words: Sequence[str], references: CountedReferences) -> list[int]:
    """Return what BLEU of an answer's words is computed of, in sacrebleu's order.

    The answer's length, that of the reference nearest to it (of two as near the shorter), the matches of each order,
    the runs of each order in the answer.
    """
    length, order = len(words), len(references.runs)
    nearest = min(references.lengths, key=lambda other: (abs(length - other), other))
    matches = map(_matches, _runs(words, order), references.runs)
    return [length, nearest, *matches, *(max(0, length - before) for before in range(order))]


def _runs(words: Sequence[str], order: int) -> list[Iterable[Any]]:
    """Return the words, the pairs, and so on; what only passes by is never held."""
    longer = (zip(*(words[start:] for start in range(length)), strict=False) for length in range(2, order + 1))
    return [words, *longer]


def _matches(runs: Iterable[Any], known: Counter[Any]) -> int:
    """Return how many runs are among those known, each as often as it is known."""
    found = list(filter(known.__contains__, runs))
    if len(set(found)) == len(found):
        return len(found)
    counts = Counter(found)
    return sum(map(min, counts.values(), map(known.__getitem__, counts)))
