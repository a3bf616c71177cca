"""`retest store copy`."""

from __future__ import annotations

from typing import Annotated

import typer

from retest.cli import options as opt
from retest.errors import ExitCode

HELP = "The store as a whole: copy it to another place or database."


def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="SQLite file or postgresql:// URL; it stays as it is.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="SQLite file or postgresql:// URL; made where missing.")],
    as_json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> ExitCode:
    """Copy runs, answers, scores, baselines and reviews into another store; what it has already stays.

    Typed again it brings over what has come since, and an interrupted copy goes on.

    [bold]Examples[/bold]

        retest store copy .retest/retest.db postgresql://me@db.example.org/retest

        retest store copy postgresql://me@db.example.org/retest offline.db
    """
    from dataclasses import asdict

    from retest.cli.console import print_json, stderr, stdout
    from retest.report.escape import one_line
    from retest.workflows.copy_store import copy_store

    def tell(table: str, rows: int) -> None:
        if not quiet and stderr().is_terminal:
            stderr().print(f"{table}: {rows:,}", style="dim", markup=False)

    report = copy_store(source, target, tell)
    code = ExitCode.INCOMPLETE if report.live else ExitCode.PASSED
    if as_json:
        print_json({**asdict(report), "exit_code": int(code)})
        return code
    stdout().print(
        f"copied {report.runs:,} runs ({report.samples:,} samples, {report.scores:,} scores), "
        f"{report.responses:,} answers, {report.texts:,} texts, {report.reviews:,} reviews, "
        f"{report.baselines:,} baselines; brought {report.updated_runs:,} runs up to date; "
        f"{report.already:,} rows were there already",
        markup=False,
        soft_wrap=True,
    )
    notes = {
        "left as they are there, which is further on": report.kept,
        "being written at this moment; copy again when they have ended": report.live,
    }
    for what, names in notes.items():
        if names:
            stdout().print(
                f"{len(names):,} runs {what}: {one_line(', '.join(names[:5]))}", markup=False, soft_wrap=True
            )
    if report.lost_samples:
        stdout().print(f"{report.lost_samples:,} samples had lost their answers: see `retest verify`", markup=False)
    return code


COMMANDS = {"copy": copy}
