"""What a comparison of one metric says. Importing this module loads neither NumPy nor SciPy."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

Verdict: TypeAlias = Literal["regressed", "improved", "unchanged", "not_worse", "inconclusive", "not_comparable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedComparison:
    """One metric compared over the cases that both runs have; delta = candidate - baseline, higher is better.

    Attributes:
        verdict: judged alone; several gated metrics are judged again with Holm's correction.
        delta: mean over cases of the change; None where there is no pair.
        p: that nothing got worse, both channels joined; what alpha and Holm are applied to.
        p_worse, p_better: the suite's test alone, in both directions.
        p_cases: the single-case channel alone; 1 with clusters, where it does not apply.
        p_single: the same at its share of alpha (p_cases / case_share), to be compared with the whole alpha; 1 where
            single cases have no share.
        p_smallest: the smallest p_worse that drawing can reach.
        uses_cases: whether the single-case channel has a share in `p`.
        lower, upper: guarded one-sided bounds of delta, each at level 1 - alpha; None below 5 units.
        low, high: guarded two-sided 95% interval of delta for new cases like these; None where nothing is known.
        n_cases: paired cases.
        n_units: units of analysis: the cases, or the clusters.
        mde: smallest drop of the mean, spread over the suite, that the suite's test finds in 80 of 100 runs; None
            where one unit or fewer is there.
        mde_concentrated: the same for a drop that hits few cases.
        alpha, margin, width: as given; a width smaller than the scores' own range is widened to it.
        deltas: change of each case.
        case_p: for each case, p that it got no worse, by relabelling its own samples.
        unpaired: for each case left out, why.
        missing_baseline, missing_candidate: missing samples (None among the scores) per case, where there are any.
        cached_baseline, cached_candidate: whether repeats never differ in any case, as copies would.
    """

    verdict: Verdict
    delta: float | None
    p: float
    p_worse: float
    p_better: float
    p_cases: float
    p_single: float
    p_smallest: float
    uses_cases: bool
    lower: float | None
    upper: float | None
    low: float | None
    high: float | None
    n_cases: int
    n_units: int
    mde: float | None
    mde_concentrated: float | None
    alpha: float
    margin: float | None
    width: float | None
    deltas: Mapping[Hashable, float]
    case_p: Mapping[Hashable, float]
    unpaired: Mapping[Hashable, str]
    missing_baseline: Mapping[Hashable, int]
    missing_candidate: Mapping[Hashable, int]
    cached_baseline: bool
    cached_candidate: bool
