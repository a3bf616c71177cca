"""`retest log`."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retest.cli import options as opt
from retest.errors import ExitCode, Problem, UsageError

if TYPE_CHECKING:
    from retest.domain.prompt_log import PromptLog


def command(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="A prompt file, such as prompts/intent.md.")],
    picture: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="With --plot: write it there, .svg or .png.")
    ] = None,
    suite: Annotated[str | None, typer.Option("--suite", help="Results of suites whose name begins so.")] = None,
    metric: Annotated[list[str] | None, typer.Option("--metric", "-m", help="Only this metric; repeatable.")] = None,
    label: Annotated[str | None, typer.Option("--label", help="Only versions with this label.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many versions, the newest.")] = 20,
    plot: Annotated[bool, typer.Option("--plot", help="Plot one metric along the versions.")] = False,
    store: opt.StoreUrl = None,
    as_json: opt.Json = False,
) -> ExitCode:
    """Show the versions of a prompt as git sees them, each with its results.

    A version's results are of the newest finished run of each suite and target that used its very text; the verdict
    compares them with those of the nearest earlier version that has some. Renames are followed; a version that is not
    committed stands on top.

    [bold]Examples[/bold]

        retest log prompts/intent.md

        retest log prompts/intent.md --suite support/ja --metric exact_match --plot

        retest log prompts/intent.md --plot history.svg

        retest log prompts/intent.md --label production --json
    """
    from retest.cli.config import open_workspace
    from retest.cli.console import print_json, stdout
    from retest.domain.prompt_log import LogWish
    from retest.workflows.prompt_log import open_store, read_log

    if picture is not None and not plot:
        raise UsageError(
            Problem(slug="plot-file", message=f"{picture} is to hold a plot, and --plot is missing", fix="add --plot")
        )
    workspace = open_workspace(store=store)
    wish = LogWish(limit=limit, suite=suite, metrics=tuple(metric or ()), label=label)
    with ExitStack() as stack:
        log = read_log(workspace, open_store(workspace, stack), prompt, wish)
    if plot:
        return _plot(log, wish.metrics, picture)
    if as_json:
        from retest.report.log_json import log_document

        print_json(log_document(log))
    elif not log.versions:
        stdout().print(f"no version of {prompt} carries the label {label}", markup=False)
    else:
        from retest.report.terminal_log import prompt_log

        stdout().print(prompt_log(log))
    return ExitCode.PASSED


def _plot(log: PromptLog, metrics: tuple[str, ...], picture: Path | None) -> ExitCode:
    from retest.cli.plots import show_plot
    from retest.report.log_plots import log_metrics, log_plot

    known = log_metrics(log)
    chosen = metrics[:1] or known[:1]
    if not known or chosen[0] not in known:
        raise UsageError(
            Problem(
                slug="plot-nothing",
                message=f"there is nothing to plot of {log.path}",
                details=(f"metrics with results: {', '.join(known) or 'none'}",),
                fix="run a suite that uses it: retest run, or name one of these metrics with --metric",
            )
        )
    return show_plot(log_plot(log, chosen[0]), picture)
