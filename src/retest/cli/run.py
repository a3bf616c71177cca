"""`retest run`."""

from __future__ import annotations

from typing import Annotated

import typer

from retest.cli import options as opt
from retest.errors import ExitCode


def command(
    suites: opt.Suites = None,
    samples: Annotated[int | None, typer.Option("--samples", "-k", min=1, help="Samples per case.")] = None,
    cases: Annotated[list[str] | None, typer.Option("--cases", metavar="ID", help="Only these cases.")] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="Only cases with one of these tags.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N selected cases.")] = None,
    concurrency: Annotated[int | None, typer.Option("--concurrency", "-c", min=1, help="Calls in flight.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="New draws beside the recorded ones.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Only what is recorded: no call is made.")] = False,
    max_cost: Annotated[float | None, typer.Option("--max-cost", min=0, help="Budget per suite in USD.")] = None,
    max_calls: Annotated[int | None, typer.Option("--max-calls", min=0, help="Budget per suite in calls.")] = None,
    batch: opt.Batch = False,
    until_decided: opt.UntilDecided = False,
    recheck: opt.Recheck = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and its cost; call nothing.")] = False,
    overrides: opt.Overrides = None,
    meta: Annotated[list[str] | None, typer.Option("--meta", metavar="KEY=VALUE", help="Note on the run.")] = None,
    run_tag: Annotated[list[str] | None, typer.Option("--run-tag", help="Tag the run.")] = None,
    executor: opt.Executor = None,
    address: opt.Address = None,
    workers: opt.Workers = None,
    untrusted: opt.Untrusted = None,
    base: opt.Base = None,
    store: opt.StoreUrl = None,
    score_processes: opt.ScoreProcesses = None,
    as_json: opt.Json = False,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> ExitCode:
    """Sample every case of the suites, score the answers, store and show the result.

    What the ledger already has is not called again, so the same command resumes an interrupted run for nothing.

    [bold]Examples[/bold]

        retest run                                   every suite below evals/

        retest run evals/support.yaml --samples 5    five answers per case

        retest run support/ja --limit 10 --dry-run   what would it cost?

        retest run --set target.temperature=0        with another parameter

        retest run --until-decided                   no more calls than the verdict against the baseline takes

        retest run --batch                           half the price, within a day; Ctrl-C and come back for free

        retest run --executor ray --address auto     on the Ray cluster that runs here

        retest run --max-cost 2.00 --json            for scripts
    """
    from retest.cli.config import Trust, open_workspace
    from retest.cli.run_suites import Display, run_selected
    from retest.runner.plan import CaseSelection
    from retest.workflows.run import RunOptions

    run_options = RunOptions(
        samples=samples,
        selection=CaseSelection(ids=frozenset(cases or ()), tags=frozenset(tag or ()), limit=limit),
        fresh=fresh,
        offline=offline,
        max_cost_usd=max_cost,
        max_calls=max_calls,
        batch=batch,
        metadata=opt.parse_pairs(meta or [], "--meta"),
        tags=tuple(run_tag or ()),
        dry_run=dry_run,
        until_decided=opt.decide_wish(until_decided=until_decided, recheck=recheck),
    )
    trust = Trust(untrusted=untrusted, base=base)
    where = opt.on_ray(executor, address, workers)
    workspace = open_workspace(trust, store=store, concurrency=concurrency, score_processes=score_processes, **where)
    display = Display(as_json=as_json, quiet=quiet, verbose=verbose)
    return run_selected(suites or [], overrides or [], run_options, workspace, display)
