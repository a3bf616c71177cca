"""`retest bisect`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from retest.cli import options as opt
from retest.errors import ExitCode

if TYPE_CHECKING:
    from retest.revisions.git import Repository
    from retest.runner.events import Listener
    from retest.runner.stopping import StopSignal
    from retest.workflows.bisect import Found
    from retest.workflows.compare_revisions import Contender
    from retest.workflows.revision_sides import RevisionSide


def command(
    good: Annotated[str, typer.Argument(metavar="GOOD", help="A revision from before the regression.")],
    bad: Annotated[str, typer.Argument(metavar="BAD", help="A revision that has it.")],
    metric: Annotated[str, typer.Option("--metric", "-m", help="The metric that regressed.")],
    suite: Annotated[
        list[str] | None, typer.Option("--suite", "-s", help="Suite file, folder, or name prefix; repeatable.")
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option("--samples", "-k", min=1, help="Samples per case at most. Default: twice the suite's."),
    ] = None,
    concurrency: Annotated[int | None, typer.Option("--concurrency", "-c", min=1, help="Calls in flight.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Only what is recorded: no call is made.")] = False,
    untrusted: opt.Untrusted = None,
    base: opt.Base = None,
    store: opt.StoreUrl = None,
    as_json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> ExitCode:
    """Find the commit at which a metric regressed, by a binary search over the first-parent commits.

    Each step samples a commit beside GOOD and BAD, in waves, and stops as soon as a drop is seen before it or after it.
    What the ledger has, and commits that change nothing that the suite uses, cost nothing. Your files are not touched.
    Exit 0: found; 6: it stays open between several commits.

    [bold]Example[/bold]

        retest bisect v1.4 main --metric exact_match --suite support/ja
    """
    from retest.cli.compare_versions import run_with_progress
    from retest.cli.config import Trust, open_workspace
    from retest.cli.run_suites import Display
    from retest.domain.sequential import UntilDecided
    from retest.revisions.git import find_repository
    from retest.workflows.bisect import Bisection, Question
    from retest.workflows.compare_revisions import run_sides
    from retest.workflows.run import RunOptions

    trust = Trust(untrusted=untrusted, base=base)
    workspace = open_workspace(trust, store=store, concurrency=concurrency)
    display = Display(as_json=as_json, quiet=quiet)

    def run(sides: Sequence[RevisionSide], name: str) -> list[Contender]:
        options = RunOptions(
            samples=samples or 2 * max(side.suites[name].samples for side in sides),
            offline=offline,
            until_decided=UntilDecided(rule="search", metric=metric),
        )

        async def all_sides(listener: Listener, stop: StopSignal) -> list[Contender]:
            return await run_sides(sides, name, options, listener, stop)

        return run_with_progress(all_sides, display)

    question = Question(good=good, bad=bad, metric=metric, selectors=tuple(suite or ()))
    found = Bisection(question=question, workspace=workspace, run=run).search()
    code = ExitCode.PASSED if len(found.suspects) == 1 else ExitCode.INCONCLUSIVE
    if as_json:
        _print_json(found, code)
    else:
        _show(found, find_repository(workspace.cwd))
    return code


def _print_json(found: Found, code: ExitCode) -> None:
    from dataclasses import asdict

    from retest.cli.console import print_json
    from retest.report.json_report import run_comparison_document

    steps = [asdict(step) for step in found.steps]
    comparison = run_comparison_document(found.comparison, code)
    print_json({"suspects": found.suspects, "steps": steps, "comparison": comparison, "exit_code": int(code)})


def _show(found: Found, repository: Repository) -> None:
    from retest.cli.console import stdout
    from retest.report.escape import one_line
    from retest.report.terminal_diff import run_comparison
    from retest.revisions.history import commit_title

    for step in found.steps:
        stdout().print(f"{step.commit[:8]}  {step.judgement}: {one_line(step.why)}", markup=False)
    head = "this commit regressed" if len(found.suspects) == 1 else "one of these commits regressed"
    stdout().print(f"\n{head}:", style="bold")
    for commit in found.suspects:
        title = one_line(commit_title(repository, commit))
        stdout().print(f"{commit[:8]}  {title}", markup=False)
    stdout().print()
    stdout().print(run_comparison(found.comparison))
