"""JSON Schemas: read, checked and compiled once, with `$ref` to local files and never to the network."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from retest.domain.json_value import JsonValue, content_hash
from retest.errors import Location, Problem, SuiteError
from retest.metrics.fast_schemas import fast_check
from retest.metrics.metric_files import read_file, resolved
from retest.metrics.references import clipped
from retest.metrics.schema_patterns import with_time_limit

if TYPE_CHECKING:
    from jsonschema import FormatChecker
    from jsonschema.exceptions import ValidationError
    from referencing import Registry

_CHECKED_FORMATS = ("date", "email", "ipv4", "ipv6", "regex", "uuid")
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[^\s<>\"{}|\\^`]+")
# What stands under these keys is data, even where it looks like a schema.
_DATA_KEYS = frozenset({"const", "default", "enum", "example", "examples"})
_REASON = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledSchema:
    """A validator and the hash of all that defines it; `passes` says of most valid values at once that they are."""

    validator: Any
    content_hash: str
    passes: Callable[[JsonValue], bool] | None = None

    def first_error(self, value: JsonValue) -> str | None:
        """Return the first violation with its JSON path, None where the value is valid."""
        if self.passes is not None and self.passes(value):
            return None
        try:
            error = next(self.validator.iter_errors(value), None)
        except RecursionError:
            return "nested too deeply to be checked"
        return None if error is None else _reason(error)


def _reason(error: ValidationError) -> str:
    if error.context:
        from jsonschema.exceptions import best_match

        # "is not valid under any of the given schemas" helps nobody; the closest alternative does.
        error = best_match([error]) or error
    message = error.message if len(error.message) <= _REASON else f"{error.message[: _REASON - 1]}…"
    return f"{error.json_path}: {message}"


def compile_schema(
    source: str | Mapping[str, Any],
    *,
    metric: str,
    base_dir: Path,
    formats: bool = True,
    subject: str = "the JSON Schema",
    within: tuple[Path, ...] = (),
) -> CompiledSchema:
    """Return the compiled schema of a path or of an inline object; `subject` names it in messages.

    Raises:
        SuiteError: the file is missing or no JSON, the schema is invalid, a `$ref` leads nowhere, or out of all folders
            `within` where there are any.
    """
    path = resolved(source, base_dir) if isinstance(source, str) else None
    schema = _read_schema(path, metric) if path else dict(source)  # type: ignore[arg-type]  # a path is the str case
    where = Location(path=str(path)) if path else None
    base_uri = (path or base_dir / "inline-schema").resolve().as_uri()
    compiler = _Compiler(metric=metric, where=where, base_uri=base_uri, formats=formats, subject=subject, within=within)
    return compiler.compiled(schema)


def read_json_file(path: Path, *, metric: str, option: str) -> Any:
    """Return the content of a JSON file that a metric's option names.

    Raises:
        SuiteError: the file is missing, unreadable or no JSON.
    """
    content = read_file(path, metric=metric, option=option)
    try:
        return json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        line, column = getattr(error, "lineno", None), getattr(error, "colno", None)
        raise SuiteError(
            Problem(
                slug="metric-file-not-json",
                message=f"metric '{metric}': the file of `{option}` is not JSON: {error}",
                where=Location(path=str(path), line=line, column=column),
            )
        ) from None


def _read_schema(path: Path, metric: str) -> dict[str, Any]:
    schema = read_json_file(path, metric=metric, option="schema")
    if isinstance(schema, dict):
        return schema
    raise SuiteError(
        Problem(
            slug="metric-schema-invalid",
            message=f"metric '{metric}': a schema is a JSON object, not {clipped(schema)}",
            where=Location(path=str(path)),
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compiler:
    metric: str
    where: Location | None
    base_uri: str
    formats: bool
    subject: str
    within: tuple[Path, ...]

    def compiled(self, schema: dict[str, Any]) -> CompiledSchema:
        from jsonschema.validators import Draft202012Validator, validator_for

        cls: Any = validator_for(schema, default=Draft202012Validator)
        self._check(cls, schema)
        files: dict[str, str] = {}
        registry = _local_registry(files, self.within)
        id_key = "id" if "Draft3" in cls.__name__ or "Draft4" in cls.__name__ else "$id"
        anchored = {id_key: self.base_uri, **schema}
        limited = with_time_limit(cls)
        formats = _format_checker() if self.formats else None
        validator = limited(anchored, registry=registry, format_checker=formats)
        self._check_references(anchored, registry, base=str(anchored[id_key]))
        return CompiledSchema(
            validator=validator,
            content_hash=content_hash([schema, *sorted(files.values())])[:12],
            passes=fast_check(schema, cls.__name__, formats),
        )

    def _check(self, cls: Any, schema: dict[str, Any]) -> None:
        from jsonschema.exceptions import SchemaError, best_match

        try:
            error = best_match(cls(cls.META_SCHEMA).iter_errors(schema))
        except RecursionError:
            error = SchemaError("nested too deeply")
        if error is not None:
            raise SuiteError(
                self._problem(slug="metric-schema-invalid", message=f"{self.subject} is invalid: {_reason(error)}")
            )

    def _check_references(self, schema: dict[str, Any], registry: Registry[Any], base: str) -> None:
        from referencing import Resource
        from referencing.exceptions import Unresolvable
        from referencing.jsonschema import DRAFT202012

        root = Resource.from_contents(schema, default_specification=DRAFT202012)
        resolver = registry.with_resource(base, root).resolver(base)
        for reference in _references(schema):
            if _is_meta_schema(reference):
                continue
            try:
                resolver.lookup(reference)
            except (Unresolvable, ValueError) as error:
                raise SuiteError(
                    self._problem(
                        slug="metric-schema-reference",
                        message=f"{self.subject}: $ref {reference!r} leads nowhere",
                        fix="refer to a definition in the schema or to a local file; no network is used",
                    )
                ) from error

    def _problem(self, slug: str, message: str, fix: str | None = None) -> Problem:
        return Problem(slug=slug, message=f"metric '{self.metric}': {message}", where=self.where, fix=fix)


def _references(schema: object) -> Iterator[str]:
    """Yield every `$ref` of a schema; below an own `$id` they start elsewhere and are left to the validator."""
    if isinstance(schema, Mapping):
        reference = schema.get("$ref")
        if isinstance(reference, str):
            yield reference
        for key, part in schema.items():
            if key not in _DATA_KEYS and not (isinstance(part, Mapping) and "$id" in part):
                yield from _references(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _references(part)


def _is_meta_schema(uri: str) -> bool:
    """Return whether a URI names a published draft, which jsonschema brings along."""
    from jsonschema.validators import validator_for

    return validator_for({"$schema": uri}, default=None) is not None  # type: ignore[arg-type]  # the stubs forget None


def _local_registry(files: dict[str, str], within: tuple[Path, ...]) -> Registry[Any]:
    """Return a registry that reads local files, and records their hashes in `files`."""
    from urllib.request import url2pathname

    from referencing import Registry, Resource
    from referencing.exceptions import NoSuchResource
    from referencing.jsonschema import DRAFT202012

    def retrieve(uri: str) -> Resource[Any]:
        parts = urlsplit(uri)
        if parts.scheme != "file":
            raise NoSuchResource(uri)
        try:
            path = Path(url2pathname(parts.path))
            if within and not any(Path(os.path.realpath(path)).is_relative_to(folder) for folder in within):
                raise NoSuchResource(uri)
            content = path.read_bytes()
            contents = json.loads(content.decode("utf-8-sig"))
        except (OSError, ValueError) as error:
            raise NoSuchResource(uri) from error
        files[uri] = hashlib.sha256(content).hexdigest()
        return Resource.from_contents(contents, default_specification=DRAFT202012)

    registry: Registry[Any] = Registry(retrieve=retrieve)  # type: ignore[call-arg]  # attrs names it for its alias
    return registry


def _format_checker() -> FormatChecker:
    """Return the checks of `format` that need no further library, the same on every machine."""
    from jsonschema import FormatChecker

    checker = FormatChecker(formats=_CHECKED_FORMATS)
    checker.checks("date-time", raises=ValueError)(_is_date_time)
    checker.checks("uri")(lambda value: not isinstance(value, str) or _URI.fullmatch(value) is not None)
    return checker


def _is_date_time(value: object) -> bool:
    if not isinstance(value, str):
        return True
    datetime.fromisoformat(value)
    return _DATE_TIME.fullmatch(value) is not None
