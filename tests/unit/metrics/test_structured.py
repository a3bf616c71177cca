"""JSON outputs: valid, matching a schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from retest.errors import SuiteError
from retest.metrics.structured import JsonSchema, JsonValid
from support.scoring import built, scored, value

INTENT = {
    "type": "object",
    "required": ["intent"],
    "properties": {
        "intent": {"enum": ["返金", "配送"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "when": {"format": "date-time"},
    },
}


@pytest.mark.parametrize(
    ("output", "strict", "lenient"),
    [
        ('{"a": 1}', 1, 1),
        ("18", 1, 1),
        ("null", 1, 1),
        ('```json\n{"a": 1}\n```', 1, 1),
        ("~~~\n[1]\n~~~", 1, 1),
        ('```{"a": 1}```', 1, 1),
        ('```json\n{"code": "```x```"}\n```', 1, 1),  # a fence within a text
        ('{"a": "\u2028"}', 1, 1),
        ('{"a": "\ud800"}', 1, 1),
        ('"\\ud800"', 1, 1),
        ('Sure!\n```json\n{"a": 1}\n```\nAnything else?', 0, 1),
        ('はい、こちらです：{"意図": "返金"}。', 0, 1),
        ('see [1]: {"a": [1, 2]}', 0, 1),
        ('```json\n{"a": 1}', 0, 1),
        ("", 0, 0),
        ("わかりません", 0, 0),
        ('{"a": 1', 0, 0),
        ('{"a": {"b": 1}, "c": ', 0, 0),  # cut off: the inner object is not the answer
        ('{"x": {"a": 1}, "x": 2}', 0, 0),  # refused: the inner object is not the answer
        ("{'a': 1}", 0, 0),
        ('{"a": 1,}', 0, 0),
        ("[NaN]", 0, 0),
        ("[-Infinity]", 0, 0),
        ("9" * 5000, 0, 0),
        ("[" * 100_000, 0, 0),
        ("[" * 5000 + "]" * 5000, 0, 0),
    ],
)
def test_json_valid(output: str, strict: float, lenient: float) -> None:
    """JSON bare or in a fence is valid; with `strict: false` also within text. Nothing crashes."""
    assert value(built(JsonValid), output) == strict
    assert value(built(JsonValid, strict=False), output) == lenient


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("", "the output is empty"),
        ('｛"a": 1}', "full-width '｛' (U+FF5B) at line 1 column 1; JSON needs '{'"),
        ('{"a"：1}', "full-width '：' (U+FF1A) at line 1 column 5; JSON needs ':'"),
        ('{"a": 1，"b": 2}', "full-width '，' (U+FF0C) at line 1 column 8; JSON needs ','"),
        ('{"a": 1、"b": 2}', "a Japanese comma '、' (U+3001) at line 1 column 8; JSON needs ','"),
        ("{“a”: 1}", "a typographic quote '“' (U+201C) at line 1 column 2; JSON needs '\"'"),
        ("{'a': 1}", "a single quote (U+0027) at line 1 column 2; JSON needs '\"'"),
        ('\ufeff{"a": 1}', "a byte order mark (U+FEFF) at line 1 column 1, which JSON does not allow"),
        ('\u3000{"a": 1}', "a full-width space (U+3000) at line 1 column 1; JSON needs an ordinary space"),
        ('{"a": 1\n', "the JSON ends too early, at line 1 column 8"),
        ('{"a": 1} ok?', "text after the JSON at line 1 column 10: 'ok?'"),
        ('{"a": 1, "a": 2}', "the key 'a' occurs twice in one object"),
        ("[NaN]", "NaN is no JSON number"),
        ("[" * 100_000, "the JSON is nested too deeply"),
        ('```json\n{"a": 1}', "the code fence is not closed"),
    ],
)
def test_the_reason_says_what_is_wrong(output: str, reason: str) -> None:
    """In words that lead to the sign in question."""
    assert scored(built(JsonValid), output).reason == reason


def test_the_last_of_two_keys_may_count() -> None:
    """Where the consumer reads it so, the suite can allow it."""
    assert value(built(JsonValid, duplicate_keys="last"), '{"a": 1, "a": 2}') == 1


@pytest.mark.parametrize(("root", "output", "valid"), [("object", "{}", 1), ("object", "[]", 0), ("array", "[]", 1)])
def test_the_root_can_be_asked_for(root: str, output: str, valid: float) -> None:
    """A list is no object."""
    assert value(built(JsonValid, root=root), output) == valid


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ('{"intent": "返金"}', None),
        ('```json\n{"intent": "返金", "tags": []}\n```', None),
        ("{}", "$: 'intent' is a required property"),
        ('{"intent": "解約"}', "$.intent: '解約' is not one of ['返金', '配送']"),
        ('{"intent": "返金", "tags": ["a", 1]}', "$.tags[1]: 1 is not of type 'string'"),
        ('{"intent": "返金", "when": "2024-05-20T10:00:00+09:00"}', None),
        ('{"intent": "返金", "when": "tomorrow"}', "$.when: 'tomorrow' is not a 'date-time'"),
        ("[]", "$: [] is not of type 'object'"),
        ("", "the output is empty"),
    ],
)
def test_json_schema(output: str, reason: str | None) -> None:
    """The reason is the first error with its JSON path."""
    score = scored(built(JsonSchema, schema=INTENT), output)
    assert (score.value, score.reason) == (float(reason is None), reason)


def test_the_closest_alternative_explains() -> None:
    """`anyOf` names what is wrong in the best alternative, not that none fits."""
    schema = {
        "anyOf": [{"type": "object", "properties": {"a": {"type": "object", "required": ["b"]}}}, {"type": "array"}]
    }
    assert scored(built(JsonSchema, schema=schema), '{"a": {}}').reason == "$.a: 'b' is a required property"


def test_formats_can_be_mere_notes() -> None:
    """`formats: false` checks no `format`."""
    assert value(built(JsonSchema, schema=INTENT, formats=False), '{"intent": "返金", "when": "tomorrow"}') == 1


def test_a_schema_that_recurs_survives_deep_nesting() -> None:
    """An answer nested hundreds of levels deep scores 0 instead of ending the run."""
    schema = {"$defs": {"t": {"type": "array", "items": {"$ref": "#/$defs/t"}}}, "$ref": "#/$defs/t"}
    assert value(built(JsonSchema, schema=schema), "[" * 400 + "]" * 400) == 0


@pytest.fixture
def schemas(tmp_path: Path) -> Path:
    """Return a folder with schema files."""
    files: dict[str, Any] = {
        "intent.json": {"properties": {"count": {"$ref": "defs.json#/$defs/count"}}},
        "defs.json": {"$defs": {"count": {"type": "integer"}}},
        "wrong.json": {"properties": {"a": {"type": "strin"}}},
        "remote.json": {"$ref": "https://example.com/schema.json"},
        "dangling.json": {"$ref": "#/$defs/none"},
        "list.json": [],
        "meta.json": {"$ref": "https://json-schema.org/draft/2020-12/schema"},
    }
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content), "utf-8")
    (tmp_path / "broken.json").write_text('{"type":\n "object",}', "utf-8")
    return tmp_path


def test_a_schema_file_and_its_local_references(schemas: Path) -> None:
    """Paths start at the suite's folder, and `$ref` reaches the files beside the schema."""
    metric = built(JsonSchema, schemas, schema="intent.json")
    assert scored(metric, '{"count": "1"}').reason == "$.count: '1' is not of type 'integer'"


