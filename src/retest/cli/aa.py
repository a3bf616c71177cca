"""`retest aa`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from retest.cli import options as opt
from retest.errors import ExitCode

if TYPE_CHECKING:
    from retest.workflows.aa import SelfTestOutcome


def command(
    suite: Annotated[
        str | None, typer.Argument(metavar="[SUITE]", help="Suite file or name. Default: the only one.")
    ] = None,
    runs: Annotated[int, typer.Option("--runs", min=3, help="Runs, each with fresh draws.")] = 3,
    samples: Annotated[int | None, typer.Option("--samples", "-k", min=1, help="Samples per case.")] = None,
    splits: Annotated[
        int | None,
        typer.Option("--splits", min=20, max=5000, help="How often to deal the pooled samples. Default: by size."),
    ] = None,
    concurrency: Annotated[int | None, typer.Option("--concurrency", "-c", min=1, help="Calls in flight.")] = None,
    max_cost: Annotated[float | None, typer.Option("--max-cost", min=0, help="Budget of all runs in USD.")] = None,
    max_calls: Annotated[int | None, typer.Option("--max-calls", min=0, help="Budget of all runs in calls.")] = None,
    overrides: opt.Overrides = None,
    untrusted: opt.Untrusted = None,
    base: opt.Base = None,
    store: opt.StoreUrl = None,
    as_json: opt.Json = False,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> ExitCode:
    """Run a suite against itself: how often its gate alarms where nothing changed, and what drifts.

    Every run samples anew, so it costs as much as RUNS full runs. Interrupted, the same command goes on. The drift that
    is found is kept: `retest diff` and `retest gate` point out a regression that stays within it.

    [bold]Examples[/bold]

        retest aa                                  the project's only suite, three runs

        retest aa evals/support.yaml --runs 5      more runs, a firmer drift

        retest aa support/ja --max-cost 3 --json   for scripts
    """
    from retest.cli.config import Trust, open_workspace
    from retest.cli.one_suite import find_suite
    from retest.cli.run_suites import Display, run_one
    from retest.workflows.aa import SelfTestWish, run_against_itself
    from retest.workflows.run import RunOptions

    limits = RunOptions(samples=samples, max_cost_usd=max_cost, max_calls=max_calls)
    trust = Trust(untrusted=untrusted, base=base)
    workspace = open_workspace(trust, store=store, concurrency=concurrency)
    display = Display(as_json=as_json, quiet=quiet, verbose=verbose)
    chosen = find_suite(suite, workspace, overrides or [])
    wish = SelfTestWish(runs=runs, splits=splits, run=limits)
    outcome = run_against_itself(chosen, wish, workspace, lambda options: run_one(chosen, options, workspace, display))
    _show(outcome, display.as_json)
    return outcome.exit_code


def _show(outcome: SelfTestOutcome, as_json: bool) -> None:
    from dataclasses import asdict

    from retest.cli.console import print_json, print_problems, stdout
    from retest.report.json_report import problem_document
    from retest.report.terminal_aa import self_test_report
    from retest.workflows.aa import what_is_missing

    problems = what_is_missing(outcome)
    if outcome.found is not None and not as_json:
        stdout().print(self_test_report(outcome.found))
    print_problems(problems)
    if not as_json:
        return
    if outcome.found is None:
        print_json(problem_document(problems, outcome.exit_code))
    else:
        print_json({**asdict(outcome.found), "exit_code": int(outcome.exit_code)})
