"""`retest runs`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retest.cli import options as opt
from retest.errors import ExitCode, Problem, UsageError

if TYPE_CHECKING:
    from retest.domain.run import Run
    from retest.store.database import Store
    from retest.store.records import RunFilter

_NAME_METRIC = "add --plot METRIC"


def command(
    suite: Annotated[str | None, typer.Argument(help="Only suites whose name begins so.")] = None,
    prompt: Annotated[str | None, typer.Option("--prompt", help="A prompt's name, path, or start of its hash.")] = None,
    commit: Annotated[str | None, typer.Option("--commit", help="Start of the git commit.")] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="Runs with this tag.")] = None,
    meta: Annotated[list[str] | None, typer.Option("--meta", metavar="KEY=VALUE", help="Runs with this note.")] = None,
    where: Annotated[
        list[str] | None, typer.Option("--where", metavar="CONDITION", help="On a mean, e.g. 'exact_match>=0.8'.")
    ] = None,
    label: Annotated[
        str | None, typer.Option("--label", help="Runs of a prompt that carried this label, such as production.")
    ] = None,
    metric: Annotated[str | None, typer.Option("--metric", help="Show this metric's mean.")] = None,
    plot: Annotated[
        str | None, typer.Option("--plot", metavar="METRIC", help="Plot this metric's means along the runs.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="With --plot: write it to this file, .svg or .png.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many, the newest.")] = 30,
    store: opt.StoreUrl = None,
    as_json: opt.Json = False,
) -> ExitCode:
    """List runs, the newest first.

    [bold]Examples[/bold]

        retest runs support --where 'exact_match>=0.8'

        retest runs --commit 3f2a --tag nightly --metric rouge_l

        retest runs --meta ticket=OPS-12 --json

        retest runs --label production --plot exact_match -o history.svg
    """
    from retest.cli.config import open_workspace
    from retest.cli.console import print_json, stdout
    from retest.report.terminal_cases import run_table
    from retest.store.records import RunFilter, parse_metric_condition

    wanted = RunFilter(
        suite=suite,
        prompt=prompt,
        commit=commit,
        tags=tuple(tag or ()),
        metadata=opt.parse_pairs(meta or [], "--meta"),
        metrics=tuple(parse_metric_condition(text) for text in where or ()),
        label=label,
        limit=limit,
    )
    if output is not None and plot is None:
        raise UsageError(
            Problem(slug="plot-file", message=f"{output} is to hold a plot, and none is asked for", fix=_NAME_METRIC)
        )
    with open_workspace(store=store).open_store(read_only=True) as opened:
        found = list(opened.list_runs(wanted))
        named = [each.metric for each in wanted.metrics]
        _refuse_unknown(opened, wanted, [*named, metric] if metric else named, found)
    if plot is not None:
        return _plot(found, plot, output)
    if as_json:
        from retest.report.json_report import header_document

        print_json({"runs": [header_document(run) for run in found]})
    elif not found:
        stdout().print("no run fits; `retest runs` without conditions lists all")
    else:
        stdout().print(run_table(found, metric))
    return ExitCode.PASSED


def _refuse_unknown(store: Store, wanted: RunFilter, names: Sequence[str], found: Sequence[Run]) -> None:
    """Refuse metrics that no run of those asked for has, whatever their values: a misspelt name would find nothing."""
    if _metrics(found).issuperset(names):
        return
    from dataclasses import replace

    known = _metrics(store.list_runs(replace(wanted, metrics=(), limit=None)))
    unknown = [name for name in names if name not in known]
    if unknown and known:
        from retest.suites.suggestions import did_you_mean

        condition = "a condition goes with --where" if re.search("[<>=]", unknown[0]) else None
        raise UsageError(
            Problem(
                slug="run-unknown-metric",
                message=f"none of these runs has a metric '{unknown[0]}'",
                details=(f"their metrics: {', '.join(sorted(known))}",),
                fix=condition or did_you_mean(unknown[0], known),
            )
        )


def _metrics(runs: Iterable[Run]) -> set[str]:
    """Return the metrics of runs, those that were added later too."""
    summaries: list[Any] = [run.summary for run in runs]
    arms = [arm for summary in summaries for arm in (summary.get("arms") or {}).values()]
    return {name for arm in arms for name in arm.get("metrics", {})}


def _plot(runs: Sequence[Run], metric: str, output: Path | None) -> ExitCode:
    from retest.cli.plots import show_plot
    from retest.report.log_plots import runs_plot

    found = runs_plot(runs, metric)
    if found.is_empty:
        known = dict.fromkeys(own.name for run in runs for own in run.metrics)
        raise UsageError(
            Problem(
                slug="plot-nothing",
                message=f"none of these {len(runs)} runs has a mean of '{metric}'",
                details=(f"their metrics: {', '.join(known) or 'none'}",),
                fix="name one of them",
            )
        )
    return show_plot(found, output)
