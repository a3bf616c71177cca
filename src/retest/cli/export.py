"""`retest export`."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from retest.cli import options as opt
from retest.errors import ExitCode


class Format(StrEnum):
    """What a run can be exported to."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"
    MD = "md"


def command(
    run: opt.RunId = "latest",
    to: Annotated[Format, typer.Option("--to", help="The file's format.")] = Format.JSONL,
    output: opt.Output = None,
    arm: opt.Arm = None,
    fields: Annotated[str | None, typer.Option("--fields", metavar="A,B", help="Only these fields (not md).")] = None,
    store: opt.StoreUrl = None,
) -> ExitCode:
    """Write a run's samples, one row each: case, arm, answer or error, latency, scores.

    An export is a recording: `provider: replay` reads it back.

    [bold]Examples[/bold]

        retest export latest --to jsonl > outputs.jsonl

        retest export latest --to csv -o outputs.csv

        retest export latest --fields case_id,sample_index,prompt,output,latency_ms > recording.jsonl

        retest export r20261123 --to parquet -o run.parquet --arm intent/small
    """
    from retest.cli.config import open_workspace
    from retest.workflows.find_runs import find_run
    from retest.workflows.inspect import SampleWish, sample_rows

    with open_workspace(store=store).open_store(read_only=True) as opened:
        found = find_run(opened, run)
        rows = sample_rows(opened, found, SampleWish(arm=arm))
        if fields is not None and to is not Format.MD:
            rows = _only(rows, fields)
        if to is Format.PARQUET:
            _write_parquet(rows, output)
        else:
            _write(rows, to, output)
    return ExitCode.PASSED


def _only(rows: Iterator[dict[str, Any]], fields: str) -> Iterator[dict[str, Any]]:
    from retest.errors import Problem, UsageError

    wanted = [name.strip() for name in fields.split(",") if name.strip()]
    for row in rows:
        unknown = [name for name in wanted if name not in row]
        if unknown:
            known = f"fields: {', '.join(row)}"
            raise UsageError(
                Problem(slug="export-field", message=f"samples have no field '{unknown[0]}'", details=(known,))
            )
        yield {name: row[name] for name in wanted}


def _write(rows: Iterator[dict[str, Any]], to: Format, output: Path | None) -> None:
    import sys

    from retest.report.export import WRITERS

    if output is None:
        WRITERS[to.value](rows, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    with _replacing(output) as partial, partial.open("wb") as out:
        if to is Format.CSV:
            out.write(b"\xef\xbb\xbf")  # spreadsheets on Japanese Windows read UTF-8 only with this mark
        WRITERS[to.value](rows, out)


def _write_parquet(rows: Iterator[dict[str, Any]], output: Path | None) -> None:
    from retest.errors import Problem, UsageError
    from retest.report.export import write_parquet

    if output is None:
        raise UsageError(Problem(slug="export-needs-file", message="Parquet is written to a file", fix="give -o FILE"))
    with _replacing(output) as partial:
        write_parquet(rows, partial)


class _replacing:  # noqa: N801 - reads as a verb where it is used
    """Writes beside a file and puts it in place at the end, so that no half-written file is left."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._partial = path.with_name(path.name + ".partial")

    def __enter__(self) -> Path:
        return self._partial

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._partial.replace(self._path)
        else:
            self._partial.unlink(missing_ok=True)
