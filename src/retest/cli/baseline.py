"""`retest baseline set`, `show`, `list`, `clear`, `export`, `import` and `refresh`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from retest.cli import options as opt
from retest.errors import ExitCode

HELP = "Keep what later runs are compared with. A baseline is set by these commands only, never by running."

_Suite = Annotated[str | None, typer.Option("--suite", help="The suite: its file or its name.")]
_Force = Annotated[bool, typer.Option("--force", help="Although the run has errors or fails the gate.")]
_Run = Annotated[str | None, typer.Argument(help="A run: its id, the start of it, a tag. Default: the suite's latest.")]


def set_(
    run: _Run = None,
    suite: _Suite = None,
    force: _Force = False,
    store: opt.StoreUrl = None,
    verbose: opt.Verbose = False,
) -> ExitCode:
    """Make a run the baseline of its suite.

    Shows what it replaces and how the two compare. A run with errors, an incomplete one, or one that fails the gate
    is refused. Where a baseline file stands beside the suite, that is written anew too.

    [bold]Examples[/bold]

        retest baseline set                          the latest run

        retest baseline set r20261123-071500 --suite evals/support.yaml
    """
    from retest.cli.baseline_steps import choose_run, promote_run
    from retest.cli.config import open_workspace

    workspace = open_workspace(store=store)
    with workspace.open_store() as opened:
        promote_run(opened, choose_run(opened, run, suite, workspace), workspace, force=force, verbose=verbose)
    return ExitCode.PASSED


def show(suite: _Suite = None, store: opt.StoreUrl = None, as_json: opt.Json = False) -> ExitCode:
    """Show which baseline the gate would use for a suite, and how old its answers are."""
    from retest.cli.baseline_steps import show_baseline
    from retest.cli.config import open_workspace
    from retest.cli.one_suite import find_suite
    from retest.workflows.baseline import SuitePlace, resolve_baseline

    workspace = open_workspace(store=store)
    found = find_suite(suite, workspace)
    place = SuitePlace(suite=found.name, path=found.path, cwd=workspace.cwd)
    with workspace.open_store() as opened:
        show_baseline(resolve_baseline(opened, place), workspace.clock(), as_json=as_json)
    return ExitCode.PASSED


def list_(store: opt.StoreUrl = None, as_json: opt.Json = False) -> ExitCode:
    """List the baselines of the project: files beside suites, and runs named in the store."""
    from retest.cli.baseline_steps import list_baselines
    from retest.cli.config import open_workspace

    workspace = open_workspace(store=store)
    with workspace.open_store() as opened:
        list_baselines(opened, workspace, as_json=as_json)
    return ExitCode.PASSED


def clear(suite: _Suite = None, store: opt.StoreUrl = None) -> ExitCode:
    """Forget which run of the store is a suite's baseline; the run stays, and so does a file beside the suite."""
    from retest.cli.baseline_steps import clear_baseline
    from retest.cli.config import open_workspace
    from retest.cli.one_suite import find_suite

    workspace = open_workspace(store=store)
    found = find_suite(suite, workspace)
    with workspace.open_store() as opened:
        clear_baseline(opened, found, workspace)
    return ExitCode.PASSED


def export(
    suite: _Suite = None,
    run: Annotated[str | None, typer.Option("--run", help="This run, not the suite's baseline.")] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write to this file; '-' is stdout. Default: beside the suite."),
    ] = None,
    outputs: Annotated[
        bool, typer.Option("--outputs", help="With the answers, so that reports can show them.")
    ] = False,
    store: opt.StoreUrl = None,
) -> ExitCode:
    """Write a suite's baseline as a text file to review and commit, such as evals/support.baseline.jsonl.

    One sorted line a case and arm with its scores, so that little changes where little changed. The gate reads the
    file beside the suite before it looks into the store.

    [bold]Examples[/bold]

        retest baseline export --suite evals/support.yaml

        retest baseline export --run latest -o before.jsonl --outputs
    """
    from retest.cli.baseline_steps import export_baseline
    from retest.cli.config import open_workspace

    workspace = open_workspace(store=store)
    with workspace.open_store() as opened:
        export_baseline(opened, workspace, (suite, run), output, outputs=outputs)
    return ExitCode.PASSED


def import_(
    file: Annotated[Path, typer.Argument(help="A baseline file.")],
    suite: _Suite = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file that is there.")] = False,
) -> ExitCode:
    """Check a baseline file and put it beside its suite, where the gate finds it.

    [bold]Example[/bold]

        retest baseline import from-ci.jsonl --suite evals/support.yaml
    """
    from retest.cli.baseline_steps import import_baseline
    from retest.cli.config import open_workspace
    from retest.cli.one_suite import find_suite

    workspace = open_workspace()
    import_baseline(file, find_suite(suite, workspace), workspace, force=force)
    return ExitCode.PASSED


def refresh(
    suite: _Suite = None,
    samples: Annotated[int | None, typer.Option("--samples", "-k", min=1, help="Samples per case.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="New answers, not those of the ledger.")] = False,
    force: _Force = False,
    store: opt.StoreUrl = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> ExitCode:
    """Run the suite as it is now, and make that the baseline wherever the suite keeps it.

    What the ledger has is not called again. The checks are those of `retest baseline set`.

    [bold]Examples[/bold]

        retest baseline refresh --suite evals/support.yaml --samples 10

        retest baseline refresh --fresh              the answers are old: ask again
    """
    from retest.cli.baseline_steps import promote_run
    from retest.cli.config import open_workspace
    from retest.cli.one_suite import find_suite
    from retest.cli.run_suites import Display, run_one
    from retest.workflows.run import RunOptions

    workspace = open_workspace(store=store)
    found = find_suite(suite, workspace)
    display = Display(quiet=quiet, verbose=verbose)
    outcome = run_one(found, RunOptions(samples=samples, fresh=fresh), workspace, display)
    if outcome.run is None or outcome.run.status == "interrupted":
        return outcome.exit_code
    with workspace.open_store() as opened:
        run = opened.get_run(outcome.run.run_id)
        promote_run(opened, run, workspace, force=force, verbose=verbose)
    return ExitCode.PASSED


COMMANDS = {
    "set": set_,
    "show": show,
    "list": list_,
    "clear": clear,
    "export": export,
    "import": import_,
    "refresh": refresh,
}
