"""`retest diff`."""

from __future__ import annotations

from typing import Annotated

import typer

from retest.cli import options as opt
from retest.errors import ExitCode, Problem


def command(
    baseline: Annotated[
        str | None, typer.Argument(metavar="[BASE]", help="A run: id, start of an id, tag, 'latest', 'latest~1'.")
    ] = None,
    candidate: Annotated[
        str | None, typer.Argument(metavar="[CANDIDATE]", help="The run under test. Default: the suite's latest.")
    ] = None,
    arm: Annotated[
        tuple[str, str] | None,
        typer.Option("--arm", metavar="A B", help="Compare the baseline's arm A with the candidate's arm B."),
    ] = None,
    metric: Annotated[list[str] | None, typer.Option("--metric", "-m", help="Only this metric; repeatable.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help="Show at most so many changed cases.")] = 10,
    store: opt.StoreUrl = None,
    as_json: opt.Json = False,
    verbose: opt.Verbose = False,
) -> ExitCode:
    """Compare two runs: a verdict per metric, and the cases that changed.

    It only looks: any verdict exits 0; 5 where nothing can be compared.

    [bold]Examples[/bold]

        retest diff                                  the two latest runs of a suite

        retest diff v1 latest --metric exact_match   the run tagged v1 against the latest

        retest diff latest~3 --limit 30 --verbose

        retest diff latest latest --arm intent/small intent/large
    """
    from datetime import UTC, datetime

    from retest.cli.config import open_workspace
    from retest.workflows.diff import DiffOptions, diff_runs, stored_side
    from retest.workflows.find_runs import find_pair

    workspace = open_workspace(store=store)
    wish = DiffOptions(arms=arm, metrics=tuple(metric or ()), limit=limit)
    with workspace.open_store(read_only=True) as opened:
        first, second = find_pair(opened, baseline, candidate)
        comparison = diff_runs(
            stored_side(opened, first),
            stored_side(opened, second),
            wish,
            cwd=workspace.cwd,
            now=datetime.now(UTC),
        )
    code = ExitCode.PASSED if comparison.is_comparable else ExitCode.NOTHING_TO_JUDGE
    if as_json:
        from retest.cli.console import print_json
        from retest.report.json_report import run_comparison_document

        print_json(run_comparison_document(comparison, code))
    else:
        from retest.cli.console import stdout
        from retest.report.terminal_diff import run_comparison

        stdout().print(run_comparison(comparison, verbose=verbose))
    if code is not ExitCode.PASSED:
        from retest.cli.console import print_problems

        print_problems([_nothing_to_compare(first.run_id, second.run_id)])
    return code


def _nothing_to_compare(first: str, second: str) -> Problem:
    return Problem(
        slug="diff-not-comparable",
        message=f"{first} and {second} have nothing in common that can be compared",
        fix="compare two runs of one suite; `retest diff A B --arm X Y` pairs arms of different names",
    )
