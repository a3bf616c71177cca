"""Reviews on the pages of cases: shown beside the answers, entered in a form that saves at once."""

from __future__ import annotations

import getpass
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from retest.domain.json_value import content_hash
from retest.domain.pages import CaseDetail, CaseSide, ReviewNote
from retest.domain.review import PAIR_LABELS, SAMPLE_LABELS, ReviewScale
from retest.errors import Problem, RetestError, UsageError
from retest.viewer.site import Site, number, one, read_form

QUALITY = ReviewScale(dimension="quality", low=1, high=5)
"""What is scored where nobody has set a scale of their own yet."""
_MOST_BUTTONS = 11
_SCORE = "score."  # before the dimension, in the names of a form's fields
_LONGEST = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherAnswer:
    """The second answer of a pair, to the same case."""

    run_id: str
    arm: str
    sample_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenReview:
    """What a person says of one sample, or of two; it takes the place of what the same person said of them before.

    Attributes:
        scores: by dimension; None takes a score away, and what is not named stays.
        blind: without knowing which version wrote the answer.
    """

    run_id: str
    arm: str
    case_id: str
    sample_index: int
    reviewer: str
    label: str | None = None
    scores: Mapping[str, float | None] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    comment: str = ""
    blind: bool = False
    other: OtherAnswer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairNote:
    """Which of two answers a person finds better, the first as they are asked for: ``first``, ``second``, ``tie``."""

    label: str | None = None
    comment: str = ""

    def turned(self) -> PairNote:
        """Return the same with the two answers exchanged."""
        return replace(self, label=_TURNED.get(self.label or "", self.label))


PairSide = tuple[str, str]  # run id, arm
IndexPair = tuple[int, int]
_TURNED: Mapping[str, str] = {"first": "second", "second": "first"}


class ReviewDesk(Protocol):
    """Where reviews are kept."""

    def read(self, run_id: str, arm: str, case_id: str) -> Mapping[int, Sequence[ReviewNote]]:
        """Return the reviews of a case by the index of the sample, each reviewer's latest."""
        ...

    def pairs(self, sides: tuple[PairSide, PairSide], case_id: str, reviewer: str) -> Mapping[IndexPair, PairNote]:
        """Return what a person said of the answers of both sides to a case, by their sample indexes."""
        ...

    def scales(self) -> Sequence[ReviewScale]:
        """Return what can be scored, none where nobody has set a scale yet."""
        ...

    def decode(self, code: str) -> PairSide:
        """Return the run and arm that a code of a blind page stands for.

        Raises:
            UsageError: it stands for none.
        """
        ...

    def write(self, given: GivenReview) -> None:
        """Keep a review; durable when it returns."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FormScale:
    """A dimension in a form: a button for each of `values`, or where they are too many a field for a number."""

    dimension: str
    low: float
    high: float
    values: tuple[int, ...] = ()

    @property
    def field(self) -> str:
        """Return the name of the form's field."""
        return f"{_SCORE}{self.dimension}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewPanel:
    """What the forms of a page need."""

    runs: Mapping[str, str]
    labels: tuple[str, ...] = SAMPLE_LABELS
    scales: tuple[FormScale, ...] = ()
    pairs: Mapping[IndexPair, PairNote] = field(default_factory=dict)


def review_panel(site: Site, after: str, *, before: str | None = None) -> ReviewPanel | None:
    """Return what the forms need; None where reviews are not kept."""
    if site.reviews is None:
        return None
    return ReviewPanel(runs={"after": after, "before": before or after}, scales=form_scales(site.reviews))


def form_scales(desk: ReviewDesk) -> tuple[FormScale, ...]:
    """Return the dimensions of a form."""
    return tuple(_form_scale(scale) for scale in desk.scales() or (QUALITY,))


def _form_scale(scale: ReviewScale) -> FormScale:
    low, high = float(scale.low), float(scale.high)
    is_short = low.is_integer() and high.is_integer() and high - low < _MOST_BUTTONS
    values = tuple(range(int(low), int(high) + 1)) if is_short else ()
    return FormScale(dimension=scale.dimension, low=low, high=high, values=values)


def with_pairs(site: Site, panel: ReviewPanel | None, detail: CaseDetail, reviewer: str) -> ReviewPanel | None:
    """Return the panel with what a person said of the two sides beside one another."""
    if panel is None or site.reviews is None or detail.before is None:
        return panel
    sides = ((panel.runs["before"], detail.before.arm), (panel.runs["after"], detail.after.arm))
    return replace(panel, pairs=site.reviews.pairs(sides, detail.entry.case_id, reviewer))


def with_reviews(site: Site, detail: CaseDetail, *, after: str, before: str | None = None) -> CaseDetail:
    """Return the page of a case with what people said of its samples."""
    if site.reviews is None:
        return detail
    case_id = detail.entry.case_id
    first = detail.before
    return replace(
        detail,
        after=_reviewed(site.reviews, after, case_id, detail.after),
        before=None if first is None else _reviewed(site.reviews, before or after, case_id, first),
    )


