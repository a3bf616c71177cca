"""Spending calls until decided: six looks at a growing candidate, with boundaries that keep the error rate."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from retest.stats.boundaries import boundaries
from retest.stats.bounds import guarded_bounds
from retest.stats.intervals import cluster_index, unit_totals
from retest.stats.pairs import PairedScores, paired_scores
from retest.stats.several_metrics import check_alpha, holm
from retest.stats.single_cases import single_case_test, smallest_p
from retest.stats.suite_test import relabelling_test, sign_flip_test
from retest.stats.tails import Tails

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Touched:
    """The cases that have samples on both sides at a look; `clusters` has a number for each."""

    pairs: PairedScores
    clusters: NDArray[np.intp] | None = None

    def tails(self, seed: int) -> Tails:
        """Return the suite's test: by relabelling, or by flipping the signs of whole clusters."""
        if self.clusters is None:
            return relabelling_test(self.pairs, seed=seed)
        return sign_flip_test(self.pairs, self.clusters, seed=seed)


class SequentialGate:
    """Decides after each look whether to go on; each decision depends on the data of its look alone.

    `schedule[look][case]` is how many samples of the candidate each case has after that look (both from 0): one
    sample for all cases first, in random order, then the second, until all have `k`. A baseline that is sampled at the
    same time (`growing_baseline`) keeps step. Regressed: Holm over the metrics
    with the Lan-DeMets boundary of the look, spending alpha * t^2. Not worse: the guarded bound at the level of a
    second such boundary lies above -margin. The first regressed metric fails, all not worse pass.

    Where a case's samples suffice for single cases to fire, they get `case_share` of alpha, spent once, at the stop.
    With clusters the suite's test flips the signs of whole clusters, and single cases have no share. The information
    times take cases as independent: shocks that a cluster keeps from look to look make the looks more alike than that,
    which costs power and no error rate.

    Args:
        n_cases: cases of both runs.
        k_baseline: samples per case of the baseline, of the full design where it grows; or one number a case, 0 for a
            case that the baseline lacks: it is sampled, and never judged.
        k: samples per case of the full candidate.
        metrics: names, or how many.
        margin: one for all metrics or by name; None: no pass stop.
        alpha: one-sided error rate, over all looks, metrics and channels.
        looks: at equal shares of the calls.
        seed: of the case order and of the tests' draws.
        width: of the metrics' scales, one for all or by name; None where unbounded.
        case_share: the part of alpha for single cases.
        growing_baseline: the baseline's cases have as many samples as the schedule says, up to `k_baseline`.
        clusters: one label a case where cases share a source.
        n_comparisons: gates of which any may fail the whole: alpha is divided among them for "regressed", while all of
            them must show "not worse", which needs no correction.

    Raises:
        ValueError: for numbers that no design has.
    """

    def __init__(  # noqa: PLR0913 - a design has so many numbers
        self,
        n_cases: int,
        k_baseline: int | Sequence[int],
        k: int,
        metrics: Sequence[str] | int = 1,
        margin: float | Mapping[str, float | None] | None = None,
        *,
        alpha: float = 0.05,
        looks: int = 6,
        seed: int = 0,
        width: float | Mapping[str, float | None] | None = 1.0,
        case_share: float = 0.2,
        growing_baseline: bool = False,
        clusters: Sequence[Hashable] | None = None,
        n_comparisons: int = 1,
    ) -> None:
        check_alpha(alpha)
        stored = [k_baseline] * n_cases if isinstance(k_baseline, int) else list(k_baseline)
        if len(stored) != max(n_cases, 0):
            raise ValueError(f"the gate has {n_cases} cases, and k_baseline {len(stored)} numbers")
        if min(n_cases, max(stored, default=0), k, looks, n_comparisons) < 1:
            raise ValueError("a sequential gate needs at least one case, one sample on each side, and one look")
        names = [f"metric_{number}" for number in range(metrics)] if isinstance(metrics, int) else list(metrics)
        if not names or len(set(names)) < len(names):
            raise ValueError(f"a sequential gate needs metrics with different names, not {names}")
        self.metrics = tuple(names)
        self.case_order = tuple(np.random.default_rng(seed).permutation(n_cases).tolist())
        self.schedule = _schedule(self.case_order, k, looks)
        self._baseline_schedule = _baseline_schedule(self.schedule, stored, growing=growing_baseline)
        self.information_times = _information_times(self.schedule, self._baseline_schedule)
        self._clusters = None if clusters is None else cluster_index(clusters, n_cases)
        self._margins = _by_name(margin, self.metrics)
        self._widths = _by_name(width, self.metrics)
        own = alpha / n_comparisons
        fires = clusters is None and smallest_p(max(stored), k) <= own * case_share
        self._case_alpha = own * case_share if fires else 0.0
        self._suite_share = 1 - case_share if fires else 1.0
        self._n_comparisons = n_comparisons
        self._seed = seed
        self.levels = _levels(self.information_times, own - self._case_alpha)
        self.pass_levels = _levels(self.information_times, alpha)

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
            metrics = self._with_single_cases(look, pairs, metrics)
            outcome = self._outcome(look, metrics)
        return LookDecision(
            outcome=outcome,
            look=look,
            level=self.levels[look],
            n_cases=max(pair.pairs.n_cases for pair in pairs.values()),
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

    def overall_p(self, look: int, p: float) -> float:
        """Return the least alpha at which a p-value of the suite's test would have been rejected at this look.

        The p-value of the whole design (the repeated p-value of Jennison & Turnbull 2000): compared with alpha, it says
        what the look's own p says compared with the look's level.
        """
        low, high = 0.0, 1.0
        for _ in range(30):
            middle = (low + high) / 2
            alpha = middle * self._suite_share / self._n_comparisons
            if _levels(self.information_times[: look + 1], alpha)[look] >= p:
                high = middle
            else:
                low = middle
        return high

    def _touched(self, look: int, baseline: CaseScores, candidate: CaseScores) -> _Touched:
        """Return the cases that have samples on both sides, both cut to the look's schedule."""
        n_cases = len(self.case_order)
        if not len(baseline) == len(candidate) == n_cases:
            raise ValueError(f"the gate has {n_cases} cases, the scores {len(baseline)} and {len(candidate)}")
        cut = [
            (case, _present(a[:held]), _present(b[:planned]))
            for case, (a, held, b, planned) in enumerate(
                zip(baseline, self._baseline_schedule[look], candidate, self.schedule[look], strict=True)
            )
        ]
        kept = [(case, a, b) for case, a, b in cut if a and b]
        if not kept:
            raise ValueError(f"no case has a sample on both sides at look {look}")
        clusters = None
        if self._clusters is not None:
            own = self._clusters[[case for case, _, _ in kept]]
            clusters = cluster_index(own.tolist(), len(kept))
        return _Touched(pairs=paired_scores([a for _, a, _ in kept], [b for _, _, b in kept]), clusters=clusters)

    def _judge(self, look: int, pairs: Mapping[str, _Touched]) -> dict[str, MetricLook]:
        p_worse = [pair.tails(self._seed + look).low for pair in pairs.values()]
        adjusted = holm(p_worse).tolist()
        return {
            name: self._metric_look(look, name, pairs[name], (p, p_adjusted))
            for name, p, p_adjusted in zip(self.metrics, p_worse, adjusted, strict=True)
        }

    def _metric_look(self, look: int, name: str, pair: _Touched, p_values: tuple[float, float]) -> MetricLook:
        units = unit_totals(pair.pairs.deltas, None if pair.clusters is None else pair.clusters.tolist())
        # A look without new information has level 0: it can show nothing.
        level = self.pass_levels[look]
        lower = guarded_bounds(units, level=1 - level, width=self._widths[name]).lower if level > 0 else None
        margin = self._margins[name]
        not_worse = margin is not None and lower is not None and lower > -margin
        verdict: MetricVerdict = "not_worse" if not_worse else "undecided"
        if 0 < p_values[1] <= self.levels[look] and not not_worse:
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
        self, look: int, pairs: Mapping[str, _Touched], metrics: Mapping[str, MetricLook]
    ) -> dict[str, MetricLook]:
        """Return the metrics with the single-case channel judged, at its own share of alpha; Holm over the metrics."""
        p_cases = [single_case_test(pairs[name].pairs, seed=self._seed + look).p for name in self.metrics]
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


