from __future__ import annotations

import pytest

from retest.stats.compare import compare
from retest.stats.result import PairedComparison
from retest.stats.together import judge_together


def _compared(failing: int, n_cases: int = 20, k: int = 1, margin: float | None = None) -> PairedComparison:
    baseline = {str(case): [1.0] * k for case in range(n_cases)}
    candidate = {str(case): [float(case >= failing)] * k for case in range(n_cases)}
    return compare(baseline, candidate, margin=margin)


def test_one_metric_is_judged_as_alone() -> None:
    """A single gated metric needs no correction."""
    alone = _compared(6)
    assert [(judged.verdict, judged.p_adjusted) for judged in judge_together([alone])] == [(alone.verdict, alone.p)]


def test_a_weak_regression_among_many_is_inconclusive() -> None:
    """Six losses of twenty (p = .016) reject alone, not among five metrics."""
    judged = judge_together([_compared(6), *[_compared(0)] * 4])
    assert judged[0].verdict == "inconclusive"
    assert judged[0].p_adjusted == pytest.approx(5 * _compared(6).p)


def test_a_strong_regression_among_many_stands() -> None:
    """Fifteen losses of twenty reject among five metrics."""
    assert judge_together([*[_compared(0)] * 4, _compared(15)])[4].verdict == "regressed"


def test_a_dead_case_is_corrected_too() -> None:
    """One dead case (p = .004 at a fifth of alpha) rejects among two metrics, not among three."""
    dead = _compared(1, k=5, margin=0.5)
    assert judge_together([dead, _compared(0)])[0].verdict == "regressed"
    assert judge_together([dead, _compared(0), _compared(0)])[0].verdict != "regressed"


def test_what_is_not_comparable_does_not_count() -> None:
    """A metric without pairs costs the others nothing."""
    nothing = compare({}, {})
    judged = judge_together([nothing, _compared(6)])
    assert [verdict.verdict for verdict in judged] == ["not_comparable", "regressed"]


def test_no_metric_no_verdict() -> None:
    """Nothing in, nothing out."""
    assert judge_together([]) == []
