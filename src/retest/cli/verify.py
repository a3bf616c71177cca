"""`retest verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from retest.cli import options as opt
from retest.errors import ExitCode

if TYPE_CHECKING:
    from retest.store.integrity import Finding, IntegrityReport


def command(
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what can be; an SQLite store is copied beside itself first.")
    ] = False,
    store: opt.StoreUrl = None,
    as_json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> ExitCode:
    """Check that the store is whole: the file, every text, every reference, every score. Exit 1 where something is not.

    Nothing is invented: a sample whose answer is gone is taken out, and the same `retest run` asks for it again.

    [bold]Examples[/bold]

        retest verify

        retest verify --repair

        retest verify --store postgresql://me@db.example.org/retest --json
    """
    from dataclasses import asdict

    from retest.cli.config import open_workspace
    from retest.cli.console import print_json, stderr
    from retest.workflows.verify_store import verify_store

    def tell(what: str) -> None:
        if not quiet and stderr().is_terminal:
            stderr().print(f"looking at: {what}", style="dim", markup=False)

    report = verify_store(open_workspace(store=store).settings.store_url, tell, repair=repair)
    code = ExitCode.PASSED if report.is_sound else ExitCode.GATE_FAILED
    if as_json:
        print_json({**asdict(report), "is_sound": report.is_sound, "exit_code": int(code)})
    else:
        _show(report, repair=repair)
    return code


def _show(report: IntegrityReport, *, repair: bool) -> None:
    from retest.cli.console import stdout
    from retest.report.escape import one_line

    read = ", ".join(f"{count:,} {name}" for name, count in report.checked.items())
    stdout().print(f"{one_line(report.place)}: schema version {report.schema_version}; {read} read", markup=False)
    if not report.findings:
        stdout().print("everything is whole", style="green")
    for finding in report.findings:
        for line in _lines(finding):
            stdout().print(line, markup=False, soft_wrap=True)
    if report.backup is not None:
        stdout().print(f"as it was before: {one_line(report.backup)}", markup=False, soft_wrap=True)
    if not repair and any(finding.repair for finding in report.findings):
        stdout().print("retest verify --repair mends what can be", style="bold")


def _lines(finding: Finding) -> list[str]:
    from retest.report.escape import one_line

    mark = "repaired" if finding.repaired else "FAULT"
    lines = [f"{mark}: {finding.what}: {finding.count:,}  [{finding.kind}]"]
    lines += [f"  {one_line(example)}" for example in finding.examples]
    if finding.repair:
        lines.append(f"  {'done' if finding.repaired else 'repair'}: {finding.repair}")
    if finding.advice and not finding.repaired:
        lines.append(f"  fix: {finding.advice}")
    return lines
