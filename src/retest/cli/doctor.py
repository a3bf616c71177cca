"""`retest doctor`."""

from __future__ import annotations

from typing import Annotated

import typer

from retest.cli import options as opt
from retest.errors import ExitCode

_MARK = {"ok": ("ok", "green"), "info": ("--", "dim"), "warning": ("!!", "yellow"), "error": ("XX", "bold red")}


def command(
    reach: Annotated[bool, typer.Option("--reach/--no-reach", help="Try to connect to the targets.")] = True,
    store: opt.StoreUrl = None,
    as_json: opt.Json = False,
) -> ExitCode:
    """Say what is configured (and where), installed and reachable. No key is shown, nothing is sent.

    [bold]Examples[/bold]

        retest doctor

        retest doctor --no-reach --json
    """
    import dataclasses

    from retest.cli.config import open_workspace
    from retest.cli.console import print_json, stdout
    from retest.workflows.diagnose import diagnose

    findings = diagnose(open_workspace(store=store), reach=reach)
    code = ExitCode.USAGE if any(finding.state == "error" for finding in findings) else ExitCode.PASSED
    if as_json:
        print_json({"findings": [dataclasses.asdict(finding) for finding in findings], "exit_code": int(code)})
        return code
    from rich.table import Table
    from rich.text import Text

    from retest.report.escape import one_line

    table = Table(box=None, padding=(0, 1), pad_edge=False, show_header=False)
    table.add_column("", no_wrap=True)
    table.add_column("", no_wrap=True, overflow="ellipsis")
    table.add_column("", overflow="fold")
    table.add_column("", style="dim", overflow="fold")
    group = ""
    for finding in findings:
        if finding.group != group:
            group = finding.group
            table.add_row("", Text(group, "bold"))
        mark, style = _MARK[finding.state]
        table.add_row(
            Text(mark, style), one_line(finding.name), Text(one_line(finding.value)), Text(one_line(finding.note))
        )
    stdout().print(table)
    return code
