"""The patterns of a JSON Schema with a time limit: one that backtracks for ever costs a second, not the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import regex

_LIMIT_S = 1.0


def with_time_limit(validator: Any) -> Any:
    """Return the validator class with its patterns searched for in limited time.

    What takes longer raises `TimeoutError` while a value is checked, which is a failure of the metric and no verdict.
    """
    from jsonschema.validators import extend

    original = validator.VALIDATORS.get("additionalProperties")

    def additional(checking: Any, allowed: Any, instance: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
        if schema.get("patternProperties") and checking.is_type(instance, "object"):
            for name in instance:  # whoever would take too long does so here, in limited time
                _matching(schema["patternProperties"], name)
        yield from original(checking, allowed, instance, schema) or ()

    changed: dict[str, Any] = {"pattern": _pattern, "patternProperties": _pattern_properties}
    if original is not None:
        changed["additionalProperties"] = additional
    return extend(validator, changed)  # type: ignore[no-untyped-call] # the stubs leave it out


def _pattern(checking: Any, pattern: str, instance: Any, _schema: object) -> Iterator[Any]:
    from jsonschema.exceptions import ValidationError

    if checking.is_type(instance, "string") and not found(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(checking: Any, patterns: Mapping[str, Any], instance: Any, _schema: object) -> Iterator[Any]:
    if not checking.is_type(instance, "object"):
        return
    for name, value in instance.items():
        for pattern in _matching(patterns, name):
            yield from checking.descend(value, patterns[pattern], path=name, schema_path=pattern)


def _matching(patterns: Mapping[str, Any], name: str) -> list[str]:
    return [pattern for pattern in patterns if found(pattern, name)]


def found(pattern: str, text: str) -> bool:
    """Return whether a pattern is found in a text.

    Raises:
        TimeoutError: that took too long.
    """
    try:
        return _compiled(pattern).search(text, timeout=_LIMIT_S) is not None
    except TimeoutError:
        shown = pattern if len(pattern) <= 80 else f"{pattern[:79]}…"  # noqa: PLR2004 - a line of a message
        message = f"the schema's pattern {shown!r} took longer than {_LIMIT_S:g} s on {len(text):,} characters"
        raise TimeoutError(message) from None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> regex.Pattern[str]:
    import regex

    return regex.compile(pattern)
