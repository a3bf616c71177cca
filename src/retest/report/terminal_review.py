"""Reviews on the terminal: lists, one with its history, what is due, how far reviewers agree."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from retest.domain.review import Review, ReviewContent, ReviewRevision, SampleRef
from retest.domain.review_queue import ReviewItem
from retest.report.escape import one_line, visible
from retest.report.numbers import MISSING, plural

_PREVIEW = 60


class EstimateLike(Protocol):
    """A figure with its interval."""

    @property
    def value(self) -> float | None:
        """Return the figure, None where it cannot be known."""
        ...

    @property
    def low(self) -> float | None:
        """Return the lower end."""
        ...

    @property
    def high(self) -> float | None:
        """Return the upper end."""
        ...


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def review_table(reviews: Sequence[Review]) -> RenderableType:
    """Return a row for each review."""
    if not reviews:
        return Text("no reviews")
    table = _table("review", "case", "arm", "#", "reviewer", "label", "scores", "tags", "text")
    for review in reviews:
        sample, content = review.subject.sample, review.content
        other = review.subject.other
        number = str(sample.sample_index) if other is None else f"{sample.sample_index} / {other.sample_index}"
        cells = (
            review.review_id,
            sample.case_id,
            sample.arm if other is None or other.arm == sample.arm else f"{sample.arm} / {other.arm}",
            number,
            review.reviewer,
            "withdrawn" if review.is_withdrawn else content.label or "",
            _scores(content),
            ", ".join(content.tags),
            content.text[:_PREVIEW],
        )
        table.add_row(*(Text(one_line(cell)) for cell in cells))
    return table


def _scores(content: ReviewContent) -> str:
    return ", ".join(f"{name} {score.value:g}" for name, score in content.scores.items())


def review_detail(review: Review, answers: Sequence[str | None]) -> RenderableType:
    """Return one review: the answer, what is said of it, every revision, the newest last."""
    parts: list[RenderableType] = [Text.assemble((review.review_id, "bold"), f"  by {one_line(review.reviewer)}")]
    places = [review.subject.sample, *([review.subject.other] if review.subject.other is not None else [])]
    for name, place, answer in zip(("first", "second"), places, answers, strict=False):
        head = f"{name}: " if len(places) > 1 else ""
        parts.append(Text(one_line(f"{head}{_place(place)}"), "cyan"))
        parts.append(Text(visible(answer) if answer is not None else "its run has been deleted"))
    parts += [_revision(revision) for revision in review.revisions]
    return Group(*parts)


def _place(sample: SampleRef) -> str:
    return f"{sample.run_id}  {sample.arm}  case {sample.case_id}  sample {sample.sample_index}"


def _revision(revision: ReviewRevision) -> Text:
    blind = ", blind" if revision.blind else ""
    head = f"{revision.number}. {revision.at:%Y-%m-%d %H:%M} UTC, {one_line(revision.author)}{blind}"
    text = Text(head, "dim")
    said = "withdrawn" if revision.withdrawn else _spelled(revision.content)
    text.append(f"\n   {said}", "default")
    return text


def _spelled(content: ReviewContent) -> str:
    parts = [
        content.label or "",
        ", ".join(f"{name} {score.value:g} of {score.low:g}-{score.high:g}" for name, score in content.scores.items()),
        f"tags: {', '.join(content.tags)}" if content.tags else "",
        visible(content.text),
        "" if content.correction is None else f"should be: {visible(content.correction)}",
    ]
    return "; ".join(visible(part) for part in parts if part)


def queue_table(items: Sequence[ReviewItem]) -> RenderableType:
    """Return what is due, in order."""
    if not items:
        return Text("nothing is due")
    blind = items[0].code is not None
    table = _table("case", "version" if blind else "arm", "#", "why", "answer")
    for item in items:
        sample, other = item.subject.sample, item.subject.other
        version = (item.code or "") if blind else sample.arm
        if other is not None:
            version = f"{version} / {item.other_code if blind else other.run_id}"
        cells = (sample.case_id, version, str(sample.sample_index), item.why, item.answer[:_PREVIEW])
        table.add_row(*(Text(one_line(cell)) for cell in cells))
    return table


def queue_document(items: Sequence[ReviewItem]) -> list[dict[str, Any]]:
    """Return the same as JSON; without runs and arms where versions are hidden."""
    return [
        {
            **_place_document(item.subject.sample, item.code),
            "other": None if item.subject.other is None else _place_document(item.subject.other, item.other_code),
            "why": item.why,
            "answer": item.answer,
            "other_answer": item.other_answer,
        }
        for item in items
    ]


def _place_document(sample: SampleRef, code: str | None) -> dict[str, Any]:
    version = {"run": sample.run_id, "arm": sample.arm} if code is None else {"code": code}
    return {**version, "case_id": sample.case_id, "sample_index": sample.sample_index}


def review_document(review: Review) -> dict[str, Any]:
    """Return a review with its history as JSON."""
    other = review.subject.other
    return {
        "review": review.review_id,
        "suite": review.suite,
        **_place_document(review.subject.sample, None),
        "other": None if other is None else _place_document(other, None),
        "reviewer": review.reviewer,
        "withdrawn": review.is_withdrawn,
        **_content_document(review.content),
        "revisions": [
            {
                "number": revision.number,
                "author": revision.author,
                "at": revision.at.isoformat(),
                "blind": revision.blind,
                "withdrawn": revision.withdrawn,
                **_content_document(revision.content),
            }
            for revision in review.revisions
        ],
    }


def _content_document(content: ReviewContent) -> dict[str, Any]:
    return {
        "label": content.label,
        "scores": {name: score.value for name, score in content.scores.items()},
        "scales": {name: [score.low, score.high] for name, score in content.scores.items()},
        "tags": list(content.tags),
        "text": content.text,
        "correction": content.correction,
    }


def agreement_table(dimensions: Sequence[Any]) -> RenderableType:
    """Return the agreement in each dimension: all reviewers together, and each two of them."""
    parts: list[RenderableType] = []
    for each in dimensions:
        group = each.agreement
        head = f"{plural(len(group.raters), 'reviewer')}, {plural(group.n_items, 'answer')} reviewed by two or more"
        parts.append(Text.assemble((one_line(each.dimension), "bold"), f"  {head} of {each.reviewed:,}"))
        parts.append(_agreement_of_one(group))
    return Group(*parts)


def _agreement_of_one(group: Any) -> Table:
    """Return a line for each measure: five of them with intervals beside one another fit no terminal."""
    table = _table("reviewers", "answers", "measure", "value", "95% interval")
    for column in table.columns[3:]:
        column.justify, column.no_wrap = "right", True
    _add_measures(table, "all", group.n_items, {"alpha": _alpha(group, numeric=group.numeric)})
    for (first, second), pair in group.pairs.items():
        measures = {"exact": pair.exact, "kappa": pair.kappa}
        if group.numeric:
            measures["weighted kappa"] = pair.kappa_quadratic
        measures["alpha"] = _alpha(pair, numeric=group.numeric)
        if group.numeric:
            measures["mean difference"] = pair.difference
        _add_measures(table, one_line(f"{first} – {second}"), pair.n_items, measures)
    return table


def _alpha(agreement: Any, *, numeric: bool) -> EstimateLike:
    """Return the alpha that fits the ratings: of numbers by their distance."""
    found: EstimateLike = agreement.alpha_interval if numeric else agreement.alpha_nominal
    return found


def _add_measures(table: Table, name: str, answers: int, measures: Mapping[str, EstimateLike]) -> None:
    """Add a line for each measure, the first with the reviewers' names."""
    for row, (measure, estimate) in enumerate(measures.items()):
        value = MISSING if estimate.value is None else f"{estimate.value:.2f}"
        known = estimate.low is not None and estimate.high is not None
        interval = f"[{estimate.low:.2f}, {estimate.high:.2f}]" if known else MISSING
        table.add_row(Text("" if row else name), "" if row else f"{answers:,}", measure, value, Text(interval))


