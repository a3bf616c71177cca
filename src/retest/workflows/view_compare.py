"""Comparisons for `retest view`: computed once, beside the requests, and kept until others were asked for."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from retest.domain.comparison import ArmComparison
from retest.domain.pages import STATES, CaseDetail, CaseEntry, ReportPage, no_details
from retest.domain.run import Run
from retest.errors import Problem, UsageError
from retest.workflows.diff import DiffOptions, Side, diff_runs, stored_side
from retest.workflows.page_details import PREVIEW, preview_case, stored_case_side
from retest.workflows.page_pairs import case_entry
from retest.workflows.page_values import changed_states
from retest.workflows.pairwise_sides import PairwiseAsker
from retest.workflows.report_page import ALL_CASES, Around, compared_page, compared_pair
from retest.workflows.view_run import PAGE, CaseWish, EntryPage, beside

if TYPE_CHECKING:
    from retest.store.database import Store

_KEPT = 3  # comparisons: some ten megabytes each at 20,000 cases


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareKey:
    """Which two runs, and how far each was when it was read; the arms where they are not those of equal name."""

    baseline: str
    candidate: str
    arms: tuple[str, str] | None = None
    versions: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Two runs compared, with a row for every case of every pair of arms, numbered as in the candidate."""

    baseline: Run
    candidate: Run
    page: ReportPage
    entries: tuple[tuple[CaseEntry, ...], ...]


class Comparisons:
    """The comparisons that were asked for lately; one is computed at a time."""

    def __init__(
        self,
        store: Store,
        cwd: Path,
        clock: Callable[[], datetime],
        *,
        run_code: bool = True,
        pairwise: PairwiseAsker | None = None,
    ) -> None:
        self._store, self._cwd, self._clock, self._run_code = store, cwd, clock, run_code
        self._pairwise = pairwise
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="compare")
        self._lock = threading.Lock()
        self._known: OrderedDict[CompareKey, Future[Compared]] = OrderedDict()

    def ask(self, baseline: Run, candidate: Run, arms: tuple[str, str] | None) -> Future[Compared]:
        """Return a comparison that is there, or on its way."""
        key = CompareKey(
            baseline=baseline.run_id,
            candidate=candidate.run_id,
            arms=arms,
            versions=(_version(baseline), _version(candidate)),
        )
        with self._lock:
            if key not in self._known:
                self._known[key] = self._pool.submit(self._compare, baseline, candidate, arms)
            self._known.move_to_end(key)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)[1].cancel()
            return self._known[key]

    def close(self) -> None:
        """Give up what was not begun, and wait for the rest."""
        self._pool.shutdown(cancel_futures=True)

    def _compare(self, baseline: Run, candidate: Run, arms: tuple[str, str] | None) -> Compared:
        around = Around(cwd=self._cwd, now=self._clock())
        before, after = stored_side(self._store, baseline), stored_side(self._store, candidate)
        options = DiffOptions(arms=arms, limit=ALL_CASES, answers=0, run_code=self._run_code, pairwise=self._pairwise)
        comparison = diff_runs(before, after, options, cwd=around.cwd, now=around.now)
        page = compared_page(before, after, comparison, around)
        ids = self._store.case_pages(candidate.run_id).ids()
        return Compared(
            baseline=baseline,
            candidate=candidate,
            page=replace(page, details=no_details),
            entries=tuple(self._entries(before, after, arm, ids) for arm in comparison.arms),
        )

    def _entries(self, before: Side, after: Side, arm: ArmComparison, ids: Mapping[str, int]) -> tuple[CaseEntry, ...]:
        pair = compared_pair(before, after, arm)
        changes = changed_states(arm)
        differing = self._differing(before, after, arm, ids)
        found = []
        for case_id in after.scores.cases:
            entry = case_entry(pair, case_id, None, changes.get(case_id, ()))
            differs = bool(entry.before) and (entry.differs or case_id in differing)
            found.append(replace(entry, number=ids[case_id], differs=differs))
        return tuple(found)

    def _differing(self, before: Side, after: Side, arm: ArmComparison, ids: Mapping[str, int]) -> set[str]:
        """Return the cases whose answers are not the same on both sides."""
        first, second = (self._store.case_pages(side.scores.label) for side in (before, after))
        old = first.answers_by_case([known.name for known in before.scores.arms].index(arm.baseline))
        new = second.answers_by_case([known.name for known in after.scores.arms].index(arm.candidate))
        old_ids = first.ids()
        return {case_id for case_id, place in ids.items() if old.get(old_ids.get(case_id, -1)) != new.get(place)}


