"""The change on each tag and cluster."""

from __future__ import annotations

import pytest

from retest.decision.decide import MetricScores, Policy, judge_metrics
from retest.decision.slices import compare_slices
from retest.domain.scores import ScoredCase

BEFORE = {f"c{i}": [1.0, 1.0] for i in range(8)}
AFTER = {f"c{i}": [float(i >= 4), 1.0] for i in range(8)}


def cases(*, tagged: int = 4, clusters: int = 0) -> dict[str, ScoredCase]:
    return {
        f"c{i}": ScoredCase(
            content_hash="a",
            expected_hash="x",
            tags=("ja",) if i < tagged else ("en",),
            cluster=f"t{i % clusters}" if clusters else None,
        )
        for i in range(8)
    }


def test_each_tag_has_its_own_change() -> None:
    """The drop is where it happened."""
    judged = judge_metrics([MetricScores(metric="m", baseline=BEFORE, candidate=AFTER)], Policy())
    found = {part.name: part for part in compare_slices(judged, cases())}
    assert found["ja"].delta == pytest.approx(-0.5)
    assert found["en"].delta == 0.0
    assert found["ja"].n_cases == 4


def test_an_interval_holds_its_change() -> None:
    """Low, delta and high stand in order, whatever the direction."""
    for direction in ("higher", "lower"):
        scores = MetricScores(metric="m", baseline=BEFORE, candidate=AFTER, direction=direction)
        for part in compare_slices(judge_metrics([scores], Policy()), cases()):
            assert part.low is not None
            assert part.high is not None
            assert part.low <= part.delta <= part.high


def test_clusters_of_several_cases_are_slices_too() -> None:
    """A cluster of one case says what the case says."""
    judged = judge_metrics([MetricScores(metric="m", baseline=BEFORE, candidate=AFTER)], Policy())
    kinds = [(part.kind, part.name) for part in compare_slices(judged, cases(clusters=3))]
    assert [key for key in kinds if key[0] == "cluster"] == [("cluster", "t0"), ("cluster", "t1"), ("cluster", "t2")]
    assert not any(part.kind == "cluster" for part in compare_slices(judged, cases(clusters=8)))
