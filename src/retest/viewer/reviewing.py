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
from retest.errors import Problem, RetestError, UsageError
from retest.viewer.site import Site, number, one, read_form

LABELS = ("good", "bad")
SCALE = (1, 2, 3, 4, 5)
DIMENSION = "quality"
_LONGEST = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenReview:
    """What a person says of one sample; it takes the place of what the same person said of it before.

    `blind`: without knowing which version wrote the answer.
    """

    run_id: str
    arm: str
    case_id: str
    sample_index: int
    reviewer: str
    label: str | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    comment: str = ""
    blind: bool = False


class ReviewDesk(Protocol):
    """Where reviews are kept."""

    def read(self, run_id: str, arm: str, case_id: str) -> Mapping[int, Sequence[ReviewNote]]:
        """Return the reviews of a case by the index of the sample, each reviewer's latest."""
        ...

    def write(self, given: GivenReview) -> None:
        """Keep a review; durable when it returns."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewPanel:
    """What the forms of a page need."""

    runs: Mapping[str, str]
    labels: tuple[str, ...] = LABELS
    scale: tuple[int, ...] = SCALE
    dimension: str = DIMENSION


def review_panel(site: Site, after: str, *, before: str | None = None) -> ReviewPanel | None:
    """Return what the forms need; None where reviews are not kept."""
    if site.reviews is None:
        return None
    return ReviewPanel(runs={"after": after, "before": before or after})


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
    return hidden, None if panel is None else replace(panel, runs=dict(zip(("before", "after"), runs, strict=True)))


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
            given = read_review(fields)
            if self._site.reviews is None:
                raise UsageError(Problem(slug="review-not-kept", message="this store keeps no reviews"))
            await run_in_threadpool(self._site.reviews.write, given)
        except RetestError as error:
            return JSONResponse({"problems": [problem.message for problem in error.problems]}, status_code=422)
        return JSONResponse({"saved": True, "reviewer": given.reviewer})


def read_review(fields: Mapping[str, list[str]]) -> GivenReview:
    """Return the review that a form holds.

    Raises:
        UsageError: something that it needs is missing, or is not of its kind.
    """
    label = one(fields, "label") or None
    score = one(fields, "score")
    wrong = []
    if label is not None and label not in LABELS:
        wrong.append(f"the label is one of: {', '.join(LABELS)}")
    if score and score not in {str(value) for value in SCALE}:
        wrong.append(f"the score is one of: {', '.join(str(value) for value in SCALE)}")
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
        scores={DIMENSION: float(score)} if score else {},
        tags=tuple(dict.fromkeys(part.strip() for part in one(fields, "tags").split(",") if part.strip())),
        comment=one(fields, "comment").strip(),
        blind=one(fields, "blind") == "1",
    )
