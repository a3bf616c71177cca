"""The passing path of JSON Schemas, held against jsonschema on schemas and values made at random."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator, Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError

from retest.metrics.fast_schemas import fast_check
from retest.metrics.schema_patterns import with_time_limit
from retest.metrics.schemas import compile_schema

_NAMES = st.sampled_from(["a", "b", "名前", "😀", "$ref", ""])
_TEXTS = st.sampled_from(["", "a", "ab", "abc\n", "日本語", "😀😀", "e\u0301", "\0", "2026-11-23", "x@y", "１"])
_NUMBERS = st.sampled_from([0, 1, -1, 2, 3, 1.0, 0.5, -0.0, 2.5, 2**31, 2**53 - 1, -(2.0**52)])
_LITERALS = st.none() | st.booleans() | _TEXTS | _NUMBERS
_ODD = st.sampled_from(
    [2**53, 2**63, 2**64, 10**30, -(10**400), 1e300, float("inf"), float("-inf"), float("nan"), 9007199254740992.0]
)
_COUNTS = st.integers(0, 3)
_TYPES = st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"])
_REFERENCES = st.sampled_from(["#/$defs/one", "#/definitions/two", "#"])
_FORMATS = compile_schema({}, metric="m", base_dir=Path()).validator.format_checker


def _schemas(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return schemas of any keywords that are taken, over smaller ones."""
    lists = st.lists(parts, min_size=1, max_size=3)
    keywords: dict[str, st.SearchStrategy[Any]] = {
        "type": _TYPES | st.lists(_TYPES, min_size=1, max_size=3, unique=True),
        "enum": st.lists(_LITERALS, min_size=1, max_size=3),
        "const": _LITERALS,
        "properties": st.dictionaries(_NAMES, parts, max_size=3),
        "required": st.lists(_NAMES, max_size=2, unique=True),
        "format": st.sampled_from(["date", "email", "hostname", "ipv4", "no such format"]),
        "pattern": st.sampled_from(["^a", "b$", r"^\d+$", r"\w", "日本", "^[a-c]{2}$"]),
        "title": _TEXTS,
        "default": _LITERALS,
        "$ref": _REFERENCES,
        **dict.fromkeys(("additionalProperties", "items", "not", "if", "then", "else"), parts),
        **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), lists),
        **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), _COUNTS),
        **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _NUMBERS),
    }
    return st.fixed_dictionaries({}, optional=keywords) | st.just({"items": {"type": "string"}, "uniqueItems": True})


_SCHEMA: st.SearchStrategy[Any] = st.recursive(st.booleans() | st.just({}), _schemas, max_leaves=6)
_ROOT = st.builds(lambda root, one, two: {**root, "$defs": {"one": one}, "definitions": {"two": two}},
                  _schemas(_SCHEMA), _SCHEMA, _SCHEMA)  # fmt: skip


def _values(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves, lambda parts: st.lists(parts, max_size=3) | st.dictionaries(_NAMES, parts, max_size=3), max_leaves=6
    )


def _theirs(schema: dict[str, Any], value: object, draft: Any = Draft202012Validator) -> bool | None:
    """Return jsonschema's verdict, None where it gives up."""
    validator = with_time_limit(draft)(schema, format_checker=_FORMATS)
    try:
        return bool(validator.is_valid(value))
    except RecursionError:
        return None


def _ours(schema: dict[str, Any], value: object, draft: str = "Draft202012Validator") -> bool | None:
    """Return the quick verdict, None where the schema is left to jsonschema."""
    passes = fast_check(schema, draft, _FORMATS)
    return None if passes is None else passes(value)  # type: ignore[arg-type]  # values of any kind


@settings(max_examples=80, deadline=None, derandomize=True)
@given(_ROOT, st.lists(_values(_LITERALS), min_size=3, max_size=8))
def test_verdicts_on_plain_values_are_those_of_jsonschema(schema: dict[str, Any], values: list[Any]) -> None:
    """Both ways, so that `not` and `oneOf` over any keyword are right too."""
    for value in values:
        ours = _ours(schema, value)
        assert ours is None or ours == _theirs(schema, value)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(_ROOT, st.lists(_values(_LITERALS | _ODD | st.just("\ud800")), min_size=3, max_size=8))
def test_what_passes_is_valid_by_jsonschema_whatever_it_holds(schema: dict[str, Any], values: list[Any]) -> None:
    """Huge numbers, infinity, NaN and lone surrogates never pass where jsonschema refuses."""
    for value in values:
        if _ours(schema, value):
            assert _theirs(schema, value)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(_ROOT, st.lists(_values(_LITERALS), min_size=3, max_size=6))
def test_draft_7_is_read_as_draft_7(schema: dict[str, Any], values: list[Any]) -> None:
    """What stands beside a `$ref` is ignored there."""
    for value in values:
        ours = _ours(schema, value, "Draft7Validator")
        assert ours is None or ours == _theirs(schema, value, Draft7Validator)


