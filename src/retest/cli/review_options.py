"""Options that the subcommands of `retest review` share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Order(StrEnum):
    """In which order answers are due."""

    RANDOM = "random"
    WORST = "worst"
    DISAGREEMENTS = "disagreements"
    CHANGED = "changed"


class Language(StrEnum):
    """Of the keyboard session."""

    EN = "en"
    JA = "ja"


class Format(StrEnum):
    """What reviews can be exported to."""

    JSONL = "jsonl"
    CSV = "csv"


Review = Annotated[str, typer.Argument(metavar="REVIEW", help="A review: its id, or the start of it.")]
Reviewer = Annotated[
    str | None, typer.Option("--reviewer", metavar="NAME", help="Who reviews. Default: the machine's user.")
]
Run = Annotated[str, typer.Option("--run", help="A run: its id, the start of it, a tag, 'latest'.")]
QueueOrder = Annotated[Order, typer.Option("--order", help="Which answers first.")]
Metric = Annotated[
    str | None, typer.Option("--metric", "-m", help="By which the worst are found; or the judge, for disagreements.")
]
Dimension = Annotated[str | None, typer.Option("--dimension", help="Of people's scores.")]
Baseline = Annotated[
    str | None, typer.Option("--baseline", metavar="RUN", help="Compare with this run. Default: the suite's baseline.")
]
Pairs = Annotated[bool, typer.Option("--pairs", help="Beside the baseline's answer: which is better?")]
Blind = Annotated[bool, typer.Option("--blind", help="Hide which version wrote an answer; a code stands for it.")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="At most so many.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Of the random order.")]
Case = Annotated[str | None, typer.Option("--case", metavar="ID", help="Only this case.")]
Again = Annotated[bool, typer.Option("--again", help="Also what you have reviewed.")]
Score = Annotated[
    list[str] | None, typer.Option("--score", metavar="NAME=VALUE", help="A score in a dimension; repeatable.")
]
Scale = Annotated[
    list[str] | None,
    typer.Option("--scale", metavar="NAME=1-5", help="A dimension's scale; said once. ',lower': lower is better."),
]
Label = Annotated[str | None, typer.Option("--label", help="good or bad; of two answers: first, second or tie.")]
Tag = Annotated[list[str] | None, typer.Option("--tag", help="Add a tag; repeatable.")]
Text = Annotated[str | None, typer.Option("--text", help="What there is to say.")]
Correction = Annotated[str | None, typer.Option("--correction", help="What the answer should have been.")]
