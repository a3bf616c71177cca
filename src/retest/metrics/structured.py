"""JSON outputs: valid, matching a schema, right field by field."""

from __future__ import annotations

from collections.abc import Mapping
from math import fsum
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from retest.domain.case import Case
from retest.domain.catalog import MetricInfo
from retest.domain.json_value import JsonValue
from retest.domain.sample import MetricFailure, Response, Score, ScoreOutcome
from retest.metrics.base import Metric, MetricContext, no_expected
from retest.metrics.json_fields import FieldComparison, FieldCount, JsonFieldsOptions
from retest.metrics.json_text import JsonOptions, JsonReader, NotJsonError
from retest.metrics.references import shown
from retest.metrics.schemas import compile_schema
from retest.metrics.text_metric import PASSED

_GROUP = "Structured output"
_WORST_FIELDS = 3
_EMPTY = FieldCount(matched=1)


class JsonValidOptions(JsonOptions):
    """Options of json_valid."""

    root: Literal["any", "object", "array"] = Field("any", description="What the JSON as a whole must be")


class JsonValid(Metric[JsonValidOptions]):
    """1 where the output is JSON."""

    Options: ClassVar[type[JsonValidOptions]] = JsonValidOptions
    info: ClassVar[MetricInfo] = MetricInfo(
        name="json_valid",
        summary="The output is JSON, bare or in a code fence",
        options=lambda: JsonValidOptions,
        binary=True,
        group=_GROUP,
    )

    def __init__(self, options: JsonValidOptions, context: MetricContext) -> None:
        super().__init__(options, context)
        self._reader = JsonReader(options)
        self._root: type | tuple[type, ...] = {"any": object, "object": dict, "array": list}[options.root]

    def score(self, case: Case, response: Response) -> ScoreOutcome:  # noqa: ARG002 - the same for every case
        """Return whether the output is JSON of the wanted kind."""
        try:
            value = self._reader.read(response.output)
        except NotJsonError as error:
            return Score(value=0.0, reason=str(error))
        if isinstance(value, self._root):
            return PASSED
        return Score(value=0.0, reason=f"the JSON must be an {self.options.root}, not {shown(value)}")


