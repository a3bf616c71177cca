"""Removes what a suite says must never be stored, before anything is stored or scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, cast

from retest.domain.case import Case
from retest.domain.json_value import JsonValue
from retest.domain.prompt import Message
from retest.domain.sample import CallError, CallOutcome, MetricFailure, Response, ScoreOutcome
from retest.domain.suite import Redaction
from retest.targets.credentials import Scrubber

if TYPE_CHECKING:
    import regex

_LIMIT_S = 1.0  # for one pattern on one text
_TOO_SLOW = "[redacted as a whole: a pattern took too long on it]"


@dataclass(frozen=True)
class Redactor:
    """Applies a suite's redaction rules to outputs, messages and cases.

    A `field` rule removes that variable's value wherever it turns up: in the case, the messages and the answer. What a
    call or a metric failed with loses the credentials of the environment as well: a program may print its own.
    """

    rules: tuple[Redaction, ...] = ()
    scrubber: Scrubber = field(default_factory=Scrubber)

    @cached_property
    def _patterns(self) -> tuple[tuple[regex.Pattern[str], str], ...]:
        import regex

        # Not the standard library's: that has no time limit, and holds up every other call while it backtracks.
        return tuple((regex.compile(rule.pattern), rule.replace_with) for rule in self.rules if rule.pattern)

    def concerns(self, outcome: CallOutcome) -> bool:
        """Return whether there is anything to remove from an outcome of this kind."""
        return bool(self.rules) or isinstance(outcome, CallError)

    def outcome(self, outcome: CallOutcome, case: Case) -> CallOutcome:
        """Return the outcome without what must not be stored."""
        if isinstance(outcome, CallError):
            return replace(outcome, message=self.scrubber.scrub(self._text(outcome.message, case)))
        return self._response(outcome, case) if self.rules else outcome

    def scores(self, row: Mapping[str, ScoreOutcome]) -> Mapping[str, ScoreOutcome]:
        """Return the scores of a sample; what the user's metrics raised loses the credentials of the environment."""
        if not any(isinstance(outcome, MetricFailure) for outcome in row.values()):
            return row
        return {name: self._failure(outcome) for name, outcome in row.items()}

    def _failure(self, outcome: ScoreOutcome) -> ScoreOutcome:
        if not isinstance(outcome, MetricFailure):
            return outcome
        return replace(outcome, message=self.scrubber.scrub(outcome.message))

    def messages(self, messages: Sequence[Message], case: Case) -> Sequence[Message]:
        """Return the messages as they may be stored; what is sent is not changed."""
        if not self.rules:
            return messages
        return cast("list[Message]", self._value(list(messages), case))

    def case(self, case: Case) -> Case:
        """Return the case as it may be stored; its id and content hash stay, so that pairing works."""
        if not self.rules:
            return case
        return replace(
            case,
            vars=cast("Mapping[str, JsonValue]", self._value(case.vars, case)),
            expected=self._value(case.expected, case),
            meta=cast("Mapping[str, JsonValue]", self._value(case.meta, case)),
        )

    def _response(self, response: Response, case: Case) -> Response:
        return replace(
            response,
            output=self._text(response.output, case),
            refusal=None if response.refusal is None else self._text(response.refusal, case),
            tool_calls=tuple(self._value(call, case) for call in response.tool_calls),
            meta=cast("Mapping[str, JsonValue]", self._value(response.meta, case)),
        )

    def _value(self, value: JsonValue, case: Case) -> JsonValue:
        if isinstance(value, str):
            return self._text(value, case)
        if isinstance(value, Mapping):
            return {key: self._value(item, case) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._value(item, case) for item in value]
        return value

    def _text(self, text: str, case: Case) -> str:
        for rule in self.rules:
            secret = None if rule.field is None else look_up(case.vars, rule.field)
            if isinstance(secret, str | int | float) and str(secret):
                text = text.replace(str(secret), rule.replace_with)
        try:
            for pattern, replacement in self._patterns:
                text = pattern.sub(replacement.replace("\\", "\\\\"), text, timeout=_LIMIT_S)
        except TimeoutError:
            return _TOO_SLOW
        return text


def look_up(variables: Mapping[str, JsonValue], dotted: str) -> JsonValue:
    """Return the value under a dotted name, None where it is absent."""
    value: JsonValue = variables
    for part in dotted.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value
