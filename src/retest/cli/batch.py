"""`retest batch`: list, status, fetch, cancel, forget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from retest.cli import options as opt
from retest.errors import ExitCode, IncompleteError, RetestError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retest.workflows.batch_care import Cared, Wish

HELP = "Batches that were handed to a provider with --batch: what is out, its answers, its end."

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="BATCH...", help="Batches by name, or the start of it. Default: all that are out."),
]
Name = Annotated[str, typer.Argument(metavar="BATCH", help="A batch by name, or the start of it.")]


def list_(
    all_: Annotated[bool, typer.Option("--all", help="Also those whose answers are taken.")] = False,
    store: opt.StoreUrl = None,
    as_json: opt.Json = False,
) -> ExitCode:
    """List the batches that are out, as the store knows them; nobody is asked.

    [bold]Examples[/bold]

        retest batch list

        retest batch list --all --json
    """
    from retest.cli.config import open_workspace
    from retest.cli.console import print_json, stdout
    from retest.report.batches import batch_document
    from retest.report.terminal_batches import batch_table

    with open_workspace(store=store).open_store(read_only=True) as opened:
        found = opened.batches.list(ended=all_)
    if as_json:
        print_json({"batches": [batch_document(batch) for batch in found], "exit_code": 0})
    elif found:
        stdout().print(batch_table(found))
    else:
        stdout().print("no batch is out" if not all_ else "no batch was ever sent from this store")
    return ExitCode.PASSED


def status(
    batches: Names = None,
    overrides: opt.Overrides = None,
    untrusted: opt.Untrusted = None,
    base: opt.Base = None,
    store: opt.StoreUrl = None,
    as_json: opt.Json = False,
) -> ExitCode:
    """Ask the provider how batches are doing; nothing is taken.

    [bold]Examples[/bold]

        retest batch status

        retest batch status batch_68f0
    """
    return _care(batches, "status", overrides, (untrusted, base), store, as_json=as_json)


def fetch(
    batches: Names = None,
    overrides: opt.Overrides = None,
    untrusted: opt.Untrusted = None,
    base: opt.Base = None,
    store: opt.StoreUrl = None,
    as_json: opt.Json = False,
) -> ExitCode:
    """Take the answers of batches that are over into the ledger; exit 4 while any is still out.

    The runs they belong to go on with them, for nothing: type their commands again.

    [bold]Examples[/bold]

        retest batch fetch

        retest batch fetch batch_68f0 --json
    """
    return _care(batches, "fetch", overrides, (untrusted, base), store, as_json=as_json)


def cancel(
    batch: Name,
    overrides: opt.Overrides = None,
    untrusted: opt.Untrusted = None,
    base: opt.Base = None,
    store: opt.StoreUrl = None,
    as_json: opt.Json = False,
) -> ExitCode:
    """Have the provider end a batch, and take what it had answered by then, which is paid for.

    [bold]Examples[/bold]

        retest batch cancel batch_68f0
    """
    return _care([batch], "cancel", overrides, (untrusted, base), store, as_json=as_json)


def forget(batch: Name, store: opt.StoreUrl = None) -> ExitCode:
    """Give a batch up without asking the provider: its calls may be made again, and paid for again.

    For a batch that the provider does not know any more, or whose endpoint is gone.

    [bold]Examples[/bold]

        retest batch forget batch_68f0
    """
    import asyncio

    from retest.cli.config import open_workspace
    from retest.cli.console import stdout
    from retest.report.escape import one_line
    from retest.workflows.batch_care import forget as give_up

    with open_workspace(store=store).open_store(create=False) as opened:
        asyncio.run(give_up(opened.batches.get(batch), opened))
    stdout().print(f"batch {one_line(batch)} is given up; its calls may be made again", markup=False)
    return ExitCode.PASSED


COMMANDS = {"list": list_, "status": status, "fetch": fetch, "cancel": cancel, "forget": forget}


def _care(
    names: list[str] | None,
    wish: Wish,
    overrides: list[str] | None,
    trust: tuple[bool | None, str | None],
    store: str | None,
    *,
    as_json: bool,
) -> ExitCode:
    """Care for the named batches, one after the other, and say what came of it.

    Without names, one that cannot be cared for leaves the others their turn.
    """
    import asyncio

    from retest.cli.config import Trust, open_workspace
    from retest.cli.console import print_problems, stdout
    from retest.runner.events import ignore_events
    from retest.workflows.batch_care import care_for

    workspace = open_workspace(Trust(untrusted=trust[0], base=trust[1]), store=store)
    cared: list[Cared] = []
    failures: list[RetestError] = []
    with workspace.open_store(create=False) as opened:
        found = opened.batches.list() if not names else [opened.batches.get(name) for name in names]
        for batch in found:
            if batch.ended_at is not None:
                continue
            try:
                cared.append(asyncio.run(care_for(batch, wish, opened, workspace, ignore_events, overrides or ())))
            except (UsageError, IncompleteError) as failed:
                if len(found) == 1 or names:
                    raise
                print_problems(failed.problems)
                failures.append(failed)
            else:
                _say(cared[-1], as_json=as_json)
    is_left = wish != "status" and any(each.batch.ended_at is None for each in cared)
    code = failures[0].exit_code if failures else ExitCode.INCOMPLETE if is_left else ExitCode.PASSED
    if as_json:
        _print_document(cared, failures, code)
    elif not (cared or failures):
        stdout().print("no batch is out" if not names else "its answers are taken already", markup=False)
    return code


def _print_document(cared: Sequence[Cared], failures: Sequence[RetestError], code: ExitCode) -> None:
    from retest.cli.console import print_json
    from retest.report.batches import batch_document
    from retest.report.json_report import problem_document

    shown = [
        {**batch_document(each.batch), "taken": each.taken, "answers": each.answers, "errors": each.errors}
        for each in cared
    ]
    problems = [problem for failed in failures for problem in failed.problems]
    print_json({"batches": shown, **problem_document(problems, code)})


def _say(cared: Cared, *, as_json: bool) -> None:
    from retest.cli.console import stdout
    from retest.report.batches import cared_line

    if not as_json:
        line = cared_line(cared.batch, cared.answers, cared.errors, taken=cared.taken)
        stdout().print(line, markup=False, soft_wrap=True)
