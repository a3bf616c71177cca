"""Samples as files: JSON lines, CSV, Parquet, Markdown. One row per sample, in a stream."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from retest.domain.case import Case
from retest.domain.run import RunArm
from retest.domain.sample import CallError, CallOutcome, MetricFailure, Response, Score, ScoreOutcome
from retest.errors import missing_extra
from retest.report.escape import visible

Row: TypeAlias = "dict[str, Any]"

_PARQUET_ROWS = 5000  # rows held at once
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def export_row(
    case: Case,
    arm: RunArm,
    sample_index: int,
    outcome: CallOutcome,
    scores: Mapping[str, ScoreOutcome | None],
    classified: Collection[str] = (),
) -> Row:
    """Return one sample as a row; the keys are the same for answers and errors.

    Args:
        case: as the run saw it.
        arm: that answered.
        sample_index: number of the repeat.
        outcome: the answer, or the error in its place.
        scores: one entry per metric of the run, None where there is no score.
        classified: those of the metrics that give labels.
    """
    row: Row = {
        "case_id": case.case_id,
        "sample_index": sample_index,
        "arm": arm.name,
        "prompt": arm.prompt_name,
        "target": arm.target_name,
    }
    row |= _outcome_fields(outcome)
    row["scores"] = {name: score.value if isinstance(score, Score) else None for name, score in scores.items()}
    row["metric_failures"] = {
        name: f"{score.kind}: {score.message}" for name, score in scores.items() if isinstance(score, MetricFailure)
    }
    row["judgments"] = {name: votes for name, score in scores.items() if (votes := _votes(score))}
    row["labels"] = {name: _labels(scores.get(name)) for name in classified}
    row |= {
        "expected": case.expected,
        "vars": dict(case.vars),
        "cluster": case.cluster,
        "tags": list(case.tags),
    }
    return row


def _votes(score: ScoreOutcome | None) -> object:
    """Return what judges said of a sample, vote by vote; nothing for a metric without judges."""
    return (score.details or {}).get("votes") if isinstance(score, Score) else None


def _labels(score: ScoreOutcome | None) -> dict[str, object] | None:
    """Return the expected and the given label of a classified sample; None where it has no score."""
    if not isinstance(score, Score):
        return None
    details = score.details or {}
    return {key: details[key] for key in ("expected", "predicted", "confidence") if key in details}


def _outcome_fields(outcome: CallOutcome) -> Row:
    answer = outcome if isinstance(outcome, Response) else Response(output="")
    error = outcome if isinstance(outcome, CallError) else None
    return {
        "output": answer.output if error is None else None,
        "error": None if error is None else {"kind": error.kind, "message": error.message, "status": error.status},
        "latency_ms": answer.latency_ms,
        "model": answer.model,
        "finish_reason": answer.finish_reason,
        "refusal": answer.refusal,
        "tool_calls": list(answer.tool_calls),
        "input_tokens": answer.usage.input_tokens,
        "output_tokens": answer.usage.output_tokens,
        "cost_usd": answer.cost_usd,
    }


def write_jsonl(rows: Iterable[Row], out: BinaryIO) -> None:
    """Write one JSON object per line, UTF-8; lone surrogates are escaped, so that any reader takes the file."""
    out.writelines(_json(row).encode("utf-8", "backslashreplace") + b"\n" for row in rows)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def write_csv(rows: Iterable[Row], out: BinaryIO) -> None:
    """Write CSV with one column per metric; text that a spreadsheet would run as a formula gets a leading quote."""
    text = io.TextIOWrapper(out, encoding="utf-8", errors="backslashreplace", newline="", write_through=True)
    writer = None
    for row in rows:
        flat = _flatten(row)
        if writer is None:
            writer = csv.DictWriter(text, fieldnames=list(flat), extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
        writer.writerow({name: _cell(value) for name, value in flat.items()})
    text.detach()


def _flatten(row: Row) -> Row:
    nested = {"scores", "metric_failures", "judgments", "labels"}
    flat = {name: value for name, value in row.items() if name not in nested}
    if (error := row.get("error")) is not None:
        flat["error"] = f"{error['kind']}: {error['message']}"
    flat |= {f"score.{name}": value for name, value in row.get("scores", {}).items()}
    return flat | {f"label.{name}": (labels or {}).get("predicted") for name, labels in row.get("labels", {}).items()}


def _cell(value: object) -> object:
    if value is None or isinstance(value, int | float):
        return "" if value is None else value
    text = value if isinstance(value, str) else _json(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def write_parquet(rows: Iterable[Row], path: Path) -> None:
    """Write Parquet in row groups; vars, expected and tool calls are JSON text.

    Raises:
        MissingExtraError: the library is not installed.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet as pq
    except ImportError:
        raise missing_extra("parquet", "export to Parquet") from None
    iterator = iter(rows)
    writer = None
    try:
        while chunk := [_parquet_row(row) for row in islice(iterator, _PARQUET_ROWS)]:
            table = pa.Table.from_pylist(chunk, schema=None if writer is None else writer.schema)
            if writer is None:
                table = table.cast(_without_nulls(pa, table.schema))
                writer = pq.ParquetWriter(path, table.schema)
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()


def _parquet_row(row: Row) -> Row:
    flat = _flatten(row)
    return {name: _parquet_value(name, value) for name, value in flat.items()}


def _parquet_value(name: str, value: object) -> object:
    if name.startswith("score.") or name in {"latency_ms", "cost_usd"}:
        return None if value is None else float(value)  # type: ignore[arg-type] # a number by contract
    if value is None or isinstance(value, int) or name == "tags":
        return value
    text = value if isinstance(value, str) else _json(value)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _without_nulls(pa: Any, schema: Any) -> Any:
    """Return the schema with columns that the first rows leave empty as text or number, not as nothing."""
    fields = [
        field.with_type(pa.float64() if field.name.startswith(("score.", "latency", "cost")) else pa.string())
        if pa.types.is_null(field.type)
        else field
        for field in schema
    ]
    return pa.schema(fields)


def write_markdown(rows: Iterable[Row], out: BinaryIO) -> None:
    """Write a Markdown table of samples; pipes, mentions and HTML in answers are made harmless."""
    for number, row in enumerate(rows):
        metrics = list(row["scores"])
        if number == 0:
            header = ["case", "arm", "#", *metrics, "answer"]
            out.write(_md_row(header) + _md_row(["---"] * len(header)))
        values = ["" if row["scores"][name] is None else f"{row['scores'][name]:.4g}" for name in metrics]
        answer = row["output"] if row["error"] is None else f"{row['error']['kind']}: {row['error']['message']}"
        out.write(_md_row([row["case_id"], row["arm"], str(row["sample_index"]), *values, answer[:300]]))


def _md_row(cells: Sequence[str]) -> bytes:
    return f"| {' | '.join(escape_markdown(cell) for cell in cells)} |\n".encode("utf-8", "backslashreplace")


_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~!])")


def escape_markdown(text: str) -> str:
    """Return text that Markdown shows as it is, on one line; ``@`` and links are broken by a zero-width joiner."""
    escaped = _MARKDOWN.sub(r"\\\1", visible(text))
    return escaped.replace("\n", "<br>").replace("@", "@\u2060").replace("://", ":\u2060//")


WRITERS: Mapping[str, Callable[[Iterable[Row], BinaryIO], None]] = {
    "jsonl": write_jsonl,
    "csv": write_csv,
    "md": write_markdown,
}
