"""One arm beside the one that it is compared with: its cases, and the page of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from retest.domain.case import Case
from retest.domain.comparison import ArmComparison, CaseChange
from retest.domain.pages import STATES, CaseDetail, CaseEntry, CaseSide, CaseState
from retest.domain.run import RunMetric
from retest.workflows.diff import Side
from retest.workflows.page_details import (
    SideReader,
    answers_differ,
    first_answer,
    iter_side_cases,
    preview_case,
    preview_messages,
)
from retest.workflows.page_values import ArmValues, changed_states, compared_state, plain_state

MOST_SAMPLES = 20_000
"""Answers in one report file; past them, the pages of the least interesting cases are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One arm, with what it is compared with where there is something."""

    side: Side
    arm: str
    own: ArmValues
    metrics: tuple[RunMetric, ...]
    before: Pair | None = None
    comparison: ArmComparison | None = None

    def label(self, other: Pair | None) -> str:
        """Return what tells this side from the other: the run, or within one run the arm."""
        same_run = other is not None and other.side.scores.label == self.side.scores.label
        return self.arm if same_run else self.side.scores.label


class PairDetails:
    """The pages of all cases of all pairs, made while they are read.

    Attributes:
        left_out: cases that get no page.
    """

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self._pairs = pairs
        self._changes = [{} if p.comparison is None else changed_states(p.comparison) for p in pairs]
        order = [
            (STATES.index(_state(pair, case_id, self._changes[place].get(case_id, ()))), place, case_id)
            for place, pair in enumerate(pairs)
            for case_id in pair.side.scores.cases
        ]
        room = MOST_SAMPLES // max(1, max((_samples_per_case(pair) for pair in pairs), default=1))
        self.left_out = max(0, len(order) - room)
        self._wanted = {(place, case_id) for _, place, case_id in sorted(order)[:room]} if self.left_out else None

    def __call__(self) -> Iterator[CaseDetail]:
        """Yield the page of each case; one that is left out has no samples."""
        number = 0
        for place, pair in enumerate(self._pairs):
            readers = _Readers(pair)
            for case_id, case in iter_side_cases(pair.side):
                has_page = self._wanted is None or (place, case_id) in self._wanted
                changes = self._changes[place].get(case_id, ())
                entry = replace(case_entry(pair, case_id, case, changes), number=number, pair=place, has_page=has_page)
                yield readers.detail(entry, case, changes)
                number += 1


def _samples_per_case(pair: Pair) -> int:
    before = 0 if pair.before is None else pair.before.side.scores.samples_per_case
    return pair.side.scores.samples_per_case + before


def _state(pair: Pair, case_id: str, changes: Sequence[CaseChange]) -> CaseState:
    if pair.before is None:
        return plain_state(case_id, pair.own, pair.metrics)
    return compared_state(case_id, pair.own, changes)


def case_entry(pair: Pair, case_id: str, case: Case | None, changes: Sequence[CaseChange]) -> CaseEntry:
    """Return the row of a case, without what only its answers tell."""
    known = pair.side.scores.cases[case_id]
    before = _values(pair.before, case_id) if pair.before is not None and _is_paired(pair, case_id) else {}
    after = _values(pair, case_id)
    return CaseEntry(
        number=0,
        case_id=case_id,
        state=_state(pair, case_id, changes),
        tags=known.tags,
        cluster=known.cluster,
        before=before,
        after=after,
        states={change.metric: change.label for change in changes},
        differs=scores_differ(before, after),
        preview=preview_case(case),
    )


def scores_differ(before: Mapping[str, float | None], after: Mapping[str, float | None]) -> bool:
    """Return whether a metric that scored both sides scored them otherwise.

    What stands on one side only, such as a person's review, tells nothing of the answers.
    """
    both = before.keys() & after.keys()
    return any(before[name] != after[name] for name in both if before[name] is not None and after[name] is not None)


def _values(pair: Pair, case_id: str) -> Mapping[str, float | None]:
    return {metric.name: pair.own.values.get(metric.name, {}).get(case_id) for metric in pair.metrics}


def _is_paired(pair: Pair, case_id: str) -> bool:
    """Return whether the other side saw the same input under this id."""
    if pair.before is None:
        return False
    own, other = pair.side.scores.cases.get(case_id), pair.before.side.scores.cases.get(case_id)
    return own is not None and other is not None and own.content_hash == other.content_hash


class _Readers:
    """Both sides' answers to the cases of one pair."""

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        before = pair.before
        self._after = SideReader(pair.side, pair.arm, pair.label(before))
        self._before = None if before is None else SideReader(before.side, before.arm, before.label(pair))

    def detail(self, entry: CaseEntry, case: Case | None, changes: Sequence[CaseChange]) -> CaseDetail:
        """Return the page of a case; answers are read only where it has one."""
        if not entry.has_page:
            return CaseDetail(entry=entry, after=CaseSide(label="", arm=self._pair.arm))
        after = self._after.read(entry.case_id)
        before = None
        if self._before is not None and _is_paired(self._pair, entry.case_id):
            before = self._before.read(entry.case_id)
        return CaseDetail(
            entry=replace(
                entry,
                answer=first_answer(after),
                preview=entry.preview or preview_messages(after.messages),
                differs=entry.differs or (before is not None and answers_differ(before, after)),
            ),
            after=after,
            before=before,
            case=case,
            changes=tuple(changes),
        )