_DRAFT_4 = "http://json-schema.org/draft-04/schema#"
_NODE: dict[str, Any] = {
    "$ref": "#/$defs/node",
    "$defs": {"node": {"type": "object", "properties": {"名": {"type": "string"}, "c": {"$ref": "#/$defs/node"}}}},
}


def test_a_schema_of_everyday_keywords_is_taken() -> None:
    """Objects, lists, choices, references, patterns and formats."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "名前": {"type": "string", "minLength": 1, "maxLength": 3, "description": "かな"},
            "day": {"type": "string", "format": "date"},
            "code": {"type": "string", "pattern": r"^[A-Z]{2}-\d+$"},
            "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
            "part": {"$ref": "#/$defs/part"},
        },
        "required": ["名前"],
        "additionalProperties": False,
        "$defs": {"part": {"anyOf": [{"type": "null"}, {"enum": [1, 2.5, "x"]}]}},
    }
    value = {"名前": "😀山田", "day": "2026-11-23", "code": "AB-１2", "tags": ["a", "b"], "part": 2.5}
    assert _ours(schema, value) is True


@pytest.mark.parametrize(
    "schema",
    [
        {"multipleOf": 0.1},
        {"uniqueItems": True},
        {"const": 2**53},
        {"enum": [[1]]},
        {"patternProperties": {"^a": False}},
        {"$id": "https://example.org/a"},
        {"$ref": "other.json"},
        {"$ref": "#/properties/a", "properties": {"a": {}}},
        {"unevaluatedProperties": False},
        {"nobody-knows": 1},
        {"properties": {"a": {"$schema": _DRAFT_4, "type": "integer"}}},
        {"$defs": {"x": {"$schema": _DRAFT_4, "type": "integer"}}, "$ref": "#/$defs/x"},
        {"properties": {"a": {"contains": {}}}},
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"allOf": [{"$ref": "#/$defs/a"}]}}},
    ],
    ids=str,
)
def test_what_the_libraries_may_see_differently_is_left_to_jsonschema(schema: dict[str, Any]) -> None:
    """Keywords on which they differ, or of which it is not known that they agree."""
    assert _ours(schema, {}) is None


def test_an_old_draft_is_left_to_jsonschema() -> None:
    """Only the two drafts that nearly every schema is written in are taken."""
    assert fast_check({}, "Draft4Validator", None) is None


@pytest.mark.parametrize("depth", [5, 200])
def test_a_value_of_any_depth_has_the_verdict_of_jsonschema(depth: int) -> None:
    """A deep one is left to jsonschema, which says where it gives up."""
    value: dict[str, Any] = {"名": "葉"}
    for _ in range(depth):
        value = {"c": value}
    assert _ours(_NODE, value) is (depth == 5)


def test_a_failing_value_has_the_message_of_jsonschema() -> None:
    """The quick verdict says nothing about why."""
    schema = compile_schema(_NODE, metric="m", base_dir=Path())
    assert schema.passes is not None
    assert schema.first_error({"c": {"名": 1}}) == "$.c['名']: 1 is not of type 'string'"
    with pytest.raises(ValidationError, match="1 is not of type 'string'"):
        Draft202012Validator(_NODE).validate({"c": {"名": 1}})


def _breaking_off(error: Exception) -> tuple[FormatChecker, list[object]]:
    """Return formats of which `slow` breaks off at texts that begin so, and what it has seen."""
    formats, seen = FormatChecker(formats=()), list[object]()

    @formats.checks("slow")
    def _slow(value: object) -> bool:
        seen.append(value)
        if str(value).startswith("slow"):
            raise error
        return True

    return formats, seen


def test_a_check_that_takes_too_long_is_waited_for_once() -> None:
    """Its exception goes on at once: under `not` it would else be a pass, and with jsonschema a second wait."""
    formats, seen = _breaking_off(TimeoutError("took longer"))
    passes = fast_check({"not": {"items": {"format": "slow"}}}, "Draft202012Validator", formats)
    assert passes is not None
    with pytest.raises(TimeoutError, match="took longer"):
        passes(["slow 1", "slow 2"])
    assert seen == ["slow 1"]


def test_a_check_that_broke_off_says_nothing_about_the_next_value() -> None:
    """Whatever it broke off with."""
    for error in (TimeoutError(), RuntimeError()):
        formats, _ = _breaking_off(error)
        passes = fast_check({"format": "slow"}, "Draft202012Validator", formats)
        assert passes is not None
        with suppress(TimeoutError):
            assert not passes("slow")
        assert passes("quick")


def test_a_check_that_raises_is_never_taken_for_a_verdict() -> None:
    """Under `not` it would else be a pass; jsonschema says what to make of it."""
    formats, _ = _breaking_off(RuntimeError())
    passes = fast_check({"not": {"format": "slow"}}, "Draft202012Validator", formats)
    assert passes is not None
    assert not passes("slow")
