"""The passing path of a JSON Schema: a verdict by jsonschema-rs where it is known to be jsonschema's own.

Only a schema of the keywords below is taken, and only a value whose numbers are exact and whose depth is small; what
passes is valid by both libraries. Everything else, and every value that does not pass, is left to jsonschema, which
also has the message. `pattern` and `format` are checked by the same functions as there.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from retest.domain.json_value import JsonValue
from retest.metrics.schema_patterns import found

if TYPE_CHECKING:
    from jsonschema import FormatChecker

Schema = Mapping[str, Any] | bool

# Up to here integers and floats are the same numbers; beyond, the libraries compare them differently.
_EXACT = 2**53
# jsonschema gives up on values that are nested deeper than its stack; these never are.
_DEPTH = 32
_MOST = 2**31
_LOCAL = re.compile(r"#(?:/(?P<kind>\$defs|definitions)/(?P<name>[A-Za-z0-9_.-]+))?")
_DEFINITIONS = ("$defs", "definitions")
_IN_PLACE_LISTS = ("allOf", "anyOf", "oneOf")
_IN_PLACE = ("not", "if", "then", "else")
_PATTERN, _FORMAT = "retest-pattern", "retest-format"
# Of no weight for the verdict in either library; left out.
_NOTES = frozenset(
    {"title", "description", "default", "example", "examples", "deprecated", "readOnly", "writeOnly", "$comment"}
)


class _OutsideError(Exception):
    """The schema has something on which the two libraries may differ."""


def fast_check(
    schema: Mapping[str, Any], validator: str, formats: FormatChecker | None
) -> Callable[[JsonValue], bool] | None:
    """Return what says that a value is surely valid; None without the library, and for a schema left to jsonschema.

    Args:
        schema: checked against its meta-schema; all its references lead somewhere.
        validator: name of jsonschema's class for its draft.
        formats: what checks `format`; None where it is not checked.
    """
    try:
        taken = _Translation(validator, formats).root(schema)
        return _FastCheck(taken, validator, formats).passes
    except (_OutsideError, RecursionError, ImportError, ValueError):
        return None


class _Call(threading.local):
    """What broke off a check in the call that is going on; batches are scored in several threads."""

    error: Exception | None = None


class _FastCheck:
    """A compiled schema."""

    def __init__(self, schema: Mapping[str, Any], validator: str, formats: FormatChecker | None) -> None:
        import jsonschema_rs

        keywords: dict[str, Any] = {_PATTERN: self._keyword(found)}
        if formats is not None:
            keywords[_FORMAT] = self._keyword(lambda name, text: formats.conforms(text, name))
        self._is_valid = getattr(jsonschema_rs, validator)(schema, keywords=keywords).is_valid
        self._call = _Call()

    def passes(self, value: JsonValue) -> bool:
        """Return whether a value is valid; false also where that is not sure.

        Raises:
            TimeoutError: a check of a text took too long.
        """
        if not _is_plain(value, _DEPTH):
            return False
        try:
            passed = bool(self._is_valid(value))
        except ValueError:  # a lone surrogate, which is no UTF-8
            passed = False
        error, self._call.error = self._call.error, None
        if isinstance(error, TimeoutError):  # jsonschema would wait for it once more
            raise error
        return passed and error is None

    def _keyword(self, check: Callable[[str, str], bool]) -> type:
        """Return a keyword that checks texts; where a check breaks off, nothing is sure for the rest of the call."""
        outer = self

        class Keyword:
            def __init__(self, parent_schema: object, value: str, schema_path: object) -> None:
                del parent_schema, schema_path
                self._value = value

            def validate(self, instance: object) -> None:
                if not isinstance(instance, str):
                    return
                if outer._call.error is not None:
                    raise ValueError(self._value)
                try:
                    passed = check(self._value, instance)
                except Exception as error:
                    outer._call.error = error
                    raise
                if not passed:
                    raise ValueError(self._value)

        return Keyword


def _is_plain(value: object, depth: int) -> bool:
    """Return whether both libraries see the same value."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is int or kind is float:
        return -_EXACT < value < _EXACT  # type: ignore[operator]  # a number; not so: NaN
    if not depth:
        return False
    if kind is dict:
        value = value.values()  # type: ignore[attr-defined]  # a dict
    elif kind is not list:
        return False
    for part in value:  # type: ignore[attr-defined]  # noqa: SIM110 - a generator would take twice as long
        if not _is_plain(part, depth - 1):
            return False
    return True


