"""Classification: does the answer give the case the label it should have?

Each sample scores 1 or 0; what a whole arm comes to (F1, kappa, calibration, the confusion matrix) is computed from the
labels that the scores keep.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from retest.domain.case import Case
from retest.domain.catalog import MetricInfo
from retest.domain.figures import CLASSIFICATION
from retest.domain.json_value import JsonValue
from retest.domain.sample import MetricFailure, Response, Score, ScoreOutcome
from retest.metrics.base import Metric, MetricContext, MetricOptions, no_expected
from retest.metrics.json_text import JsonOptions, JsonReader, NotJsonError
from retest.metrics.labels import LabelFinder
from retest.metrics.normalise import EXTRACTION_TIMEOUT_S, Extract, Extractor, compiled
from retest.metrics.references import BadExpectedError, quoted, reference_text

_PERCENTAGE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:%|％|パーセント|per ?cent)", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)")
_SHOWN_LABELS = 12


def _as_text(value: object) -> object:
    """Return numbers and booleans as JSON writes them: labels may be 1 to 5."""
    return json.dumps(value) if isinstance(value, bool | int | float) else value


Label = Annotated[str, BeforeValidator(_as_text), Field(min_length=1)]
Labels = Annotated[tuple[Label, ...], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]


class Confidence(BaseModel):
    """Where an answer states how sure it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    field: str | None = Field(None, description="Field of JSON output, such as `confidence` or `label.probability`")
    pattern: str | None = Field(None, description="Regular expression; its first group is the number, last match")
    percent: bool = Field(default=False, description="The number is on a scale from 0 to 100, with or without a %")

    @model_validator(mode="after")
    def _one_place(self) -> Confidence:
        if (self.field is None) == (self.pattern is None):
            raise ValueError("give either `field` or `pattern`")
        if self.pattern is not None:
            compiled(self.pattern)
        return self


class ClassificationOptions(MetricOptions):
    """Options of classification."""

    labels: tuple[Label, ...] = Field(min_length=2, description="Every label that a case can have")
    aliases: Mapping[str, Labels] = Field(
        default_factory=dict, description="Label to other spellings of it, such as `refund: [money back, 返金]`"
    )
    find: Literal["whole", "first", "last"] = Field(
        "whole",
        description="The answer is a label and nothing else (but punctuation and marks around it), or the `first` "
        "or the `last` label in its text counts",
    )
    field: str | None = Field(
        None, description="Look at this field of JSON output, such as `label` or `result.label`; also in a code fence"
    )
    extract: Extract | str | None = Field(
        None, description="Look only at what this regular expression finds (its first group, last match)"
    )
    casefold: bool = Field(default=True, description="Upper and lower case are the same; width never counts")
    confidence: Literal["percentage"] | Confidence | None = Field(
        None,
        description="How sure the answer says it is, for the calibration: `percentage` takes the last percentage in "
        "the text, an object has `field` or `pattern`, and `percent`",
    )

    @model_validator(mode="after")
    def _spellings_differ(self) -> ClassificationOptions:
        if len(set(self.labels)) < len(self.labels):
            raise ValueError("`labels` has the same label twice")
        unknown = [label for label in self.aliases if label not in self.labels]
        if unknown:
            raise ValueError(f"`aliases` has {', '.join(map(repr, unknown))}, which is none of `labels`")
        if isinstance(self.extract, str):
            compiled(self.extract)
        self.finder()
        return self

    def finder(self) -> LabelFinder:
        """Return what finds these labels."""
        return LabelFinder(self.labels, self.aliases, casefold=self.casefold)


class ExpectedLabels:
    """Reads which labels a case should have."""

    def __init__(self, options: ClassificationOptions) -> None:
        self._labels = options.labels
        self._finder = options.finder()

    def of(self, references: Sequence[JsonValue]) -> list[str]:
        """Return the labels, each once.

        Raises:
            BadExpectedError: one of the references is none of the labels.
        """
        return list(dict.fromkeys(map(self._label, references)))

    def _label(self, value: JsonValue) -> str:
        text = reference_text(value)
        label = self._finder.of(text)
        if label is None:
            shown = ", ".join(self._labels[:_SHOWN_LABELS])
            more = len(self._labels) - _SHOWN_LABELS
            rest = f" and {more} more" if more > 0 else ""
            raise BadExpectedError(f"expected {quoted(text)} is none of the labels: {shown}{rest}")
        return label


def _check_expected(options: ClassificationOptions) -> Callable[[JsonValue], str | None]:
    labels = ExpectedLabels(options)

    def check(expected: JsonValue) -> str | None:
        try:
            labels.of(expected if isinstance(expected, list | tuple) else (expected,))
        except BadExpectedError as error:
            return str(error)
        return None

    return check


