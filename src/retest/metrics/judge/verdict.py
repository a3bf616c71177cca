"""From a judge's words to a verdict: strict, for what is no verdict must never become a pass or a fail."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from retest.domain.json_value import JsonValue
from retest.domain.judge import Form, JudgeDefinition
from retest.domain.sample import Response
from retest.domain.verdict_schema import JUSTIFICATION, VERDICT_KEYS, verdict_schema
from retest.metrics.judge.caller import BadVerdictError

_FENCED = re.compile(r"^[ \t]*```[ \t]*(?:json|JSON)?[ \t]*\n(.*?)^[ \t]*```[ \t]*$", re.DOTALL | re.MULTILINE)
_SHOWN = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One judgment. `value` is None where the answer holds nothing to judge; `choice` is the name that was chosen."""

    value: float | None
    justification: str
    choice: str | None = None
    details: Mapping[str, JsonValue] = field(default_factory=dict)


def read_verdict(definition: JudgeDefinition, response: Response, *, criteria: int = 0) -> Verdict:
    """Return the verdict in a judge's answer.

    Args:
        definition: what was asked.
        response: the judge's answer.
        criteria: of a rubric: how many were asked; each must be answered.

    Raises:
        BadVerdictError: prose, a missing field, a value off the scale.
    """
    data = read_object(response)
    scale = definition.scale
    if definition.schema != verdict_schema(scale):
        _check_own_schema(definition.schema, data)
    if scale.form == "rubric":
        return _rubric(data, criteria)
    return _READERS[scale.form](definition, data)


def read_object(response: Response) -> dict[str, Any]:
    """Return the JSON object that an answer is, or that is its one fenced block.

    Raises:
        BadVerdictError: there is none, or more than one.
    """
    text = response.output.strip()
    if not text:
        reason = f"the judge refused: {response.refusal}" if response.refusal else "the judge's answer is empty"
        raise BadVerdictError(reason)
    if not text.startswith("{"):
        blocks = _FENCED.findall(text)
        if len(blocks) != 1:
            found = "no JSON" if not blocks else f"{len(blocks)} blocks of JSON"
            raise BadVerdictError(f"the judge's answer has {found}: {_shown(text)}")
        text = blocks[0]
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        cut = ", which was cut off by its limit of tokens" if response.finish_reason == "length" else ""
        raise BadVerdictError(f"the judge's answer{cut} is no JSON ({error}): {_shown(text)}") from None
    if not isinstance(value, dict):
        raise BadVerdictError(f"the judge's answer is no JSON object: {_shown(text)}")
    return value


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} stands twice")
        found[key] = value
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."


def _check_own_schema(schema: Mapping[str, JsonValue], data: Mapping[str, Any]) -> None:
    from jsonschema import Draft202012Validator
    from referencing import Registry

    registry: Registry[Any] = Registry()  # without it, jsonschema would fetch what a schema refers to
    error = next(iter(Draft202012Validator(schema, registry=registry).iter_errors(data)), None)
    if error is not None:
        place = ".".join(str(part) for part in error.absolute_path)
        raise BadVerdictError(
            f"the judge's answer does not fit its schema{f' at {place}' * bool(place)}: {error.message}"
        )


def _field(data: Mapping[str, Any], name: str, within: str = "the judge's answer") -> Any:
    if name not in data:
        raise BadVerdictError(f"{within} has no '{name}'; it has: {', '.join(data) or 'nothing'}")
    return data[name]


def _text(data: Mapping[str, Any], name: str, within: str = "the judge's answer") -> str:
    value = _field(data, name, within)
    if not isinstance(value, str):
        raise BadVerdictError(f"'{name}' of {within} is no text: {_shown(str(value))}")
    return value


def _truth(data: Mapping[str, Any], name: str, within: str) -> bool:
    value = _field(data, name, within)
    if not isinstance(value, bool):
        raise BadVerdictError(f"'{name}' of {within} is neither true nor false: {_shown(str(value))}")
    return value


def _objects(data: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    value = _field(data, name)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise BadVerdictError(f"'{name}' of the judge's answer is no list of objects: {_shown(str(value))}")
    return value


def _grade(definition: JudgeDefinition, data: Mapping[str, Any]) -> Verdict:
    justification = _text(data, JUSTIFICATION)
    value, low, high = _field(data, VERDICT_KEYS["grade"]), int(definition.scale.low), int(definition.scale.high)
    if type(value) is not int and not (isinstance(value, float) and value.is_integer()):
        raise BadVerdictError(f"the grade is no whole number: {_shown(str(value))}")
    if not low <= value <= high:
        raise BadVerdictError(f"the grade {int(value)} is not from {low} to {high}")
    return Verdict(value=float(value), justification=justification)


def _choice(definition: JudgeDefinition, data: Mapping[str, Any]) -> Verdict:
    justification = _text(data, JUSTIFICATION)
    choice, choices = _text(data, VERDICT_KEYS["choice"]), definition.scale.choices
    if choice not in choices:
        raise BadVerdictError(f"the choice {_shown(choice)!r} is none of: {', '.join(choices)}")
    return Verdict(value=choices[choice], justification=justification, choice=choice)


def _claims(definition: JudgeDefinition, data: Mapping[str, Any]) -> Verdict:
    del definition
    claims = _objects(data, VERDICT_KEYS["claims"])
    rows: list[JsonValue] = [
        {
            "claim": _text(item, "claim", f"claim {number}"),
            JUSTIFICATION: _text(item, JUSTIFICATION, f"claim {number}"),
            "supported": _truth(item, "supported", f"claim {number}"),
        }
        for number, item in enumerate(claims, start=1)
    ]
    unsupported = [item["claim"] for item in claims if not item["supported"]]
    if not claims:
        return Verdict(value=None, justification="the answer makes no claims", details={"claims": rows})
    reason = f"not supported: {'; '.join(unsupported)}" if unsupported else f"all {len(claims)} claims are supported"
    return Verdict(value=1 - len(unsupported) / len(claims), justification=reason, details={"claims": rows})


def _rubric(data: Mapping[str, Any], asked: int) -> Verdict:
    """Return met criteria over all that were asked: a criterion left out is no verdict, not one fewer to meet."""
    rows: dict[int, dict[str, JsonValue]] = {}
    for item in _objects(data, VERDICT_KEYS["rubric"]):
        number = _field(item, "number", "a criterion")
        if isinstance(number, bool) or number not in range(1, asked + 1) or number in rows:
            raise BadVerdictError(
                f"criterion {_shown(str(number))} was not asked, or is answered twice (asked: {asked})"
            )
        within = f"criterion {int(number)}"
        justification = _text(item, JUSTIFICATION, within)
        rows[int(number)] = {
            "number": int(number),
            JUSTIFICATION: justification,
            "met": _truth(item, "met", within),
        }
    missing = sorted(set(range(1, asked + 1)) - rows.keys())
    if missing:
        raise BadVerdictError(f"criteria without an answer: {', '.join(map(str, missing))} (asked: {asked})")
    unmet = [row for row in (rows[number] for number in sorted(rows)) if not row["met"]]
    reason = "; ".join(f"{row['number']}: {row[JUSTIFICATION]}" for row in unmet) or f"all {asked} criteria are met"
    details: dict[str, JsonValue] = {"criteria": [rows[number] for number in sorted(rows)]}
    return Verdict(value=(asked - len(unmet)) / asked, justification=reason, details=details)


_READERS: Mapping[Form, Callable[[JudgeDefinition, Mapping[str, Any]], Verdict]] = {
    "grade": _grade,
    "choice": _choice,
    "claims": _claims,
}
