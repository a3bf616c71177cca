"""`retest show`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from retest.cli import options as opt
from retest.errors import ExitCode

if TYPE_CHECKING:
    from retest.domain.run import Run
    from retest.store.database import Store
    from retest.workflows.inspect import SampleWish


def command(
    run: opt.RunId = "latest",
    case: Annotated[str | None, typer.Option("--case", metavar="ID", help="One case, samples side by side.")] = None,
    failures: Annotated[bool, typer.Option("--failures", help="Samples that failed, with their answers.")] = False,
    errors: Annotated[bool, typer.Option("--errors", help="Samples without an answer, and why.")] = False,
    sort: Annotated[
        str | None,
        typer.Option("--sort", metavar="METRIC", help="List the cases, the worst first ('value': by the first)."),
    ] = None,
    figures: Annotated[
        bool | None,
        typer.Option("--figures/--no-figures", help="Every figure, label by label; or no labels at all."),
    ] = None,
    arm: opt.Arm = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many rows.")] = 50,
    store: opt.StoreUrl = None,
    as_json: opt.Json = False,
    verbose: opt.Verbose = False,
) -> ExitCode:
    """Show a run: what it adds up to, its cases, one case with its samples.

    [bold]Examples[/bold]

        retest show                                  the latest run

        retest show r20261123 --sort exact_match     cases, the worst first

        retest show latest --case ja-07              one case, samples side by side

        retest show latest --figures                 F1 of every label, and the confusion matrix

        retest show latest --failures --arm intent/small
    """
    from retest.cli.config import open_workspace
    from retest.workflows.find_runs import find_run
    from retest.workflows.inspect import SampleWish

    with open_workspace(store=store).open_store(read_only=True) as opened:
        found = find_run(opened, run)
        wish = SampleWish(arm=arm, case_id=case, failures=failures, errors=errors)
        if as_json and (case is not None or failures or errors):
            _print_samples(opened, found, wish, limit)
        elif case is not None:
            _show_case(opened, found, wish)
        elif failures or errors:
            _show_samples(opened, found, wish, limit)
        else:
            _show_run(opened, found, _Look(arm, sort, limit, as_json=as_json, verbose=verbose, figures=figures))
    return ExitCode.PASSED


@dataclass(frozen=True, slots=True)
class _Look:
    """How the overview is wanted."""

    arm: str | None
    sort: str | None
    limit: int
    as_json: bool
    verbose: bool
    figures: bool | None


def _show_run(store: Store, run: Run, look: _Look) -> None:
    from retest.cli.console import print_json, stdout
    from retest.report.json_report import run_document
    from retest.report.terminal import run_result
    from retest.report.terminal_cases import case_table
    from retest.workflows.inspect import list_cases, load_view

    view = load_view(store, run)
    if look.as_json:
        print_json(run_document(view.run, view.summary))
    elif look.sort is not None or look.arm is not None:
        rows = list_cases(view, arm=look.arm, sort=look.sort)
        several = look.arm is None and len(run.arms) > 1
        shown = [(row.arm, row.case) for row in rows[: look.limit]]
        stdout().print(case_table(shown, [metric.name for metric in view.run.metrics], show_arm=several))
        _say_rest(len(rows) - look.limit)
    else:
        stdout().print(run_result(view.run, view.summary, verbose=look.verbose, figures=look.figures))


def _print_samples(store: Store, run: Run, wish: SampleWish, limit: int) -> None:
    from itertools import islice

    from retest.cli.console import print_json
    from retest.workflows.inspect import sample_rows

    print_json({"run": run.run_id, "samples": list(islice(sample_rows(store, run, wish), limit))})


def _show_case(store: Store, run: Run, wish: SampleWish) -> None:
    from rich.console import Group

    from retest.cli.console import stdout
    from retest.report.messages import message_parts
    from retest.report.terminal_cases import SampleView, case_detail
    from retest.workflows.inspect import pick_samples

    samples = list(pick_samples(store, run, wish))
    if not samples:
        return
    hashes = [sample.messages_hash for sample in samples if sample.messages_hash is not None]
    rendered = store.get_messages(hashes[0]) if hashes else None
    messages = None if rendered is None else Group(*message_parts(rendered))
    views = [SampleView(sample.arm, sample.sample_index, sample.outcome, sample.scores) for sample in samples]
    stdout().print(case_detail(samples[0].case, views, messages, stdout().width))


def _show_samples(store: Store, run: Run, wish: SampleWish, limit: int) -> None:
    from itertools import islice

    from retest.cli.console import stdout
    from retest.report.terminal_cases import SampleView, sample_table
    from retest.workflows.inspect import pick_samples

    samples = [
        (sample.case_id, SampleView(sample.arm, sample.sample_index, sample.outcome, sample.scores))
        for sample in islice(pick_samples(store, run, wish), limit)
    ]
    if not samples:
        stdout().print("none")
        return
    stdout().print(sample_table(samples, [] if wish.errors else [metric.name for metric in run.metrics]))
    if len(samples) == limit:
        stdout().print(f"the first {limit}; --limit shows more", style="dim")


def _say_rest(more: int) -> None:
    from retest.cli.console import stdout

    if more > 0:
        stdout().print(f"{more:,} more; --limit shows them", style="dim")
