"""Takes reviews from a file into the store, all or none: every mistake is found first, with its line."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from retest.domain.review import (
    PAIR_LABELS,
    SAMPLE_LABELS,
    NewReview,
    Review,
    ReviewContent,
    ReviewScale,
    ReviewScore,
    ReviewSubject,
    SampleRef,
)
from retest.domain.suite import Direction
from retest.errors import Problem, RetestError, UsageError
from retest.workflows.review_files import FileRow
from retest.workflows.review_rows import Row, read_answer

if TYPE_CHECKING:
    from retest.store.database import Store

_SCALE = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*(?:-|\.\.|–|〜|~)\s*(-?\d+(?:\.\d+)?)\s*")
_CELL_LIMIT = 32_000  # characters: a spreadsheet cuts a longer cell when it saves


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportWish:
    """How a file is taken in.

    Attributes:
        run: the run that its rows are of, whatever run they name; None for the one they name.
        reviewer: of rows that name none.
        scales: of dimensions that have none yet.
        encoding: of the file; characters that it lacks are no difference between answers.
    """

    run: str | None = None
    reviewer: str | None = None
    scales: Mapping[str, ReviewScale] = field(default_factory=dict)
    encoding: str = "utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What came of an import; `older` are rows that the store has a newer revision of."""

    added: int = 0
    edited: int = 0
    unchanged: int = 0
    empty: int = 0
    older: int = 0


def parse_scale(dimension: str, text: str, *, lower_is_better: bool = False) -> ReviewScale:
    """Return the scale that ``1-5`` or ``-2..2`` means.

    Raises:
        UsageError: it means none.
    """
    match = _SCALE.fullmatch(text)
    if match is None:
        raise UsageError(
            Problem(
                slug="review-invalid",
                message=f"'{text}' is no scale for {dimension}",
                fix="write its two ends, the lower first: 1-5, or -2..2",
            )
        )
    direction: Direction = "lower" if lower_is_better else "higher"
    return ReviewScale(dimension=dimension, low=float(match[1]), high=float(match[2]), direction=direction)


def import_reviews(store: Store, rows: Sequence[FileRow], wish: ImportWish) -> ImportReport:
    """Keep what the rows say.

    A row that says what the store has already changes nothing; one that says something else is an edit.

    Raises:
        UsageError: a row is of no answer that the store has, or of another answer than it shows, or says what cannot
            be; all of them, and nothing is kept.
    """
    reader = _Reader(store, wish)
    problems: list[Problem] = []
    for row in rows:
        try:
            reader.read(row.values)
        except RetestError as error:
            problems += [replace(problem, where=row.where) for problem in error.problems]
    if problems:
        raise UsageError(*problems)
    for scale in reader.scales.values():
        store.reviews.set_scale(scale)
    store.reviews.save_all(reader.new)
    return reader.report


