"""docs/suite-format.md, written from the suite's models.

To bring the page up to date: ``python -m retest.suites.format_page > docs/suite-format.md``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from retest.suites.presets import PRESETS
from retest.suites.spec import (
    DatasetEntry,
    DefaultsEntry,
    GateEntry,
    JudgeDemandEntry,
    JudgeEntry,
    JudgeLimitsEntry,
    MatrixEntry,
    MetricEntry,
    MetricGateEntry,
    ParamSetEntry,
    PassIfEntry,
    PromptEntry,
    RedactEntry,
    SubsetEntry,
    SuiteSpec,
    TargetEntry,
)

_SECTIONS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("The suite", SuiteSpec),
    ("`prompts`", PromptEntry),
    ("`dataset`", DatasetEntry),
    ("`dataset.subset`", SubsetEntry),
    ("`targets`", TargetEntry),
    ("`judges`", JudgeEntry),
    ("`judges.limits`", JudgeLimitsEntry),
    ("`metrics`", MetricEntry),
    ("`pass_if`", PassIfEntry),
    ("`defaults`", DefaultsEntry),
    ("`matrix`", MatrixEntry),
    ("`matrix.params`", ParamSetEntry),
    ("`gate`", GateEntry),
    ("`gate.metrics`", MetricGateEntry),
    ("`gate.judges`", JudgeDemandEntry),
    ("`redact`", RedactEntry),
)
_NAMES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "mapping",
}
_TEXT = "suite_format.txt"


def suite_format_page() -> str:
    """Return the page as Markdown."""
    intro, after = files("retest.suites").joinpath(_TEXT).read_text(encoding="utf-8").split("<!-- keys -->\n")
    return "\n".join([intro, *_keys(), *_presets(), "", after.lstrip("\n")]).rstrip() + "\n"


def _keys() -> Iterator[str]:
    yield "## Every key"
    for title, model in _SECTIONS:
        yield f"\n### {title}\n\n{' '.join((model.__doc__ or '').split())}\n"
        yield from _table(model)


def _table(model: type[BaseModel]) -> Iterator[str]:
    properties = _properties(model)
    yield "| key | value | meaning |"
    yield "|---|---|---|"
    for key, info in model.model_fields.items():
        default = info.get_default(call_default_factory=True, validated_data={})
        value = _value(properties[key])
        if info.is_required():
            value += ", required"
        elif default is not PydanticUndefined and isinstance(default, bool | int | float | str) and default != "":
            value += f"; default `{default}`"
        yield f"| `{key}` | {value} | {_cell(info.description or '')} |"


def _properties(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema()
    for part in (schema, *schema.get("anyOf", ())):
        if "properties" in part:
            return dict(part["properties"])
    return dict(schema["$defs"][model.__name__]["properties"])


def _value(schema: dict[str, Any]) -> str:
    """Return in words what a key holds."""
    if "anyOf" in schema:
        parts = (_value(part) for part in schema["anyOf"] if part.get("type") != "null")
        return " or ".join(dict.fromkeys(part for part in parts if part))
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "$ref" in schema:
        return "mapping" if schema["$ref"].endswith(("DefaultsEntry", "MatrixEntry", "GateEntry")) else "entry"
    if schema.get("type") == "array":
        return f"list ({_value(schema['items'])})"
    return _NAMES.get(schema.get("type", ""), "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _presets() -> Iterator[str]:
    yield "\n### `preset`\n"
    yield "| preset | metrics |"
    yield "|---|---|"
    for name, entries in PRESETS.items():
        metrics = ", ".join(f"`{entry.get('name') or entry['metric']}`" for entry in entries)
        yield f"| `{name}` | {metrics} |"


if __name__ == "__main__":
    sys.stdout.write(suite_format_page())
