"""Reads answers as a reviewer sees them: with texts and prompt, and if blind nothing that tells the version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from retest.domain.json_value import content_hash
from retest.domain.review import ReviewContent, ReviewSubject, SampleRef
from retest.domain.review_queue import QueueOrder, ReviewItem
from retest.domain.run import Run, RunArm
from retest.domain.sample import Response
from retest.report.messages import message_text

if TYPE_CHECKING:
    from retest.store.database import Store
    from retest.store.records import StoredSample

Place = tuple[int, int, int]  # arm, case, sample


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueWish:
    """What a reviewer wants to look at.

    Attributes:
        reviewer: whose reviews are there already; their answers are left out.
        metric: by which the worst are found, or the judge whose scores are held against people's.
        dimension: people's scores that a judge's are held against.
        baseline: whose answers count as before; None for the suite's baseline.
        pairs: compare with the baseline's answer.
        blind: hide which version wrote an answer.
        seed: of the random order; None for one that is the reviewer's own and stays.
        again: also what the reviewer has reviewed.
    """

    reviewer: str
    order: QueueOrder = "random"
    arm: str | None = None
    case_id: str | None = None
    metric: str | None = None
    dimension: str | None = None
    baseline: str | None = None
    pairs: bool = False
    blind: bool = False
    seed: int | None = None
    again: bool = False
    limit: int | None = 20


@dataclass(slots=True, kw_only=True)
class ItemReader:
    """Reads answers of a run, beside those of `before` where two are compared."""

    store: Store
    run: Run
    wish: QueueWish
    before: Run | None = None
    _codes: Mapping[tuple[str, str], str] = field(default_factory=dict)
    _own: Mapping[Place, ReviewContent] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Look up the codes, which are made at the first asking, and what the reviewer has said before."""
        if self.wish.blind:
            runs = [self.run, *([self.before] if self.before is not None else [])]
            found = [code for run in runs for code in self.store.reviews.codes(run.run_id).values()]
            self._codes = {(code.run_id, code.arm): code.code for code in found}
        self._own = {
            placed.place: placed.review.content
            for placed in self.store.reviews.of_run(self.run.run_id)
            if placed.review.reviewer == self.wish.reviewer
            and not placed.review.is_withdrawn
            and placed.review.subject.is_pair == self.wish.pairs
        }

    def read(self, place: Place, case_id: str, why: str = "") -> ReviewItem | None:
        """Return the answer at a place; None where it is to be compared and the other run has no counterpart."""
        arm = self.run.arms[place[0]].name
        sample = self._sample(self.run, arm, case_id, place[2])
        if sample is None:
            return None
        sides = [(self.run, sample)]
        if self.before is not None:
            other = self._counterpart(sample)
            if other is None:
                return None
            sides.insert(0, (self.before, other))
            if self.wish.blind and self._is_swapped(sample):
                sides.reverse()
        refs = [_ref(run, side) for run, side in sides]
        codes = [self._codes.get((ref.run_id, ref.arm)) for ref in refs]
        return ReviewItem(
            subject=ReviewSubject(sample=refs[0], other=refs[1] if len(refs) > 1 else None),
            case=sample.case,
            answer=_text(sides[0][1]),
            other_answer=_text(sides[1][1]) if len(sides) > 1 else None,
            code=codes[0],
            other_code=codes[1] if len(codes) > 1 else None,
            prompt=self._prompt(sample),
            why="" if self.wish.blind else why,
            own=self._own.get(place, ReviewContent()),
        )

    def _sample(self, run: Run, arm: str, case_id: str, index: int) -> StoredSample | None:
        from retest.store.records import SampleFilter

        found = self.store.iter_samples(run.run_id, SampleFilter(arm=arm, case_id=case_id))
        answered = [sample for sample in found if isinstance(sample.outcome, Response)]
        return next((sample for sample in answered if sample.sample_index == index), None)

    def _counterpart(self, sample: StoredSample) -> StoredSample | None:
        """Return the other run's answer to the same case: the repeat of the same number, of the arm of that name."""
        from retest.errors import UsageError

        assert self.before is not None, "only pairs have one"  # noqa: S101 - tells the type checker
        arm = baseline_arm(self.run, self.before, sample.arm)
        if arm is None:
            return None
        try:
            other = self._sample(self.before, arm.name, sample.case_id, sample.sample_index)
        except UsageError:  # a case that the other run does not have
            return None
        is_same = other is not None and other.case.content_hash == sample.case.content_hash
        return other if is_same and other is not None and other.key != sample.key else None

    def _is_swapped(self, sample: StoredSample) -> bool:
        """Return whether the newer answer stands first: in half of the cases, always the same ones for a reviewer."""
        return (
            int(content_hash([self.run.run_id, sample.case_id, sample.sample_index, self.wish.reviewer])[:2], 16) % 2
            == 1
        )

    def _prompt(self, sample: StoredSample) -> str:
        """Return the last message that was sent; blind, the prompt's own words would tell the version."""
        if self.wish.blind or sample.messages_hash is None:
            return ""
        messages = self.store.get_messages(sample.messages_hash)
        return message_text(messages[-1]) if messages else ""


def baseline_arm(run: Run, before: Run, name: str) -> RunArm | None:
    """Return the other run's arm of that name, or its only one where both have one; None where there is none."""
    if len(run.arms) == len(before.arms) == 1:
        return before.arms[0]
    return next((arm for arm in before.arms if arm.name == name), None)


def _ref(run: Run, sample: StoredSample) -> SampleRef:
    return SampleRef(run_id=run.run_id, arm=sample.arm, case_id=sample.case_id, sample_index=sample.sample_index)


def _text(sample: StoredSample) -> str:
    return sample.outcome.output if isinstance(sample.outcome, Response) else ""