class _Reader:
    """Turns rows into reviews to keep, one after the other."""

    def __init__(self, store: Store, wish: ImportWish) -> None:
        self._store = store
        self._wish = wish
        self._run = None if wish.run is None else store.get_run(wish.run).run_id
        self._known_scales = store.reviews.scales()
        self.scales: dict[str, ReviewScale] = {
            name: scale for name, scale in wish.scales.items() if name not in self._known_scales
        }
        self.new: list[NewReview] = []
        self.report = ImportReport()

    def read(self, values: Row) -> None:
        """Take one row.

        Raises:
            UsageError: something in it is wrong.
        """
        content = self._content(values)
        withdrawn = bool(values.get("withdrawn"))
        if content.is_empty and not withdrawn:
            self._count("empty")
            return
        subject = self._subject(values)
        _check_label(content.label, subject)
        self._check_answers(values, subject)
        reviewer = str(values.get("reviewer") or self._wish.reviewer or "").strip()
        if not reviewer:
            raise _wrong("the row names no reviewer", "fill the column in, or give --reviewer NAME")
        known = self._store.reviews.existing(subject, reviewer)
        review = NewReview(
            subject=subject,
            reviewer=reviewer,
            content=content,
            author=str(values.get("author") or reviewer),
            at=_moment(values.get("at")),
            blind=bool(values.get("blind")) or bool(values.get("code")),
            withdrawn=withdrawn,
        )
        if known is None:
            self.new += self._history(values, review)
        self._add(review, known)

    def _add(self, review: NewReview, known: Review | None) -> None:
        if known is None:
            self.new.append(review)
            self._count("added")
            return
        if any(_is_same(review, revision.content, withdrawn=revision.withdrawn) for revision in known.revisions[-1:]):
            self._count("unchanged")
            return
        moments = [revision.at for revision in known.revisions]
        if review.at is not None and review.at < known.current.at:
            self._count("older")
            return
        # A row of an export that was filled in anew still has the time of what it said before.
        is_edit = review.at in moments
        author = review.reviewer if is_edit else review.author
        self.new.append(replace(review, at=None if is_edit else review.at, author=author))
        self._count("edited")

    def _history(self, values: Row, review: NewReview) -> Iterator[NewReview]:
        for earlier in values.get("history") or ():
            if isinstance(earlier, Mapping):
                merged = {"scores": {}, "scales": {}, **earlier}
                yield replace(
                    review,
                    content=self._content(merged),
                    author=str(earlier.get("author") or review.reviewer),
                    at=_moment(earlier.get("at")),
                    blind=bool(earlier.get("blind")),
                    withdrawn=bool(earlier.get("withdrawn")),
                )

    def _content(self, values: Row) -> ReviewContent:
        given = {name: value for name, value in values["scores"].items() if value is not None}
        scores = {name: self._score(name, value, values) for name, value in given.items()}
        label = values.get("label")
        return ReviewContent(
            scores=scores,
            label=str(label).strip().lower() if label else None,
            tags=tuple(dict.fromkeys(str(tag) for tag in values.get("tags") or ())),
            text=str(values.get("text") or ""),
            correction=None if values.get("correction") is None else str(values["correction"]),
        )

    def _score(self, name: str, value: Any, values: Row) -> ReviewScore:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise _wrong(f"the score of {name} is no number: {value!r}", "write a number")
        own = values["scales"].get(name)
        scale = self._known_scales.get(name) or self.scales.get(name)
        if own is not None:
            given = parse_scale(name, str(own))
            if scale is None:
                self.scales[name] = given
            scale = given
        if scale is None:
            raise _wrong(f"dimension '{name}' has no scale yet", f"say it once: --scale {name}=1-5")
        if not scale.accepts(float(value)):
            raise _wrong(f"{name} is {value:g}, outside its scale {scale}", "give a score on the scale")
        return ReviewScore(value=float(value), low=scale.low, high=scale.high)

    def _subject(self, values: Row) -> ReviewSubject:
        sample = self._ref(values, "")
        if sample is None:
            raise _wrong(
                "the row does not say which answer it is of", "case_id, sample_index, and run and arm, or code"
            )
        return ReviewSubject(sample=sample, other=self._ref(values, "other_"))

    def _ref(self, values: Row, prefix: str) -> SampleRef | None:
        case_id, index = values.get(f"{prefix}case_id"), values.get(f"{prefix}sample_index")
        if case_id is None or not str(case_id) or index is None:
            return None
        if isinstance(index, bool) or not isinstance(index, int) or index < 0:
            raise _wrong(f"{prefix}sample_index is no number of a sample: {index!r}", "they count from 0")
        code = values.get(f"{prefix}code")
        if code:
            found = self._store.reviews.decode(str(code))
            return SampleRef(run_id=found.run_id, arm=found.arm, case_id=str(case_id), sample_index=index)
        run = self._named_run(values.get(f"{prefix}run"), prefix)
        arm = str(values.get(f"{prefix}arm") or "") or self._sole_arm(run)
        return SampleRef(run_id=run, arm=arm, case_id=str(case_id), sample_index=index)

    def _named_run(self, run: object, prefix: str) -> str:
        if self._run is not None and not prefix:
            return self._run
        if not run:
            raise _wrong("the row names no run", "fill the column in, or give --run RUN")
        return str(run)

    def _sole_arm(self, run: str) -> str:
        arms = self._store.get_run(run).arms
        if len(arms) == 1:
            return arms[0].name
        raise _wrong("the row names no arm, and the run has several", f"arms: {', '.join(arm.name for arm in arms)}")

    def _check_answers(self, values: Row, subject: ReviewSubject) -> None:
        """Refuse a row that shows another answer than the store has there: it was written on that other answer."""
        for name, sample in (("answer", subject.sample), ("other_answer", subject.other)):
            shown = values.get(name)
            if sample is None or not isinstance(shown, str) or not shown:
                continue
            stored = read_answer(self._store, sample)
            if stored is not None and not self._reads_alike(shown, stored):
                place = f"sample {sample.sample_index} of case {sample.case_id}"
                raise _wrong(
                    f"the row shows another answer than {sample.run_id} has as {place}",
                    "a review belongs to the answer it was written on: name that run, or take the row out",
                )

    def _reads_alike(self, shown: str, stored: str) -> bool:
        first, second = (_plain(text, self._wish.encoding) for text in (shown, stored))
        if len(second) > _CELL_LIMIT:
            first, second = first[:_CELL_LIMIT], second[:_CELL_LIMIT]
        return first == second

    def _count(self, name: str) -> None:
        self.report = replace(self.report, **{name: getattr(self.report, name) + 1})


def _check_label(label: str | None, subject: ReviewSubject) -> None:
    labels = PAIR_LABELS if subject.is_pair else SAMPLE_LABELS
    if label is not None and label not in labels:
        kind = "a comparison" if subject.is_pair else "a review"
        raise _wrong(f"'{label[:40]}' is no label of {kind}", f"labels: {', '.join(labels)}")


def _is_same(review: NewReview, content: ReviewContent, *, withdrawn: bool) -> bool:
    return review.content == content and review.withdrawn == withdrawn


def _plain(text: str, encoding: str) -> str:
    """Return a text as any editor would leave it: line ends alike, no blanks around, only the encoding's characters."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if encoding.lower().replace("_", "-") in {"utf-8", "utf8"}:
        return lines.encode("utf-8", "backslashreplace").decode("utf-8")
    return lines.encode(encoding, "replace").decode(encoding, "replace")


def _moment(value: object) -> datetime | None:
    if value in {None, ""}:
        return None
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise _wrong(f"`at` is no time: {value!r}", "as 2026-11-23T09:30:00+09:00, or leave it empty for now") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _wrong(message: str, fix: str) -> UsageError:
    return UsageError(Problem(slug="review-row", message=message, fix=fix))
