"""`retest plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from retest.cli import options as opt
from retest.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retest.domain.design import SuiteDesign


def command(
    suites: opt.Suites = None,
    samples: Annotated[int | None, typer.Option("--samples", "-k", min=1, help="Samples per case.")] = None,
    cases: Annotated[
        int | None, typer.Option("--cases", min=1, max=1_000_000, help="As if the dataset had so many cases.")
    ] = None,
    detect: Annotated[
        str | None, typer.Option("--detect", metavar="DROP", help="Find the cheapest design that sees it: 5pt or 0.05.")
    ] = None,
    overrides: opt.Overrides = None,
    untrusted: opt.Untrusted = None,
    base: opt.Base = None,
    store: opt.StoreUrl = None,
    as_json: opt.Json = False,
) -> ExitCode:
    """Say what a run would cost and which drop it could see, before paying for it.

    Nothing is called. The spread of repeated answers comes from the suite's baseline or latest run; without one it is
    assumed, and the output says so.

    [bold]Examples[/bold]

        retest plan                                  every suite as it stands

        retest plan evals/support.yaml --samples 5   five answers per case

        retest plan support/ja --cases 200           what would more cases bring?

        retest plan support/ja --detect 5pt          the cheapest design that sees a drop by 5 points
    """
    import asyncio
    import sys
    from contextlib import redirect_stdout

    from retest.cli.config import Trust, open_workspace
    from retest.cli.console import print_problems
    from retest.errors import SuiteError
    from retest.workflows.check import check_suites
    from retest.workflows.plan_design import DesignWish, parse_drop, plan_design

    wish = DesignWish(samples=samples, cases=cases, detect=None if detect is None else parse_drop(detect))
    workspace = open_workspace(Trust(untrusted=untrusted, base=base, calls=False), store=store)
    checked = check_suites(suites or [], workspace, overrides or [])
    print_problems(checked.warnings)
    if checked.errors:
        raise SuiteError(*checked.errors)
    with redirect_stdout(sys.stderr):  # what a metric of the user prints must not get into the result
        plans = [asyncio.run(plan_design(suite, wish, workspace)) for suite in checked.suites]
    _show(plans, as_json=as_json)
    return ExitCode.PASSED


def _show(plans: Sequence[SuiteDesign], *, as_json: bool) -> None:
    from dataclasses import asdict

    from retest.cli.console import print_json, stdout
    from retest.report.terminal_plan import plan_report

    if not as_json:
        for plan in plans:
            stdout().print(plan_report(plan))
        return
    documents = [asdict(plan) for plan in plans]
    print_json(documents[0] if len(documents) == 1 else {"suites": documents})
