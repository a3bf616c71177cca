"""`retest try`."""

from __future__ import annotations

from typing import Annotated

import typer

from retest.cli import options as opt
from retest.errors import ExitCode


def command(
    prompt: Annotated[str, typer.Argument(help="A prompt file.")],
    variables: Annotated[
        list[str] | None, typer.Option("--var", metavar="NAME=VALUE", help="A variable of the prompt.")
    ] = None,
    suite: Annotated[str | None, typer.Option("--suite", help="Take the target from this suite.")] = None,
    target: Annotated[str | None, typer.Option("--target", help="With --suite: which of its targets.")] = None,
    provider: Annotated[str, typer.Option("--provider", help="openai, azure_openai, local, http, ...")] = "openai",
    model: Annotated[str | None, typer.Option("--model", "-m", help="The model to ask.")] = None,
    base_url: Annotated[str | None, typer.Option("--base-url", help="An OpenAI-compatible endpoint.")] = None,
    param: Annotated[list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="A model parameter.")] = None,
    untrusted: opt.Untrusted = None,
    base: opt.Base = None,
) -> ExitCode:
    """Ask once, with one input; the answer is shown as it is written. Nothing is stored.

    [bold]Examples[/bold]

        retest try prompts/intent.md --var message="Where is my parcel?" --suite evals/support.yaml

        retest try prompts/intent.md --var message=返金してください --model gpt-4o-mini --param temperature=0

        retest try prompts/intent.md --var message=hi --provider local --model gemma3-270m
    """
    import sys

    from retest.cli.config import Trust, open_workspace
    from retest.errors import Location
    from retest.report.escape import visible
    from retest.suites.yaml_nodes import resolve_scalar
    from retest.workflows.try_prompt import TryRequest, try_prompt

    def show(piece: str) -> None:
        sys.stdout.write(visible(piece))
        sys.stdout.flush()

    given = opt.parse_pairs(param or [], "--param")
    options = {} if base_url is None else {"base_url": base_url}
    request = TryRequest(
        path=prompt,
        variables=opt.parse_pairs(variables or [], "--var"),
        suite=suite,
        target=target,
        provider=provider,
        model=model,
        options=options,
        params={name: resolve_scalar(value, Location(path="--param")) for name, value in given.items()},
    )
    try_prompt(request, open_workspace(Trust(untrusted=untrusted, base=base)), show)
    sys.stdout.write("\n")
    return ExitCode.PASSED
