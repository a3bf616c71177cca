"""`retest view`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from retest.cli import options as opt
from retest.errors import ExitCode


def command(
    port: Annotated[int, typer.Option("--port", "-p", min=0, max=65535, help="0 takes any that is free.")] = 8321,
    host: Annotated[
        str, typer.Option("--host", help="Where to listen; beyond this machine a token is needed.")
    ] = "127.0.0.1",
    token: Annotated[
        str | None, typer.Option("--token", help="The token to ask for; made up where one is needed.")
    ] = None,
    name: Annotated[
        list[str] | None, typer.Option("--name", help="A further host name under which it is opened; repeatable.")
    ] = None,
    lang: Annotated[
        Literal["en", "ja", "auto"], typer.Option("--lang", help="Language of the pages; auto: the browser's.")
    ] = "auto",
    browse: Annotated[bool, typer.Option("--open", help="Open the browser.")] = False,
    store: opt.StoreUrl = None,
) -> ExitCode:
    """Look at runs, compare them, review answers and edit prompts in the browser.

    Only this machine can open it, unless --host says otherwise. Runs that are under way are followed.

    [bold]Examples[/bold]

        retest view

        retest view --port 0 --open

        retest view --host 0.0.0.0 --name review.example.com
    """
    import typer as terminal

    from retest.cli.config import open_workspace
    from retest.viewer.serve import ServeOptions, serve

    def tell(address: str) -> None:
        terminal.echo(f"retest view: {address}  (Ctrl+C ends it)")
        if browse:
            terminal.launch(address)

    workspace = open_workspace(store=store)
    options = ServeOptions(
        host=host,
        port=port,
        token=token or None,
        names=tuple(name or ()),
        language=None if lang == "auto" else lang,
    )
    with workspace.open_store() as opened:
        serve(opened, workspace, options, tell)
    return ExitCode.PASSED
