"""Spending calls until decided: six looks at a growing candidate, with boundaries that keep the error rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from retest.stats.boundaries import boundaries
from retest.stats.bounds import guarded_bounds
from retest.stats.intervals import unit_totals
from retest.stats.pairs import PairedScores, paired_scores
from retest.stats.several_metrics import check_alpha, holm
from retest.stats.single_cases import single_case_test, smallest_p
from retest.stats.suite_test import relabelling_test

Outcome: TypeAlias = Literal["fail", "pass", "continue", "inconclusive"]
MetricVerdict: TypeAlias = Literal["regressed", "not_worse", "undecided"]
CaseScores: TypeAlias = Sequence[Sequence[float | None]] | NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricLook:
    """One metric at one look.

    Attributes:
        verdict: ``regressed`` blocks; ``not_worse`` stands once it is reached.
        p_worse: the suite's test; p_adjusted: after Holm over the metrics, compared with the look's level.
        p_cases: the single-case channel, judged at the stop only; None before, and where single cases cannot fire.
        lower: guarded bound of the mean change at this look's level.
        delta: mean change over the cases touched so far.
    """

    verdict: MetricVerdict
    delta: float
    p_worse: float
    p_adjusted: float
    p_cases: float | None
    lower: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LookDecision:
    """What one look decides.

    Attributes:
        outcome: ``fail`` and ``pass`` stop the run; ``inconclusive`` is the last look without a decision.
        look: counted from 0.
        level: nominal one-sided p at which this look may reject.
        n_cases: cases touched so far.
        calls: the candidate's samples seen so far, and calls_planned: those of the full design.
        metrics: by name.
    """

    outcome: Outcome
    look: int
    level: float
    n_cases: int
    calls: int
    calls_planned: int
    metrics: Mapping[str, MetricLook]

    @property
    def stops(self) -> bool:
        """Return whether no further call is to be made."""
        return self.outcome != "continue"


class SequentialGate:
    """Decides after each look whether to go on; each decision depends on the data of its look alone.

    `schedule[look][case]` is how many samples of the candidate each case has after that look (both from 0): one
    sample for all cases first, in random order, then the second, until all have `k`. Regressed: Holm over the metrics
    with the Lan-DeMets boundary of the look, spending alpha * t^2. Not worse: the guarded bound at the level of a
    second such boundary lies above -margin. The first regressed metric fails, all not worse pass.

    Where a case's samples suffice for single cases to fire, they get `case_share` of alpha, spent once, at the stop.

    Args:
        n_cases: cases of both runs.
        k_baseline: samples per case of the stored baseline.
        k: samples per case of the full candidate.
        metrics: names, or how many.
        margin: one for all metrics or by name; None: no pass stop.
        alpha: one-sided error rate, over all looks, metrics and channels.
        looks: at equal shares of the calls.
        seed: of the case order and of the tests' draws.
        width: of the metrics' scales, one for all or by name; None where unbounded.
        case_share: the part of alpha for single cases.

    Raises:
        ValueError: for numbers that no design has.
    """

    def __init__(  # noqa: PLR0913 - a design has so many numbers
        self,
        n_cases: int,
        k_baseline: int,
        k: int,
        metrics: Sequence[str] | int = 1,
        margin: float | Mapping[str, float | None] | None = None,
        *,
        alpha: float = 0.05,
        looks: int = 6,
        seed: int = 0,
        width: float | Mapping[str, float | None] | None = 1.0,
        case_share: float = 0.2,
    ) -> None:
        check_alpha(alpha)
        if min(n_cases, k_baseline, k, looks) < 1:
            raise ValueError("a sequential gate needs at least one case, one sample on each side, and one look")
        names = [f"metric_{number}" for number in range(metrics)] if isinstance(metrics, int) else list(metrics)
        if not names or len(set(names)) < len(names):
            raise ValueError(f"a sequential gate needs metrics with different names, not {names}")
        self.metrics = tuple(names)
        self.case_order = tuple(np.random.default_rng(seed).permutation(n_cases).tolist())
        self.schedule = _schedule(self.case_order, k, looks)
        self.information_times = _information_times(self.schedule, k_baseline)
        self._margins = _by_name(margin, self.metrics)
        self._widths = _by_name(width, self.metrics)
        self._case_alpha = alpha * case_share if smallest_p(k_baseline, k) <= alpha * case_share else 0.0
        self._seed = seed
        self.levels = tuple(boundaries(self.information_times, alpha - self._case_alpha).tolist())
        self.pass_levels = tuple(boundaries(self.information_times, alpha).tolist())

    def step(
        self,
        look: int,
        baselines: Mapping[str, CaseScores] | Sequence[CaseScores],
        candidates: Mapping[str, CaseScores] | Sequence[CaseScores],
    ) -> LookDecision:
        """Judge the data after a look, counted from 0.

        Args:
            look: 0 .. looks - 1, in this order.
            baselines: by metric (name, or in the order of the names), scores of each case in the order of the cases.
            candidates: the same for the candidate; samples beyond the look's schedule are not looked at. A case
                without a sample on either side is left out; None is a missing sample.

        Raises:
            ValueError: where the look, the metrics or the numbers of cases do not fit the design.
        """
        if not 0 <= look < len(self.schedule):
            raise ValueError(f"look {look} is not among the {len(self.schedule)} looks, which count from 0")
        scores_a, scores_b = self._named(baselines), self._named(candidates)
        pairs = {name: self._touched(look, scores_a[name], scores_b[name]) for name in self.metrics}
        metrics = self._judge(look, pairs)
        outcome = self._outcome(look, metrics)
        if outcome in {"pass", "inconclusive"} and self._case_alpha > 0:
            metrics = self._with_single_cases(pairs, metrics)
            outcome = self._outcome(look, metrics)
        return LookDecision(
            outcome=outcome,
            look=look,
            level=self.levels[look],
            n_cases=max(pair.n_cases for pair in pairs.values()),
            calls=sum(self.schedule[look]),
            calls_planned=sum(self.schedule[-1]),
            metrics=metrics,
        )

    def _named(self, scores: Mapping[str, CaseScores] | Sequence[CaseScores]) -> Mapping[str, CaseScores]:
        if isinstance(scores, Mapping):
            if missing := [name for name in self.metrics if name not in scores]:
                raise ValueError(f"no scores for {', '.join(missing)}")
            return scores
        if len(scores) != len(self.metrics):
            raise ValueError(f"scores of {len(scores)} metrics, but the gate has {len(self.metrics)}")
        return dict(zip(self.metrics, scores, strict=True))

    def _touched(self, look: int, baseline: CaseScores, candidate: CaseScores) -> PairedScores:
        """Return the cases that have samples on both sides, the candidate's cut to the look's schedule."""
        n_cases = len(self.case_order)
        if not len(baseline) == len(candidate) == n_cases:
            raise ValueError(f"the gate has {n_cases} cases, the scores {len(baseline)} and {len(candidate)}")
        cut = [
            (_present(a), _present(b[:planned]))
            for a, b, planned in zip(baseline, candidate, self.schedule[look], strict=True)
        ]
        kept = [(a, b) for a, b in cut if a and b]
        if not kept:
            raise ValueError(f"no case has a sample on both sides at look {look}")
        return paired_scores([a for a, _ in kept], [b for _, b in kept])

    def _judge(self, look: int, pairs: Mapping[str, PairedScores]) -> dict[str, MetricLook]:
        p_worse = [relabelling_test(pair, seed=self._seed + look).low for pair in pairs.values()]
        adjusted = holm(p_worse).tolist()
        return {
            name: self._metric_look(look, name, pairs[name], (p, p_adjusted))
            for name, p, p_adjusted in zip(self.metrics, p_worse, adjusted, strict=True)
        }

    def _metric_look(self, look: int, name: str, pair: PairedScores, p_values: tuple[float, float]) -> MetricLook:
        units = unit_totals(pair.deltas)
        lower = guarded_bounds(units, level=1 - self.pass_levels[look], width=self._widths[name]).lower
        margin = self._margins[name]
        not_worse = margin is not None and lower is not None and lower > -margin
        verdict: MetricVerdict = "not_worse" if not_worse else "undecided"
        if p_values[1] <= self.levels[look] and not not_worse:
            verdict = "regressed"
        return MetricLook(
            verdict=verdict,
            delta=units.mean,
            p_worse=p_values[0],
            p_adjusted=p_values[1],
            p_cases=None,
            lower=lower,
        )

    def _outcome(self, look: int, metrics: Mapping[str, MetricLook]) -> Outcome:
        verdicts = {metric.verdict for metric in metrics.values()}
        if "regressed" in verdicts:
            return "fail"
        if verdicts == {"not_worse"}:
            return "pass"
        return "inconclusive" if look == len(self.schedule) - 1 else "continue"

    def _with_single_cases(
        self, pairs: Mapping[str, PairedScores], metrics: Mapping[str, MetricLook]
    ) -> dict[str, MetricLook]:
        """Return the metrics with the single-case channel judged, at its own share of alpha; Holm over the metrics."""
        p_cases = [single_case_test(pairs[name], seed=self._seed).p for name in self.metrics]
        judged: dict[str, MetricLook] = {}
        for name, p, p_adjusted in zip(self.metrics, p_cases, holm(p_cases).tolist(), strict=True):
            verdict = "regressed" if p_adjusted <= self._case_alpha else metrics[name].verdict
            judged[name] = replace(metrics[name], p_cases=p, verdict=verdict)
        return judged


def _present(samples: Sequence[float | None]) -> list[float]:
    return [score for score in samples if score is not None]


def _by_name(given: float | Mapping[str, float | None] | None, names: Sequence[str]) -> Mapping[str, float | None]:
    if isinstance(given, Mapping):
        return {name: given.get(name) for name in names}
    return dict.fromkeys(names, given)


def _schedule(case_order: Sequence[int], k: int, looks: int) -> tuple[tuple[int, ...], ...]:
    """Return samples per case after each look: breadth first along the case order, at equal shares of the calls."""
    n_cases = len(case_order)
    schedule = []
    for look in range(1, looks + 1):
        full, rest = divmod(round(look / looks * n_cases * k), n_cases)
        counts = [full] * n_cases
        for case in case_order[:rest]:
            counts[case] += 1
        schedule.append(tuple(counts))
    return tuple(schedule)


def _information_times(schedule: Sequence[Sequence[int]], k_baseline: int) -> tuple[float, ...]:
    """Return V_full / V_look: V is the sampling variance of the mean change over touched cases, up to a factor."""

    def variance(counts: Sequence[int]) -> float:
        touched = [1 / k_baseline + 1 / count for count in counts if count]
        return sum(touched) / len(touched) ** 2 if touched else float("inf")

    full = variance(schedule[-1])
    return tuple(full / variance(counts) for counts in schedule)
