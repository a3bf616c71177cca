"""Several metrics of one comparison judged together, with Holm's correction over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from retest.stats.result import PairedComparison, Verdict
from retest.stats.several_metrics import holm, holm_factors
from retest.stats.verdict import Evidence, decide


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedTogether:
    """One metric's verdict among several, and its p after Holm."""

    verdict: Verdict
    p_adjusted: float


def judge_together(comparisons: Sequence[PairedComparison], *, alpha: float = 0.05) -> list[JudgedTogether]:
    """Return the verdicts of several gated metrics, in order, so that any false "regressed" has at most chance alpha.

    A metric that is not comparable stays so and does not count among them. "Improved", "unchanged" and "not worse" are
    judged as for a metric alone: claiming all of several needs no correction.

    Raises:
        ValueError: where alpha lies outside (0, 1).
    """
    tested = [comparison.p for comparison in comparisons if comparison.n_cases]
    corrections = iter(zip(holm(tested, alpha).tolist(), holm_factors(tested).tolist(), strict=True))
    return [
        _judged(comparison, next(corrections), alpha)
        if comparison.n_cases
        else JudgedTogether(verdict="not_comparable", p_adjusted=1.0)
        for comparison in comparisons
    ]


def _judged(comparison: PairedComparison, correction: tuple[float, float], alpha: float) -> JudgedTogether:
    p_adjusted, factor = correction
    evidence = Evidence(
        p=p_adjusted,
        # Holm stops at the first p that does not reject: the single-case channel cannot reject past that either.
        p_single=max(p_adjusted, min(1.0, comparison.p_single * factor)),
        p_better=comparison.p_better,
        lower=comparison.lower,
        upper=comparison.upper,
    )
    return JudgedTogether(verdict=decide(evidence, margin=comparison.margin, alpha=alpha), p_adjusted=p_adjusted)
