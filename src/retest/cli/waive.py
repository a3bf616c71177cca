"""`retest waive`."""

from __future__ import annotations

from typing import Annotated

import typer

from retest.cli import options as opt
from retest.errors import ExitCode


def command(
    metric: Annotated[str, typer.Argument(help="The metric to waive, as the suite names it.")],
    suite: Annotated[str, typer.Option("--suite", help="The suite: its file or its name.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; a reviewer reads it.")],
    expires: Annotated[str, typer.Option("--expires", metavar="YYYY-MM-DD", help="The last day it holds (UTC).")],
    overrides: opt.Overrides = None,
) -> ExitCode:
    """Let the gate pass a metric of a suite until a day, for a reason that is reviewed like code.

    The entry goes into retest.waivers.yaml at the project's root: commit it. Errors, never_fail cases and a missing
    baseline cannot be waived.

    [bold]Example[/bold]

        retest waive exact_match --suite evals/support.yaml --reason "new tone, accepted in #123" --expires 2026-12-31
    """
    from retest.cli.config import open_workspace
    from retest.cli.console import stdout
    from retest.cli.one_suite import find_suite
    from retest.report.escape import one_line
    from retest.workflows.waivers import WaiverWish, add_waiver, make_waiver, read_waivers, waiver_file

    workspace = open_workspace()
    found = find_suite(suite, workspace, overrides or [])
    path = waiver_file(workspace.cwd)
    wish = WaiverWish(
        suite=found.name,
        metric=metric,
        metrics=list(dict.fromkeys([*(spec.name for spec in found.metrics), *found.gate.metrics])),
        reason=reason,
        expires=expires,
        author=workspace.provenance().user or "",
    )
    waiver = make_waiver(wish, read_waivers(path), workspace.clock().date())
    add_waiver(path, waiver)
    said = f"{waiver.metric} of {waiver.suite} is waived until {waiver.expires}: commit {path.name}"
    stdout().print(one_line(said), markup=False)
    return ExitCode.PASSED