class Classification(Metric[ClassificationOptions]):
    """1 where the answer's label is the expected one; an answer without a label is wrong."""

    Options: ClassVar[type[MetricOptions]] = ClassificationOptions
    info: ClassVar[MetricInfo] = MetricInfo(
        name="classification",
        summary="The answer gives the expected label; F1, kappa, calibration and a confusion matrix for the whole run",
        options=lambda: ClassificationOptions,
        needs_expected=True,
        binary=True,
        group="Matching",
        figures=CLASSIFICATION,
        check_expected=_check_expected,
    )

    def __init__(self, options: ClassificationOptions, context: MetricContext) -> None:
        super().__init__(options, context)
        self._finder = options.finder()
        self._expected = ExpectedLabels(options)
        self._reader = JsonReader(JsonOptions(strict=False))
        self._extract = None if options.extract is None else Extractor(options.extract)
        rule = options.confidence
        pattern = rule.pattern if isinstance(rule, Confidence) else None
        self._confidence_pattern = None if pattern is None else Extractor(pattern)

    def score(self, case: Case, response: Response) -> ScoreOutcome:
        """Return 1 for the expected label; of several expected ones any will do."""
        try:
            expected = self._expected.of(case.references)
        except BadExpectedError as error:
            return MetricFailure(kind="bad_expected", message=str(error))
        if not expected:
            return no_expected()
        try:
            predicted, where = self._predicted(response.output)
            confidence = self._confidence(response.output)
        except TimeoutError:
            return _too_slow(response.output)
        right = predicted is not None and predicted in expected
        details: dict[str, JsonValue] = {"expected": predicted if right else expected[0], "predicted": predicted}
        if self.options.confidence is not None:
            details["confidence"] = confidence
        reason = None if right else _reason(expected, predicted, where)
        return Score(value=float(right), reason=reason, details=details)

    def _predicted(self, output: str) -> tuple[str | None, str]:
        """Return the label, and the text in which it was looked for."""
        text = output
        if self.options.field is not None:
            found = self._at(output, self.options.field)
            if not isinstance(found, str | bool | int | float):
                return None, output
            text = str(_as_text(found))
        if self._extract is not None:
            extracted = self._extract(text)
            if extracted is None:
                return None, text
            text = extracted
        if self.options.find == "whole":
            return self._finder.of(text), text
        return self._finder.within(text, self.options.find), text

    def _at(self, output: str, path: str) -> JsonValue:
        """Return a field of JSON output, None where there is none."""
        try:
            value = self._reader.read(output)
        except NotJsonError:
            return None
        for name in path.removeprefix("/").split("/") if path.startswith("/") else path.split("."):
            if isinstance(value, Mapping):
                value = value.get(name)
            elif isinstance(value, list) and name.isascii() and name.isdigit() and int(name) < len(value):
                value = value[int(name)]
            else:
                return None
        return value

    def _confidence(self, output: str) -> float | None:
        """Return the stated confidence from 0 to 1, None where none is stated or it is beyond the scale."""
        rule = self.options.confidence
        if rule is None:
            return None
        if rule == "percentage":
            stated = _PERCENTAGE.findall(self._plain(output))
            return _on_scale(float(stated[-1]) / 100) if stated else None
        found = self._at(output, rule.field) if rule.field is not None else self._matched(output)
        if isinstance(found, bool) or not isinstance(found, str | int | float):
            return None
        return _stated(self._plain(str(found)), percent=rule.percent)

    def _matched(self, output: str) -> str | None:
        return None if self._confidence_pattern is None else self._confidence_pattern(output) or None

    @staticmethod
    def _plain(text: str) -> str:
        """Return full-width digits and signs as ordinary ones."""
        return text if text.isascii() else unicodedata.normalize("NFKC", text)


def _stated(text: str, *, percent: bool) -> float | None:
    number = _NUMBER.search(text)
    if number is None:
        return None
    value = float(number.group())
    return _on_scale(value / 100 if percent or "%" in text[number.end() :][:2] else value)


def _on_scale(value: float) -> float | None:
    return value if 0 <= value <= 1 else None


def _reason(expected: list[str], predicted: str | None, text: str) -> str:
    wanted = " or ".join(quoted(label) for label in expected)
    if predicted is None:
        return f"expected {wanted}, found no label in {quoted(text.strip())}"
    return f"expected {wanted}, got {quoted(predicted)}"


def _too_slow(output: str) -> MetricFailure:
    message = f"looking for the label took longer than {EXTRACTION_TIMEOUT_S:g} s on {len(output):,} characters"
    return MetricFailure(kind="timeout", message=message)


METRICS: tuple[type[Metric[Any]], ...] = (Classification,)
