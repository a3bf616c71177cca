"""`retest check`."""

from __future__ import annotations

import typer

from retest.cli import options as opt
from retest.errors import ExitCode


def command(
    suites: opt.Suites = None,
    overrides: opt.Overrides = None,
    untrusted: opt.Untrusted = None,
    base: opt.Base = None,
    as_json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> ExitCode:
    """Check suites, prompts and datasets offline; every mistake at once, each with its place.

    [bold]Examples[/bold]

        retest check

        retest check evals/support.yaml support/ja

        retest check --json
    """
    from retest.cli.config import Trust, open_workspace
    from retest.cli.console import print_json, print_problems, stdout
    from retest.report.escape import one_line
    from retest.report.numbers import plural
    from retest.workflows.check import check_suites

    result = check_suites(
        suites or [], open_workspace(Trust(untrusted=untrusted, base=base, calls=False)), overrides or []
    )
    code = ExitCode.USAGE if result.errors else ExitCode.PASSED
    if as_json:
        from retest.report.json_report import problem_document

        print_json({**problem_document(result.problems, code), "suites": [suite.name for suite in result.suites]})
        return code
    print_problems(result.problems)
    if not quiet:
        for suite in result.suites:
            size = f"{plural(len(suite.cases), 'case')}, {plural(len(suite.arms), 'arm')}"
            typer.echo(f"ok  {one_line(suite.name)}  ({size}, {plural(len(suite.metrics), 'metric')})")
    if result.errors:
        stdout().print(plural(len(result.errors), "error"), style="bold red")
    return code
