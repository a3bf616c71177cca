"""`retest render`."""

from __future__ import annotations

from typing import Annotated

import typer

from retest.cli import options as opt
from retest.errors import ExitCode


def command(
    prompt: Annotated[str, typer.Argument(help="A prompt file, or a suite (its first cases are rendered).")],
    variables: Annotated[
        list[str] | None, typer.Option("--var", metavar="NAME=VALUE", help="A variable of the prompt.")
    ] = None,
    cases: Annotated[list[str] | None, typer.Option("--cases", metavar="ID", help="With a suite: these cases.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="With a suite: the first N cases.")] = 1,
    overrides: opt.Overrides = None,
    untrusted: opt.Untrusted = None,
    base: opt.Base = None,
    as_json: opt.Json = False,
) -> ExitCode:
    """Show the messages exactly as they would be sent; nothing is called.

    [bold]Examples[/bold]

        retest render prompts/intent.md --var message="Where is my parcel?"

        retest render evals/support.yaml --cases ja-07

        retest render evals/support.yaml --limit 3 --json
    """
    from retest.cli.config import Trust, open_workspace
    from retest.cli.console import print_json, stdout
    from retest.workflows.render import RenderRequest, render_messages

    request = RenderRequest(
        path=prompt,
        variables=opt.parse_pairs(variables or [], "--var"),
        cases=frozenset(cases or ()),
        limit=limit,
        overrides=tuple(overrides or ()),
    )
    rendered = render_messages(request, open_workspace(Trust(untrusted=untrusted, base=base, calls=False)))
    if as_json:
        print_json({"rendered": rendered})
        return ExitCode.PASSED
    from retest.report.messages import rendered_prompt

    for entry in rendered:
        stdout().print(rendered_prompt(entry), soft_wrap=True)  # no line break that is not sent
    return ExitCode.PASSED
