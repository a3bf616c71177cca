"""What was scored after the fact, on the terminal and as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from retest.domain.rescoring import RescoredMetric, RescoredRun
from retest.report.escape import one_line
from retest.report.numbers import format_value, plural
from retest.report.terminal_table import FittedTable

_HASH_DIGITS = 8


def rescored_runs(runs: Sequence[RescoredRun]) -> RenderableType:
    """Return a table for each run, with what changed and what failed below it."""
    return Group(*(part for run in runs for part in _run_parts(run)))


def _run_parts(run: RescoredRun) -> Iterator[RenderableType]:
    role = " (the baseline, so that like is compared with like)" if run.role == "baseline" else ""
    yield Text.assemble((one_line(run.run.run_id), "bold"), f"  {one_line(run.run.suite)}{role}")
    table = FittedTable()
    table.add("name", "metric", "arm")
    table.add("number", "scored", "before", "now")
    for metric in run.metrics:
        for arm in metric.means or {"": None}:
            table.add_row(*(Text(one_line(cell)) for cell in _row(metric, arm)))
    yield table
    for metric in run.metrics:
        yield from (Text(one_line(line), style="dim") for line in _notes(metric))
    if run.without_answer:
        yield Text(f"{plural(run.without_answer, 'sample')} without an answer: nothing to score", style="dim")


def _row(metric: RescoredMetric, arm: str) -> list[str]:
    own = metric.metric
    before = format_value(metric.means_before.get(arm), low=own.low, high=own.high) if metric.is_changed else ""
    now = format_value(metric.means.get(arm), low=own.low, high=own.high)
    scored = f"{metric.scored:,}" if metric.scored or not metric.kept else "as before"
    return [own.name, arm, scored, before, now]


def _notes(metric: RescoredMetric) -> Iterator[str]:
    name = metric.metric.name
    if metric.before is None:
        yield f"{name}: new to this run, {_short(metric.metric.signature)}"
    elif metric.is_changed:
        before, now = _told_apart(metric.before.signature, metric.metric.signature)
        yield f"{name}: {before} before, {now} now; the earlier scores are kept"
    if metric.kept and metric.scored:
        yield f"{name}: {plural(metric.kept, 'sample')} had a score by this definition"
    if metric.not_applicable:
        yield f"{name}: not applicable to {plural(metric.not_applicable, 'sample')}"
    if metric.failures:
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(metric.failures.items()))
        failed = plural(sum(metric.failures.values()), "sample")
        yield f"{name}: failed on {failed} ({kinds}): {metric.first_failure[:300]}"


def _told_apart(before: str, now: str) -> tuple[str, str]:
    """Return two signatures shortened, unless that hides what differs: then the parts that do."""
    if _short(before) != _short(now):
        return _short(before), _short(now)
    parts, others = before.split("|"), now.split("|")
    lost = "|".join(part for part in parts if part not in others)
    new = "|".join(part for part in others if part not in parts)
    return lost or "less", new or "less"


def _short(signature: str) -> str:
    """Return a judge's signature as definition, version, the beginning of the hash, and models; any other whole."""
    parts = dict(part.split(":", 1) for part in signature.split("|") if ":" in part)
    if "definition" not in parts or "judge" not in parts:
        return signature
    label, _, digest = parts["definition"].rpartition(":")
    models = "+".join(re.sub(r"\(.*", "", judge, flags=re.DOTALL) for judge in parts["judge"].split("+"))
    return f"{label}:{digest[:_HASH_DIGITS]}, {models}"


def rescored_document(runs: Sequence[RescoredRun]) -> dict[str, Any]:
    """Return the same as JSON."""
    return {
        "runs": [
            {
                "run": run.run.run_id,
                "suite": run.run.suite,
                "role": run.role,
                "samples_without_answer": run.without_answer,
                "metrics": [_document(metric) for metric in run.metrics],
            }
            for run in runs
        ]
    }


def _document(metric: RescoredMetric) -> dict[str, Any]:
    return {
        "name": metric.metric.name,
        "metric": metric.metric.metric,
        "signature": metric.metric.signature,
        "signature_before": None if metric.before is None else metric.before.signature,
        "scored": metric.scored,
        "kept": metric.kept,
        "not_applicable": metric.not_applicable,
        "failures": dict(metric.failures),
        "first_failure": metric.first_failure or None,
        "means_before": dict(metric.means_before),
        "means": dict(metric.means),
    }
