"""`retest tag`."""

from __future__ import annotations

from typing import Annotated

import typer

from retest.cli import options as opt
from retest.errors import ExitCode


def command(
    run: opt.RunId,
    add: Annotated[list[str] | None, typer.Option("--add", metavar="TAG", help="Add a tag.")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", metavar="TAG", help="Take a tag away.")] = None,
    meta: Annotated[list[str] | None, typer.Option("--meta", metavar="KEY=VALUE", help="Set a note.")] = None,
    store: opt.StoreUrl = None,
) -> ExitCode:
    """Tag a run, or note something on it, after the fact.

    [bold]Examples[/bold]

        retest tag latest --add good --add release-1.2

        retest tag r20261123 --remove good --meta reviewer=sato
    """
    from retest.cli.config import open_workspace
    from retest.cli.console import stdout
    from retest.errors import Problem, UsageError
    from retest.report.escape import one_line
    from retest.workflows.find_runs import find_run

    if not (add or remove or meta):
        raise UsageError(Problem(slug="tag-nothing", message="nothing to change", fix="give --add, --remove or --meta"))
    with open_workspace(store=store).open_store(create=False) as opened:
        found = find_run(opened, run)
        opened.tag_run(found.run_id, add or (), remove or (), opt.parse_pairs(meta or [], "--meta"))
        changed = opened.get_run(found.run_id)
    notes = ", ".join(f"{name}={value}" for name, value in changed.metadata.items())
    stdout().print(
        one_line(f"{changed.run_id}  tags: {' '.join(changed.tags) or '-'}  notes: {notes or '-'}"), markup=False
    )
    return ExitCode.PASSED
