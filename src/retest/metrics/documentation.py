"""Describes metrics for people: the generated part of docs/metrics.md, and what `retest metrics` shows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from retest.domain.catalog import MetricInfo
from retest.domain.figures import FigureKind
from retest.metrics.json_text import JsonOptions
from retest.metrics.normalise import Extract, TextOptions

GENERATED_START = "<!-- generated from the metrics themselves; do not edit below -->"
GENERATED_END = "<!-- end of the generated part -->"

_SHARED: Mapping[type[BaseModel], str] = {
    TextOptions: "Options of text comparison",
    JsonOptions: "Options of reading JSON",
}
_TYPES = {"string": "text", "boolean": "true/false", "integer": "whole number", "number": "number", "object": "object"}


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionDoc:
    """One option. `type` is in words; `default` is as YAML writes it, None where the option is required."""

    name: str
    type: str
    default: str | None
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricDoc:
    """One metric; `needs` holds ``expected``, ``a model``, ``your code``; `range` is as ``0..1``."""

    name: str
    summary: str
    group: str
    needs: tuple[str, ...]
    range: str
    direction: str
    options: tuple[OptionDoc, ...]


def describe(info: MetricInfo) -> MetricDoc:
    """Return everything about a metric that a person choosing one wants to know."""
    return MetricDoc(
        name=info.name,
        summary=info.summary,
        group=info.group,
        needs=tuple(_needs(info)),
        range=_range(info),
        direction=info.direction,
        options=tuple(option_docs(info.options())),
    )


def _needs(info: MetricInfo) -> Iterator[str]:
    if info.needs_expected:
        instead = " or ".join(f"`{option}`" for option in info.instead_of_expected)
        yield f"`expected` or {instead}" if instead else "`expected`"
    if info.needs_model:
        yield "a model"
    if info.runs_code:
        yield "your code"


def _range(info: MetricInfo) -> str:
    if info.binary:
        return "0 or 1"
    low = "any" if info.low is None else f"{info.low:g}"
    if info.high is None:
        return "any number" if info.low is None else f"{low} and up"
    return f"up to {info.high:g}" if info.low is None else f"{low} to {info.high:g}"


def option_docs(model: type[BaseModel]) -> Iterator[OptionDoc]:
    """Yield the options of a model in the order of their declaration."""
    schema = model.model_json_schema(by_alias=True)
    required = set(schema.get("required", ()))
    for name, part in schema.get("properties", {}).items():
        yield OptionDoc(
            name=name,
            type=_type(part),
            default=None if name in required else _default(part.get("default")),
            description=part.get("description", ""),
        )


def _default(value: Any) -> str:
    return "" if value is None or value in ([], {}) else json.dumps(value, ensure_ascii=False)


def _type(part: Mapping[str, Any]) -> str:
    if "enum" in part or "const" in part:
        return " or ".join(f"`{value}`" for value in part.get("enum", [part.get("const")]))
    choices = part.get("anyOf") or part.get("oneOf")
    if choices:
        return " or ".join(dict.fromkeys(_type(choice) for choice in choices if choice.get("type") != "null"))
    if part.get("type") == "array":
        items = part.get("items")
        return f"list of {_type(items)}" if items else _tuple_type(part)
    return _TYPES.get(str(part.get("type", "object")), "anything")


def _tuple_type(part: Mapping[str, Any]) -> str:
    items = part.get("prefixItems", ())
    return f"list of {len(items)}: {', '.join(map(_type, items))}" if items else "list"


def updated_page(page: str, infos: Iterable[MetricInfo]) -> str:
    """Return the page with its generated part made anew.

    Raises:
        ValueError: the page has no marked part.
    """
    before, start, rest = page.partition(GENERATED_START)
    _, end, after = rest.partition(GENERATED_END)
    if not (start and end):
        raise ValueError(f"the page needs a part between {GENERATED_START!r} and {GENERATED_END!r}")
    return f"{before}{start}\n\n{metrics_markdown(infos)}\n{end}{after}"


def metrics_markdown(infos: Iterable[MetricInfo]) -> str:
    """Return the overview table, the shared options, and each metric with its options."""
    listed = list(infos)
    sections = [line for info in listed for line in _section(info)]
    return "\n".join([*_overview(listed), *_shared_sections(), *sections])


def _overview(infos: Iterable[MetricInfo]) -> Iterator[str]:
    yield from ("## Overview", "")
    yield "| metric | what it measures | needs | values | better |"
    yield "|---|---|---|---|---|"
    for info in infos:
        doc = describe(info)
        name = f"[`{doc.name}`](#{doc.name})"
        yield _row(name, doc.summary, ", ".join(doc.needs), doc.range, doc.direction)
    yield ""


def _shared_sections() -> Iterator[str]:
    for model, title in _SHARED.items():
        yield from (f"## {title}", "")
        yield from _option_table(option_docs(model))
        if "extract" in model.model_fields:
            yield from ("`extract` as an object:", "")
            yield from _option_table(option_docs(Extract))


def _section(info: MetricInfo) -> Iterator[str]:
    doc = describe(info)
    model = info.options()
    sentence = doc.summary if doc.summary.endswith((".", "?", ")")) else f"{doc.summary}."
    yield from (f"## {doc.name}", "", sentence, "")
    needs = f"Needs {', '.join(doc.needs)}. " if doc.needs else ""
    log = " Compared on the log scale." if info.scale == "log" else ""
    yield from (f"{needs}Values: {doc.range}; {doc.direction} is better.{log}", "")
    if info.figures:
        yield from ("[Figures](figures.md) of a whole run:", "")
        yield from (_figure_line(kind) for kind in info.figures)
        yield ""
    base = next((shared for shared in _SHARED if issubclass(model, shared)), None)
    own = [option for option in doc.options if base is None or option.name not in base.model_fields]
    if own:
        yield from _option_table(own)
    if base is not None:
        title = _SHARED[base]
        yield from (f"{'Also the' if own else 'The'} [{title.lower()}](#{title.lower().replace(' ', '-')}).", "")


def _figure_line(kind: FigureKind) -> str:
    name = f"{kind.name}.LABEL" if kind.per_label else kind.name
    needs = f" (with the option `{kind.needs}`)" if kind.needs else ""
    return f"- `{name}`{needs}: {kind.summary}"


def _option_table(options: Iterable[OptionDoc]) -> Iterator[str]:
    yield "| option | type | default | |"
    yield "|---|---|---|---|"
    for option in options:
        default = "required" if option.default is None else f"`{option.default}`" if option.default else ""
        yield _row(f"`{option.name}`", option.type, default, option.description)
    yield ""


def _row(*cells: str) -> str:
    escaped = (cell.replace("|", r"\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"