class JsonSchemaOptions(JsonOptions):
    """Options of json_schema; written `schema` in a suite."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

    schema_: str | dict[str, Any] = Field(
        alias="schema", description="The JSON Schema: a path (relative to the suite) or the schema itself"
    )
    formats: bool = Field(
        default=True,
        description="`format` is checked (date, date-time, email, ipv4, ipv6, regex, uri, uuid), not only noted",
    )


class JsonSchema(Metric[JsonSchemaOptions]):
    """1 where the output is JSON that the schema allows."""

    Options: ClassVar[type[JsonSchemaOptions]] = JsonSchemaOptions
    info: ClassVar[MetricInfo] = MetricInfo(
        name="json_schema",
        summary="The output is JSON that a JSON Schema allows",
        options=lambda: JsonSchemaOptions,
        binary=True,
        group=_GROUP,
    )

    def __init__(self, options: JsonSchemaOptions, context: MetricContext) -> None:
        super().__init__(options, context)
        self._reader = JsonReader(options)
        self._schema = compile_schema(
            options.schema_,
            metric=context.name,
            base_dir=context.base_dir,
            formats=options.formats,
            within=context.within,
        )

    def score(self, case: Case, response: Response) -> ScoreOutcome:  # noqa: ARG002 - the same for every case
        """Return whether the schema allows the output; the reason is the first error with its JSON path."""
        try:
            value = self._reader.read(response.output)
        except NotJsonError as error:
            return Score(value=0.0, reason=str(error))
        error_text = self._schema.first_error(value)
        return PASSED if error_text is None else Score(value=0.0, reason=error_text)

    def signature_parts(self) -> tuple[str, ...]:
        """Return the hash of the schema and of the files it refers to, and the library."""
        from importlib.metadata import version

        return (f"schema_hash:{self._schema.content_hash}", f"jsonschema:{version('jsonschema')}")


class JsonFields(Metric[JsonFieldsOptions]):
    """How many of the expected fields are right, and how many of the answer's are expected."""

    Options: ClassVar[type[JsonFieldsOptions]] = JsonFieldsOptions
    info: ClassVar[MetricInfo] = MetricInfo(
        name="json_fields",
        summary="Precision, recall and F1 of the fields of a JSON output against the expected object",
        options=lambda: JsonFieldsOptions,
        needs_expected=True,
        group=_GROUP,
    )

    def __init__(self, options: JsonFieldsOptions, context: MetricContext) -> None:
        super().__init__(options, context)
        self._reader = JsonReader(options)
        self._comparison = FieldComparison(options)

    def score(self, case: Case, response: Response) -> ScoreOutcome:
        """Return the average over fields (or values) of the chosen measure."""
        if case.expected is None:
            return no_expected()
        expected = self._expected(case.expected)
        if isinstance(expected, MetricFailure):
            return expected
        try:
            found = self._reader.read(response.output)
            counts = self._comparison.counts(expected, found)
        except NotJsonError as error:
            return Score(value=0.0, reason=str(error))
        except RecursionError:
            return Score(value=0.0, reason="the JSON is nested too deeply to be compared")
        return self._scored(counts, expected, found)

    def _scored(self, counts: Mapping[str, FieldCount], expected: JsonValue, found: JsonValue) -> ScoreOutcome:
        options = self.options
        if not counts and (options.fields or options.ignore):
            return MetricFailure(kind="not_applicable", message="none of the fields to judge is expected or answered")
        value = self._average(list(counts.values()) or [_EMPTY])
        if value is None:
            return MetricFailure(kind="not_applicable", message="nothing is expected, so recall says nothing")
        details: dict[str, JsonValue] = {name: _field_details(count) for name, count in counts.items()}
        if type(expected) is not type(found):
            reason = f"expected {shown(expected)}, got {shown(found)}"
        else:
            reason = "; ".join(_worst(counts))
        return Score(value=value, reason=reason or None, details={"fields": details})

    def _average(self, counts: list[FieldCount]) -> float | None:
        if self.options.average == "values":
            counts = [_added_up(counts)]
        values = [value for count in counts if (value := getattr(count, self.options.measure)) is not None]
        if values:
            return fsum(values) / len(values)
        # Without values in the output nothing of it is right; without expected ones there is nothing to recall.
        return None if self.options.measure == "recall" else 0.0

    def _expected(self, expected: JsonValue) -> JsonValue | MetricFailure:
        value, why = expected, ""
        if isinstance(value, str):
            try:
                value = self._reader.read(value)
            except NotJsonError as error:
                why = f": {error}"
        if isinstance(value, Mapping):
            return dict(value)
        if isinstance(value, list | tuple):
            return list(value)
        wanted = "an object, a list or the JSON text of one"
        return MetricFailure(kind="bad_expected", message=f"expected must be {wanted}, not {shown(expected)}{why}")


def _added_up(counts: list[FieldCount]) -> FieldCount:
    return FieldCount(
        matched=sum(count.matched for count in counts),
        missing=sum(count.missing for count in counts),
        extra=sum(count.extra for count in counts),
    )


def _field_details(count: FieldCount) -> dict[str, JsonValue]:
    return {
        "precision": count.precision,
        "recall": count.recall,
        "f1": count.f1,
        "matched": count.matched,
        "missing": count.missing,
        "extra": count.extra,
    }


def _worst(counts: Mapping[str, FieldCount]) -> list[str]:
    wrong = sorted((count.f1 or 0.0, name) for name, count in counts.items() if count.missing or count.extra)
    listed = [f"{name}: {counts[name].examples[0]}" for _, name in wrong[:_WORST_FIELDS]]
    return listed if len(wrong) <= _WORST_FIELDS else [*listed, f"and {len(wrong) - _WORST_FIELDS} more fields"]


METRICS: tuple[type[Metric[Any]], ...] = (JsonValid, JsonSchema, JsonFields)
