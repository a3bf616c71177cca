"""What the subcommands of `retest review` do, below their flags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from retest.errors import ExitCode, Problem, UsageError

if TYPE_CHECKING:
    from retest.domain.review import Review, ReviewSubject
    from retest.domain.run import Run
    from retest.store.database import Store
    from retest.store.reviews import ReviewFilter
    from retest.workflows.review_edit import ContentChange
    from retest.workflows.review_items import QueueWish
    from retest.workflows.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFlags:
    """Which answers are wanted, as flags say it."""

    run: str
    order: str
    metric: str | None = None
    dimension: str | None = None
    arm: str | None = None
    case: str | None = None
    baseline: str | None = None
    pairs: bool = False
    blind: bool = False
    again: bool = False
    limit: int | None = 20
    seed: int | None = None
    reviewer: str | None = None

    def wish(self, reviewer: str) -> QueueWish:
        """Return the same for the queue."""
        from retest.workflows.review_items import QueueWish

        return QueueWish(
            reviewer=reviewer,
            order=self.order,  # type: ignore[arg-type] # the flag is one of them
            arm=self.arm,
            case_id=self.case,
            metric=self.metric,
            dimension=self.dimension,
            baseline=self.baseline,
            pairs=self.pairs,
            blind=self.blind,
            seed=self.seed,
            again=self.again,
            limit=self.limit,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AddFlags:
    """Which answer is reviewed, as flags say it."""

    run: str
    case: str
    sample: int
    arm: str | None
    against: str | None
    against_arm: str | None
    against_sample: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What is said of it, as flags say it."""

    label: str | None = None
    no_label: bool = False
    score: Sequence[str] | None = None
    scale: Sequence[str] | None = None
    tag: Sequence[str] | None = None
    remove_tag: Sequence[str] | None = None
    text: str | None = None
    correction: str | None = None

    def change(self) -> ContentChange:
        """Return the same for the review.

        Raises:
            UsageError: a score or scale cannot be read.
        """
        from retest.cli.options import parse_pairs
        from retest.workflows.review_edit import ContentChange, parse_scales, parse_scores

        return ContentChange(
            scores=parse_scores(parse_pairs(list(self.score or ()), "--score")),
            scales=parse_scales(parse_pairs(list(self.scale or ()), "--scale")),
            label=self.label,
            no_label=self.no_label,
            add_tags=tuple(self.tag or ()),
            remove_tags=tuple(self.remove_tag or ()),
            text=self.text,
            correction=self.correction,
        )


def reviewer_name(given: str | None, workspace: Workspace) -> str:
    """Return who reviews: the name that is given, else the machine's user.

    Raises:
        UsageError: there is neither.
    """
    name = (given if given is not None else workspace.provenance().user or "").strip()
    if not name:
        message = "a review needs the name of its reviewer"
        raise UsageError(Problem(slug="review-invalid", message=message, fix="give --reviewer NAME"))
    return name


def review_at_keyboard(
    flags: QueueFlags, workspace: Workspace, scales: Sequence[str], language: str | None
) -> ExitCode:
    """Go through what is due, one answer after the other."""
    from retest.cli.console import stdout
    from retest.cli.options import parse_pairs
    from retest.cli.review_keys import Keyboard, default_language, run_session
    from retest.workflows.find_runs import find_run
    from retest.workflows.review_edit import parse_scales
    from retest.workflows.review_queue import review_queue
    from retest.workflows.review_session import ReviewSession, digit_scale

    spoken = language or default_language()
    reviewer = reviewer_name(flags.reviewer, workspace)
    with workspace.open_store() as store, Keyboard(spoken) as keyboard:
        for scale in parse_scales(parse_pairs(list(scales), "--scale")).values():
            store.reviews.set_scale(scale)
        items = review_queue(store, find_run(store, flags.run), flags.wish(reviewer))
        session = ReviewSession(
            store=store,
            items=items,
            reviewer=reviewer,
            ask=keyboard.ask,
            scale=digit_scale(list(store.reviews.scales().values()), flags.dimension),
            blind=flags.blind,
        )
        run_session(session, stdout(), spoken, keyboard)
    return ExitCode.PASSED


def add_one(flags: AddFlags, said: Said, reviewer: str | None, workspace: Workspace, *, as_json: bool) -> ExitCode:
    """Keep one review."""
    from retest.workflows.review_edit import add_review

    with workspace.open_store() as store:
        subject = _subject(store, flags)
        review = add_review(store, subject, reviewer_name(reviewer, workspace), said.change())
        _print_review(store, review, as_json=as_json)
    return ExitCode.PASSED


