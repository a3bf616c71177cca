"""`retest cases`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retest.cli import options as opt
from retest.errors import ExitCode

if TYPE_CHECKING:
    from retest.domain.run import Run
    from retest.workflows.case_rows import AddedCases

HELP = "Cases of runs as rows of datasets."


def add(
    from_run: Annotated[
        str, typer.Option("--from", metavar="RUN", help="A run: its id, the start of it, a tag, 'latest'.")
    ] = "latest",
    where: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="CONDITION", help="Which cases; repeatable, and all must hold."),
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Append here. Default: datasets/SUITE-added.jsonl.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="Give the rows this tag; repeatable.")] = None,
    metric: Annotated[
        str | None, typer.Option("--metric", "-m", help="By which a change is worse. Default: the run's first.")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option("--baseline", metavar="RUN", help="What changed since this. Default: the baseline.")
    ] = None,
    arm: opt.Arm = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; say what would be written.")] = False,
    store: opt.StoreUrl = None,
    as_json: opt.Json = False,
) -> ExitCode:
    """Append cases of a run to a JSONL dataset, with tags such as hard or regression.

    A condition is METRIC<=NUMBER on an answer's score (review:label=0 as well), label=bad, tag=NAME or reviewer=NAME
    of a review, case=ID, case-tag=NAME, or change=worse, better, different since the baseline. A case is taken where
    one of its answers fulfils all of them. Rows that are there stay as they are; none is written twice.

    Exit 5 where no case fulfils the conditions.

    [bold]Examples[/bold]

        retest cases add --from latest --where label=bad --tag hard

        retest cases add --where change=worse --to datasets/regressions.jsonl

        retest cases add --where "exact_match<1" --where case-tag=ja --dry-run
    """
    from retest.cli.config import open_workspace
    from retest.cli.console import print_json, stdout
    from retest.errors import Problem, UsageError
    from retest.workflows.case_choice import CaseWish, choose_cases, parse_conditions
    from retest.workflows.case_rows import append_rows, case_row, change_tags, row_fields
    from retest.workflows.find_runs import find_run

    if not where:
        fix = "say it with --where, for example --where label=bad"
        raise UsageError(Problem(slug="cases-where", message="which cases are to be added?", fix=fix))
    metrics, words = parse_conditions(where)
    wish = CaseWish(metrics=metrics, words=words, arm=arm, metric=metric, baseline=baseline)
    workspace = open_workspace(store=store)
    with workspace.open_store(read_only=True) as opened:
        run = find_run(opened, from_run)
        chosen = choose_cases(opened, run, wish)
    fields = row_fields(run)
    tags = [*change_tags(wish.changes), *(tag or ())]
    rows = [(each.case, case_row(each, fields, tags)) for each in chosen]
    path = to or _default_file(run)
    report = append_rows(workspace.cwd / path, str(path), rows, fields, dry_run=dry_run)
    if as_json:
        print_json({"run": run.run_id, "file": str(path), "dry_run": dry_run, **_document(report)})
    else:
        stdout().print(_said(report, str(path), dry_run=dry_run), markup=False)
    return ExitCode.PASSED


def _default_file(run: Run) -> Path:
    import re

    name = re.sub(r"[^\w.-]+", "-", run.suite).strip("-.")
    return Path("datasets") / f"{name or 'cases'}-added.jsonl"


def _document(report: AddedCases) -> dict[str, list[str]]:
    return {"added": list(report.added), "already_there": list(report.already)}


def _said(report: AddedCases, path: str, *, dry_run: bool) -> str:
    from retest.report.escape import one_line
    from retest.report.numbers import plural

    verb = "would add" if dry_run else "added"
    lines = [f"{verb} {plural(len(report.added), 'case')} to {one_line(path)}"]
    lines += [f"  {one_line(case_id)}" for case_id in report.added]
    if report.already:
        lines.append(f"there already: {', '.join(one_line(case_id) for case_id in report.already)}")
    return "\n".join(lines)


COMMANDS = {"add": add}
