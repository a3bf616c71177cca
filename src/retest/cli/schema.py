"""`retest schema`."""

from __future__ import annotations

from retest.cli import options as opt
from retest.errors import ExitCode


def command(output: opt.Output = None) -> ExitCode:
    """Print the JSON Schema of suite files, so that editors complete and check them.

    Put this in a suite's first line: [cyan]# yaml-language-server: $schema=../retest.schema.json[/cyan]

    [bold]Examples[/bold]

        retest schema > retest.schema.json

        retest schema -o retest.schema.json
    """
    import sys

    from retest.report.json_report import dump_json
    from retest.suites.schema import suite_json_schema
    from retest.workflows.catalog import load_catalog

    text = dump_json(suite_json_schema(load_catalog())) + "\n"
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")
    return ExitCode.PASSED
