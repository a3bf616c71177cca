"""Numbers in the output, compared as numbers."""

from __future__ import annotations

from fractions import Fraction
from math import isfinite
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from retest.domain.case import Case
from retest.domain.catalog import MetricInfo
from retest.domain.json_value import JsonValue
from retest.domain.sample import MetricFailure, Response, Score, ScoreOutcome
from retest.metrics.base import Metric, MetricContext, MetricOptions
from retest.metrics.normalise import EXTRACTION_TIMEOUT_S, Extract, Extractor, compiled
from retest.metrics.numbers import FoundNumber, first_number, last_number
from retest.metrics.references import BadExpectedError, References, shown
from retest.metrics.text_metric import PASSED

_NO_NUMBER = Score(value=0.0, reason="no number in the output")
_NOTHING_EXTRACTED = Score(value=0.0, reason="`extract` matches nothing in the output")
_SHOWN_DIGITS = 40


class NumericOptions(MetricOptions):
    """Options of numeric."""

    which: Literal["last", "first"] = Field("last", description="Which number of the output is the answer")
    tolerance: float = Field(
        0.0, ge=0, allow_inf_nan=False, description="Absolute difference that still counts as equal"
    )
    rel_tolerance: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="The same as a share of the expected number; the wider of the two holds",
    )
    percent: Literal["number", "fraction"] = Field(
        "number", description="Whether 50% is 50 or 0.5, in the output and in `expected`"
    )
    decimal_mark: Literal[".", ","] = Field(".", description="`,` reads 1.234,5 as the European thousand and something")
    extract: Extract | str | None = Field(
        None,
        description="Look only in the part of the output that this regular expression finds (first group, last match)",
    )

    @field_validator("extract")
    @classmethod
    def _extract_compiles(cls, extract: Extract | str | None) -> Extract | str | None:
        if isinstance(extract, str):
            compiled(extract)
        return extract


class Numeric(Metric[NumericOptions]):
    """1 where the output's number equals one of the references within the tolerance."""

    Options: ClassVar[type[NumericOptions]] = NumericOptions
    info: ClassVar[MetricInfo] = MetricInfo(
        name="numeric",
        summary="The last (or first) number in the output equals the expected number",
        options=lambda: NumericOptions,
        needs_expected=True,
        binary=True,
        group="Matching",
    )

    def __init__(self, options: NumericOptions, context: MetricContext) -> None:
        super().__init__(options, context)
        self._find = last_number if options.which == "last" else first_number
        self._tolerance = _exact(options.tolerance)
        self._rel_tolerance = _exact(options.rel_tolerance)
        self._extract = None if options.extract is None else Extractor(options.extract)
        self._references = References(self._from_expected)

    def score(self, case: Case, response: Response) -> ScoreOutcome:
        """Return whether the output's number is one of the expected ones."""
        references = self._references.of(case)
        if isinstance(references, MetricFailure):
            return references
        output: str | None = response.output
        if self._extract is not None:
            try:
                output = self._extract(response.output)
            except TimeoutError:
                return MetricFailure(
                    kind="timeout",
                    message=f"`extract` took longer than {EXTRACTION_TIMEOUT_S:g} s "
                    f"on {len(response.output):,} characters",
                )
        if output is None:
            return _NOTHING_EXTRACTED
        found = self._find(output, decimal_mark=self.options.decimal_mark)
        return _NO_NUMBER if found is None else self._compare(found, references)

    def _compare(self, found: FoundNumber, references: list[Fraction]) -> Score:
        readings = self._readings(found)
        for wanted in references:
            allowed = max(self._tolerance, self._rel_tolerance * abs(wanted))
            if any(abs(value - wanted) <= allowed for value in readings):
                return PASSED
        expected = " or ".join(map(_written, references))
        return Score(value=0.0, reason=f"expected {expected}, got {_written(readings[0])}")

    def _readings(self, found: FoundNumber) -> list[Fraction]:
        readings = [found.value] if found.unscaled is None else [found.value, found.unscaled]
        if found.percent and self.options.percent == "fraction":
            return [value / 100 for value in readings]
        return readings

    def _from_expected(self, value: JsonValue) -> Fraction:
        if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
            return _exact(value)
        if isinstance(value, str):
            found = last_number(value, decimal_mark=self.options.decimal_mark)
            if found is not None:
                return self._readings(found)[0]
        raise BadExpectedError(f"expected must be a number or a text with one, not {shown(value)}")


def _exact(value: float) -> Fraction:
    """Return the number that is written, so that 0.1 is a tenth."""
    return Fraction(value) if isinstance(value, int) else Fraction(repr(value))


def _written(value: Fraction) -> str:
    if value.denominator == 1 and abs(value.numerator) < 10**_SHOWN_DIGITS:
        return f"{value.numerator:,}"
    try:
        return f"{float(value):.12g}"
    except OverflowError:
        return "a number beyond 1e308"
