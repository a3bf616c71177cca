"""`retest gate`."""

from __future__ import annotations

from typing import Annotated

import typer

from retest.cli import options as opt
from retest.errors import ExitCode


def command(
    suites: opt.Suites = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            metavar="RUN|FILE|git:REV|base:REV",
            help="Compare with this, not the suite's own baseline; base:REV runs the suite there if it has no file.",
        ),
    ] = None,
    fresh_baseline: Annotated[
        bool, typer.Option("--fresh-baseline", help="Run the baseline again beside the candidate, both anew.")
    ] = False,
    samples: Annotated[int | None, typer.Option("--samples", "-k", min=1, help="Samples per case.")] = None,
    concurrency: Annotated[int | None, typer.Option("--concurrency", "-c", min=1, help="Calls in flight.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Only what is recorded: no call is made.")] = False,
    max_cost: Annotated[float | None, typer.Option("--max-cost", min=0, help="Budget per suite in USD.")] = None,
    max_calls: Annotated[int | None, typer.Option("--max-calls", min=0, help="Budget per suite in calls.")] = None,
    batch: opt.Batch = False,
    until_decided: opt.UntilDecided = False,
    recheck: opt.Recheck = False,
    report: Annotated[
        list[str] | None,
        typer.Option(
            "--report",
            metavar="NAME[=FILE]",
            help="Write a report: html=FILE, junit=FILE, markdown=FILE, json=FILE, sarif=FILE, github; repeatable.",
        ),
    ] = None,
    overrides: opt.Overrides = None,
    untrusted: opt.Untrusted = None,
    base: opt.Base = None,
    store: opt.StoreUrl = None,
    as_json: opt.Json = False,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> ExitCode:
    """Run what is needed, compare with the baseline, and pass or fail by the suite's policy.

    What the ledger has is not called again, so the same content gets the same verdict for nothing. Exit codes: 0
    passed, 1 failed, 4 too many errors, 5 nothing to judge (no baseline, say), 6 inconclusive where proof is asked for.

    [bold]Examples[/bold]

        retest gate                                  every suite, each against its own baseline

        retest gate evals/support.yaml --baseline git:origin/main

        retest gate --baseline base:origin/main      the file committed there, else the suite, run there

        retest gate --baseline latest                against the latest run before this one

        retest gate --fresh-baseline                 both sides sampled anew, against drift

        retest gate --until-decided                  six looks; stops as soon as the verdict stands

        retest gate --until-decided --recheck        and spends some of what that saved on suspected cases

        retest gate --report junit=gate.xml --report markdown=gate.md --report github

        retest gate --offline --json                 from the ledger only, for scripts
    """
    from retest.cli.config import Trust, base_of, open_workspace
    from retest.cli.gate_suites import GateWish, gate_selected
    from retest.cli.run_suites import Display
    from retest.report.write_reports import parse_report_options
    from retest.workflows.run import RunOptions

    wish = GateWish(
        baseline=baseline,
        fresh_baseline=fresh_baseline,
        reports=parse_report_options(report or []),
        run=RunOptions(
            samples=samples,
            offline=offline,
            max_cost_usd=max_cost,
            max_calls=max_calls,
            batch=batch,
            until_decided=opt.decide_wish(until_decided=until_decided, recheck=recheck, in_step=fresh_baseline),
        ),
    )
    trust = Trust(untrusted=untrusted, base=base or base_of(baseline))
    workspace = open_workspace(trust, store=store, concurrency=concurrency)
    display = Display(as_json=as_json, quiet=quiet, verbose=verbose)
    return gate_selected(suites or [], overrides or [], wish, workspace, display)
