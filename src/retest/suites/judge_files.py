"""Reads judge definitions: those that come with retest, and the user's own in the same form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from retest.domain.catalog import Catalog
from retest.domain.json_value import JsonValue
from retest.domain.judge import JudgeDefinition, JudgeExample, JudgeLanguage, JudgeScale
from retest.domain.verdict_schema import JUSTIFICATION, VERDICT_KEYS, verdict_schema
from retest.errors import Location, Problem, SuiteError
from retest.suites.judge_spec import DefinitionSpec, ScaleEntry
from retest.suites.scope import SuiteScope
from retest.suites.spec_problems import Subject, spec_problems
from retest.suites.yaml_nodes import MapNode, NodePath, plain
from retest.suites.yaml_reader import read_yaml

MAX_DEFINITION_BYTES = 1_000_000  # a definition is sent with every call
_ASK_NOTHING = frozenset({"embedding", "embedding_field"})  # they name what is embedded; nobody can be asked them


@cache
def packaged_definition(name: str, language: JudgeLanguage) -> JudgeDefinition:
    """Return a definition that comes with retest.

    Raises:
        KeyError: there is none of that name in that language.
    """
    file = files("retest").joinpath("metrics", "judge", "definitions", language, f"{name}.yaml")
    if not file.is_file():
        raise KeyError(f"{language}/{name}")
    display = f"retest:{language}/{name}.yaml"
    return _build(file.read_bytes(), Path(display), display, None)


def packaged_names(language: JudgeLanguage) -> tuple[str, ...]:
    """Return the names of the definitions that come with retest and ask a judge something."""
    folder = files("retest").joinpath("metrics", "judge", "definitions", language)
    names = {file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml")}
    return tuple(sorted(names - _ASK_NOTHING))


def read_definition(path: Path, display: str) -> JudgeDefinition:
    """Return the definition in a file.

    Args:
        path: of the file.
        display: the same as the user would type it.

    Raises:
        SuiteError: it cannot be read, or everything that is wrong in it, each with its place.
    """
    try:
        size = path.stat().st_size
        if size > MAX_DEFINITION_BYTES:
            raise _unreadable(display, f"it has {size:,} bytes; the limit is {MAX_DEFINITION_BYTES:,}")
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(display, error.strerror or type(error).__name__) from None
    return _build(data, path, display, display)


def _unreadable(display: str, reason: str) -> SuiteError:
    message = f"cannot read the judge definition: {reason}"
    return SuiteError(Problem(slug="judge-definition-unreadable", message=message, where=Location(path=display)))


def _build(data: bytes, path: Path, display: str, shown_path: str | None) -> JudgeDefinition:
    tree = read_yaml(data, display)
    if not isinstance(tree, MapNode):
        message = f"{display} is no judge definition: it is no mapping with name, version, instructions and scale"
        raise SuiteError(Problem(slug="judge-definition", message=message, where=tree.where))
    scope = SuiteScope(tree=tree, path=path, display=display, cwd=Path(), catalog=Catalog())
    spec = _spec(scope)
    scale = _scale(spec.scale)
    schema: Mapping[str, JsonValue] = spec.output if spec.output is not None else verdict_schema(scale)
    if shown_path is not None:  # what comes with retest is checked by its tests, not at every start
        _check_schema(scope, scale, schema)
    if shown_path is not None and not scope.has_errors():
        _check_examples(scope, spec, schema)
    if scope.has_errors():
        raise SuiteError(*scope.problems)
    return JudgeDefinition(
        name=spec.name,
        version=spec.version,
        language=spec.language,
        description=spec.description,
        instructions=spec.instructions.strip(),
        inputs=tuple(spec.inputs),
        scale=scale,
        schema=schema,
        examples=tuple(JudgeExample(inputs=entry.inputs, output=entry.output) for entry in spec.examples),
        path=shown_path,
    )


def _spec(scope: SuiteScope) -> DefinitionSpec:
    try:
        return DefinitionSpec.model_validate(plain(scope.tree))
    except ValidationError as error:
        subject = Subject(model=DefinitionSpec, scope=scope, what="the judge definition")
        raise SuiteError(*spec_problems(error, subject)) from None


def _scale(entry: ScaleEntry) -> JudgeScale:
    values = list(entry.choices.values()) or [0.0, 1.0]
    grade = entry.form == "grade"
    return JudgeScale(
        form=entry.form,
        low=float(entry.lowest) if grade else min(values),
        high=float(entry.highest) if grade else max(values),
        choices=dict(entry.choices),
        meanings=dict(entry.meanings),
        criteria=tuple(entry.criteria),
        better=entry.better,
    )


def _check_schema(scope: SuiteScope, scale: JudgeScale, schema: Mapping[str, JsonValue]) -> None:
    """Note a schema of one's own that is no schema, or that the verdict does not fit into."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = scope.at("output", *error.absolute_path)
        scope.error("judge-definition", f"`output` is no JSON Schema: {error.message}", where)
        return
    for place, reference in _references(schema):
        if not reference.startswith("#"):
            message = f"`output` refers to {reference:.200}, and a schema of a judge refers only to itself (#/...)"
            scope.error("judge-definition", message, scope.at("output", *place))
    properties = schema.get("properties")
    names = list(properties) if isinstance(properties, Mapping) else []
    verdict = VERDICT_KEYS[scale.form]
    needed = [JUSTIFICATION, verdict] if scale.form in {"grade", "choice"} else [verdict]
    if [name for name in names if name in needed] != needed:
        scope.error(
            "judge-definition",
            f"`output` must have the properties {' and '.join(needed)}, in this order, for a scale of the form "
            f"{scale.form}",
            scope.at("output"),
            fix="take `output` out: it is made from the scale",
        )


def _references(schema: object, place: NodePath = ()) -> Iterator[tuple[NodePath, str]]:
    """Yield every reference of a schema with its place; jsonschema would fetch those that lead elsewhere."""
    if isinstance(schema, Mapping):
        for key, value in schema.items():
            if key in {"$ref", "$dynamicRef", "$recursiveRef"} and isinstance(value, str):
                yield (*place, key), value
            else:
                yield from _references(value, (*place, str(key)))
    elif isinstance(schema, list):
        for index, value in enumerate(schema):
            yield from _references(value, (*place, index))


def _check_examples(scope: SuiteScope, spec: DefinitionSpec, schema: Mapping[str, Any]) -> None:
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(schema)
    for index, entry in enumerate(spec.examples):
        for name in entry.inputs.keys() - set(spec.inputs):
            message = f"the example shows '{name}', and `inputs` are {', '.join(spec.inputs)}"
            scope.error("judge-definition", message, scope.key("examples", index, "inputs", name))
        for name in set(spec.inputs) - entry.inputs.keys():
            where = scope.at("examples", index, "inputs")
            scope.error("judge-definition", f"the example does not show '{name}'", where)
        for error in validator.iter_errors(entry.output):
            where = scope.at("examples", index, "output", *error.absolute_path)
            scope.error("judge-definition", f"the example's output does not fit the scale: {error.message}", where)