def agreement_document(dimensions: Sequence[Any]) -> dict[str, Any]:
    """Return the same as JSON."""
    return {
        "dimensions": {
            each.dimension: {
                "reviewers": list(each.agreement.raters),
                "answers": each.reviewed,
                "shared": each.agreement.n_items,
                **{
                    name: _interval(getattr(each.agreement, name))
                    for name in ("alpha_nominal", "alpha_ordinal", "alpha_interval")
                },
                "pairs": [_pair_document(names, pair) for names, pair in each.agreement.pairs.items()],
            }
            for each in dimensions
        }
    }


def _pair_document(names: tuple[str, str], pair: Any) -> dict[str, Any]:
    figures = ("exact", "kappa", "kappa_linear", "kappa_quadratic", "alpha_nominal", "alpha_interval", "difference")
    return {
        "reviewers": list(names),
        "shared": pair.n_items,
        **{name: _interval(getattr(pair, name)) for name in figures},
        "confusion": {"labels": list(pair.confusion.labels), "counts": [list(row) for row in pair.confusion.counts]},
    }


def _interval(estimate: EstimateLike) -> list[float | None]:
    return [estimate.value, estimate.low, estimate.high]


def spelled_value(value: object) -> str:
    """Return a variable or an expected answer as a reviewer reads it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def spelled_variables(variables: Mapping[str, Any]) -> str:
    """Return variables, one a line."""
    return "\n".join(f"{name}: {spelled_value(value)}" for name, value in variables.items())
