"""Turns pydantic's errors into problems with a place, what was expected, and did-you-mean."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic_core import ErrorDetails

from retest.errors import Location, Problem
from retest.suites.literal_secrets import is_secret_name
from retest.suites.scope import SuiteScope
from retest.suites.suggestions import did_you_mean, listing
from retest.suites.yaml_nodes import NodePath

_TYPES = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "none_required": "nothing (null)",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_parsing": "a number",
    "bool_parsing": "true or false",
    "finite_number": "a finite number",
}


_SHOWN = 80  # characters of a wrong value that a message repeats


def _unchanged(path: NodePath) -> NodePath:
    return path


def _no_hint(_key: str) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What was validated.

    Attributes:
        model: its pydantic model.
        scope: the suite it stands in.
        resolve: path in the validated mapping to path in the suite.
        what: what a person calls it, such as ``metric 'rouge'``; empty for the suite itself.
        extra_keys: keys beside the model's own that the mapping may have.
        hint: what to do about an unknown key of the mapping itself, where more is known than its likeness to others.
    """

    model: type[BaseModel]
    scope: SuiteScope
    resolve: Callable[[NodePath], NodePath] = _unchanged
    what: str = ""
    extra_keys: tuple[str, ...] = ()
    hint: Callable[[str], str | None] = _no_hint

    def exists(self, path: NodePath) -> bool:
        """Return whether a path leads somewhere in the suite."""
        return self.scope.node(*self.resolve(path)) is not None

    def at(self, path: NodePath) -> Location:
        """Return where a value stands."""
        return self.scope.at(*self.resolve(path))

    def key(self, path: NodePath) -> Location:
        """Return where a key stands."""
        return self.scope.key(*self.resolve(path))


def spec_problems(error: ValidationError, subject: Subject) -> Iterator[Problem]:
    """Yield one problem per mistake; the branches of a union that failed at one place are joined."""
    by_place: dict[NodePath, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False, include_context=True):
        by_place.setdefault(_existing(detail, subject), []).append(detail)
    for path, details in by_place.items():
        yield _problem(path, details, subject)


def _existing(detail: ErrorDetails, subject: Subject) -> NodePath:
    """Return the part of the error's path that stands in the file; pydantic adds names of union branches."""
    path = tuple(detail["loc"])
    if detail["type"] == "missing":
        return path
    while path and not subject.exists(path):
        path = path[:-1]
    return path


def _problem(path: NodePath, details: Sequence[ErrorDetails], subject: Subject) -> Problem:
    first = details[0]
    if first["type"] == "extra_forbidden":
        return _unknown_key(path, subject)
    if first["type"] == "missing":
        return _missing_key(path, subject)
    shown = _shown_input(path, first["input"])
    expected = "; or ".join(dict.fromkeys(_expectation(detail) for detail in details))
    custom = all(detail["type"] in {"value_error", "assertion_error"} for detail in details)
    joint = f"{_name(path, subject)}: {expected}" + ("" if custom and _explains(expected) else f", found {shown}")
    return Problem(slug="suite-bad-value", message=joint, where=subject.at(path), fix=_literal_fix(first))


def _explains(message: str) -> bool:
    return not message.startswith("expected")


def _name(path: NodePath, subject: Subject) -> str:
    dotted = ".".join(str(part) for part in path)
    if not dotted:
        return subject.what or "the suite"
    return f"{dotted} of {subject.what}" if subject.what else dotted


def _expectation(detail: ErrorDetails) -> str:
    kind = detail["type"]
    if kind in _TYPES:
        return f"expected {_TYPES[kind]}"
    if kind == "literal_error":
        return f"expected {detail['ctx']['expected']}"
    text = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    text = text.replace("Input should be", "expected").replace(" a valid ", " a ")
    text = text.replace("List should have at least 1 item after validation, not 0", "expected at least one entry")
    return text.replace("String should have", "expected text with").replace("List should have", "expected a list with")


def _literal_fix(detail: ErrorDetails) -> str | None:
    if detail["type"] != "literal_error" or not isinstance(detail["input"], str):
        return None
    choices = detail["ctx"]["expected"].replace(" or ", ", ").split(", ")
    return did_you_mean(detail["input"], [choice.strip("'") for choice in choices])


def _shown_input(path: NodePath, value: Any) -> str:
    """Return what the file says, short, and never a credential."""
    if any(isinstance(part, str) and is_secret_name(part) for part in path):
        return "another value (not shown)"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "nothing"
    text = f"the text {value!r}" if isinstance(value, str) else repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _unknown_key(path: NodePath, subject: Subject) -> Problem:
    key = str(path[-1])
    known = [*subject.extra_keys] if len(path) == 1 else []
    known += _keys_at(subject.model, path[:-1])
    parent = _name(path[:-1], subject)
    within = f" in {parent}" if parent != "the suite" else ""
    return Problem(
        slug="suite-unknown-key",
        message=f"unknown key '{key}'{within}",
        where=subject.key(path),
        details=(f"known keys: {listing(known)}",) if known else (f"{parent} takes no further keys",),
        fix=(subject.hint(key) if len(path) == 1 else None) or did_you_mean(key, known),
    )


def _missing_key(path: NodePath, subject: Subject) -> Problem:
    within = f" of {_name(path[:-1], subject)}" if path[:-1] or subject.what else ""
    return Problem(
        slug="suite-missing-key",
        message=f"the key '{path[-1]}'{within} is missing",
        where=subject.at(path[:-1]),
        fix=f"add `{path[-1]}: ...`",
    )


def _keys_at(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    found: type[BaseModel] | None = model
    for part in path:
        if found is None:
            return []
        if isinstance(part, str) and part in _fields(found):
            found = _model_in(found.model_fields[_fields(found)[part]].annotation)
    return list(_fields(found)) if found is not None else []


def model_keys(model: type[BaseModel]) -> list[str]:
    """Return the keys that a model reads, by the names used in files."""
    return list(_fields(model))


def _fields(model: type[BaseModel]) -> dict[str, str]:
    """Return key in the file -> field name."""
    keys: dict[str, str] = {}
    for name, info in model.model_fields.items():
        alias = info.validation_alias
        first = alias.choices[0] if isinstance(alias, AliasChoices) else alias
        keys[first if isinstance(first, str) else name] = name
    return keys


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model inside an annotation such as ``list[X] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for inner in _inner(annotation) if (model := _model_in(inner)) is not None), None)


def _inner(annotation: Any) -> Iterable[Any]:
    origin = get_origin(annotation)
    if origin is Literal or origin is None:
        return ()
    if origin is Annotated:
        return get_args(annotation)[:1]
    if origin in {Union, types.UnionType, list, dict, tuple}:
        return get_args(annotation)
    return ()