class _Translation:
    """Takes a schema keyword by keyword; what is not known here ends it."""

    def __init__(self, validator: str, formats: FormatChecker | None) -> None:
        if validator not in {"Draft202012Validator", "Draft7Validator"}:
            raise _OutsideError
        self._is_old = validator == "Draft7Validator"
        self._formats = formats
        self._keywords: dict[str, Callable[[Any], Any]] = {
            **dict.fromkeys(("type", "required"), _as_is),
            **dict.fromkeys(("properties", *_DEFINITIONS), self._by_name),
            **dict.fromkeys((*_IN_PLACE_LISTS, *(() if self._is_old else ("prefixItems",))), self._list),
            **dict.fromkeys((*_IN_PLACE, "items", "additionalProperties"), self._schema),
            **dict.fromkeys(
                ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), _count
            ),
            **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _bound),
            "enum": lambda values: [_literal(value) for value in values],
            "const": _literal,
            "$ref": _reference,
        }

    def root(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Return the schema as jsonschema-rs is to see it.

        Raises:
            _OutsideError: it is left to jsonschema.
        """
        taken: dict[str, Any] = self._schema({key: part for key, part in schema.items() if key != "$schema"})
        _refuse_endless(taken)
        return taken

    def _schema(self, schema: Any) -> Any:
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, dict) or "$schema" in schema:  # jsonschema goes on by the draft named there
            raise _OutsideError
        if self._is_old and "$ref" in schema:  # whatever stands beside it is ignored, but may be referred to
            schema = {key: part for key, part in schema.items() if key in {"$ref", *_DEFINITIONS}}
        taken: dict[str, Any] = {}
        for key, part in schema.items():
            if key == "pattern":
                taken[_PATTERN] = _text(part)
            elif key == "format":
                if self._formats is not None and part in self._formats.checkers:
                    taken[_FORMAT] = part
            elif key == "uniqueItems":
                taken[key] = _unique(part, schema)
            elif key not in _NOTES:
                taken[key] = self._keywords.get(key, _refuse)(part)
        return taken

    def _by_name(self, parts: Any) -> dict[str, Any]:
        return {_text(name): self._schema(part) for name, part in parts.items()}

    def _list(self, parts: Any) -> list[Any]:
        return [self._schema(part) for part in parts]


def _refuse(_value: object) -> NoReturn:
    raise _OutsideError


def _as_is(value: object) -> object:
    return value


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise _OutsideError


def _count(value: object) -> int:
    if type(value) is int and 0 <= value < _MOST:
        return value
    raise _OutsideError


def _bound(value: Any) -> float:
    if type(value) in {int, float} and _is_plain(value, 0):
        return value  # type: ignore[no-any-return]  # a number
    raise _OutsideError


def _literal(value: object) -> object:
    """Return a value to compare with; objects and lists may be equal in more than one sense."""
    if _is_plain(value, 0):
        return value
    raise _OutsideError


def _unique(value: object, schema: Mapping[str, Any]) -> object:
    """Return the keyword where all items are texts, which are equal in one sense only."""
    items = schema.get("items")
    if value is False or ("prefixItems" not in schema and isinstance(items, dict) and items.get("type") == "string"):
        return value
    raise _OutsideError


def _reference(value: str) -> str:
    if _LOCAL.fullmatch(value):
        return value
    raise _OutsideError


def _refuse_endless(root: Mapping[str, Any]) -> None:
    """Refuse references that lead back to themselves without going into the value.

    Raises:
        _OutsideError: there are such: jsonschema-rs lets the value pass, jsonschema gives up.
    """
    schemas: dict[str, Schema] = {"#": root}
    for kind in _DEFINITIONS:
        schemas |= {f"#/{kind}/{name}": part for name, part in root.get(kind, {}).items()}
    done: set[str] = set()

    def visit(name: str, way: frozenset[str]) -> None:
        if name in way or name not in schemas:
            raise _OutsideError
        if name not in done:
            for further in _references_in_place(schemas[name]):
                visit(further, way | {name})
            done.add(name)

    for name in schemas:
        visit(name, frozenset())


def _references_in_place(schema: Schema) -> Iterator[str]:
    """Yield the references by which the same value is checked again."""
    if isinstance(schema, bool):
        return
    if "$ref" in schema:
        yield schema["$ref"]
    parts = [part for key in _IN_PLACE_LISTS for part in schema.get(key, ())]
    for part in (*parts, *(schema[key] for key in _IN_PLACE if key in schema)):
        yield from _references_in_place(part)
