"""Which cases changed, the worst first; and which only flicker."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from retest.decision.decide import JudgedMetric, Scores, on_test_scale
from retest.domain.comparison import CaseChange, CaseLabel, ChangedCase
from retest.domain.run import RunMetric
from retest.stats.case_labels import MAX_FALSE_SHARE, label_cases
from retest.stats.pairs import PairedScores, paired_scores
from retest.stats.several_metrics import benjamini_hochberg
from retest.stats.single_cases import single_case_p

_SUSPECTS = 5  # cases listed where the mean fell and no single case can be named
_ORDER: dict[CaseLabel, int] = {"newly_failing": 0, "worse": 0, "suspect": 1, "newly_passing": 2, "better": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedCases:
    """Cases that changed, merged over the metrics, the worst first; suspects stand after those that are named."""

    cases: tuple[ChangedCase, ...] = ()
    flaky: tuple[str, ...] = ()

    def count(self, *labels: CaseLabel) -> int:
        """Return how many cases carry one of the labels on any metric."""
        return sum(any(change.label in labels for change in case.changes) for case in self.cases)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What one metric says: changes by case with their weight (the more negative, the worse), flaky cases."""

    changes: tuple[tuple[str, float, CaseChange], ...] = ()
    flaky: tuple[str, ...] = ()


def find_changed_cases(judged: Sequence[tuple[JudgedMetric, RunMetric]], *, seed: int = 0) -> ChangedCases:
    """Return the cases that changed: by passes where something says what passes, else by relabelling their samples.

    Either list keeps its expected share of false names at 10%. Ratio-like metrics (latency, tokens, length) name cases
    only where nothing else is compared: a longer prompt changes them in every case, which is no news about any.
    """
    found = [_of_metric(metric, definition, seed) for metric, definition in _telling(judged)]
    by_case: dict[str, list[tuple[float, CaseChange]]] = {}
    for one in found:
        for case_id, weight, change in one.changes:
            by_case.setdefault(case_id, []).append((weight, change))
    ranked = sorted(by_case.items(), key=lambda item: (_rank(item[1]), item[0]))
    return ChangedCases(
        cases=tuple(
            ChangedCase(case_id=case_id, changes=tuple(change for _, change in sorted(changes, key=_key)))
            for case_id, changes in ranked
        ),
        flaky=tuple(dict.fromkeys(case_id for one in found for case_id in one.flaky)),
    )


def _telling(judged: Sequence[tuple[JudgedMetric, RunMetric]]) -> list[tuple[JudgedMetric, RunMetric]]:
    comparable = [(metric, definition) for metric, definition in judged if metric.pair.n_cases]
    linear = [(metric, definition) for metric, definition in comparable if metric.scores.scale == "linear"]
    return linear or comparable


def _key(item: tuple[float, CaseChange]) -> tuple[int, float, float]:
    weight, change = item
    return _ORDER[change.label], -round(change.certainty, 2), weight


def _rank(changes: Sequence[tuple[float, CaseChange]]) -> tuple[int, float, float]:
    return min(_key(item) for item in changes)


def _of_metric(judged: JudgedMetric, definition: RunMetric, seed: int) -> _Found:
    ids = [str(case_id) for case_id in judged.pair.deltas]
    if definition.decides_passing:
        return _by_passes(judged, definition, ids)
    return _by_relabelling(judged, ids, seed)


def _by_passes(judged: JudgedMetric, definition: RunMetric, ids: Sequence[str]) -> _Found:
    passes = _as_compared(judged, definition)
    before = [_passes(judged.scores.baseline, passes, case_id) for case_id in ids]
    after = [_passes(judged.scores.candidate, passes, case_id) for case_id in ids]
    labels = label_cases(
        [passed for passed, _ in before],
        [total for _, total in before],
        [passed for passed, _ in after],
        [total for _, total in after],
    )
    changes: list[tuple[str, float, CaseChange]] = []
    named = {"newly_failing": labels.worse, "newly_passing": labels.better}
    for place, label in enumerate(labels.labels):
        if label == "newly_failing" or label == "newly_passing":  # noqa: PLR1714 - narrows the type of the label
            change = _change(judged, ids[place], label, float(named[label][place]), (before[place], after[place]))
            changes.append((ids[place], judged.pair.deltas[ids[place]], change))
    if not any(change.label == "newly_failing" for _, _, change in changes):
        changes += _suspects(judged, dict(zip(ids, zip(before, after, strict=True), strict=True)))
    flaky = [
        ids[place]
        for place, label in enumerate(labels.labels)
        if label == "flaky" and (_varies(before[place]) or _varies(after[place]))
    ]
    return _Found(changes=tuple(changes), flaky=tuple(flaky))


