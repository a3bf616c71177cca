"""Exact comparisons: equal, contains, starts and ends with, regular expressions."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import regex
from pydantic import Field, field_validator

from retest.domain.case import Case
from retest.domain.catalog import MetricInfo
from retest.domain.json_value import JsonValue
from retest.domain.sample import MetricFailure, Response, Score, ScoreOutcome
from retest.metrics.base import Metric, MetricContext, MetricOptions
from retest.metrics.normalise import TextOptions, compiled
from retest.metrics.numeric import Numeric
from retest.metrics.references import BadExpectedError, References, quoted, reference_text, shown
from retest.metrics.text_metric import PASSED, TextMetric

_SHOWN_VALUES = 5


def _listing(values: list[str]) -> str:
    listed = ", ".join(quoted(value) for value in values[:_SHOWN_VALUES])
    return listed if len(values) <= _SHOWN_VALUES else f"{listed} and {len(values) - _SHOWN_VALUES} more"


class ExactMatch(TextMetric[TextOptions]):
    """1 where the normalised output equals one of the references."""

    info: ClassVar[MetricInfo] = MetricInfo(
        name="exact_match",
        summary="The output equals the expected text, or one of several",
        options=lambda: TextOptions,
        needs_expected=True,
        binary=True,
        group="Matching",
    )

    def compare(self, answer: str, references: list[str]) -> Score:
        """Return 1 for an equal text."""
        if answer in references:
            return PASSED
        wanted = "expected" if len(references) == 1 else "expected one of"
        return Score(value=0.0, reason=f"{wanted} {_listing(references)}, got {quoted(answer)}")


NonEmpty = Annotated[str, Field(min_length=1)]


class ValuesOptions(TextOptions):
    """Options of the metrics that look for texts in the output."""

    values: NonEmpty | tuple[NonEmpty, ...] | None = Field(
        None, description="The text or texts to look for, for all cases; omitted: each case's `expected`"
    )

    @field_validator("values")
    @classmethod
    def _at_least_one(cls, values: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        if values == ():
            raise ValueError("give at least one text to look for, or omit `values` to use each case's `expected`")
        return values


ValuesOptionsT = TypeVar("ValuesOptionsT", bound=ValuesOptions)


class _ValuesMetric(TextMetric[ValuesOptionsT]):
    """Takes its references from the option `values` where that is given."""

    Options: ClassVar[type[ValuesOptions]] = ValuesOptions

    def __init__(self, options: ValuesOptionsT, context: MetricContext) -> None:
        super().__init__(options, context)
        values = (options.values,) if isinstance(options.values, str) else options.values or ()
        self._values = [self.normalise(value) for value in values]

    def references(self, case: Case) -> list[str] | MetricFailure:
        """Return the option's values, else the case's references."""
        return self._values or super().references(case)

    def prepare_reference(self, value: JsonValue) -> str:
        """Return a reference normalised; an empty one is refused, for every text contains it."""
        normalised = super().prepare_reference(value)
        if not normalised:
            raise BadExpectedError("expected is an empty text, which every output contains")
        return normalised


def _values_info(name: str, summary: str) -> MetricInfo:
    return MetricInfo(
        name=name,
        summary=summary,
        options=lambda: ValuesOptions,
        needs_expected=True,
        instead_of_expected=("values",),
        binary=True,
        group="Matching",
    )


class Contains(_ValuesMetric[ValuesOptions]):
    """1 where one of the values occurs in the output."""

    info: ClassVar[MetricInfo] = _values_info("contains", "The output contains the expected text, or one of several")

    def compare(self, answer: str, references: list[str]) -> Score:
        """Return 1 where any value occurs."""
        for value in references:
            if value in answer:
                return PASSED
        return Score(value=0.0, reason=f"does not contain {_listing(references)}")


class ContainsAny(Contains):
    """The same as `contains`, said outright."""

    info: ClassVar[MetricInfo] = _values_info("contains_any", "The output contains at least one of several texts")


class ContainsAllOptions(ValuesOptions):
    """Options of contains_all."""

    partial: bool = Field(default=False, description="The value is the share of the texts that occur, not 0 or 1")


class ContainsAll(_ValuesMetric[ContainsAllOptions]):
    """1 where every value occurs in the output."""

    Options: ClassVar[type[ContainsAllOptions]] = ContainsAllOptions
    info: ClassVar[MetricInfo] = MetricInfo(
        name="contains_all",
        summary="The output contains every one of several texts",
        options=lambda: ContainsAllOptions,
        needs_expected=True,
        instead_of_expected=("values",),
        binary=True,
        group="Matching",
    )

    def __init__(self, options: ContainsAllOptions, context: MetricContext) -> None:
        super().__init__(options, context)
        self.binary = not options.partial

    def compare(self, answer: str, references: list[str]) -> Score:
        """Return 1, or with `partial` the share, of the values that occur."""
        missing = [value for value in references if value not in answer]
        if not missing:
            return PASSED
        share = 1 - len(missing) / len(references) if self.options.partial else 0.0
        return Score(value=share, reason=f"does not contain {_listing(missing)}")


class NotContains(_ValuesMetric[ValuesOptions]):
    """1 where none of the values occurs in the output; so an empty output scores 1."""

    info: ClassVar[MetricInfo] = _values_info("not_contains", "The output contains none of the texts")

    def compare(self, answer: str, references: list[str]) -> Score:
        """Return 1 where no value occurs."""
        found = [value for value in references if value in answer]
        return Score(value=0.0, reason=f"contains {_listing(found)}") if found else PASSED


class StartsWith(_ValuesMetric[ValuesOptions]):
    """1 where the output starts with one of the values."""

    info: ClassVar[MetricInfo] = _values_info("starts_with", "The output starts with the text, or one of several")

    def compare(self, answer: str, references: list[str]) -> Score:
        """Return 1 where the answer starts with any value."""
        if answer.startswith(tuple(references)):
            return PASSED
        longest = max(map(len, references))
        return Score(value=0.0, reason=f"starts with {quoted(answer[: longest + 1])}, not {_listing(references)}")


class EndsWith(_ValuesMetric[ValuesOptions]):
    """1 where the output ends with one of the values."""

    info: ClassVar[MetricInfo] = _values_info("ends_with", "The output ends with the text, or one of several")

    def compare(self, answer: str, references: list[str]) -> Score:
        """Return 1 where the answer ends with any value."""
        if answer.endswith(tuple(references)):
            return PASSED
        longest = max(map(len, references))
        return Score(value=0.0, reason=f"ends with {quoted(answer[-longest - 1 :])}, not {_listing(references)}")


class RegexOptions(MetricOptions):
    """Options of regex."""

    pattern: str | None = Field(
        None,
        description="Regular expression (the `regex` module: Unicode properties such as `\\p{Han}`); "
        "omitted: each case's `expected`, any of several",
    )
    mode: Literal["search", "fullmatch"] = Field("search", description="Somewhere in the output, or all of it")
    ignore_case: bool = Field(default=False, description="Upper and lower case are the same")
    multiline: bool = Field(default=False, description="`^` and `$` also match at line breaks")
    dotall: bool = Field(default=False, description="`.` also matches line breaks")
    negate: bool = Field(default=False, description="The output must not match")
    nfkc: bool = Field(
        default=False, description="Bring the output (not the pattern) to Unicode NFKC first: full-width １ becomes 1"
    )
    strip: bool = Field(default=False, description="Drop white space at both ends of the output first")
    timeout_s: float = Field(1.0, gt=0, le=60, description="A pattern that takes longer on an output is a failure")

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            compiled(pattern)
        return pattern


class Regex(Metric[RegexOptions]):
    """1 where the output matches."""

    Options: ClassVar[type[RegexOptions]] = RegexOptions
    info: ClassVar[MetricInfo] = MetricInfo(
        name="regex",
        summary="The output matches a regular expression",
        options=lambda: RegexOptions,
        needs_expected=True,
        instead_of_expected=("pattern",),
        binary=True,
        group="Matching",
    )

    def __init__(self, options: RegexOptions, context: MetricContext) -> None:
        super().__init__(options, context)
        flags = ((options.ignore_case, regex.I), (options.multiline, regex.M), (options.dotall, regex.S))
        self._flags = sum(flag for wanted, flag in flags if wanted)
        self._pattern = None if options.pattern is None else compiled(options.pattern, self._flags)
        self._references = References(self._from_expected)

    def score(self, case: Case, response: Response) -> ScoreOutcome:
        """Return whether any pattern matches (with `negate`, none)."""
        patterns = self._references.of(case) if self._pattern is None else [self._pattern]
        if isinstance(patterns, MetricFailure):
            return patterns
        output = self._prepared(response.output)
        for pattern in patterns:
            match = pattern.fullmatch if self.options.mode == "fullmatch" else pattern.search
            try:
                found = match(output, timeout=self.options.timeout_s)
            except TimeoutError:
                return _too_slow(pattern, output, self.options.timeout_s)
            if found is not None:
                return self._matched(pattern, found)
        if self.options.negate:
            return PASSED
        return Score(value=0.0, reason=f"does not match {_listing([pattern.pattern for pattern in patterns])}")

    def _matched(self, pattern: regex.Pattern[str], found: regex.Match[str]) -> Score:
        if not self.options.negate:
            return PASSED
        return Score(value=0.0, reason=f"matches {quoted(pattern.pattern)}: {quoted(found.group())}")

    def _prepared(self, output: str) -> str:
        if self.options.nfkc and not output.isascii():
            output = unicodedata.normalize("NFKC", output)
        return output.strip() if self.options.strip else output

    def _from_expected(self, value: JsonValue) -> regex.Pattern[str]:
        text = reference_text(value)
        if not text:
            raise BadExpectedError(
                f"expected must be a regular expression, not {shown(value)}, which every output matches"
            )
        try:
            return compiled(text, self._flags)
        except ValueError as error:
            raise BadExpectedError(f"expected: {error}") from None


def _too_slow(pattern: regex.Pattern[str], output: str, timeout_s: float) -> MetricFailure:
    return MetricFailure(
        kind="timeout",
        message=f"{quoted(pattern.pattern)} took longer than {timeout_s:g} s on {len(output):,} characters",
    )


METRICS: tuple[type[Metric[Any]], ...] = (
    ExactMatch,
    Contains,
    ContainsAll,
    ContainsAny,
    NotContains,
    StartsWith,
    EndsWith,
    Regex,
    Numeric,
)
