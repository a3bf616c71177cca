"""`retest judge calibrate`, `list` and `show`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from retest.cli import options as opt
from retest.errors import ExitCode

HELP = "Judges: what they are asked, and how far they agree with people."

_Definition = Annotated[
    str,
    typer.Argument(help="A judging metric of --suite, a definition file, or a definition's name such as grade."),
]
_Language = Annotated[Literal["en", "ja"], typer.Option("--language", help="Of a definition that comes with retest.")]
_Suite = Annotated[
    str | None, typer.Option("--suite", help="The suite that names the judge's model (its file or name).")
]


def calibrate(
    definition: _Definition,
    against: Annotated[
        str, typer.Option("--against", metavar="FIELD|reviews", help="The field with people's labels, or reviews.")
    ],
    suite: _Suite = None,
    judge: Annotated[
        list[str] | None, typer.Option("--judge", help="Which of the suite's judges; repeatable for a jury.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Labelled rows (JSONL, CSV, ...). Default: the suite's dataset.")
    ] = None,
    run: Annotated[str | None, typer.Option("--run", help="With --against reviews: only this run's answers.")] = None,
    dimension: Annotated[
        str | None, typer.Option("--dimension", help="With --against reviews: what people scored; label for good/bad.")
    ] = None,
    answer: Annotated[
        str | None, typer.Option("--answer", help="Field of the answer (of the first, of a pair).")
    ] = None,
    second: Annotated[str | None, typer.Option("--second", help="Field of a pair's second answer.")] = None,
    recorded: Annotated[
        str | None,
        typer.Option(
            "--recorded", help="Field (of reviews: the runs' metric) with judgments already made: nobody is asked."
        ),
    ] = None,
    swapped: Annotated[
        str | None, typer.Option("--swapped", help="Recorded winner of a pair with the second answer shown first.")
    ] = None,
    judge_name: Annotated[
        str, typer.Option("--judge-name", help="Who made the recorded judgments, for the record.")
    ] = "recorded",
    label: Annotated[
        list[str] | None, typer.Option("--label", metavar="WORD=VALUE", help="What a label is worth; repeatable.")
    ] = None,
    coefficient: Annotated[
        str | None, typer.Option("--coefficient", help="The one that counts, such as kappa or alpha_ordinal.")
    ] = None,
    min_agreement: Annotated[
        float | None, typer.Option("--min-agreement", help="Exit 1 unless the interval lies above this.")
    ] = None,
    language: _Language = "en",
    fresh: Annotated[bool, typer.Option("--fresh", help="Ask anew what the ledger has.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Ask nobody; use what the ledger has.")] = False,
    save: Annotated[
        bool, typer.Option("--save/--no-save", help="Keep the result beside the definition, to commit.")
    ] = True,
    store: opt.StoreUrl = None,
    as_json: opt.Json = False,
) -> ExitCode:
    """Measure how far a judge agrees with people on labelled cases.

    The judge is asked through the ledger, a pair in both orders; with --recorded it is not asked at all. The result is
    kept in NAME.calibration.json beside the definition, where a suite's gate can demand a minimum of it.

    [bold]Examples[/bold]

        retest judge calibrate grade --against human --suite evals/support.yaml --data labelled.jsonl

        retest judge calibrate judges/tone.yaml --against label --data labelled.csv --recorded score

        retest judge calibrate quality --against reviews --suite evals/support.yaml --recorded quality

        retest judge calibrate pairwise --against better --recorded ab --swapped ba --data pairs.jsonl
    """
    from retest.cli.config import open_workspace
    from retest.cli.judge_steps import CalibrateWish, calibrate_judge

    wish = CalibrateWish(
        definition=definition,
        against=against,
        suite=suite,
        judges=tuple(judge or ()),
        data=data,
        run=run,
        dimension=dimension,
        answer=answer,
        second=second,
        recorded=recorded,
        swapped=swapped,
        judge_name=judge_name,
        labels=opt.parse_pairs(label or [], "--label"),
        coefficient=coefficient,
        min_agreement=min_agreement,
        language=language,
        fresh=fresh,
        offline=offline,
        save=save,
    )
    return calibrate_judge(wish, open_workspace(store=store), as_json=as_json)


def list_(language: _Language = "en", as_json: opt.Json = False) -> ExitCode:
    """List the judge definitions: those in judges/, those that come with retest, and how far each is calibrated."""
    from retest.cli.config import open_workspace
    from retest.cli.judge_steps import list_definitions

    return list_definitions(open_workspace(), language, as_json=as_json)


def show(
    definition: _Definition, suite: _Suite = None, language: _Language = "en", as_json: opt.Json = False
) -> ExitCode:
    """Show what a definition tells the judge, and its calibrations.

    [bold]Examples[/bold]

        retest judge show pairwise

        retest judge show judges/tone.yaml
    """
    from retest.cli.config import open_workspace
    from retest.cli.judge_steps import show_definition

    return show_definition(definition, suite, open_workspace(), language, as_json=as_json)


COMMANDS = {"calibrate": calibrate, "list": list_, "show": show}
