"""The building blocks of the suite's models: short forms, names, rules written as text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_before_validator_function

from retest.domain.suite import CasePasses

AGGREGATES = ("mean", "min", "max", "any", "all", "majority")
_PASS_K = re.compile(r"pass[@^]([1-9][0-9]{0,5})")
_K_OF_N = re.compile(r"([1-9][0-9]{0,5}) of ([1-9][0-9]{0,5})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class SpecModel(BaseModel):
    """Base of every mapping in a suite: unknown keys are refused, types are not guessed."""

    # Built when something is validated: what is only part of a suite is built as part of it, not by itself before.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)
    shorthand: ClassVar[str | None] = None  # the key that a bare value fills
    shorthand_types: ClassVar[Mapping[type, str]] = {str: "string"}  # type of a bare value -> its name in JSON Schema

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, value: Any) -> Any:
        return {cls.shorthand: value} if cls.shorthand is not None and type(value) in cls.shorthand_types else value

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Return the mapping's schema, or a bare value where there is a short form."""
        schema = handler(core)
        if cls.shorthand is not None:
            definition = handler.resolve_ref_schema(schema)
            mapping = dict(definition)
            definition.clear()
            definition["anyOf"] = [mapping, *({"type": name} for name in dict.fromkeys(cls.shorthand_types.values()))]
        return schema


@dataclass(frozen=True, slots=True)
class _OneOrMore:
    """A list that may be written as its only entry."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_before_validator_function(_as_list, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler(core)
        return {"anyOf": [schema, schema["items"]]}


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str | dict) else value


ONE_OR_MORE = _OneOrMore()


def _check_name(value: Any) -> Any:
    if isinstance(value, str) and (not value.strip() or value != value.strip() or _CONTROL.search(value)):
        raise ValueError("a name is text without line breaks, and without spaces at its ends")
    return value


def _parse_case_passes(value: Any) -> Any:
    """Return the rule; accepts a word, a number of samples, or ``k of n``."""
    if value in ("all", "any", "majority"):
        return CasePasses(rule=value)
    match = _K_OF_N.fullmatch(value) if isinstance(value, str) else None
    if match and int(match[1]) <= int(match[2]):
        return CasePasses(rule="at_least", at_least=int(match[1]))
    if type(value) is int and value >= 1:
        return CasePasses(rule="at_least", at_least=value)
    raise ValueError("expected all, any, majority, a number of samples, or a text such as '3 of 5'")


def _check_aggregate(value: Any) -> Any:
    if isinstance(value, str) and (value in AGGREGATES or _PASS_K.fullmatch(value)):
        return value
    raise ValueError(f"expected one of {', '.join(AGGREGATES)}, pass@k or pass^k with a number for k, such as pass@3")


def _check_pattern(value: Any) -> Any:
    if isinstance(value, str):
        try:
            re.compile(value)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"not a regular expression: {error}") from None
    return value


Name = Annotated[str, BeforeValidator(_check_name)]
Names = Annotated[list[Name], ONE_OR_MORE]
Number = Annotated[float, Field(strict=True)]
CasePassesRule = Annotated[
    CasePasses,
    BeforeValidator(_parse_case_passes),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": ["all", "any", "majority"]},
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": f"^{_K_OF_N.pattern}$"},
            ]
        }
    ),
]
Aggregate = Annotated[
    str,
    BeforeValidator(_check_aggregate),
    WithJsonSchema({"anyOf": [{"enum": list(AGGREGATES)}, {"type": "string", "pattern": f"^{_PASS_K.pattern}$"}]}),
]
Pattern = Annotated[str, BeforeValidator(_check_pattern)]


def samples_of_rule(value: object) -> int | None:
    """Return n of a rule written ``k of n``, None for the other forms."""
    match = _K_OF_N.fullmatch(value) if isinstance(value, str) else None
    return int(match[2]) if match else None


def pass_k(aggregate: str | None) -> int | None:
    """Return k of ``pass@k`` and ``pass^k``, None for the other aggregates."""
    match = _PASS_K.fullmatch(aggregate or "")
    return int(match[1]) if match else None
