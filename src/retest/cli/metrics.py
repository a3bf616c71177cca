"""`retest metrics`."""

from __future__ import annotations

from typing import Annotated

import typer

from retest.cli import options as opt
from retest.errors import ExitCode


def command(
    name: Annotated[str | None, typer.Argument(help="One metric, with its options.")] = None,
    as_json: opt.Json = False,
) -> ExitCode:
    """List the metrics: what each needs, its range and direction, its options.

    [bold]Examples[/bold]

        retest metrics

        retest metrics rouge
    """
    from retest.cli.console import print_json, stdout
    from retest.report.terminal_metrics import metric_options, metric_overview
    from retest.workflows.catalog import load_catalog
    from retest.workflows.describe import describe_metric, find_metric_info

    infos = load_catalog().metrics
    if name is None:
        if as_json:
            print_json({"metrics": [describe_metric(info) for info in infos.values()]})
        else:
            stdout().print(metric_overview([describe_metric(info) for info in infos.values()]))
        return ExitCode.PASSED
    described = describe_metric(find_metric_info(infos, name))
    if as_json:
        print_json(described)
    else:
        stdout().print(metric_options(described))
    return ExitCode.PASSED
