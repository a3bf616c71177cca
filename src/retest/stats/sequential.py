"""Spending calls until decided: six looks at a growing candidate, with boundaries that keep the error rate."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from retest.stats.bounds import Bounds, guarded_bounds
from retest.stats.intervals import cluster_index, unit_totals
from retest.stats.pairs import PairedScores, paired_scores
from retest.stats.sample_weights import needed_samples
from retest.stats.sequential_design import (
    baseline_schedule,
    call_schedule,
    case_order,
    information_times,
    nominal_levels,
)
from retest.stats.several_metrics import check_alpha, holm
from retest.stats.single_cases import single_case_test, smallest_p
from retest.stats.suite_test import relabelling_test, sign_flip_test
from retest.stats.tails import Tails

Outcome: TypeAlias = Literal["fail", "pass", "continue", "inconclusive"]
MetricVerdict: TypeAlias = Literal["regressed", "not_worse", "undecided"]
CaseScores: TypeAlias = Sequence[Sequence[float | None]] | NDArray[np.float64]

T = TypeVar("T")

_ALPHAS = (1e-7, 1e-6, 1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.02, 0.035, 0.07, 0.1, 0.14, 0.2, 0.3, 0.45, 0.6, 0.8, 0.99)
"""Where overall p-values are computed; between them they are interpolated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricLook:
    """One metric at one look.

    Attributes:
        verdict: ``regressed`` blocks; ``not_worse`` stands once it is reached.
        p_worse, p_better: the suite's test; p_adjusted: p_worse after Holm over the metrics, compared with the look's
            level.
        p_cases: the single-case channel, judged at the stop only; None before, and where single cases cannot fire.
        p_cases_adjusted: the same after Holm over the metrics, compared with the part of alpha for single cases.
        lower, upper: guarded bounds of the mean change at the look's level for "not worse".
        delta: mean change over the cases touched so far.
    """

    verdict: MetricVerdict
    delta: float
    p_worse: float
    p_adjusted: float
    p_cases: float | None
    lower: float | None
    p_better: float = 1.0
    p_cases_adjusted: float | None = None
    upper: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LookDecision:
    """What one look decides.

    Attributes:
        outcome: ``fail`` and ``pass`` stop the run; ``inconclusive`` is the last look without a decision.
        look: counted from 0.
        level: nominal one-sided p at which this look may reject.
        n_cases: cases touched so far.
        calls: the candidate's samples seen so far, and calls_planned: those of the full design.
        metrics: by name; one without a case on both sides so far is left out.
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
        width: of the metrics' scales, one for all or by name; None where unbounded. Widened where the scores span more.
        case_share: the part of alpha for single cases.
        growing_baseline: the baseline's cases have as many samples as the schedule says, up to `k_baseline`.
        clusters: one label a case where cases share a source.
        n_comparisons: gates of which any may fail the whole: alpha is divided among them for "regressed", while all of
            them must show "not worse", which needs no correction.
        aggregate: what the samples of a case come to, one for all or by name; as for `retest.compare`.
        deciding: metrics whose regression fails, and which must be not worse to pass; None for all. The others are
            judged and corrected for all the same.
        k_suspect: samples that a suspected case may come to, where it is sampled again after the stop; single cases
            have their share of alpha where that is enough for them.

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
        aggregate: str | Mapping[str, str] = "mean",
        deciding: Collection[str] | None = None,
        k_suspect: int | None = None,
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
        self.case_order = case_order(n_cases, seed)
        self.schedule = call_schedule(self.case_order, k, looks)
        self._baseline_schedule = baseline_schedule(self.schedule, stored, growing=growing_baseline)
        self.information_times = information_times(self.schedule, self._baseline_schedule)
        self._clusters = None if clusters is None else cluster_index(clusters, n_cases)
        self._margins = _by_name(margin, self.metrics, None)
        self._widths = _by_name(width, self.metrics, None)
        self._aggregates = _by_name(aggregate, self.metrics, "mean")
        self._deciding = frozenset(self.metrics if deciding is None else deciding)
        own = alpha / n_comparisons
        least = min(_smallest_p(max(stored), k_suspect or k, name) for name in set(self._aggregates.values()))
        fires = clusters is None and least <= own * case_share
        self._alpha = alpha
        self._tables: dict[tuple[int, float], tuple[list[float], list[float]]] = {}
        self._case_alpha = own * case_share if fires else 0.0
        self.case_share = case_share if fires else 0.0
        self._n_comparisons = n_comparisons
        self._seed = seed
        self.levels = nominal_levels(self.information_times, own - self._case_alpha)
        self.pass_levels = nominal_levels(self.information_times, alpha)

    def step(
        self,
        look: int,
        baselines: Mapping[str, CaseScores] | Sequence[CaseScores],
        candidates: Mapping[str, CaseScores] | Sequence[CaseScores],
        *,
        single_cases: bool | None = None,
    ) -> LookDecision:
        """Judge the data after a look, counted from 0.

        Args:
            look: 0 .. looks - 1, in this order.
            baselines: by metric (name, or in the order of the names), scores of each case in the order of the cases.
            candidates: the same for the candidate; samples beyond the look's schedule are not looked at. A case
                without a sample on either side is left out; None is a missing sample.
            single_cases: whether their channel is judged, which spends its share of alpha: None where this gate would
                pass or end without them; of several gates that stop together, all judge them at that stop and none
                before.

        Raises:
            ValueError: where the look, the metrics or the numbers of cases do not fit the design.
        """
        if not 0 <= look < len(self.schedule):
            raise ValueError(f"look {look} is not among the {len(self.schedule)} looks, which count from 0")
        scores_a, scores_b = self._named(baselines), self._named(candidates)
        found = {name: self._touched(look, name, scores_a[name], scores_b[name]) for name in self.metrics}
        pairs = {name: touched for name, touched in found.items() if touched is not None}
        if not pairs:
            raise ValueError(f"no case has a sample on both sides at look {look}")
        metrics = self._judge(look, pairs)
        outcome = self._outcome(look, metrics)
        judged = outcome in {"pass", "inconclusive"} if single_cases is None else single_cases
        if judged and self._case_alpha > 0:
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

    def overall_p(self, look: int, p: float, *, share: float | None = None) -> float:
        """Return the least alpha at which a p-value of the suite's test would have been rejected at this look.

        The p-value of the whole design (the repeated p-value of Jennison & Turnbull 2000): compared with alpha, it says
        what the look's own p says compared with the look's level.

        Args:
            look: counted from 0.
            p: after Holm over the metrics.
            share: of alpha that the test has; None for that of "regressed". "Improved" has all of it.
        """
        share = 1 - self.case_share if share is None else share
        if (look, share) not in self._tables:
            self._tables[look, share] = self._overall_table(look, share)
        levels, alphas = self._tables[look, share]
        return float(np.exp(np.interp(np.log(max(p, levels[0])), np.log(levels), np.log(alphas))))

    def _overall_table(self, look: int, share: float) -> tuple[list[float], list[float]]:
        """Return the look's nominal levels, ascending, for designs of many alphas, the gate's own among them."""
        times = self.information_times[: look + 1]
        found: dict[float, float] = {}
        for alpha in sorted({*_ALPHAS, self._alpha}):
            level = nominal_levels(times, alpha * share / self._n_comparisons)[look]
            if level > max(found, default=0.0):
                found[level] = alpha
        if max(found, default=0.0) < 1:
            found[1.0] = 1.0
        return list(found), list(found.values())

    def _touched(self, look: int, name: str, baseline: CaseScores, candidate: CaseScores) -> _Touched | None:
        """Return the cases with enough samples on both sides, both cut to the look's schedule; None without any."""
        n_cases, aggregate = len(self.case_order), self._aggregates[name]
        if not len(baseline) == len(candidate) == n_cases:
            raise ValueError(f"the gate has {n_cases} cases, the scores {len(baseline)} and {len(candidate)}")
        cut = [
            (case, _present(a[:held]), _present(b[:planned]))
            for case, (a, held, b, planned) in enumerate(
                zip(baseline, self._baseline_schedule[look], candidate, self.schedule[look], strict=True)
            )
        ]
        needed = needed_samples(aggregate)
        kept = [(case, a, b) for case, a, b in cut if min(len(a), len(b)) >= needed]
        if not kept:
            return None
        clusters = None
        if self._clusters is not None:
            own = self._clusters[[case for case, _, _ in kept]]
            clusters = cluster_index(own.tolist(), len(kept))
        pairs = paired_scores([a for _, a, _ in kept], [b for _, _, b in kept], aggregate)
        return _Touched(pairs=pairs, clusters=clusters)

    def _judge(self, look: int, pairs: Mapping[str, _Touched]) -> dict[str, MetricLook]:
        tails = {name: pair.tails(self._seed + look) for name, pair in pairs.items()}
        adjusted = self._holm({name: tail.low for name, tail in tails.items()})
        return {
            name: self._metric_look(look, name, pair, (tails[name], adjusted[name])) for name, pair in pairs.items()
        }

    def _holm(self, p_values: Mapping[str, float]) -> dict[str, float]:
        """Return p-values adjusted over all metrics of the design; one without a case yet cannot reject, and counts."""
        adjusted = holm([p_values.get(name, 1.0) for name in self.metrics]).tolist()
        return dict(zip(self.metrics, adjusted, strict=True))

    def _metric_look(self, look: int, name: str, pair: _Touched, p_values: tuple[Tails, float]) -> MetricLook:
        tails, p_adjusted = p_values
        units = unit_totals(pair.pairs.deltas, None if pair.clusters is None else pair.clusters.tolist())
        # A look without new information has level 0: it can show nothing.
        level = self.pass_levels[look]
        bounds = Bounds(lower=None, upper=None)
        if level > 0:
            bounds = guarded_bounds(units, level=1 - level, width=_widened(self._widths[name], pair.pairs))
        margin = self._margins[name]
        not_worse = margin is not None and bounds.lower is not None and bounds.lower > -margin
        verdict: MetricVerdict = "not_worse" if not_worse else "undecided"
        if 0 < p_adjusted <= self.levels[look] and not not_worse:
            verdict = "regressed"
        return MetricLook(
            verdict=verdict,
            delta=units.mean,
            p_worse=tails.low,
            p_adjusted=p_adjusted,
            p_cases=None,
            lower=bounds.lower,
            p_better=tails.high,
            upper=bounds.upper,
        )

    def _outcome(self, look: int, metrics: Mapping[str, MetricLook]) -> Outcome:
        verdicts = [metrics[name].verdict if name in metrics else "undecided" for name in self._deciding]
        if "regressed" in verdicts:
            return "fail"
        if verdicts and set(verdicts) == {"not_worse"}:
            return "pass"
        return "inconclusive" if look == len(self.schedule) - 1 else "continue"

    def _with_single_cases(
        self, look: int, pairs: Mapping[str, _Touched], metrics: Mapping[str, MetricLook]
    ) -> dict[str, MetricLook]:
        """Return the metrics with the single-case channel judged, at its own share of alpha; Holm over the metrics."""
        p_cases = {name: single_case_test(pair.pairs, seed=self._seed + look).p for name, pair in pairs.items()}
        adjusted = self._holm(p_cases)
        return {
            name: replace(
                metrics[name],
                p_cases=p,
                p_cases_adjusted=adjusted[name],
                verdict="regressed" if adjusted[name] <= self._case_alpha else metrics[name].verdict,
            )
            for name, p in p_cases.items()
        }


def _smallest_p(k_baseline: int, k: int, aggregate: str) -> float:
    return 1.0 if min(k_baseline, k) < needed_samples(aggregate) else smallest_p(k_baseline, k, aggregate)


def _present(samples: Sequence[float | None]) -> list[float]:
    return [score for score in samples if score is not None]


def _by_name(given: T | Mapping[str, T], names: Sequence[str], default: T) -> Mapping[str, T]:
    if isinstance(given, Mapping):
        return {name: given.get(name, default) for name in names}
    return dict.fromkeys(names, given)


def _widened(width: float | None, pairs: PairedScores) -> float | None:
    if width is None:
        return None
    ends = [extreme for run in (pairs.first, pairs.second) for extreme in (run.lowest.min(), run.highest.max())]
    return max(width, float(max(ends) - min(ends)))
