"""`retest review`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from retest.cli import options as opt
from retest.cli import review_options as flag
from retest.errors import ExitCode

HELP = """Scores, labels, tags and comments by people.

Without a subcommand: one answer after the other at the keyboard, saved at once.

[bold]Examples[/bold]

    retest review                                    the latest run, at random

    retest review --order worst --blind              the worst first, versions hidden

    retest review --run latest --pairs --blind       beside the baseline's answers: which is better?

    retest review export latest --queue worst --to csv -o to-review.csv
"""


def session(
    context: typer.Context,
    run: flag.Run = "latest",
    order: flag.QueueOrder = flag.Order.RANDOM,
    metric: flag.Metric = None,
    dimension: flag.Dimension = None,
    arm: opt.Arm = None,
    case: flag.Case = None,
    baseline: flag.Baseline = None,
    pairs: flag.Pairs = False,
    blind: flag.Blind = False,
    again: flag.Again = False,
    limit: flag.Limit = 20,
    seed: flag.Seed = None,
    reviewer: flag.Reviewer = None,
    scale: flag.Scale = None,
    language: Annotated[
        flag.Language | None, typer.Option("--language", help="Of the session. Default: the terminal's.")
    ] = None,
    store: opt.StoreUrl = None,
) -> ExitCode:
    """Review at the keyboard."""
    del context
    from retest.cli.config import open_workspace
    from retest.cli.review_steps import QueueFlags, review_at_keyboard

    flags = QueueFlags(
        run=run,
        order=order.value,
        metric=metric,
        dimension=dimension,
        arm=arm,
        case=case,
        baseline=baseline,
        pairs=pairs,
        blind=blind,
        again=again,
        limit=limit,
        seed=seed,
        reviewer=reviewer,
    )
    chosen = None if language is None else language.value
    return review_at_keyboard(flags, open_workspace(store=store), scale or [], chosen)


def add(
    case: Annotated[str, typer.Option("--case", metavar="ID", help="The case.")],
    run: opt.RunId = "latest",
    sample: Annotated[int, typer.Option("--sample", min=0, help="Which of its samples.")] = 0,
    arm: opt.Arm = None,
    against: Annotated[
        str | None, typer.Option("--against", metavar="RUN", help="Compare with this run's answer (second).")
    ] = None,
    against_arm: Annotated[str | None, typer.Option("--against-arm", help="Compare with this arm's answer.")] = None,
    against_sample: Annotated[int | None, typer.Option("--against-sample", min=0, help="Which of its samples.")] = None,
    label: flag.Label = None,
    score: flag.Score = None,
    scale: flag.Scale = None,
    tag: flag.Tag = None,
    text: flag.Text = None,
    correction: flag.Correction = None,
    reviewer: flag.Reviewer = None,
    store: opt.StoreUrl = None,
    as_json: opt.Json = False,
) -> ExitCode:
    """Review one answer, or two beside one another.

    [bold]Examples[/bold]

        retest review add latest --case ja-07 --label bad --tag tone --text "too curt"

        retest review add latest --case ja-07 --score helpfulness=4 --scale helpfulness=1-5

        retest review add latest --case ja-07 --against latest~1 --label first
    """
    from retest.cli.config import open_workspace
    from retest.cli.review_steps import AddFlags, Said, add_one

    flags = AddFlags(
        run=run,
        case=case,
        sample=sample,
        arm=arm,
        against=against,
        against_arm=against_arm,
        against_sample=against_sample,
    )
    said = Said(label=label, score=score, scale=scale, tag=tag, text=text, correction=correction)
    return add_one(flags, said, reviewer, open_workspace(store=store), as_json=as_json)


def list_(
    run: Annotated[str | None, typer.Argument(help="Of this run's answers. Default: all reviews.")] = None,
    reviewer: Annotated[str | None, typer.Option("--reviewer", metavar="NAME", help="By this person.")] = None,
    case: flag.Case = None,
    label: Annotated[str | None, typer.Option("--label", help="With this label.")] = None,
    tag: Annotated[str | None, typer.Option("--tag", help="With this tag.")] = None,
    withdrawn: Annotated[bool, typer.Option("--withdrawn", help="Also those that no longer count.")] = False,
    store: opt.StoreUrl = None,
    as_json: opt.Json = False,
) -> ExitCode:
    """List reviews.

    [bold]Example[/bold]

        retest review list latest --label bad
    """
    from retest.cli.config import open_workspace
    from retest.cli.review_steps import list_reviews
    from retest.store.reviews import ReviewFilter

    wanted = ReviewFilter(run=run, reviewer=reviewer, case_id=case, label=label, tag=tag, withdrawn=withdrawn)
    return list_reviews(wanted, open_workspace(store=store), as_json=as_json)


def show(review: flag.Review, store: opt.StoreUrl = None, as_json: opt.Json = False) -> ExitCode:
    """Show one review with every revision of it.

    [bold]Example[/bold]

        retest review show v3f9c
    """
    from retest.cli.config import open_workspace
    from retest.cli.review_steps import show_one

    return show_one(review, open_workspace(store=store), as_json=as_json)


def edit(
    review: flag.Review,
    label: flag.Label = None,
    no_label: Annotated[bool, typer.Option("--no-label", help="Take the label away.")] = False,
    score: flag.Score = None,
    scale: flag.Scale = None,
    tag: flag.Tag = None,
    remove_tag: Annotated[list[str] | None, typer.Option("--remove-tag", help="Take a tag away.")] = None,
    text: flag.Text = None,
    correction: flag.Correction = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Let it no longer count; it is kept.")] = False,
    author: Annotated[str | None, typer.Option("--author", help="Who edits. Default: the machine's user.")] = None,
    store: opt.StoreUrl = None,
    as_json: opt.Json = False,
) -> ExitCode:
    """Change a review: what it said before is kept as an earlier revision.

    [bold]Examples[/bold]

        retest review edit v3f9c --label good --score helpfulness=5

        retest review edit v3f9c --withdraw
    """
    from retest.cli.config import open_workspace
    from retest.cli.review_steps import Said, edit_one

    said = Said(
        label=label,
        no_label=no_label,
        score=score,
        scale=scale,
        tag=tag,
        remove_tag=remove_tag,
        text=text,
        correction=correction,
    )
    return edit_one(review, said, author, open_workspace(store=store), withdraw=withdraw, as_json=as_json)


def import_(
    file: Annotated[Path, typer.Argument(help="CSV or JSONL, as an export writes it.")],
    run: Annotated[str | None, typer.Option("--run", help="The rows are of this run, whatever run they name.")] = None,
    reviewer: Annotated[str | None, typer.Option("--reviewer", metavar="NAME", help="Of rows that name none.")] = None,
    encoding: Annotated[str, typer.Option("--encoding", help="Of the file: utf-8, cp932, ...")] = "utf-8",
    scale: flag.Scale = None,
    store: opt.StoreUrl = None,
    as_json: opt.Json = False,
) -> ExitCode:
    """Take in reviews from a file, all or none; the same file twice changes nothing.

    [bold]Examples[/bold]

        retest review import reviewed.csv --reviewer 佐藤

        retest review import reviewed.csv --encoding cp932
    """
    from retest.cli.config import open_workspace
    from retest.cli.review_files import import_file
    from retest.workflows.review_edit import parse_scales
    from retest.workflows.review_import import ImportWish

    wish = ImportWish(
        run=run,
        reviewer=reviewer,
        scales=parse_scales(opt.parse_pairs(scale or [], "--scale")),
        encoding=encoding,
    )
    return import_file(file, wish, open_workspace(store=store), as_json=as_json)


def export(
    run: opt.RunId = "latest",
    to: Annotated[flag.Format, typer.Option("--to", help="The file's format.")] = flag.Format.JSONL,
    output: opt.Output = None,
    queue: Annotated[
        flag.Order | None, typer.Option("--queue", help="Not the reviews, but answers that are due, to be filled in.")
    ] = None,
    metric: flag.Metric = None,
    dimension: Annotated[
        list[str] | None, typer.Option("--dimension", help="Give a column to this dimension; repeatable.")
    ] = None,
    arm: opt.Arm = None,
    baseline: flag.Baseline = None,
    pairs: flag.Pairs = False,
    blind: flag.Blind = False,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many. Default: all.")] = None,
    seed: flag.Seed = None,
    reviewer: Annotated[
        str | None, typer.Option("--reviewer", metavar="NAME", help="Reviews by this person; or whom the rows are for.")
    ] = None,
    store: opt.StoreUrl = None,
) -> ExitCode:
    """Write the reviews of a run's answers, or answers to be reviewed, one row each.

    [bold]Examples[/bold]

        retest review export latest > reviews.jsonl

        retest review export latest --queue worst --limit 50 --to csv -o to-review.csv

        retest review export latest --queue changed --pairs --blind --to csv -o blind.csv
    """
    from retest.cli.config import open_workspace
    from retest.cli.review_files import export_due, export_reviews
    from retest.cli.review_steps import QueueFlags

    flags = QueueFlags(
        run=run,
        order=(queue or flag.Order.RANDOM).value,
        metric=metric,
        dimension=None,
        arm=arm,
        baseline=baseline,
        pairs=pairs,
        blind=blind,
        limit=limit,
        seed=seed,
        reviewer=reviewer,
    )
    write = export_reviews if queue is None else export_due
    return write(flags, (to.value, output), tuple(dimension or ()), open_workspace(store=store))


def queue(
    run: opt.RunId = "latest",
    order: flag.QueueOrder = flag.Order.RANDOM,
    metric: flag.Metric = None,
    dimension: flag.Dimension = None,
    arm: opt.Arm = None,
    case: flag.Case = None,
    baseline: flag.Baseline = None,
    pairs: flag.Pairs = False,
    blind: flag.Blind = False,
    again: flag.Again = False,
    limit: flag.Limit = 20,
    seed: flag.Seed = None,
    reviewer: flag.Reviewer = None,
    store: opt.StoreUrl = None,
    as_json: opt.Json = False,
) -> ExitCode:
    """Show which answers are due: at random, the worst, where judge and people disagree, changed since the baseline.

    Answers that the reviewer has reviewed are left out. Each case comes up once before any comes up again.

    [bold]Examples[/bold]

        retest review queue latest --order worst --metric exact_match

        retest review queue latest --order disagreements --metric quality

        retest review queue latest --order changed --baseline latest~1
    """
    from retest.cli.config import open_workspace
    from retest.cli.review_steps import QueueFlags, show_queue

    flags = QueueFlags(
        run=run,
        order=order.value,
        metric=metric,
        dimension=dimension,
        arm=arm,
        case=case,
        baseline=baseline,
        pairs=pairs,
        blind=blind,
        again=again,
        limit=limit,
        seed=seed,
        reviewer=reviewer,
    )
    return show_queue(flags, open_workspace(store=store), as_json=as_json)


def agreement(
    run: opt.RunId = "latest",
    dimension: flag.Dimension = None,
    store: opt.StoreUrl = None,
    as_json: opt.Json = False,
) -> ExitCode:
    """Say how far reviewers agree: exact, Cohen's kappa, weighted kappa, Krippendorff's alpha, with intervals.

    [bold]Example[/bold]

        retest review agreement latest --dimension helpfulness
    """
    from retest.cli.config import open_workspace
    from retest.cli.review_steps import show_agreement

    return show_agreement(run, dimension, open_workspace(store=store), as_json=as_json)


DEFAULT = session
COMMANDS = {
    "add": add,
    "list": list_,
    "show": show,
    "edit": edit,
    "import": import_,
    "export": export,
    "queue": queue,
    "agreement": agreement,
}
