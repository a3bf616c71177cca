"""Picks the answers that show how a case changed: the better one of the side that did well, the worse of the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from retest.domain.comparison import Answer, ChangedCase
from retest.domain.run import Run, RunMetric
from retest.domain.sample import CallError, Score

if TYPE_CHECKING:
    from retest.store.database import Store

Scored: TypeAlias = "tuple[Answer, float | None]"
Reader: TypeAlias = Callable[[str], "list[Scored]"]


def read_answers(store: Store, run: Run, place: tuple[str, str], metric: str) -> list[Scored]:
    """Return the answers to a case (arm, case id) with their scores on a metric, where they have one."""
    from retest.store.records import SampleFilter

    arm, case_id = place
    found: list[Scored] = []
    for sample in store.iter_samples(run.run_id, SampleFilter(arm=arm, case_id=case_id)):
        score = sample.scores.get(metric)
        outcome = sample.outcome
        if isinstance(outcome, CallError):
            answer = Answer(sample_index=sample.sample_index, output=None, error=f"{outcome.kind}: {outcome.message}")
        else:
            answer = Answer(sample_index=sample.sample_index, output=outcome.output)
        found.append((answer, score.value if isinstance(score, Score) else None))
    return found


def given_answers(outputs: Sequence[str | None], scores: Sequence[float | None]) -> list[Scored]:
    """Return answers that came with their scores; without a score each where the two do not count alike."""
    if len(outputs) != len(scores):
        scores = [None] * len(outputs)
    return [
        (Answer(sample_index=index, output=output, error=None if output is not None else "no answer"), score)
        for index, (output, score) in enumerate(zip(outputs, scores, strict=True))
    ]


def attach_answers(case: ChangedCase, metric: RunMetric, before: Reader, after: Reader) -> ChangedCase:
    """Return the case with one answer of each side."""
    sign = 1.0 if metric.direction == "higher" else -1.0
    if not case.is_worse:
        sign = -sign
    return replace(
        case,
        before=_pick(before(metric.name), sign),
        after=_pick(after(metric.name), -sign),
    )


def _pick(answers: Sequence[Scored], sign: float) -> Answer | None:
    """Return the first answer with the highest signed score; one without a score only where there is no other."""
    scored = [(sign * value, answer) for answer, value in answers if value is not None]
    if scored:
        return max(scored, key=lambda item: item[0])[1]
    return answers[0][0] if answers else None
