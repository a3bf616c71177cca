"""Measures of one ranked list of ids against graded relevance, defined as trec_eval defines them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

Gain = Literal["linear", "exponential"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """A ranked list beside what is relevant.

    Attributes:
        returned: ids, the best first, each once.
        grades: id -> grade of relevance; ids that are absent have grade 0.
        relevant_from: least grade that counts as relevant where only yes or no matters.
    """

    returned: Sequence[str]
    grades: Mapping[str, float]
    relevant_from: float = 1.0

    @property
    def n_relevant(self) -> int:
        """Return how many documents are relevant, returned or not."""
        return sum(grade >= self.relevant_from for grade in self.grades.values())

    def hits(self, k: int | None = None) -> list[bool]:
        """Return for each of the first `k` ranks whether its document is relevant."""
        return [self.grades.get(doc, 0.0) >= self.relevant_from for doc in islice(self.returned, k)]

    def precision(self, k: int) -> float:
        """Return the share of the first `k` ranks that is relevant; a rank without a document is not."""
        return sum(self.hits(k)) / k

    def recall(self, k: int | None = None) -> float:
        """Return the share of the relevant documents among the first `k`."""
        return sum(self.hits(k)) / self.n_relevant

    def hit_rate(self, k: int | None = None) -> float:
        """Return 1 where at least one of the first `k` is relevant (success@k)."""
        return float(any(self.hits(k)))

    def reciprocal_rank(self, k: int | None = None) -> float:
        """Return 1 over the rank of the first relevant document, 0 where none of the first `k` is."""
        return next((1 / rank for rank, hit in enumerate(self.hits(k), 1) if hit), 0.0)

    def average_precision(self, k: int | None = None) -> float:
        """Return the mean over all relevant documents of the precision at their ranks, 0 for those not returned."""
        found = 0
        total = 0.0
        for rank, hit in enumerate(self.hits(k), 1):
            if hit:
                found += 1
                total += found / rank
        return total / self.n_relevant

    def ndcg(self, k: int | None = None, gain: Gain = "linear") -> float:
        """Return discounted gain over that of the best order (Järvelin & Kekäläinen 2002; discount log2(rank + 1))."""
        ideal = sorted((grade for grade in self.grades.values() if grade > 0), reverse=True)
        found = [max(self.grades.get(doc, 0.0), 0.0) for doc in islice(self.returned, k)]
        return min(_discounted(found, gain) / _discounted(ideal[:k], gain), 1.0)


def _discounted(grades: Sequence[float], gain: Gain) -> float:
    return sum(
        (grade if gain == "linear" else 2.0**grade - 1) / math.log2(rank + 1) for rank, grade in enumerate(grades, 1)
    )
