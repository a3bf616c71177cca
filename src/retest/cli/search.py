"""`retest search`."""

from __future__ import annotations

from typing import Annotated

import typer

from retest.cli import options as opt
from retest.errors import ExitCode


def command(
    text: Annotated[
        str, typer.Argument(help="Text to look for in answers and errors; upper and lower case are alike.")
    ],
    run: Annotated[str | None, typer.Option("--run", help="Only this run.")] = None,
    suite: Annotated[str | None, typer.Option("--suite", help="Only suites whose name begins so.")] = None,
    prompt: Annotated[str | None, typer.Option("--prompt", help="A prompt's name, path, or start of its hash.")] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="Only runs with this tag.")] = None,
    where: Annotated[
        str | None, typer.Option("--where", metavar="CONDITION", help="On the sample's score, e.g. 'exact_match=0'.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    store: opt.StoreUrl = None,
    as_json: opt.Json = False,
) -> ExitCode:
    """Search the answers of all runs.

    [bold]Examples[/bold]

        retest search "refund"

        retest search 返金 --suite support/ja --where 'exact_match=0'
    """
    import dataclasses

    from retest.cli.config import open_workspace
    from retest.cli.console import print_json, stdout
    from retest.report.terminal_search import search_table
    from retest.store.records import SearchFilter, parse_metric_condition

    with open_workspace(store=store).open_store(read_only=True) as opened:
        wanted = SearchFilter(
            run_id=None if run is None else opened.get_run(run).run_id,
            suite=suite,
            prompt=prompt,
            tags=tuple(tag or ()),
            metric=None if where is None else parse_metric_condition(where),
            limit=limit,
        )
        hits = list(opened.search(text, wanted))
    if as_json:
        print_json({"hits": [{**dataclasses.asdict(hit), "started_at": hit.started_at.isoformat()} for hit in hits]})
    elif not hits:
        stdout().print("nothing found")
    else:
        rows = [(hit.run_id, hit.arm, f"{hit.case_id} #{hit.sample_index}", hit.text) for hit in hits]
        stdout().print(search_table(rows, text))
    return ExitCode.PASSED
