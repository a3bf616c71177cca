"""How close the output's characters are to the reference's."""

from __future__ import annotations

from typing import Any, ClassVar

from retest.domain.catalog import MetricInfo
from retest.domain.sample import Score
from retest.metrics.base import Metric
from retest.metrics.normalise import TextOptions
from retest.metrics.references import quoted
from retest.metrics.text_metric import PASSED, TextMetric


class Similarity(TextMetric[TextOptions]):
    """1 minus the Levenshtein distance over the longer length; the closest reference counts."""

    info: ClassVar[MetricInfo] = MetricInfo(
        name="similarity",
        summary="Share of characters that need no edit to become the expected text (Levenshtein, 1 = equal)",
        options=lambda: TextOptions,
        needs_expected=True,
        group="Matching",
    )

    def compare(self, answer: str, references: list[str]) -> Score:
        """Return the similarity to the closest reference."""
        from rapidfuzz.distance.Levenshtein import normalized_similarity  # not loaded where suites are only checked

        best = max(references, key=lambda reference: normalized_similarity(answer, reference))
        value = normalized_similarity(answer, best)
        if value == 1:
            return PASSED
        return Score(value=value, reason=f"closest to {quoted(best)}")

    def signature_parts(self) -> tuple[str, ...]:
        """Return the library that measures the distance."""
        from importlib.metadata import version

        return (f"rapidfuzz:{version('rapidfuzz')}",)


METRICS: tuple[type[Metric[Any]], ...] = (Similarity,)
