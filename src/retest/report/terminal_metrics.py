"""The list of metrics on the terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text


def metric_overview(metrics: Sequence[Mapping[str, Any]]) -> Table:
    """Return one row per metric."""
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
    table.add_column("metric", no_wrap=True, style="cyan")
    table.add_column("needs", no_wrap=True)
    table.add_column("range", no_wrap=True)
    table.add_column("what it measures")
    for metric in metrics:
        table.add_row(metric["name"], _needs(metric), _range(metric), Text(metric["summary"]))
    return table


def metric_options(metric: Mapping[str, Any]) -> RenderableType:
    """Return one metric with its options."""
    head = Text.assemble((metric["name"], "bold cyan"), f"  {metric['summary']}")
    facts = Text(f"needs: {_needs(metric) or 'nothing'}; range {_range(metric)}; {metric['direction']} is better")
    if metric["figures"]:
        facts.append(f"\nfigures of a whole run: {', '.join(metric['figures'])}")
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
    table.add_column("option", style="cyan")
    table.add_column("type")
    table.add_column("default")
    table.add_column("what it does")
    for option in metric["options"]:
        default = json.dumps(option["default"], ensure_ascii=False)
        table.add_row(option["name"], Text(option["type"]), Text(default), Text(option["description"]))
    return Group(head, facts, table) if metric["options"] else Group(head, facts)


def _needs(metric: Mapping[str, Any]) -> str:
    needs = {"expected": metric["needs_expected"], "model": metric["needs_model"], "code": metric["runs_code"]}
    return ", ".join(name for name, needed in needs.items() if needed)


def _range(metric: Mapping[str, Any]) -> str:
    low, high = metric["range"]
    arrow = "↑" if metric["direction"] == "higher" else "↓"
    return f"{'-∞' if low is None else f'{low:g}'}..{'∞' if high is None else f'{high:g}'} {arrow}"
