"""Reference answers as text, and the failures of those that cannot be compared."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from retest.domain.case import Case
from retest.domain.json_value import JsonValue
from retest.domain.sample import MetricFailure
from retest.metrics.base import no_expected

PreparedT = TypeVar("PreparedT")

_QUOTED = 80
# Repeats of a case share its references, which come one after another; a whole dataset need not stay in memory.
_REMEMBERED = 4096


class BadExpectedError(ValueError):
    """A reference answer is of a kind that the metric cannot compare."""


def quoted(text: str, limit: int = _QUOTED) -> str:
    """Return a text in quotes on one line, shortened to `limit` characters."""
    return repr(text if len(text) <= limit else f"{text[: limit - 1]}…")


def shown(value: object) -> str:
    """Return a value with its kind, for messages: ``an object {"a": 1}``."""
    if isinstance(value, str):
        return f"the text {quoted(value)}"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int | float):
        return f"the number {value!r:.80}"
    kind = "an object" if isinstance(value, Mapping) else "a list" if isinstance(value, Sequence) else "a value"
    return f"{kind} {clipped(value)}"


def clipped(value: object, limit: int = _QUOTED) -> str:
    """Return a value as JSON on one line, shortened to `limit` characters."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        text = repr(type(value))
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def reference_text(value: JsonValue) -> str:
    """Return a reference as text: a number or true/false as JSON writes it.

    Raises:
        BadExpectedError: it is an object, a list or null.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise BadExpectedError(f"expected must be a text or a list of texts, not {shown(value)}")


class References(Generic[PreparedT]):
    """The accepted answers of a case, each prepared once for its repeated samples."""

    __slots__ = ("_known", "_prepare")

    def __init__(self, prepare: Callable[[JsonValue], PreparedT]) -> None:
        self._prepare = prepare
        self._known: dict[str, PreparedT] = {}

    def of(self, case: Case) -> list[PreparedT] | MetricFailure:
        """Return the prepared references, or why there are none."""
        references = case.references
        if not references:
            return no_expected()
        try:
            return [self.prepared(value) for value in references]
        except BadExpectedError as error:
            return MetricFailure(kind="bad_expected", message=str(error))

    def prepared(self, value: JsonValue) -> PreparedT:
        """Return one reference prepared.

        Raises:
            BadExpectedError: it cannot be compared.
        """
        if not isinstance(value, str):
            return self._prepare(value)
        found = self._known.get(value)
        if found is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            found = self._known[value] = self._prepare(value)
        return found
