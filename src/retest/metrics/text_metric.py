"""Base of the metrics that compare the output's text with reference texts."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, TypeVar

from retest.domain.case import Case
from retest.domain.json_value import JsonValue
from retest.domain.sample import MetricFailure, Response, Score, ScoreOutcome
from retest.metrics.base import Metric, MetricContext
from retest.metrics.normalise import EXTRACTION_TIMEOUT_S, Normaliser, TextOptions, extractor
from retest.metrics.references import BadExpectedError, References, quoted, reference_text

TextOptionsT = TypeVar("TextOptionsT", bound=TextOptions)

PASSED = Score(value=1.0)
_NOTHING_EXTRACTED = Score(value=0.0, reason="`extract` matches nothing in the output")


class TextMetric(Metric[TextOptionsT]):
    """Extracts and normalises the output, prepares the references, and leaves the comparison to `compare`.

    An empty output is an answer like any other, and so is a refusal.
    """

    Options: ClassVar[type[TextOptions]] = TextOptions

    def __init__(self, options: TextOptionsT, context: MetricContext) -> None:
        super().__init__(options, context)
        self.normalise = Normaliser(options)
        self._extract = extractor(options)
        self._references = References(self.prepare_reference)

    def score(self, case: Case, response: Response) -> ScoreOutcome:
        """Score the output against the best of the references."""
        references = self.references(case)
        if isinstance(references, MetricFailure):
            return references
        output = response.output
        if self._extract is not None:
            try:
                found = self._extract(output)
            except TimeoutError:
                return MetricFailure(
                    kind="timeout",
                    message=f"`extract` took longer than {EXTRACTION_TIMEOUT_S:g} s on {len(output):,} characters",
                )
            if found is None:
                return _NOTHING_EXTRACTED
            output = found
        return self.compare(self.normalise(output), references)

    def references(self, case: Case) -> list[str] | MetricFailure:
        """Return the normalised references of a case, at least one."""
        return self._references.of(case)

    def prepare_reference(self, value: JsonValue) -> str:
        """Return a reference normalised like the output.

        Raises:
            BadExpectedError: it is no text, or nothing is left of it.
        """
        text = reference_text(value)
        normalised = self.normalise(text)
        if text and not normalised:
            raise BadExpectedError(f"nothing is left of expected {quoted(text)} after normalisation")
        return normalised

    @abstractmethod
    def compare(self, answer: str, references: list[str]) -> Score:
        """Score a normalised answer against normalised references, at least one."""