def _version(run: Run) -> str:
    return f"{run.status} {run.counts.samples} {run.finished_at}"


def list_compared(store: Store, compared: Compared, pair: int, wish: CaseWish) -> EntryPage:
    """Return one page of compared cases, with what only the store knows of them."""
    found = select_compared(store, compared, pair, wish)
    start = (max(1, wish.page) - 1) * PAGE
    shown = found[start : start + PAGE]
    arm = _arm_index(compared.candidate, compared.page.pairs[pair].name)
    lines = {
        line.case_index: line
        for line in store.case_pages(compared.candidate.run_id).read(arm, [entry.number for entry in shown])
    }
    entries = [
        replace(
            entry,
            preview=preview_case(lines[entry.number].case) if entry.number in lines else "",
            answer=lines[entry.number].answer[:PREVIEW] if entry.number in lines else "",
        )
        for entry in shown
    ]
    return EntryPage(entries=entries, total=len(found), page=max(1, wish.page))


def select_compared(store: Store, compared: Compared, pair: int, wish: CaseWish) -> Sequence[CaseEntry]:
    """Return the compared cases that fit, in the order asked for."""
    entries = [entry for entry in compared.entries[pair] if _fits(entry, wish)]
    if wish.text:
        from retest.store.case_pages import CasePageFilter

        arm = _arm_index(compared.candidate, compared.page.pairs[pair].name)
        texts = set(store.case_pages(compared.candidate.run_id).find(CasePageFilter(arm=arm, text=wish.text)))
        entries = [entry for entry in entries if entry.number in texts or wish.text in entry.case_id]
    if wish.sort == "state":
        entries.sort(key=lambda entry: STATES.index(entry.state), reverse=wish.descending)
    elif wish.sort:
        _sort_by_change(entries, wish)
    return entries


def _sort_by_change(entries: list[CaseEntry], wish: CaseWish) -> None:
    known = [entry for entry in entries if _change(entry, wish.sort) is not None]
    rest = [entry for entry in entries if _change(entry, wish.sort) is None]
    known.sort(key=lambda entry: _change(entry, wish.sort) or 0.0, reverse=wish.descending)
    entries[:] = [*known, *rest]


def _change(entry: CaseEntry, metric: str) -> float | None:
    first, second = entry.before.get(metric), entry.after.get(metric)
    return None if first is None or second is None else second - first


def _fits(entry: CaseEntry, wish: CaseWish) -> bool:
    if wish.tag and wish.tag not in entry.tags:
        return False
    if wish.differs and not entry.differs:
        return False
    if not wish.metric:
        return not wish.state or entry.state == wish.state
    own = entry.states.get(wish.metric)
    return own is not None if not wish.state else (own or "same") == wish.state


def compared_neighbours(
    store: Store, compared: Compared, pair: int, wish: CaseWish, number: int
) -> tuple[int | None, int | None]:
    """Return the cases before and after one, in the order of the list that it was opened from."""
    return beside([entry.number for entry in select_compared(store, compared, pair, wish)], number)


def read_compared_case(store: Store, compared: Compared, pair: int, number: int) -> CaseDetail:
    """Return the page of one compared case.

    Raises:
        UsageError: there is no such case.
    """
    from retest.store.records import SampleFilter

    entry = next((entry for entry in compared.entries[pair] if entry.number == number), None)
    if entry is None:
        raise UsageError(Problem(slug="case-not-in-run", message=f"the run has no case number {number}"))
    names = compared.page.pairs[pair]
    arms = compared.page.comparison.arms if compared.page.comparison is not None else ()
    one_run = compared.baseline.run_id == compared.candidate.run_id
    sides = []
    for run, arm in ((compared.baseline, names.reference or names.name), (compared.candidate, names.name)):
        samples = (
            list(store.iter_samples(run.run_id, SampleFilter(arm=arm, case_id=entry.case_id)))
            if (run is compared.candidate or entry.before)
            else []
        )
        sides.append((samples, stored_case_side(store, samples, arm if one_run else run.run_id, arm)))
    (_, before), (samples, after) = sides
    return CaseDetail(
        entry=entry,
        after=after,
        before=before if entry.before else None,
        case=samples[0].case if samples else None,
        changes=changed_states(arms[pair]).get(entry.case_id, ()),
    )


def _arm_index(run: Run, name: str) -> int:
    return [arm.name for arm in run.arms].index(name)
