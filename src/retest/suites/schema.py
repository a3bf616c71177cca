"""The JSON Schema of suite files, for editors: the suite's models joined with every metric's and provider's options.

It accepts each file that `load` accepts; what depends on other files or on other entries (files that are missing, a
metric's required option that `defaults` may supply) is left to `retest check`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from retest.domain.catalog import Catalog, MetricInfo, ProviderInfo
from retest.errors import RetestError
from retest.suites.prompt_params import KNOWN_PARAMS
from retest.suites.spec import SuiteSpec
from retest.suites.spec_problems import model_keys

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TITLE = "retest suite"
_REQUIRED = (("prompts", "prompt"), ("dataset",), ("targets", "target"), ("metrics", "preset"))
_FREE_IN_DEFAULTS = ("metric", "name")

Schema = dict[str, Any]


def suite_json_schema(catalog: Catalog) -> Schema:
    """Return the schema (draft 2020-12) of a suite that may name what `catalog` holds."""
    _, root = models_json_schema([(SuiteSpec, "validation")])
    definitions: Schema = root["$defs"]
    suite: Schema = definitions.pop("SuiteSpec")
    _add_options(definitions, "MetricEntry", "metric", catalog.metrics)
    _add_options(definitions, "TargetEntry", "provider", catalog.providers)
    _add_options(definitions, "JudgeEntry", "provider", catalog.providers)
    _add_metric_names(definitions, catalog)
    _add_defaults(definitions, catalog)
    _add_params(definitions)
    needed = [{"anyOf": [{"required": [key]} for key in keys]} for keys in _REQUIRED]
    whole = {"$schema": DIALECT, **suite, "title": _TITLE, "allOf": needed, "$defs": definitions}
    return {key: _tidy(value) for key, value in whole.items()}


def _mapping(definition: Schema) -> Schema:
    """Return the schema of the mapping, beside which a short form may stand."""
    return next((part for part in definition.get("anyOf", ()) if part.get("type") == "object"), definition)


def _options_model(info: MetricInfo | ProviderInfo) -> type[BaseModel] | None:
    try:
        return info.options()  # type: ignore[no-any-return]  # the catalog is typed without pydantic
    except RetestError:  # an optional library is missing: its options cannot be completed
        return None


def _add_options(
    definitions: Schema, name: str, key: str, infos: Mapping[str, MetricInfo] | Mapping[str, ProviderInfo]
) -> None:
    """Let each metric (provider) have its own options and no others."""
    mapping = _mapping(definitions[name])
    own: Schema = mapping["properties"]
    own[key] = {"description": own[key].get("description", ""), "anyOf": list(_choices(infos))}
    branches = []
    for info in infos.values():
        options = _properties(definitions, info)
        if options is not None:
            branches.append(
                {
                    "if": {"properties": {key: {"const": info.name}}, "required": [key]},
                    "then": {"properties": {**dict.fromkeys(own, True), **options}, "additionalProperties": False},
                }
            )
    if branches:
        mapping["allOf"] = branches


def _choices(infos: Mapping[str, MetricInfo] | Mapping[str, ProviderInfo]) -> Iterator[Schema]:
    """Yield one constant per name, with its summary, which editors show."""
    for info in infos.values():
        yield {"const": info.name, "description": info.summary}


def _properties(definitions: Schema, info: MetricInfo | ProviderInfo) -> Schema | None:
    """Return the options' properties; models inside them are put among `definitions` under names of their own."""
    model = _options_model(info)
    if model is None:
        return None
    template = f"#/$defs/{info.name}.{{model}}"
    schema = model.model_json_schema(ref_template=template, by_alias=True)
    for name, definition in schema.get("$defs", {}).items():
        definitions[f"{info.name}.{name}"] = definition
    return {key: schema["properties"][key] for key in model_keys(model) if key in schema.get("properties", {})}


def _add_metric_names(definitions: Schema, catalog: Catalog) -> None:
    """Offer the metrics' names where a bare text stands for a metric."""
    for part in definitions["MetricEntry"]["anyOf"]:
        if part.get("type") == "string":
            part.pop("type")
            part["anyOf"] = list(_choices(catalog.metrics))


def _add_defaults(definitions: Schema, catalog: Catalog) -> None:
    shared: Schema = {}
    own = _mapping(definitions["MetricEntry"])["properties"]
    common = {key: schema for key, schema in own.items() if key not in _FREE_IN_DEFAULTS}
    for info in catalog.metrics.values():
        options = _properties(definitions, info)
        if options is not None:
            shared[info.name] = {"type": "object", "properties": {**common, **options}, "additionalProperties": False}
    metrics = definitions["DefaultsEntry"]["properties"]["metrics"]
    metrics.update({"properties": shared, "additionalProperties": False})


def _add_params(definitions: Schema) -> None:
    """Offer the known model parameters; others are passed through."""
    known = dict.fromkeys(sorted(KNOWN_PARAMS), True)
    for entry in ("TargetEntry", "JudgeEntry"):
        _mapping(definitions[entry])["properties"]["params"]["properties"] = known
    own = _mapping(definitions["ParamSetEntry"])["properties"]
    _mapping(definitions["ParamSetEntry"])["properties"] = {**known, **own}


def _tidy(schema: Any) -> Any:
    """Drop pydantic's titles, which only repeat the keys, and defaults of null, which say nothing."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    noise = {"title"} if isinstance(schema.get("title"), str) else set()
    if "default" in schema and schema["default"] is None:
        noise.add("default")
    return {key: _tidy(value) for key, value in schema.items() if key not in noise}
