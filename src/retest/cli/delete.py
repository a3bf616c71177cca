"""`retest delete`."""

from __future__ import annotations

from typing import Annotated

import typer

from retest.cli import options as opt
from retest.errors import ExitCode


def command(
    runs: Annotated[list[str], typer.Argument(help="Runs: ids, starts of ids, tags, or 'latest~1'.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    store: opt.StoreUrl = None,
) -> ExitCode:
    """Delete runs. Their paid-for responses stay in the ledger until `retest gc` drops them.

    [bold]Example[/bold]

        retest delete r20261123-071500-4f2a --yes
    """
    from retest.cli.config import open_workspace
    from retest.cli.console import stdout
    from retest.errors import Problem, UsageError
    from retest.workflows.find_runs import find_run

    with open_workspace(store=store).open_store(create=False) as opened:
        ids = [find_run(opened, name).run_id for name in runs]
        if not yes:
            if not stdout().is_terminal:
                raise UsageError(Problem(slug="delete-unconfirmed", message="nobody to ask", fix="give --yes"))
            typer.confirm(f"delete {', '.join(ids)}?", abort=True)
        for run_id in ids:
            opened.delete_run(run_id)
            stdout().print(f"deleted {run_id}", markup=False)
    return ExitCode.PASSED
