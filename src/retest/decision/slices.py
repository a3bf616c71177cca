"""The change on the cases of each tag and cluster: where it happened, without a verdict of its own."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence

import numpy as np

from retest.decision.decide import JudgedMetric, case_values, in_own_units
from retest.domain.comparison import SliceComparison
from retest.domain.scores import ScoredCase
from retest.stats.intervals import Ends, t_interval, unit_totals

_MAX_SLICES = 40  # per metric: a cluster per case would be a table nobody reads
_TAIL = 0.025

Members = Mapping[tuple[str, str], Sequence[str]]


def compare_slices(judged: Sequence[JudgedMetric], cases: Mapping[str, ScoredCase]) -> tuple[SliceComparison, ...]:
    """Return each metric's change on each tag and on each cluster of more than one case, the largest slices."""
    members = _members(cases)
    return tuple(part for metric in judged for part in _slices(metric, members, cases))


def _members(cases: Mapping[str, ScoredCase]) -> Members:
    found: dict[tuple[str, str], list[str]] = {}
    for case_id, case in cases.items():
        for tag in case.tags:
            found.setdefault(("tag", tag), []).append(case_id)
        if case.cluster is not None:
            found.setdefault(("cluster", case.cluster), []).append(case_id)
    large = {key: ids for key, ids in found.items() if key[0] == "tag" or len(ids) > 1}
    largest = sorted(large, key=lambda key: (key[0] != "tag", -len(large[key]), key))[:_MAX_SLICES]
    return {key: large[key] for key in largest}


def _slices(judged: JudgedMetric, members: Members, cases: Mapping[str, ScoredCase]) -> Iterator[SliceComparison]:
    if not members:
        return
    values = case_values(judged.scores, judged.pair.deltas)
    for (kind, name), ids in members.items():
        paired = [case_id for case_id in ids if case_id in judged.pair.deltas]
        if paired:
            clusters = [_unit(case_id, cases[case_id]) for case_id in paired]
            yield _slice(judged, values, (kind, name), paired, clusters)


def _unit(case_id: str, case: ScoredCase) -> Hashable:
    return ("case", case_id) if case.cluster is None else ("cluster", case.cluster)


def _slice(
    judged: JudgedMetric,
    values_of: tuple[Mapping[str, float], Mapping[str, float]],
    key: tuple[str, str],
    paired: Sequence[str],
    clusters: Sequence[Hashable],
) -> SliceComparison:
    scores, width = judged.scores, judged.pair.width
    values = np.array([judged.pair.deltas[case_id] for case_id in paired])
    units = unit_totals(values, None if key[0] == "cluster" else clusters)
    ends: Ends = (None, None) if width is None else (-width, width)
    delta, low, high = in_own_units(scores, units.mean, *t_interval(units, ends, _TAIL))
    return SliceComparison(
        kind=key[0],
        name=key[1],
        metric=scores.metric,
        n_cases=len(paired),
        baseline_mean=_mean(values_of[0], paired),
        candidate_mean=_mean(values_of[1], paired),
        delta=0.0 if delta is None else delta,
        low=low,
        high=high,
        range_low=scores.low,
        range_high=scores.high,
        scale=scores.scale,
    )


def _mean(values: Mapping[str, float], paired: Sequence[str]) -> float:
    return sum(values[case_id] for case_id in paired) / len(paired)
