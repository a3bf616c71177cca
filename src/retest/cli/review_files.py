"""Files of `retest review import` and `export`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from retest.cli.review_steps import QueueFlags, reviewer_name
from retest.errors import ExitCode, Location, Problem, UsageError

if TYPE_CHECKING:
    from retest.workflows.review_import import ImportWish
    from retest.workflows.workspace import Workspace

Target = tuple[str, Path | None]  # format and file


def import_file(path: Path, wish: ImportWish, workspace: Workspace, *, as_json: bool) -> ExitCode:
    """Take in a file, and say what came of it."""
    from dataclasses import replace

    from retest.cli.console import print_json, stdout
    from retest.report.numbers import plural
    from retest.workflows.find_runs import find_run
    from retest.workflows.review_files import read_review_file
    from retest.workflows.review_import import import_reviews

    rows = read_review_file(_read(path), str(path), encoding=wish.encoding)
    with workspace.open_store() as store:
        run = None if wish.run is None else find_run(store, wish.run).run_id
        report = import_reviews(store, rows, replace(wish, run=run))
    if as_json:
        print_json(asdict(report))
        return ExitCode.PASSED
    said = [
        f"{report.added:,} added",
        f"{report.edited:,} edited",
        f"{report.unchanged:,} unchanged",
        *([f"{report.older:,} older than what the store has: left out"] if report.older else []),
        *([f"{plural(report.empty, 'row')} without a review"] if report.empty else []),
    ]
    stdout().print(", ".join(said), markup=False)
    return ExitCode.PASSED


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"the file cannot be read: {error.strerror}"
        raise UsageError(
            Problem(slug="review-file", message=message, where=Location(path=str(path)), fix="check the path")
        ) from None


def export_reviews(flags: QueueFlags, target: Target, dimensions: Sequence[str], workspace: Workspace) -> ExitCode:
    """Write the reviews of a run's answers."""
    from retest.store.reviews import ReviewFilter
    from retest.workflows.find_runs import find_run
    from retest.workflows.review_rows import RowMaker

    with workspace.open_store(read_only=not flags.blind) as store:
        run = find_run(store, flags.run)
        found = store.reviews.find(ReviewFilter(run=run.run_id, reviewer=flags.reviewer, withdrawn=True))
        if flags.arm is not None:
            found = [review for review in found if review.subject.sample.arm == flags.arm]
        maker = RowMaker(store, blind=flags.blind)
        rows = [maker.review(review, history=target[0] == "jsonl") for review in found[: flags.limit]]
        known = list(store.reviews.scales())
    return _write(rows, target, maker.fields, dimensions or [name for name in known if _is_used(rows, name)])


def _is_used(rows: Sequence[dict[str, Any]], name: str) -> bool:
    return any(name in row["scores"] for row in rows)


def export_due(flags: QueueFlags, target: Target, dimensions: Sequence[str], workspace: Workspace) -> ExitCode:
    """Write answers that are due, to be filled in; every dimension has a column."""
    from retest.workflows.find_runs import find_run
    from retest.workflows.review_queue import review_queue
    from retest.workflows.review_rows import RowMaker

    reviewer = "" if flags.reviewer is None else reviewer_name(flags.reviewer, workspace)
    with workspace.open_store(read_only=not flags.blind) as store:
        items = review_queue(store, find_run(store, flags.run), flags.wish(reviewer))
        maker = RowMaker(store, blind=flags.blind)
        rows = [maker.item(item, reviewer) for item in items]
        known = list(store.reviews.scales())
    return _write(rows, target, maker.fields, dimensions or known)


def _write(
    rows: Sequence[dict[str, Any]], target: Target, fields: Sequence[str], dimensions: Sequence[str]
) -> ExitCode:
    from retest.workflows.review_files import write_reviews_csv, write_reviews_jsonl

    def write(out: BinaryIO) -> None:
        if target[0] == "csv":
            write_reviews_csv(rows, out, fields, dimensions)
        else:
            write_reviews_jsonl(rows, out)

    path = target[1]
    if path is None:
        write(sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return ExitCode.PASSED
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as out:
            write(out)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        message = f"the file cannot be written: {error.strerror}"
        raise UsageError(
            Problem(slug="review-file", message=message, where=Location(path=str(path)), fix="check the folder")
        ) from None
    return ExitCode.PASSED
