"""`retest compare`."""

from __future__ import annotations

from typing import Annotated

import typer

from retest.cli import options as opt
from retest.errors import ExitCode


def command(
    versions: Annotated[
        list[str],
        typer.Argument(
            metavar="VERSION...", help="Revisions (A B, A...B, WORKTREE) or prompt files; the first is the baseline."
        ),
    ],
    suite: Annotated[
        list[str] | None, typer.Option("--suite", "-s", help="Suite file, folder, or name prefix; repeatable.")
    ] = None,
    samples: Annotated[int | None, typer.Option("--samples", "-k", min=1, help="Samples per case.")] = None,
    concurrency: Annotated[int | None, typer.Option("--concurrency", "-c", min=1, help="Calls in flight.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Only what is recorded: no call is made.")] = False,
    max_cost: Annotated[float | None, typer.Option("--max-cost", min=0, help="Budget per suite in USD.")] = None,
    max_calls: Annotated[int | None, typer.Option("--max-calls", min=0, help="Budget per suite in calls.")] = None,
    batch: opt.Batch = False,
    until_decided: opt.UntilDecided = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and its cost; call nothing.")] = False,
    untrusted: opt.Untrusted = None,
    base: opt.Base = None,
    store: opt.StoreUrl = None,
    as_json: opt.Json = False,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> ExitCode:
    """Compare git revisions, or prompt files: run what is missing, then a verdict per metric.

    Suites, prompts, datasets and metric code of a revision are read from git; your files are not touched. Only calls
    that the ledger lacks are made. Any verdict exits 0; 5 where nothing can be compared, 4 where a run is incomplete.
    With --until-decided all versions are sampled in step, and stop once every metric has its verdict.

    [bold]Examples[/bold]

        retest compare main HEAD                     what the last commits did

        retest compare main...HEAD                   against where the branch left main

        retest compare HEAD WORKTREE                 what is not committed yet

        retest compare v1 v2 v3 --suite support/ja   three versions: a ranking

        retest compare prompts/a.md prompts/b.md --suite evals/support.yaml

        retest compare main HEAD -k 20 --until-decided   at most 20 samples a case, fewer where they suffice
    """
    from retest.cli.compare_versions import compare_versions
    from retest.cli.config import Trust, open_workspace
    from retest.cli.run_suites import Display
    from retest.domain.sequential import UntilDecided
    from retest.workflows.run import RunOptions

    options = RunOptions(
        samples=samples,
        offline=offline,
        max_cost_usd=max_cost,
        max_calls=max_calls,
        batch=batch,
        until_decided=UntilDecided(rule="every_verdict") if until_decided else None,
        dry_run=dry_run,
    )
    trust = Trust(untrusted=untrusted, base=base)
    workspace = open_workspace(trust, store=store, concurrency=concurrency)
    display = Display(as_json=as_json, quiet=quiet, verbose=verbose)
    return compare_versions(versions, suite or [], options, workspace, display)
