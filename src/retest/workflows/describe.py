"""Describes what a suite may name, for people and scripts."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from retest.domain.catalog import MetricInfo
from retest.errors import Problem, UsageError


def find_metric_info(infos: Mapping[str, MetricInfo], name: str) -> MetricInfo:
    """Return a metric by name.

    Raises:
        UsageError: there is none of that name; says which is close.
    """
    if name in infos:
        return infos[name]
    close = difflib.get_close_matches(name, infos, n=1)
    raise UsageError(
        Problem(
            slug="metric-unknown",
            message=f"unknown metric '{name}'",
            details=(f"known metrics: {', '.join(infos)}",),
            fix=f"did you mean '{close[0]}'?" if close else "`retest metrics` lists them",
        )
    )


def describe_metric(info: MetricInfo) -> dict[str, Any]:
    """Return one metric as JSON: needs, range, direction, and each option with its type and default."""
    schema: dict[str, Any] = info.options().model_json_schema()
    return {
        "name": info.name,
        "summary": info.summary,
        "group": info.group,
        "needs_expected": info.needs_expected,
        "needs_model": info.needs_model,
        "runs_code": info.runs_code,
        "range": [info.low, info.high],
        "direction": info.direction,
        "scale": info.scale,
        "binary": info.binary,
        "figures": [f"{kind.name}.LABEL" if kind.per_label else kind.name for kind in info.figures],
        "options": [_option(name, part) for name, part in schema.get("properties", {}).items()],
    }


def _option(name: str, part: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "type": _type(part),
        "default": part.get("default"),
        "description": part.get("description", ""),
    }


def _type(part: Mapping[str, Any]) -> str:
    if "enum" in part:
        return " | ".join(str(value) for value in part["enum"])
    if "const" in part:
        return str(part["const"])
    if "anyOf" in part:
        return " | ".join(_type(choice) for choice in part["anyOf"])
    if "$ref" in part:
        return str(part["$ref"]).rsplit("/", 1)[-1]
    return str(part.get("type", "any"))
