"""Reads what the pages of cases show, in a stream: answers of both sides, the prompt as it was sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby, zip_longest
from typing import TYPE_CHECKING

from retest.domain.case import Case
from retest.domain.pages import NOT_KEPT, CaseSide, ReviewNote, ShownSample
from retest.domain.prompt import Message
from retest.domain.sample import CallError, CallOutcome, Response, Score, ScoreOutcome
from retest.report.messages import message_text
from retest.workflows.diff import Side
from retest.workflows.page_reviews import Place, reviews_by_place

if TYPE_CHECKING:
    from retest.store.database import Store
    from retest.store.records import StoredSample

PREVIEW = 140  # characters of an input or an answer in a table


def iter_side_cases(side: Side) -> Iterator[tuple[str, Case | None]]:
    """Yield the cases of a side in the dataset's order; a file of scores knows only their ids."""
    if side.store is None or side.run is None:
        yield from ((case_id, None) for case_id in side.scores.cases)
        return
    for _, case in side.store.iter_cases(side.run.run_id):
        yield case.case_id, case


class SideReader:
    """Gives the answers of one arm case by case; fastest where the cases are asked for in the order of the run."""

    def __init__(self, side: Side, arm: str, label: str) -> None:
        self._side, self._arm, self._label = side, arm, label
        self._passed_by: dict[str, list[StoredSample]] = {}
        self._messages: dict[str, tuple[Message, ...] | None] = {}
        self._groups = self._stream()
        self._reviews: Mapping[Place, tuple[ReviewNote, ...]] = {}
        if side.store is not None and side.run is not None:
            self._reviews = reviews_by_place(side.store, side.run.run_id)

    def read(self, case_id: str) -> CaseSide:
        """Return what this side answered to a case; no samples where it has none."""
        store = self._side.store
        if store is None or self._side.run is None:
            return CaseSide(label=self._label, arm=self._arm, samples=tuple(self._given(case_id)))
        samples = self._find(case_id)
        found = stored_case_side(store, samples, self._label, self._arm)
        if not self._reviews:
            return found
        places = [(sample.arm_index, sample.case_index, sample.sample_index) for sample in samples]
        shown = [
            replace(sample, reviews=self._reviews.get(place, ()))
            for sample, place in zip(found.samples, places, strict=True)
        ]
        return replace(found, samples=tuple(shown))

    def _stream(self) -> Iterator[tuple[str, list[StoredSample]]]:
        from retest.store.records import SampleFilter

        if self._side.store is None or self._side.run is None:
            return
        rows = self._side.store.iter_samples(self._side.run.run_id, SampleFilter(arm=self._arm))
        for case_id, samples in groupby(rows, key=lambda sample: sample.case_id):
            yield case_id, list(samples)

    def _find(self, case_id: str) -> list[StoredSample]:
        if case_id in self._passed_by:
            return self._passed_by.pop(case_id)
        if case_id not in self._side.scores.cases:
            return []
        for found, samples in self._groups:
            if found == case_id:
                return samples
            self._passed_by[found] = samples
        return []

    def _given(self, case_id: str) -> Iterator[ShownSample]:
        """Yield the answers that came with a file of scores."""
        outputs = self._side.outputs.get((self._arm, case_id), ())
        own = self._side.scores.scores.get(self._arm, {})
        columns: Mapping[str, Sequence[float | None]] = {name: cases.get(case_id, ()) for name, cases in own.items()}
        count = max([len(outputs), *(len(column) for column in columns.values())], default=0)
        for index, output in zip_longest(range(count), outputs):
            yield ShownSample(
                sample_index=index,
                outcome=_given_outcome(output, known=bool(outputs)),
                scores={name: Score(value=value) for name, value in _at(columns, index)},
            )


def _given_outcome(output: str | None, *, known: bool) -> CallOutcome:
    if output is not None:
        return Response(output=output)
    if known:
        return CallError(kind="no_answer", message="no answer")
    return CallError(kind=NOT_KEPT, message="a baseline file without answers")


def _at(columns: Mapping[str, Sequence[float | None]], index: int) -> Iterator[tuple[str, float]]:
    for name, column in columns.items():
        value = column[index] if index < len(column) else None
        if value is not None:
            yield name, value


def stored_case_side(store: Store, samples: Sequence[StoredSample], label: str, arm: str) -> CaseSide:
    """Return stored samples of one case as a page shows them."""
    first = next((sample.messages_hash for sample in samples if sample.messages_hash is not None), None)
    messages = None if first is None else store.get_messages(first)
    return CaseSide(
        label=label,
        arm=arm,
        samples=tuple(shown_sample(sample) for sample in samples),
        messages=None if messages is None else tuple(messages),
    )


def shown_sample(sample: StoredSample) -> ShownSample:
    """Return a stored sample as a page shows it."""
    scores: Mapping[str, ScoreOutcome] = sample.scores
    return ShownSample(
        sample_index=sample.sample_index, outcome=sample.outcome, scores=scores, created_at=sample.created_at
    )


def answers_differ(before: CaseSide, after: CaseSide) -> bool:
    """Return whether any answer is not the same on both sides; an answer that was not kept tells nothing."""
    kinds = {sample.outcome.kind for sample in before.samples if isinstance(sample.outcome, CallError)}
    if NOT_KEPT in kinds:
        return False
    return [_answer(sample.outcome) for sample in before.samples] != [_answer(s.outcome) for s in after.samples]


def _answer(outcome: CallOutcome) -> tuple[str, str]:
    if isinstance(outcome, Response):
        return outcome.output, str(outcome.tool_calls) if outcome.tool_calls else ""
    return "", outcome.kind


def first_answer(side: CaseSide) -> str:
    """Return the beginning of the first answer."""
    for sample in side.samples:
        if isinstance(sample.outcome, Response) and sample.outcome.output:
            return sample.outcome.output[:PREVIEW]
    return ""


def preview_case(case: Case | None) -> str:
    """Return the beginning of a case's input: its longest text, which is what people know a case by."""
    if case is None:
        return ""
    texts = [value for value in case.vars.values() if isinstance(value, str)]
    return max(texts, key=len)[:PREVIEW] if texts else ""


def preview_messages(messages: Sequence[Message] | None) -> str:
    """Return the beginning of the last message."""
    return message_text(messages[-1])[:PREVIEW] if messages else ""
