"""The JSON that a judge answers with: one shape per form, the justification before the verdict.

A model that says its verdict first only defends it afterwards, so the order of the properties matters.
"""

from __future__ import annotations

from collections.abc import Mapping

from retest.domain.json_value import JsonValue
from retest.domain.judge import Form, JudgeScale

JUSTIFICATION = "justification"
VERDICT_KEYS: Mapping[Form, str] = {"grade": "grade", "choice": "choice", "rubric": "criteria", "claims": "claims"}

_TEXT: Mapping[str, JsonValue] = {"type": "string"}


def verdict_schema(scale: JudgeScale) -> dict[str, JsonValue]:
    """Return the JSON Schema of a verdict on this scale; every property is required and no other is allowed."""
    match scale.form:
        case "grade":
            return _object(
                justification=_TEXT,
                grade={"type": "integer", "minimum": int(scale.low), "maximum": int(scale.high)},
            )
        case "choice":
            return _object(justification=_TEXT, choice={"type": "string", "enum": list(scale.choices)})
        case "rubric":
            item = _object(number={"type": "integer", "minimum": 1}, justification=_TEXT, met={"type": "boolean"})
            return _object(criteria={"type": "array", "items": item})
        case "claims":
            item = _object(claim=_TEXT, justification=_TEXT, supported={"type": "boolean"})
            return _object(claims={"type": "array", "items": item})


def _object(**properties: JsonValue) -> dict[str, JsonValue]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
