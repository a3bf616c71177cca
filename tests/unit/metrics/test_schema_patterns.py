"""The patterns of JSON Schemas: searched for in limited time, wherever in a schema they stand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from retest.metrics.schemas import CompiledSchema, compile_schema

_DRAFTS = {
    "2020-12": "https://json-schema.org/draft/2020-12/schema",
    "7": "http://json-schema.org/draft-07/schema#",
    "4": "http://json-schema.org/draft-04/schema#",
}
# Python's own `re` would be at it for longer than the universe lasts, and knows no \\p.
_PATTERN = r"^(\p{L}+)+$|^(a+)+$"
_SLOW = "a" * 60 + "!"


def compiled(schema: dict[str, Any], folder: Path = Path()) -> CompiledSchema:
    """Return the schema as a metric has it."""
    return compile_schema(schema, metric="m", base_dir=folder)


def verdict(schema: CompiledSchema, value: Any) -> str | None:
    """Return jsonschema's own word on a value: the quick way must not answer before."""
    try:
        error = next(schema.validator.iter_errors(value), None)
    except TimeoutError:
        return "too slow"
    return None if error is None else str(error.message)


@pytest.mark.parametrize("draft", _DRAFTS)
def test_a_reference_to_the_schema_itself_keeps_the_limit(draft: str) -> None:
    """Below it `$schema` stands once more, and names the draft's own class."""
    text = {"type": "string", "pattern": _PATTERN}
    schema = compiled({"$schema": _DRAFTS[draft], "properties": {"c": {"$ref": "#"}, "n": text}})
    assert verdict(schema, {"c": {"c": {"n": "日本語"}}}) is None
    assert verdict(schema, {"c": {"n": _SLOW}}) is not None


@pytest.mark.parametrize("draft", _DRAFTS)
def test_a_file_that_is_referred_to_keeps_the_limit(tmp_path: Path, draft: str) -> None:
    """Whatever draft it is of, and whatever it refers to in turn."""
    text = {"$ref": "#/definitions/text"}
    name = {"$schema": _DRAFTS[draft], "items": text, "definitions": {"text": {"pattern": _PATTERN}}}
    (tmp_path / "name.json").write_text(json.dumps(name), "utf-8")
    schema = compiled({"properties": {"n": {"$ref": "name.json"}}}, tmp_path)
    assert verdict(schema, {"n": ["日本語"]}) is None
    assert verdict(schema, {"n": [_SLOW]}) is not None


@pytest.mark.parametrize("draft", _DRAFTS)
def test_a_subschema_follows_the_draft_that_it_names(draft: str) -> None:
    """The limit changes nothing else: in draft 4 alone 1.0 is no integer."""
    schema = compiled({"properties": {"n": {"$schema": _DRAFTS[draft], "items": {"type": "integer"}}}})
    assert (verdict(schema, {"n": [1.0]}) is None) is (draft != "4")


def test_a_pattern_that_takes_too_long_is_no_verdict() -> None:
    """It raises, which is a failure of the metric."""
    schema = compiled({"$schema": _DRAFTS["7"], "properties": {"c": {"$ref": "#"}, "n": {"pattern": r"^(a|aa)+$"}}})
    assert verdict(schema, {"c": {"n": "a" * 50 + "!"}}) == "too slow"


@pytest.mark.parametrize(
    ("names", "allowed", "expected"),
    [
        (["日本語", "known"], False, None),
        (["日本語", "1"], False, f"'1' does not match any of the regexes: {_PATTERN!r}"),
        (["2", "1"], False, f"'1', '2' do not match any of the regexes: {_PATTERN!r}"),
        (["1"], {"type": "null"}, "1 is not of type 'null'"),
        (["1"], True, None),
        ([_SLOW], False, f"{_SLOW!r} does not match any of the regexes: {_PATTERN!r}"),
    ],
    ids=["all match", "one", "two", "a schema", "allowed", "slow"],
)
def test_what_no_pattern_of_names_matches_is_additional(names: list[str], allowed: Any, expected: str | None) -> None:
    """In limited time, with the reason that jsonschema gives."""
    known: dict[str, Any] = {"properties": {"known": {}}, "patternProperties": {_PATTERN: {}}}
    schema = compiled({"additionalProperties": allowed, **known})
    assert verdict(schema, dict.fromkeys(names, 1)) == expected
