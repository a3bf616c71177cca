"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from retest.domain.sequential import UntilDecided as Wish

Suites = Annotated[
    list[str] | None,
    typer.Argument(
        help="Suite files, folders, or name prefixes such as support/ja. Default: every suite below evals/."
    ),
]
RunId = Annotated[str, typer.Argument(help="A run: its id, the start of it, a tag, 'latest', or 'latest~1'.")]
StoreUrl = Annotated[
    str | None, typer.Option("--store", help="SQLite file or postgresql:// URL.", rich_help_panel="Settings")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change the suite for this run, e.g. target.temperature=0."),
]
UntilDecided = Annotated[
    bool,
    typer.Option("--until-decided", help="Sample in waves, and stop as soon as the verdict stands."),
]
Recheck = Annotated[
    bool,
    typer.Option("--recheck", help="Sample cases that seem to have got worse again, with the calls that were saved."),
]
Batch = Annotated[
    bool,
    typer.Option("--batch", help="By the provider's batch API: half the price, answers within a day; resumable."),
]
ScoreProcesses = Annotated[
    str | None,
    typer.Option(
        "--score-processes",
        metavar="N",
        help="Processes that score; 1: retest alone. Default: auto, as many as pay.",
        show_default=False,
        rich_help_panel="Settings",
    ),
]
Executor = Annotated[
    str | None,
    typer.Option("--executor", metavar="local|ray", help="Who makes the calls.", rich_help_panel="Settings"),
]
Address = Annotated[
    str | None,
    typer.Option(
        "--address", help="With --executor ray: local, auto, or host:port of a cluster.", rich_help_panel="Settings"
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        help="With --executor ray: how many. Default: one for each free processor.",
        rich_help_panel="Settings",
    ),
]
Untrusted = Annotated[
    bool | None,
    typer.Option(
        "--untrusted/--no-untrusted",
        help="The files are a stranger's: no code, nothing outside the checkout, no new endpoint. Default: in CI, for "
        "pull requests from forks.",
        show_default=False,
        rich_help_panel="Settings",
    ),
]
Base = Annotated[
    str | None,
    typer.Option(
        "--base",
        metavar="REV",
        help="With --untrusted: the trusted revision, whose endpoints may be called. Default: the CI's base.",
        rich_help_panel="Settings",
    ),
]
Arm = Annotated[str | None, typer.Option("--arm", help="Only this arm, prompt/target.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead of stdout.")]


def decide_wish(*, until_decided: bool, recheck: bool, in_step: bool = False) -> Wish | None:
    """Return what `--until-decided` and `--recheck` ask for, None for neither.

    Raises:
        UsageError: there is nothing that a recheck could spend, or no baseline that stays as it is.
    """
    from retest.domain.sequential import UntilDecided as Wish
    from retest.errors import Problem, UsageError

    if recheck and (in_step or not until_decided):
        why = "both sides are sampled in step" if in_step else "without --until-decided nothing is saved"
        raise UsageError(
            Problem(
                slug="recheck-without-savings",
                message=f"--recheck samples suspects again with the calls that an early stop saved, and {why}",
                fix="leave --fresh-baseline out" if in_step else "add --until-decided",
            )
        )
    return Wish(recheck=recheck) if until_decided else None


def on_ray(executor: str | None, address: str | None, workers: int | None) -> dict[str, object | None]:
    """Return the settings that say who makes the calls; naming a cluster is asking for it.

    Raises:
        UsageError: a cluster is named, and the calls are to be made without it.
    """
    from retest.errors import Problem, UsageError

    if executor == "local" and (address is not None or workers is not None):
        flag = "--workers" if address is None else "--address"
        message = f"{flag} is about a Ray cluster, and --executor local does without one"
        raise UsageError(Problem(slug="ray-not-asked-for", message=message, fix=f"leave {flag} out, or --executor ray"))
    asked = executor or ("ray" if address is not None or workers is not None else None)
    return {"executor": asked, "ray_address": address, "ray_workers": workers}


def parse_pairs(pairs: list[str], flag: str) -> dict[str, str]:
    """Return ``NAME=VALUE`` arguments as a mapping.

    Raises:
        UsageError: one of them has no ``=``.
    """
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        from retest.errors import Problem, UsageError

        raise UsageError(
            Problem(slug="pair-format", message=f"{flag} {wrong[0]!r} has no '='", fix=f"write {flag} name=value")
        )
    return dict(pair.split("=", 1) for pair in pairs)
