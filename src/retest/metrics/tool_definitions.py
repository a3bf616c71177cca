"""Tool definitions as providers take them: which tools there are, and what their arguments must be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retest.domain.json_value import content_hash
from retest.errors import Location, Problem, SuiteError
from retest.metrics.call_forms import ToolCall
from retest.metrics.metric_files import did_you_mean, resolved
from retest.metrics.references import clipped
from retest.metrics.schemas import CompiledSchema, compile_schema, read_json_file

_SCHEMA_KEYS = ("parameters", "input_schema", "inputSchema")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSet:
    """The tools by name, each with the compiled schema of its arguments; None where it declares none."""

    schemas: Mapping[str, CompiledSchema | None]
    content_hash: str

    @classmethod
    def load(
        cls, source: str | Iterable[Mapping[str, Any]], *, metric: str, base_dir: Path, within: tuple[Path, ...] = ()
    ) -> ToolSet:
        """Return the tools of a JSON file (a list, or ``{"tools": [...]}``) or of a list.

        Raises:
            SuiteError: the file cannot be read, a definition has no name, a schema is invalid.
        """
        path = resolved(source, base_dir) if isinstance(source, str) else None
        content = read_json_file(path, metric=metric, option="tools") if path else source
        if isinstance(content, Mapping):
            content = content.get("tools", content)
        where = Location(path=str(path)) if path else None
        listed = content if isinstance(content, list | tuple) else [content]
        definitions = [_definition(one, metric, where) for one in listed]
        schemas = {
            name: None
            if schema is None
            else compile_schema(
                schema,
                metric=metric,
                base_dir=base_dir,
                subject=f"the parameter schema of tool {name!r}",
                within=within,
            )
            for name, schema in definitions
        }
        return cls(schemas=schemas, content_hash=content_hash([[name, schema] for name, schema in definitions])[:12])

    def problem_with(self, call: ToolCall) -> str | None:
        """Return why a call is none that the tools allow, None where it is."""
        if call.name not in self.schemas:
            hint = did_you_mean(call.name, self.schemas)
            return f"there is no tool {call.name!r}{f' ({hint})' if hint else ''}"
        if call.problem is not None:
            return call.problem
        schema = self.schemas[call.name]
        error = None if schema is None else schema.first_error(dict(call.arguments or {}))
        return None if error is None else f"{call.name}: {error}"


def _definition(value: object, metric: str, where: Location | None) -> tuple[str, dict[str, Any] | None]:
    function = value.get("function", value) if isinstance(value, Mapping) else None
    name = function.get("name") if isinstance(function, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(name, str):
        raise SuiteError(
            Problem(
                slug="metric-tools-invalid",
                message=f"metric '{metric}': a tool definition must be an object with a name, not {clipped(value)}",
                where=where,
            )
        )
    schema = next((function[key] for key in _SCHEMA_KEYS if isinstance(function.get(key), Mapping)), None)
    return name, None if schema is None else dict(schema)
