"""What figures of a whole arm are computed from, sample by sample in flat arrays; read from the scores' details."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from retest.domain.json_value import JsonValue
from retest.domain.sample import Score, ScoreOutcome

Details: TypeAlias = Mapping[str, JsonValue]


@dataclass(slots=True)
class FigureFacts:
    """One metric on one arm: a row of numbers for each scored sample, under its place in the table.

    `labels` numbers the labels that rows refer to, as they first appear; no label is -1.
    """

    metric: str
    places: array[int] = field(default_factory=lambda: array("q"))
    rows: array[float] = field(default_factory=lambda: array("d"))
    width: int = 0
    labels: dict[str, int] = field(default_factory=dict)

    def put(self, place: int, outcome: ScoreOutcome) -> None:
        """Keep what a score says; a failure, or a score made before such details were kept, says nothing."""
        if isinstance(outcome, Score) and outcome.details is not None:
            self.put_details(place, outcome.details)

    def put_details(self, place: int, details: Details) -> None:
        """Keep what the details of a score say."""
        row = _READERS[self.metric](self, details)
        if row is None or (self.width and len(row) != self.width):
            return
        self.width = len(row)
        self.places.append(place)
        self.rows.extend(row)

    def code(self, label: str) -> float:
        """Return the number of a label."""
        return float(self.labels.setdefault(label, len(self.labels)))


def _labels(facts: FigureFacts, details: Details) -> list[float] | None:
    expected, predicted, confidence = (details.get(key) for key in ("expected", "predicted", "confidence"))
    if not isinstance(expected, str) or not (predicted is None or isinstance(predicted, str)):
        return None
    return [
        facts.code(expected),
        -1.0 if predicted is None else facts.code(predicted),
        float(confidence) if isinstance(confidence, int | float) else math.nan,
    ]


def _bleu(_: FigureFacts, details: Details) -> list[float] | None:
    lengths = [details.get("answer_tokens"), details.get("reference_tokens")]
    return _numbers(lengths, details.get("counts"), details.get("totals"))


def _chrf(_: FigureFacts, details: Details) -> list[float] | None:
    return _numbers(details.get("ngrams"))


def _ter(_: FigureFacts, details: Details) -> list[float] | None:
    return _numbers([details.get("edits"), details.get("reference_words")])


def _numbers(*parts: JsonValue) -> list[float] | None:
    """Return all numbers in a row, None where one is missing."""
    flat: list[float] = []
    for part in parts:
        if not isinstance(part, Sequence) or isinstance(part, str):
            return None
        for value in part:
            if not isinstance(value, int | float):
                return None
            flat.append(float(value))
    return flat


_READERS: Mapping[str, Callable[[FigureFacts, Details], list[float] | None]] = {
    "classification": _labels,
    "bleu": _bleu,
    "chrf": _chrf,
    "ter": _ter,
}
FIGURE_METRICS = frozenset(_READERS)
"""Registered names of the metrics that have figures."""
