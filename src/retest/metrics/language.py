"""Which language an answer is in, and whether it is a refusal."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import regex
from pydantic import Field, field_validator, model_validator

from retest.domain.case import Case
from retest.domain.catalog import MetricInfo
from retest.domain.json_value import JsonValue
from retest.domain.sample import MetricFailure, Response, Score, ScoreOutcome
from retest.metrics.base import Metric, MetricContext, MetricOptions, binary_score
from retest.metrics.references import quoted, shown
from retest.text.language import UNDETERMINED, Detected, detect_language
from retest.text.languages import LANGUAGES, language_code
from retest.text.refusal import OPENING, find_refusal

_PATTERN_TIMEOUT_S = 1.0


class LanguageOptions(MetricOptions):
    """What `language` can be told."""

    expected_language: str | None = Field(
        default=None, description="a code (ja, zh-Hans) or a name (Japanese, 日本語); omitted: the case's expected"
    )
    expected_var: str | None = Field(
        default=None, description="a variable or other field of the case that names the language"
    )
    same_as: str | None = Field(
        default=None, description="a variable whose own language the answer should be in, such as the user's question"
    )
    measure: Literal["match", "share"] = Field(
        default="match",
        description="match: 1 where the largest part is in the language; share: share of the letters that are in the "
        "language's script (0..1), for answers that mix languages",
    )

    @field_validator("expected_language")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        if name is None:
            return None
        code = language_code(name)
        if code is None:
            raise ValueError(f"unknown language {name!r}; known codes: {', '.join(LANGUAGES)}")
        return code

    @model_validator(mode="after")
    def _one_source(self) -> LanguageOptions:
        if sum(source is not None for source in (self.expected_language, self.expected_var, self.same_as)) > 1:
            raise ValueError("give one of expected_language, expected_var and same_as")
        return self


class Language(Metric[LanguageOptions]):
    """Whether the answer is in the expected language.

    A text of a few words that several languages share ("Paris", 東京) counts as any of them.
    """

    info: ClassVar[MetricInfo] = MetricInfo(
        name="language",
        summary="Is the answer in the expected language? (or which share of it is)",
        options=lambda: LanguageOptions,
        binary=True,
        group="Text",
    )
    Options: ClassVar[type[MetricOptions]] = LanguageOptions

    def __init__(self, options: LanguageOptions, context: MetricContext) -> None:
        super().__init__(options, context)
        self.binary = options.measure == "match"

    def score(self, case: Case, response: Response) -> ScoreOutcome:
        """Return 1 or 0, or the share; an answer without letters is in no language."""
        expected = self._expected(case)
        if isinstance(expected, MetricFailure):
            return expected
        found = detect_language(response.output)
        if found.script is None:
            if not response.output.strip():
                return MetricFailure(kind="empty_output", message="the answer is empty")
            return MetricFailure(kind="not_applicable", message="the answer has no letters, so it is in no language")
        share = found.share_of(expected)
        value = share if self.options.measure == "share" else float(found.may_be(expected))
        details: dict[str, JsonValue] = {"language": found.language, "expected": expected, "share": round(share, 4)}
        return Score(value=value, reason=_reason(found, expected), details=details)

    def _expected(self, case: Case) -> str | MetricFailure:
        """Return the expected language's code, or why it is unknown."""
        options = self.options
        if options.expected_language is not None:
            return options.expected_language
        if options.same_as is not None:
            return _language_of(case, options.same_as)
        if options.expected_var is not None:
            name = _field(case, options.expected_var)
            what = f"field {options.expected_var!r}"
        else:
            name, what = (case.references[0] if case.references else None), "expected"
        if name is None:
            return MetricFailure(
                kind="no_expected", message=f"the case has no {what}, and the metric names no expected_language"
            )
        code = language_code(name) if isinstance(name, str) else None
        return code or MetricFailure(kind="bad_expected", message=f"{what} must name a language, and is {shown(name)}")


def _reason(found: Detected, expected: str) -> str:
    several = ", ".join(found.candidates)
    what = found.language if found.language != UNDETERMINED else f"undetermined ({several or found.script})"
    return f"detected {what}, expected {expected}"


def _field(case: Case, name: str) -> JsonValue:
    return case.vars[name] if name in case.vars else case.meta.get(name)


def _language_of(case: Case, name: str) -> str | MetricFailure:
    """Return the language of one of the case's texts."""
    text = _field(case, name)
    if not isinstance(text, str):
        return MetricFailure(kind="bad_expected", message=f"same_as: field {name!r} is no text but {shown(text)}")
    found = detect_language(text)
    if found.language == UNDETERMINED:
        return MetricFailure(kind="not_applicable", message=f"the language of {quoted(text)} cannot be told")
    return found.language


class RefusalOptions(MetricOptions):
    """What `refusal` can be told."""

    patterns: tuple[str, ...] = Field(
        default=(), description="further refusal phrases: regular expressions, upper and lower case alike"
    )
    opening: int = Field(
        default=OPENING, ge=1, description="how many characters from the start of the answer are looked at"
    )

    @field_validator("patterns")
    @classmethod
    def _compile(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                regex.compile(pattern)
            except regex.error as error:
                raise ValueError(f"pattern {pattern!r}: {error}") from error
        return patterns


class Refusal(Metric[RefusalOptions]):
    """Whether the answer declines: 1 where it does.

    Told by the provider's refusal field or a finish reason of ``content_filter``, else by phrases in the opening of the
    answer, English and Japanese.
    """

    info: ClassVar[MetricInfo] = MetricInfo(
        name="refusal",
        summary="Does the answer decline? 1 where it does (phrases in English and Japanese, or the provider says so)",
        options=lambda: RefusalOptions,
        direction="lower",
        binary=True,
        group="Text",
    )
    Options: ClassVar[type[MetricOptions]] = RefusalOptions

    def __init__(self, options: RefusalOptions, context: MetricContext) -> None:
        super().__init__(options, context)
        self._own = [regex.compile(pattern, regex.IGNORECASE) for pattern in options.patterns]

    def score(self, case: Case, response: Response) -> ScoreOutcome:
        """Return 1 with what told it, or 0."""
        del case
        if response.refusal:
            return binary_score(passed=True, reason=f"the provider reports a refusal: {quoted(response.refusal)}")
        if response.finish_reason == "content_filter":
            return binary_score(passed=True, reason="the provider's content filter ended the answer")
        phrase = find_refusal(response.output, self.options.opening) or self._own_phrase(response.output)
        return binary_score(passed=phrase is not None, reason=None if phrase is None else f"says {quoted(phrase)}")

    def _own_phrase(self, text: str) -> str | None:
        opening = text[: self.options.opening]
        # A pattern that backtracks for ever ends in TimeoutError, which is a metric failure.
        found = (pattern.search(opening, timeout=_PATTERN_TIMEOUT_S) for pattern in self._own)
        return next((match.group() for match in found if match is not None), None)


METRICS: tuple[type[Metric[Any]], ...] = (Language, Refusal)
