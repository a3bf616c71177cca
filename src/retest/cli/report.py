"""`retest report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

from retest.cli import options as opt
from retest.errors import ExitCode

if TYPE_CHECKING:
    from retest.domain.pages import ReportPage
    from retest.store.database import Store
    from retest.workflows.workspace import Workspace

_RUN = "A run; with two names, the baseline. Baseline files and git:REVISION are taken as by `retest diff`."


def command(
    run: Annotated[str, typer.Argument(metavar="[RUN]", help=_RUN)] = "latest",
    candidate: Annotated[
        str | None, typer.Argument(metavar="[CANDIDATE]", help="The run to compare with it. Default: none.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Write to this file.")] = Path("report.html"),
    baseline: Annotated[
        bool, typer.Option("--baseline", help="Compare RUN with its suite's baseline, else with the run before it.")
    ] = False,
    arm: Annotated[
        tuple[str, str] | None,
        typer.Option("--arm", metavar="A B", help="Compare the baseline's arm A with the candidate's arm B."),
    ] = None,
    metric: Annotated[list[str] | None, typer.Option("--metric", "-m", help="Only this metric; repeatable.")] = None,
    lang: Annotated[
        Literal["en", "ja", "auto"], typer.Option("--lang", help="Language of the page; auto: the browser's.")
    ] = "auto",
    store: opt.StoreUrl = None,
) -> ExitCode:
    """Write a run, or two compared, as one HTML file that works offline.

    [bold]Examples[/bold]

        retest report                               the latest run, to report.html

        retest report good latest -o report.html    the run tagged good against the latest

        retest report --baseline                    the latest run against its suite's baseline

        retest report git:origin/main latest --lang ja
    """
    from retest.cli.config import open_workspace
    from retest.cli.console import stdout
    from retest.report.html.document import Making, Section, report_document
    from retest.report.numbers import format_bytes
    from retest.workflows.workspace import library_version

    workspace = open_workspace(store=store)
    names = (None, run) if baseline and candidate is None else (run, candidate)
    with workspace.open_store(read_only=True) as opened:
        page = _page(opened, names, DiffWish(arm, metric), workspace)
        language = None if lang == "auto" else lang
        made = Making(made_at=page.generated_at, version=library_version("retest"), language=language)
        text = report_document([Section(page=page)], made)
    _write(output, text)
    stdout().print(f"{output}: {format_bytes(len(text.encode()))}", markup=False, soft_wrap=True)
    return ExitCode.PASSED


class DiffWish(NamedTuple):
    """What of a comparison is wanted."""

    arms: tuple[str, str] | None
    metrics: list[str] | None


def _page(store: Store, names: tuple[str | None, str | None], wish: DiffWish, workspace: Workspace) -> ReportPage:
    from retest.workflows.diff import DiffOptions
    from retest.workflows.find_runs import find_run
    from retest.workflows.find_sides import find_sides
    from retest.workflows.pairwise_sides import PairwiseOnDemand
    from retest.workflows.report_page import Around, comparison_page, run_page

    around = Around(cwd=workspace.cwd, now=workspace.clock())
    if names[0] is not None and names[1] is None:
        return run_page(store, find_run(store, names[0]), around)
    sides = find_sides(store, *names, workspace.cwd)
    run_code = workspace.untrusted is None
    asker = PairwiseOnDemand(workspace, offline=True)  # what is paid for is shown; a report asks nobody
    options = DiffOptions(arms=wish.arms, metrics=tuple(wish.metrics or ()), pairwise=asker, run_code=run_code)
    return comparison_page(sides.baseline, sides.candidate, options, around)


def _write(path: Path, text: str) -> None:
    from retest.errors import Problem, UsageError
    from retest.report.write_reports import write_whole

    try:
        write_whole(path, text)
    except OSError as error:
        raise UsageError(
            Problem(
                slug="report-unwritable",
                message=f"the report could not be written: {path}: {error.strerror or type(error).__name__}",
                fix="name a file in a folder that you may write to: -o FOLDER/report.html",
            )
        ) from error
