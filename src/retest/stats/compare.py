"""The whole procedure for one metric: two runs in, a verdict with its reasons out. See docs/statistics.md."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from retest.stats.bounds import guarded_bounds
from retest.stats.intervals import UnitTotals, t_interval
from retest.stats.pairing import Pairing, RunMapping, cluster_numbers, pair_runs
from retest.stats.pairs import PairedScores
from retest.stats.result import PairedComparison
from retest.stats.several_metrics import check_alpha
from retest.stats.single_cases import SingleCases, can_reject, single_case_test
from retest.stats.suite_test import relabelling_test, sign_flip_test
from retest.stats.tails import N_DRAWS, Tails
from retest.stats.verdict import Evidence, decide, join_channels
from retest.stats.visible_drop import visible_drops

Index: TypeAlias = NDArray[np.intp]
_INTERVAL_TAIL = 0.025


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """How to compare: the options of `compare`, checked."""

    margin: float | None
    alpha: float
    width: float | None
    seed: int
    case_share: float

    def __post_init__(self) -> None:
        check_alpha(self.alpha)
        if self.margin is not None and not 0 <= self.margin < math.inf:
            raise ValueError(f"a margin must be 0 or more, not {self.margin}")
        if self.width is not None and not 0 < self.width < math.inf:
            raise ValueError(f"width must be positive, or None where unbounded; not {self.width}")
        if not 0 <= self.case_share < 1:
            raise ValueError(f"case_share must lie in [0, 1), not {self.case_share}")


def compare(  # noqa: PLR0913 - the public entry: every option of the procedure, all with a default
    baseline: RunMapping,
    candidate: RunMapping,
    *,
    margin: float | None = None,
    alpha: float = 0.05,
    width: float | None = 1.0,
    clusters: Mapping[Any, Hashable] | None = None,
    seed: int = 0,
    case_share: float = 0.2,
    aggregate: str = "mean",
) -> PairedComparison:
    """Compare two runs of one metric, paired by case, and say what can be said.

    Error rates are one-sided, at most alpha where nothing changed. Same input, same result; swapping the runs exchanges
    p_worse and p_better exactly; neither the order of cases nor that of samples has an effect.

    Args:
        baseline: case id -> scores of its samples, higher is better; None is a missing sample.
        candidate: the same for the run under test; numbers of samples may differ.
        margin: the largest change of the mean that does not matter; None where every change does.
        alpha: one-sided error rate.
        width: width of the metric's scale (high - low), None where unbounded. Widened where the scores span more.
        clusters: case id -> name of the source that cases share; cases without one stand for themselves.
        seed: of the random draws.
        case_share: the part of alpha that goes to the test of single cases, 0 for none.
        aggregate: what the samples of a case come to: mean, min, max; of passes (1 and 0) any, all, majority,
            ``pass@k``, ``pass^k``. Taken for as many samples as the side with fewer has, and inside each relabelling.

    Raises:
        ValueError: for NaN or infinite scores, and for options out of range.
    """
    options = _Options(margin=margin, alpha=alpha, width=width, seed=seed, case_share=case_share)
    pairing = pair_runs(baseline, candidate, aggregate)
    if pairing.pairs is None:
        return _nothing_to_compare(pairing, options)
    return _compare_pairs(pairing, pairing.pairs, options, cluster_numbers(pairing.case_ids, clusters))


def _compare_pairs(pairing: Pairing, pairs: PairedScores, options: _Options, cluster: Index | None) -> PairedComparison:
    units = _units(pairs, cluster)
    width = _widened(options.width, pairs)
    suite, single = _tests(pairs, cluster, options.seed)
    share = _share_of_cases(pairs, cluster, options)
    p, p_single = join_channels(suite.low, single.p, share)
    bounds = guarded_bounds(units, level=1 - options.alpha, width=width)
    evidence = Evidence(p=p, p_single=p_single, p_better=suite.high, lower=bounds.lower, upper=bounds.upper)
    low, high = t_interval(units, (None, None) if width is None else (-width, width), _INTERVAL_TAIL)
    drops = visible_drops(pairs, units, width=width, alpha=options.alpha * (1 - share))
    return replace(
        _nothing_to_compare(pairing, options),
        verdict=decide(evidence, margin=options.margin, alpha=options.alpha),
        delta=units.mean,
        p=p,
        p_worse=suite.low,
        p_better=suite.high,
        p_cases=single.p,
        p_single=p_single,
        p_smallest=_smallest_p(pairs, units, cluster),
        uses_cases=share > 0,
        lower=bounds.lower,
        upper=bounds.upper,
        low=low,
        high=high,
        n_cases=pairs.n_cases,
        n_units=len(units.totals),
        mde=drops.spread,
        mde_concentrated=drops.concentrated,
        width=width,
        deltas=dict(zip(pairing.case_ids, pairs.deltas.tolist(), strict=True)),
        case_p=dict(zip(pairing.case_ids, single.case_p.tolist(), strict=True)),
        cached_baseline=pairs.first.within_variance() == 0,
        cached_candidate=pairs.second.within_variance() == 0,
    )


def _nothing_to_compare(pairing: Pairing, options: _Options) -> PairedComparison:
    return PairedComparison(
        verdict="not_comparable",
        delta=None,
        p=1.0,
        p_worse=1.0,
        p_better=1.0,
        p_cases=1.0,
        p_single=1.0,
        p_smallest=1.0,
        uses_cases=False,
        lower=None,
        upper=None,
        low=None,
        high=None,
        n_cases=0,
        n_units=0,
        mde=None,
        mde_concentrated=None,
        alpha=options.alpha,
        margin=options.margin,
        width=options.width,
        deltas={},
        case_p={},
        unpaired=pairing.unpaired,
        missing_baseline=pairing.missing_baseline,
        missing_candidate=pairing.missing_candidate,
        cached_baseline=False,
        cached_candidate=False,
    )


def _units(pairs: PairedScores, cluster: Index | None) -> UnitTotals:
    deltas = pairs.deltas
    if cluster is None:
        return UnitTotals(totals=deltas, sizes=np.ones_like(deltas))
    sizes = np.bincount(cluster).astype(np.float64)
    return UnitTotals(totals=np.bincount(cluster, weights=deltas).astype(np.float64), sizes=sizes)


def _tests(pairs: PairedScores, cluster: Index | None, seed: int) -> tuple[Tails, SingleCases]:
    single = single_case_test(pairs, seed=seed)
    if cluster is None:
        return relabelling_test(pairs, seed=seed), single
    # Samples of a cluster may have moved together for reasons of their own, so single cases cannot be judged.
    return sign_flip_test(pairs, cluster, seed=seed), SingleCases(p=1.0, case_p=single.case_p)


def _share_of_cases(pairs: PairedScores, cluster: Index | None, options: _Options) -> float:
    """Return the part of alpha for single cases: none where no case could ever use it."""
    if cluster is None and can_reject(pairs, options.alpha * options.case_share):
        return options.case_share
    return 0.0


def _widened(width: float | None, pairs: PairedScores) -> float | None:
    if width is None:
        return None
    scores = np.concatenate([pairs.first.values, pairs.second.values])
    return max(width, float(np.ptp(scores)))


def _smallest_p(pairs: PairedScores, units: UnitTotals, cluster: Index | None) -> float:
    """Return a p-value that p_worse cannot fall below, from the numbers of relabellings and of draws."""
    if cluster is not None:
        log_ways = math.log(2) * int((units.totals != 0).sum())
    else:
        moving = pairs.varying
        log_ways = sum(
            math.log(math.comb(a + b, a))
            for a, b in zip(pairs.first.counts[moving].tolist(), pairs.second.counts[moving].tolist(), strict=True)
        )
    return max(1 / (N_DRAWS + 1), math.exp(-log_ways))