def _subject(store: Store, flags: AddFlags) -> ReviewSubject:
    from retest.domain.review import ReviewSubject, SampleRef
    from retest.workflows.find_runs import find_run

    run = find_run(store, flags.run)
    sample = SampleRef(run_id=run.run_id, arm=_arm(run, flags.arm), case_id=flags.case, sample_index=flags.sample)
    if flags.against is None and flags.against_arm is None and flags.against_sample is None:
        return ReviewSubject(sample=sample)
    other = run if flags.against is None else find_run(store, flags.against)
    return ReviewSubject(
        sample=sample,
        other=SampleRef(
            run_id=other.run_id,
            arm=_arm(other, flags.against_arm or (flags.arm if other is run else None) or _same(other, sample.arm)),
            case_id=flags.case,
            sample_index=flags.sample if flags.against_sample is None else flags.against_sample,
        ),
    )


def _same(run: Run, arm: str) -> str | None:
    return arm if any(each.name == arm for each in run.arms) else None


def _arm(run: Run, name: str | None) -> str:
    if name is not None:
        return name
    if len(run.arms) == 1:
        return run.arms[0].name
    details = (f"it has: {', '.join(arm.name for arm in run.arms)}",)
    message = "the run has several arms, and none is named"
    raise UsageError(Problem(slug="run-several-arms", message=message, details=details, fix="name one with --arm"))


def edit_one(
    name: str, said: Said, author: str | None, workspace: Workspace, *, withdraw: bool, as_json: bool
) -> ExitCode:
    """Add a revision to a review."""
    from retest.workflows.review_edit import ContentChange, edit_review

    change = said.change()
    if change == ContentChange() and not withdraw:
        message = "nothing to change"
        raise UsageError(
            Problem(slug="review-invalid", message=message, fix="give --label, --score, --tag, --text ...")
        )
    with workspace.open_store() as store:
        review = edit_review(
            store, store.reviews.get(name), change, reviewer_name(author, workspace), withdraw=withdraw
        )
        _print_review(store, review, as_json=as_json)
    return ExitCode.PASSED


def list_reviews(wanted: ReviewFilter, workspace: Workspace, *, as_json: bool) -> ExitCode:
    """Print the reviews that are wanted."""
    from dataclasses import replace

    from retest.cli.console import print_json, stdout
    from retest.report.terminal_review import review_document, review_table
    from retest.workflows.find_runs import find_run

    with workspace.open_store(read_only=True) as store:
        run = None if wanted.run is None else find_run(store, wanted.run).run_id
        found = store.reviews.find(replace(wanted, run=run))
    if as_json:
        print_json({"reviews": [review_document(review) for review in found]})
    else:
        stdout().print(review_table(found))
    return ExitCode.PASSED


def show_one(name: str, workspace: Workspace, *, as_json: bool) -> ExitCode:
    """Print one review."""
    with workspace.open_store(read_only=True) as store:
        _print_review(store, store.reviews.get(name), as_json=as_json)
    return ExitCode.PASSED


def _print_review(store: Store, review: Review, *, as_json: bool) -> None:
    from retest.cli.console import print_json, stdout
    from retest.report.terminal_review import review_detail, review_document
    from retest.workflows.review_rows import read_answer

    if as_json:
        print_json(review_document(review))
        return
    places = [review.subject.sample, *([review.subject.other] if review.subject.other is not None else [])]
    stdout().print(review_detail(review, [read_answer(store, place) for place in places]))


def show_queue(flags: QueueFlags, workspace: Workspace, *, as_json: bool) -> ExitCode:
    """Print what is due."""
    from retest.cli.console import print_json, stdout
    from retest.report.terminal_review import queue_document, queue_table
    from retest.workflows.find_runs import find_run
    from retest.workflows.review_queue import review_queue

    reviewer = reviewer_name(flags.reviewer, workspace)
    with workspace.open_store(read_only=not flags.blind) as store:  # codes are made at the first asking
        items = review_queue(store, find_run(store, flags.run), flags.wish(reviewer))
    if as_json:
        print_json({"order": flags.order, "items": queue_document(items)})
    else:
        stdout().print(queue_table(items))
    return ExitCode.PASSED


def show_agreement(run: str, dimension: str | None, workspace: Workspace, *, as_json: bool) -> ExitCode:
    """Print how far reviewers agree."""
    from retest.cli.console import print_json, stdout
    from retest.report.terminal_review import agreement_document, agreement_table
    from retest.workflows.find_runs import find_run
    from retest.workflows.review_agreement import reviewer_agreement

    with workspace.open_store(read_only=True) as store:
        placed = store.reviews.of_run(find_run(store, run).run_id)
        scales = store.reviews.scales()
    found = reviewer_agreement(placed, scales, dimension)
    if as_json:
        print_json(agreement_document(found))
    else:
        stdout().print(agreement_table(found))
    return ExitCode.PASSED
