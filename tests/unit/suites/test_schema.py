from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from retest.suites.schema import suite_json_schema
from retest.suites.yaml_nodes import plain
from retest.suites.yaml_reader import read_yaml
from retest.workflows.catalog import load_catalog
from support.suite_folder import CATALOG, SUITE

EXAMPLE = """\
name: support-intent
description: Which team should answer this message?
prompts: [../prompts/intent.md, {text: "{{ q }}", name: inline}]
dataset: {path: ../datasets/support.jsonl, id: id, expected: expected, where: {lang: ja}, subset: 50}
targets:
  - name: small
    provider: openai
    model: gpt-4o-mini
    base_url: http://127.0.0.1:8000/v1
    api_key_env: OPENAI_API_KEY
    retry: {attempts: 2}
    params: {temperature: 0.7, max_tokens: 50, own_param: 1}
samples: 5
metrics:
  - exact_match
  - {metric: rouge, name: rouge_l, variant: rougeL, pass_if: {min: 0.4}, aggregate: pass@3}
  - {metric: json_schema, schema: ../schemas/intent.json, pass_if: 1}
  - {metric: python, name: polite, path: ../metrics/polite.py:score}
defaults: {metrics: {rouge: {stemmer: true}}}
matrix: {params: [{name: cold, temperature: 0}]}
case_passes: 3 of 5
gate: {block: regression, metrics: {exact_match: {margin: 0.03, min: 0.8}}, require_same: model}
redact: ['\\d+', {field: user}]
tags: [support, ja]
"""


def is_valid(text: str) -> bool:
    schema: dict[str, Any] = suite_json_schema(CATALOG)
    return bool(Draft202012Validator(schema).is_valid(plain(read_yaml(text, "f.yaml"))))


def test_the_schema_is_a_schema() -> None:
    """It is valid JSON Schema, draft 2020-12, for the real registries too."""
    for catalog in (CATALOG, load_catalog()):
        schema = suite_json_schema(catalog)
        assert schema["$schema"].endswith("2020-12/schema")
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    "text",
    [
        EXAMPLE,
        SUITE,
        SUITE.replace("[exact_match]", "exact_match"),
        SUITE.replace("metrics: [exact_match]", "preset: translation"),
        SUITE.replace("prompts: [../prompts/ask.md]", "prompt: ../prompts/ask.md"),
        SUITE.replace("{path: ../datasets/qa.jsonl, id: id, expected: expected}", "[{id: 1, q: x}]"),
        SUITE + "defaults:\n",
    ],
)
def test_sound_suites_fit_the_schema(text: str) -> None:
    """Short and long forms of every section are accepted."""
    assert is_valid(text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("samples: 5", "sampels: 5"),
        ("samples: 5", "samples: five"),
        ("- exact_match", "- exactmatch"),
        ("variant: rougeL", "varient: rougeL"),
        ("variant: rougeL", "variant: rougel"),
        ("{metric: rouge, ", "{metric: rogue, "),
        ("provider: openai", "provider: opnai"),
        ("base_url:", "bas_url:"),
        ("retry: {attempts: 2}", "retry: {attemps: 2}"),
        ("block: regression", "block: regresion"),
        ("margin: 0.03", "margn: 0.03"),
        ("stemmer: true", "stemer: true"),
        ("id: id", "ids: id"),
        ("aggregate: pass@3", "aggregate: median"),
        ("dataset:", "data:"),
    ],
)
def test_mistakes_do_not_fit_the_schema(old: str, new: str) -> None:
    """An editor marks mistyped keys, names, options and values."""
    assert old in EXAMPLE
    assert not is_valid(EXAMPLE.replace(old, new, 1))


def test_metrics_and_options_carry_descriptions_for_completion() -> None:
    """Editors show what a metric and an option do."""
    mapping = suite_json_schema(CATALOG)["$defs"]["MetricEntry"]["anyOf"][0]
    assert {"const": "rouge", "description": "common words"} in mapping["properties"]["metric"]["anyOf"]
    (rouge,) = [b for b in mapping["allOf"] if b["if"]["properties"]["metric"]["const"] == "rouge"]
    assert rouge["then"]["properties"]["variant"]["description"] == "which kind of overlap"