def _reviewed(desk: ReviewDesk, run_id: str, case_id: str, side: CaseSide) -> CaseSide:
    notes = desk.read(run_id, side.arm, case_id)
    samples = [replace(sample, reviews=tuple(notes.get(sample.sample_index, ()))) for sample in side.samples]
    return replace(side, samples=tuple(samples))


def blinded(detail: CaseDetail, panel: ReviewPanel | None, reviewer: str) -> tuple[CaseDetail, ReviewPanel | None]:
    """Return a compared case with all hidden that tells the versions apart, the sides exchanged in half of the cases.

    A review goes to the run that wrote the answer all the same.
    """
    if detail.before is None:
        return detail, panel
    sides = [_anonymous(detail.before, "A", reviewer), _anonymous(detail.after, "B", reviewer)]
    runs = [] if panel is None else [panel.runs["before"], panel.runs["after"]]
    if int(content_hash([detail.entry.case_id, detail.before.label, detail.after.label])[:2], 16) % 2:
        sides, runs = sides[::-1], runs[::-1]
    hidden = replace(detail, before=sides[0], after=sides[1], changes=())
    if panel is None:
        return hidden, None
    turned = sides[0].label == "B"
    pairs = {(two, one): note.turned() for (one, two), note in panel.pairs.items()} if turned else panel.pairs
    return hidden, replace(panel, runs=dict(zip(("before", "after"), runs, strict=True)), pairs=pairs)


def _anonymous(side: CaseSide, label: str, reviewer: str) -> CaseSide:
    samples = [
        replace(sample, scores={}, reviews=tuple(note for note in sample.reviews if note.reviewer == reviewer))
        for sample in side.samples
    ]
    return replace(side, label=label, samples=tuple(samples), messages=None)


def default_reviewer() -> str:
    """Return who is likely to sit here."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return ""


class ReviewPages:
    """Takes reviews."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def save(self, request: Request) -> Response:
        """Keep one review, and answer for the script of the page."""
        fields = await read_form(request, self._site.gatekeeper)
        try:
            if self._site.reviews is None:
                raise UsageError(Problem(slug="review-not-kept", message="this store keeps no reviews"))
            given = read_review(await run_in_threadpool(_decoded, fields, self._site.reviews))
            await run_in_threadpool(self._site.reviews.write, given)
        except RetestError as error:
            return JSONResponse({"problems": [problem.message for problem in error.problems]}, status_code=422)
        return JSONResponse({"saved": True, "reviewer": given.reviewer})


def _decoded(fields: Mapping[str, list[str]], desk: ReviewDesk) -> Mapping[str, list[str]]:
    """Return the fields of a form with run and arm in the place of the code that stands for them."""
    found = dict(fields)
    for prefix in ("", "other_"):
        if code := one(fields, f"{prefix}code"):
            run_id, arm = desk.decode(code)
            found |= {f"{prefix}run": [run_id], f"{prefix}arm": [arm]}
    return found


def read_review(fields: Mapping[str, list[str]]) -> GivenReview:
    """Return the review that a form holds.

    Raises:
        UsageError: something that it needs is missing, or is not of its kind.
    """
    label = one(fields, "label") or None
    scores, wrong = _scores(fields)
    other = _other(fields)
    labels = SAMPLE_LABELS if other is None else PAIR_LABELS
    if label is not None and label not in labels:
        wrong.append(f"the label is one of: {', '.join(labels)}")
    if scores and other is not None:
        wrong.append("two answers beside one another have no score")
    if not one(fields, "reviewer").strip():
        wrong.append("who says so? Give a name")
    if sum(len(value) for values in fields.values() for value in values) > _LONGEST:
        wrong.append(f"more than {_LONGEST:,} characters")
    if wrong:
        raise UsageError(*(Problem(slug="review-form", message=message) for message in wrong))
    return GivenReview(
        run_id=one(fields, "run"),
        arm=one(fields, "arm"),
        case_id=one(fields, "case"),
        sample_index=number(one(fields, "sample")),
        reviewer=one(fields, "reviewer").strip(),
        label=label,
        scores=scores,
        tags=tuple(dict.fromkeys(part.strip() for part in one(fields, "tags").split(",") if part.strip())),
        comment=one(fields, "comment").strip(),
        blind=one(fields, "blind") == "1",
        other=other,
    )


def _scores(fields: Mapping[str, list[str]]) -> tuple[dict[str, float | None], list[str]]:
    """Return the scores of a form, and what is wrong with them; whether they are on their scales is for the store."""
    scores: dict[str, float | None] = {}
    wrong = []
    for name in fields:
        if name.startswith(_SCORE):
            dimension, text = name.removeprefix(_SCORE), one(fields, name).strip()
            try:
                scores[dimension] = float(text) if text else None
            except ValueError:
                wrong.append(f"the score of {dimension} is no number: {text[:40]!r}")
    return scores, wrong


def _other(fields: Mapping[str, list[str]]) -> OtherAnswer | None:
    if not one(fields, "other_run"):
        return None
    return OtherAnswer(
        run_id=one(fields, "other_run"), arm=one(fields, "other_arm"), sample_index=number(one(fields, "other_sample"))
    )
