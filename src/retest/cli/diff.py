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


_BASE = "A run, a baseline file, or git:REVISION with one. Default: the suite's baseline."


def command(
    baseline: Annotated[str | None, typer.Argument(metavar="[BASE]", help=_BASE)] = None,
    candidate: Annotated[
        str | None, typer.Argument(metavar="[CANDIDATE]", help="Named likewise. Default: the suite's latest run.")
    ] = None,
    arm: Annotated[
        tuple[str, str] | None,
        typer.Option("--arm", metavar="A B", help="Compare the baseline's arm A with the candidate's arm B."),
    ] = None,
    metric: Annotated[list[str] | None, typer.Option("--metric", "-m", help="Only this metric; repeatable.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help="Show at most so many changed cases.")] = 10,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask no judge: of pairwise metrics, use the judgments that are paid for.")
    ] = False,
    store: opt.StoreUrl = None,
    as_json: opt.Json = False,
    verbose: opt.Verbose = False,
) -> ExitCode:
    """Compare two runs: a verdict per metric, and the cases that changed.

    It only looks: any verdict exits 0; 5 where nothing can be compared.

    Without a baseline, the suite's two latest runs are compared.

    [bold]Examples[/bold]

        retest diff                         the baseline against the latest run

        retest diff good latest -m bleu     the run tagged good, one metric

        retest diff latest~3 --limit 30     three runs ago against the latest

        retest diff git:origin/main         the baseline file committed there

        retest diff latest latest --arm intent/small intent/large
    """
    from retest.cli.config import open_workspace
    from retest.workflows.diff import DiffOptions
    from retest.workflows.judge_again import JudgeAgain
    from retest.workflows.pairwise_sides import PairwiseOnDemand
    from retest.workflows.scoring import process_options

    workspace = open_workspace(store=store)
    asker = PairwiseOnDemand(workspace, offline=offline)
    again = JudgeAgain(workspace, offline=offline, sessions=False)
    wish = DiffOptions(
        arms=arm,
        metrics=tuple(metric or ()),
        limit=limit,
        pairwise=asker,
        again=again,
        run_code=workspace.untrusted is None,
        processes=process_options(workspace.settings),
    )
    comparison, chosen = _compare(workspace, (baseline, candidate), wish)
    if chosen is not None and not as_json:
        _say(chosen)
    return _show(comparison, as_json=as_json, verbose=verbose)


def _compare(
    workspace: Workspace, names: tuple[str | None, str | None], wish: DiffOptions
) -> tuple[RunComparison, str | None]:
    from retest.workflows.diff import diff_runs
    from retest.workflows.find_sides import find_sides

    only_files = all(name is not None and (name.endswith(".jsonl") or name.startswith("git:")) for name in names)
    with workspace.open_store(read_only=not only_files) as store:  # two files compare also where no store is yet
        sides = find_sides(store, *names, workspace.cwd)
        found = diff_runs(sides.baseline, sides.candidate, wish, cwd=workspace.cwd, now=workspace.clock())
        return found, sides.chosen


def _say(text: str) -> None:
    from retest.cli.console import stdout
    from retest.report.escape import one_line

    stdout().print(one_line(text), markup=False, style="dim")


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
