"""The patterns of a JSON Schema with a time limit: one that backtracks for ever costs a second, not the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import regex

_LIMIT_S = 1.0


@lru_cache(maxsize=16)
def with_time_limit(validator: Any) -> Any:
    """Return the validator class with its patterns searched for in limited time, also below a `$schema` of their own.

    What takes longer raises `TimeoutError` while a value is checked, which is a failure of the metric and no verdict.
    """
    from jsonschema.validators import extend

    original = validator.VALIDATORS.get("additionalProperties")

    def additional(checking: Any, allowed: Any, instance: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
        if schema.get("patternProperties") and checking.is_type(instance, "object"):
            yield from _additional_properties(checking, allowed, instance, schema)
        else:
            yield from original(checking, allowed, instance, schema) or ()

    changed: dict[str, Any] = {"pattern": _pattern, "patternProperties": _pattern_properties}
    if original is not None:
        changed["additionalProperties"] = additional
    limited: Any = extend(validator, changed)  # type: ignore[no-untyped-call] # the stubs leave it out
    limited.evolve = _evolve_of(limited)
    return limited


def _evolve_of(limited: Any) -> Any:
    """Return the class's `evolve`, but with the time limit for a subschema whose `$schema` names another class."""
    evolve = limited.evolve

    def evolve_limited(checking: Any, **changes: Any) -> Any:
        evolved = evolve(checking, **changes)
        if type(evolved) is limited:
            return evolved
        chosen: Any = type(evolved)
        fields = [field for field in chosen.__attrs_attrs__ if field.init]
        return with_time_limit(chosen)(**{field.alias: getattr(evolved, field.name) for field in fields})

    return evolve_limited


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


def _additional_properties(
    checking: Any, allowed: Any, instance: Mapping[str, Any], schema: Mapping[str, Any]
) -> Iterator[Any]:
    from jsonschema.exceptions import ValidationError

    known, patterns = schema.get("properties", {}), schema["patternProperties"]
    extras = [name for name in instance if name not in known and not _matching(patterns, name)]
    if checking.is_type(allowed, "object"):
        for name in extras:
            yield from checking.descend(instance[name], allowed, path=name)
    elif extras and not allowed:
        names, expected = (", ".join(map(repr, sorted(texts))) for texts in (extras, patterns))
        yield ValidationError(
            f"{names} {'does' if len(extras) == 1 else 'do'} not match any of the regexes: {expected}"
        )


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
