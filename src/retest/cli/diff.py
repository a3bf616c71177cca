"""`retest diff`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from retest.cli import options as opt
from retest.errors import ExitCode, Problem
from retest.report.numbers import plural

if TYPE_CHECKING:
    from retest.domain.comparison import RunComparison
    from retest.workflows.diff import DiffOptions
    from retest.workflows.workspace import Workspace


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

        retest diff                         the two latest runs of a suite

        retest diff good latest -m bleu     the run tagged good, one metric

        retest diff latest~3 --limit 30     three runs ago against the latest

        retest diff latest latest --arm intent/small intent/large
    """
    from retest.cli.config import open_workspace
    from retest.workflows.diff import DiffOptions

    wish = DiffOptions(arms=arm, metrics=tuple(metric or ()), limit=limit)
    comparison = _compare(open_workspace(store=store), (baseline, candidate), wish)
    return _show(comparison, as_json=as_json, verbose=verbose)


def _compare(workspace: Workspace, names: tuple[str | None, str | None], wish: DiffOptions) -> RunComparison:
    from datetime import UTC, datetime

    from retest.workflows.diff import diff_runs, stored_side
    from retest.workflows.find_runs import find_pair

    with workspace.open_store(read_only=True) as store:
        first, second = find_pair(store, *names)
        return diff_runs(
            stored_side(store, first), stored_side(store, second), wish, cwd=workspace.cwd, now=datetime.now(UTC)
        )


def _show(comparison: RunComparison, *, as_json: bool, verbose: bool) -> ExitCode:
    from retest.cli.console import print_json, print_problems, stdout

    code = ExitCode.PASSED if comparison.is_comparable else ExitCode.NOTHING_TO_JUDGE
    if as_json:
        from retest.report.json_report import run_comparison_document

        print_json(run_comparison_document(comparison, code))
    else:
        from retest.report.terminal_diff import run_comparison

        stdout().print(run_comparison(comparison, verbose=verbose))
    if code is not ExitCode.PASSED:
        print_problems([_nothing_to_compare(comparison)])
    return code


def _nothing_to_compare(comparison: RunComparison) -> Problem:
    cases = Counter(case.reason for arm in comparison.arms for case in arm.unpaired)
    notes = [metric.note for arm in comparison.arms for metric in arm.metrics if metric.note]
    counted = [f"{plural(count, 'case')}: {reason}" for reason, count in cases.most_common()]
    return Problem(
        slug="diff-not-comparable",
        message=f"{comparison.baseline.label} and {comparison.candidate.label} have nothing that can be compared",
        details=tuple(dict.fromkeys([*comparison.unpaired_arms, *counted, *notes])),
        fix="compare two runs of one suite; `retest diff A B --arm X Y` pairs arms of different names",
    )
