"""`retest rescore`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from retest.cli import options as opt
from retest.errors import ExitCode

if TYPE_CHECKING:
    from retest.domain.run import Run
    from retest.domain.suite import Suite
    from retest.workflows.workspace import Workspace


def command(
    run: opt.RunId = "latest",
    metric: Annotated[
        list[str] | None,
        typer.Option("--metric", "-m", help="A metric of the suite, or any that retest has; repeatable."),
    ] = None,
    suite: Annotated[
        str | None, typer.Option("--suite", help="Take the metrics from this suite. Default: the run's own.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="KEY=VALUE", help="Of the one metric that is named; the value is YAML."),
    ] = None,
    name: Annotated[str | None, typer.Option("--as", metavar="NAME", help="Call the metric's column so.")] = None,
    baseline: Annotated[
        bool, typer.Option("--baseline/--no-baseline", help="Score the suite's baseline by the same definitions.")
    ] = True,
    untrusted: opt.Untrusted = None,
    base: opt.Base = None,
    store: opt.StoreUrl = None,
    score_processes: opt.ScoreProcesses = None,
    as_json: opt.Json = False,
) -> ExitCode:
    """Score the answers of a run again, by other metrics or changed ones; no target is called.

    New scores are added under their definition and become the current ones; earlier ones stay in the store. What a
    definition has scored before is not scored twice. Judges are asked, for they are metrics too.

    Exit 4 where some sample could not be scored.

    [bold]Examples[/bold]

        retest rescore latest                            by the metrics of its suite as it is now

        retest rescore latest --metric chrf --metric length

        retest rescore r20261123 --metric contains --option values=返品 --as mentions_returns

        retest rescore latest --suite evals/support-strict.yaml
    """
    from retest.cli.config import Trust, open_workspace
    from retest.cli.console import print_json, stdout
    from retest.cli.progress import RunProgress
    from retest.report.terminal_rescore import rescored_document, rescored_runs
    from retest.workflows.find_runs import find_run
    from retest.workflows.rescore import baseline_to_rescore, rescore_runs
    from retest.workflows.rescore_metrics import MetricWish, choose_metrics

    workspace = open_workspace(Trust(untrusted=untrusted, base=base), store=store, score_processes=score_processes)
    with workspace.open_store() as opened:
        found = find_run(opened, run)
        wish = MetricWish(
            suite=_suite(suite, found, workspace, optional=bool(metric)),
            names=tuple(dict.fromkeys(metric or ())),
            options=_options(option or []),
            name=name,
            run_code=workspace.untrusted is None,
        )
        metrics = choose_metrics(found, wish, workspace.cwd)
        runs = [(found, "named")]
        other = baseline_to_rescore(opened, found, metrics) if baseline else None
        if other is not None:
            runs.append((other, "baseline"))
        done = rescore_runs(opened, workspace, runs, metrics, listener=RunProgress(quiet=True, verbose=False))
    if as_json:
        print_json(rescored_document(done))
    else:
        stdout().print(rescored_runs(done))
    failed = any(each.failures for rescored in done for each in rescored.metrics)
    return ExitCode.INCOMPLETE if failed else ExitCode.PASSED


def _suite(selector: str | None, run: Run, workspace: Workspace, *, optional: bool) -> Suite | None:
    """Return the suite that is named, else the run's own; where metrics are named, it need not be there."""
    from retest.cli.one_suite import find_suite
    from retest.errors import RetestError

    if selector is not None:
        return find_suite(selector, workspace)
    try:
        return find_suite(run.suite_path, workspace)
    except RetestError:
        if optional:
            return None
        raise


def _options(texts: list[str]) -> dict[str, Any]:
    from retest.suites.yaml_nodes import plain
    from retest.suites.yaml_reader import read_yaml

    pairs = opt.parse_pairs(texts, "--option")
    return {
        key: plain(read_yaml(value.encode("utf-8", "surrogateescape"), f"--option {key}"))
        for key, value in pairs.items()
    }
