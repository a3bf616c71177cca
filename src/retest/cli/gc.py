"""`retest gc`."""

from __future__ import annotations

from typing import Annotated

import typer

from retest.cli import options as opt
from retest.errors import ExitCode


def command(
    older_than_days: Annotated[
        float, typer.Option("--older-than", metavar="DAYS", min=0, help="Only what is at least so old.")
    ] = 30.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go; drop nothing.")] = False,
    store: opt.StoreUrl = None,
) -> ExitCode:
    """Drop responses that no run refers to, and texts that nothing needs. What was dropped must be paid for again.

    [bold]Examples[/bold]

        retest gc --dry-run

        retest gc --older-than 90
    """
    from datetime import timedelta

    from retest.cli.config import open_workspace
    from retest.cli.console import stdout
    from retest.report.numbers import plural

    with open_workspace(store=store).open_store(create=False) as opened:
        report = opened.gc(older_than=timedelta(days=older_than_days), dry_run=dry_run)
    verb = "would drop" if report.dry_run else "dropped"
    stdout().print(
        f"{verb} {plural(report.responses, 'response')}, {plural(report.blobs, 'text')}, {report.bytes:,} bytes; "
        f"kept {plural(report.kept_responses, 'response')}",
        markup=False,
    )
    return ExitCode.PASSED
