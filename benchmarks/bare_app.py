"""The least that a command line of typer can be: what the start of `retest` is held against."""

from __future__ import annotations

import typer

app = typer.Typer(rich_markup_mode="rich")


@app.command()
def first(count: int = 1) -> None:
    """Do one thing."""


@app.command()
def second(count: int = 1) -> None:
    """Do another thing."""


if __name__ == "__main__":
    app()