def test_the_published_drafts_are_known(schemas: Path) -> None:
    """A schema may refer to the meta-schema without any network."""
    assert value(built(JsonSchema, schemas, schema="meta.json"), '{"type": "strin"}') == 0


@pytest.mark.parametrize(
    ("schema", "slug", "line"),
    [
        ("intnet.json", "metric-file-missing", None),
        ("broken.json", "metric-file-not-json", 2),
        ("wrong.json", "metric-schema-invalid", None),
        ("list.json", "metric-schema-invalid", None),
        ("remote.json", "metric-schema-reference", None),
        ("dangling.json", "metric-schema-reference", None),
        (".", "metric-file-unreadable", None),
        ({"type": "strin"}, "metric-schema-invalid", None),
    ],
)
def test_a_bad_schema_is_found_before_any_call(schemas: Path, schema: Any, slug: str, line: int | None) -> None:
    """Each mistake has its slug, and the file's line where that is known."""
    with pytest.raises(SuiteError) as caught:
        built(JsonSchema, schemas, schema=schema)
    problem = caught.value.problems[0]
    assert (problem.slug, problem.where.line if problem.where else None) == (slug, line)


def test_a_missing_schema_suggests_the_one_meant(schemas: Path) -> None:
    """The closest name in the folder is offered."""
    with pytest.raises(SuiteError) as caught:
        built(JsonSchema, schemas, schema="intnet.json")
    assert caught.value.problems[0].fix == "did you mean 'intent.json'?"


def test_the_signature_follows_the_schema_and_what_it_refers_to(schemas: Path) -> None:
    """An edited definition in another file makes another metric."""
    before = built(JsonSchema, schemas, schema="intent.json").signature()
    (schemas / "defs.json").write_text('{"$defs": {"count": {"type": "number"}}}', "utf-8")
    assert built(JsonSchema, schemas, schema="intent.json").signature() != before


def test_options_survive_being_stored() -> None:
    """A suite hands on options as JSON, and the metric is built from that."""
    options = JsonSchema.Options.model_validate({"schema": INTENT})
    stored = options.model_dump(mode="json", exclude_defaults=True)
    assert stored == {"schema": INTENT}
    assert JsonSchema.Options.model_validate(stored) == options


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"x": {"type": "string", "pattern": "^(a|aa)+$"}}},
        {"additionalProperties": False, "patternProperties": {"^(a|aa)+$": {}}},
    ],
    ids=["pattern", "names of properties"],
)
def test_a_pattern_that_backtracks_for_ever_is_no_verdict(schema: dict[str, Any]) -> None:
    """It costs a second, and ends as an error of the metric: neither a pass nor a fail."""
    text = "a" * 60 + "!"
    with pytest.raises(TimeoutError, match="took longer than 1 s"):
        scored(built(JsonSchema, schema=schema), json.dumps({"x": text, text: 1}))