def _baseline_schedule(
    schedule: Sequence[Sequence[int]], stored: Sequence[int], *, growing: bool
) -> tuple[tuple[int, ...], ...]:
    """Return the baseline's samples per case at each look: all that are stored, or as many as the candidate has."""
    if not growing:
        return (tuple(stored),) * len(schedule)
    return tuple(tuple(min(pair) for pair in zip(counts, stored, strict=True)) for counts in schedule)


def _information_times(schedule: Sequence[Sequence[int]], baseline: Sequence[Sequence[int]]) -> tuple[float, ...]:
    """Return V_full / V_look: V is the sampling variance of the mean change over touched cases, up to a factor."""

    def variance(look: int) -> float:
        pairs = zip(baseline[look], schedule[look], strict=True)
        touched = [1 / before + 1 / after for before, after in pairs if before and after]
        return sum(touched) / len(touched) ** 2 if touched else float("inf")

    full = variance(-1)
    times = [full / variance(look) for look in range(len(schedule))]
    # Few cases with unequal numbers may lose information by the next case: no look knows less than the one before.
    return tuple(np.maximum.accumulate(np.minimum(times, 1.0)).tolist())


def _levels(information_times: Sequence[float], alpha: float) -> tuple[float, ...]:
    """Return the nominal level of each look; one before the first sample has none."""
    empty = sum(time <= 0 for time in information_times)
    if not 0 < alpha < 1:
        return (max(0.0, min(1.0, alpha)),) * len(information_times)
    return (0.0,) * empty + tuple(boundaries(information_times[empty:], alpha).tolist())
