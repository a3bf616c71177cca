"""`retest init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from retest.errors import ExitCode

_STEPS = {
    "en": (
        "retest check                    the suite is sound",
        "retest run                      two answers per case, scored",
        "retest show                     what they add up to",
        "edit prompts/intent.md, and put your model into evals/support.yaml",
        "commit; .github/workflows/retest.yml runs it on pull requests",
    ),
    "ja": (
        "retest check                    設定に誤りがないか確かめます",
        "retest run                      1 ケースにつき 2 回答えさせ、採点します",
        "retest show                     結果を表示します",
        "prompts/intent.md を編集し、evals/support.yaml に実際のモデルを書きます",
        "コミットすると、プルリクエストで .github/workflows/retest.yml が動きます",
    ),
}


def command(
    folder: Annotated[Path, typer.Argument(help="Where to write; made where it does not exist.")] = Path(),
    example: Annotated[str, typer.Option("--example", help="en, or ja for Japanese.")] = "en",
) -> ExitCode:
    """Write a small commented project: a prompt, a dataset, a suite, a CI workflow. It runs at once, without a key.

    [bold]Examples[/bold]

        retest init

        retest init my-evals --example ja
    """
    from retest.cli.console import stdout
    from retest.workflows.scaffold import write_project

    for path in write_project(folder, example):
        stdout().print(f"wrote {folder / path}", markup=False, soft_wrap=True)
    steps: tuple[str, ...] = _STEPS[example]
    if folder != Path():
        steps = (f"cd {folder}", *steps)
    stdout().print()
    for number, step in enumerate(steps, start=1):
        stdout().print(f"{number}. {step}", markup=False, soft_wrap=True)
    return ExitCode.PASSED