def _varies(counts: tuple[int, int]) -> bool:
    """Return whether a run's own repeats disagree: without repeats no case is seen to flicker."""
    passed, total = counts
    return 0 < passed < total


Counts = tuple[tuple[int, int], tuple[int, int]]  # passed and samples, before and after


def _as_compared(judged: JudgedMetric, definition: RunMetric) -> Callable[[float], bool]:
    """Return what tells a pass: an aggregate of passes was given passes, 1 and 0, and not the scores."""
    if judged.scores.aggregate in {"mean", "min", "max"}:
        return lambda score: definition.passes(score) is True
    return lambda score: score > 0


def _passes(scores: Scores, passes: Callable[[float], bool], case_id: str) -> tuple[int, int]:
    known = [score for score in scores[case_id] if score is not None]
    return sum(passes(score) for score in known), len(known)


def _by_relabelling(judged: JudgedMetric, ids: Sequence[str], seed: int) -> _Found:
    worse = benjamini_hochberg([judged.pair.case_p[case_id] for case_id in ids])
    better = benjamini_hochberg(single_case_p(_swapped(judged, ids), seed=seed))
    changes: list[tuple[str, float, CaseChange]] = []
    for place, case_id in enumerate(ids):
        lists: tuple[tuple[CaseLabel, float], ...] = (("worse", worse[place]), ("better", better[place]))
        for label, p in lists:
            if p <= MAX_FALSE_SHARE:
                changes.append((case_id, judged.pair.deltas[case_id], _change(judged, case_id, label, 1 - float(p))))
    if not any(change.label == "worse" for _, _, change in changes):
        changes += _suspects(judged, {})
    return _Found(changes=tuple(changes))


def _swapped(judged: JudgedMetric, ids: Sequence[str]) -> PairedScores:
    """Return the pairs with the sides exchanged, so that what got better is what got worse."""
    before, after = on_test_scale(judged.scores)
    return paired_scores(
        [_known(after[case_id]) for case_id in ids],
        [_known(before[case_id]) for case_id in ids],
        judged.scores.tested_aggregate,
    )


def _known(samples: Sequence[float | None]) -> list[float]:
    return [score for score in samples if score is not None]


def _suspects(judged: JudgedMetric, counts: dict[str, Counts]) -> Iterator[tuple[str, float, CaseChange]]:
    """Yield the cases that fell furthest where the metric regressed and none can be named for sure."""
    if judged.comparison.verdict != "regressed":
        return
    fallen = sorted((delta, str(case_id)) for case_id, delta in judged.pair.deltas.items() if delta < 0)
    for delta, case_id in fallen[:_SUSPECTS]:
        certainty = 1 - judged.pair.case_p[case_id]
        yield case_id, delta, _change(judged, case_id, "suspect", certainty, counts.get(case_id))


def _change(
    judged: JudgedMetric, case_id: str, label: CaseLabel, certainty: float, counts: Counts | None = None
) -> CaseChange:
    before, after = _known(judged.scores.baseline[case_id]), _known(judged.scores.candidate[case_id])
    return CaseChange(
        metric=judged.scores.metric,
        label=label,
        baseline_mean=sum(before) / len(before),
        candidate_mean=sum(after) / len(after),
        certainty=certainty,
        samples_before=len(before),
        samples_after=len(after),
        passed_before=None if counts is None else counts[0][0],
        passed_after=None if counts is None else counts[1][0],
    )
