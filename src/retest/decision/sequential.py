"""Looks at two arms while they are sampled, and what the last look leaves: verdicts that are never tested again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from retest.decision.decide import MetricScores, TestScores, in_drop_units, on_test_scale
from retest.domain.comparison import Verdict
from retest.domain.sequential import ArmStand, MetricStand
from retest.stats.intervals import unit_totals
from retest.stats.pairing import cluster_numbers, pair_runs
from retest.stats.scales import log_margin
from retest.stats.sequential import LookDecision, MetricLook, SequentialGate
from retest.stats.several_metrics import holm
from retest.stats.single_cases import single_case_p
from retest.stats.verdict import Evidence, decide
from retest.stats.visible_drop import VisibleDrops, visible_drops


@dataclass(frozen=True, slots=True, kw_only=True)
class LookDesign:
    """What is settled before the first look at two arms.

    Attributes:
        case_ids: of the candidate and, where both sides are sampled, of the baseline; the schedule is over all of them.
        paired: those that both sides have.
        samples: per case of the full design.
        looks: at equal shares of the calls.
        seed: of the order of cases and of the tests' draws.
        growing: the baseline is sampled at the same time.
        alpha, case_share: of the gate's policy.
        clusters: case id -> source that cases share.
        n_comparisons: pairs of arms of which any may fail the whole.
        waived: metrics whose regression blocks nothing.
        most_samples: that a suspected case may come to; None where none is sampled again.
    """

    case_ids: tuple[str, ...]
    paired: frozenset[str]
    samples: int
    looks: int
    seed: int
    growing: bool = False
    alpha: float = 0.05
    case_share: float = 0.2
    clusters: Mapping[str, str] | None = None
    n_comparisons: int = 1
    waived: frozenset[str] = frozenset()
    most_samples: int | None = None


class ArmLooks:
    """Looks at one pair of arms; the metrics are those of the first look that could be compared."""

    def __init__(self, design: LookDesign) -> None:
        self._design = design
        self._gate: SequentialGate | None = None
        self._last: LookDecision | None = None
        self._scores: dict[str, MetricScores] = {}

    @property
    def last(self) -> LookDecision | None:
        """Return the last look that there was something to see at."""
        return self._last

    def look(self, number: int, metrics: Sequence[MetricScores], *, final: bool | None = None) -> LookDecision | None:
        """Judge the samples after a look, counted from 0; None where no case has one on both sides.

        Args:
            number: of the look.
            metrics: of both arms, as far as they are sampled; a metric with a note and no scores cannot be compared.
            final: whether it is known to be the last look, so that single cases are judged too.
        """
        self._scores = {scores.metric: scores for scores in metrics}
        if self._gate is None:
            self._gate = self._open(metrics)
        if self._gate is None:
            return None
        sides = {name: self._sides(name) for name in self._gate.metrics}
        first, second = ({name: pair[side] for name, pair in sides.items()} for side in (0, 1))
        try:
            decision = self._gate.step(number, first, second, single_cases=final)
        except ValueError:  # no case has a sample on both sides
            return None
        self._last = decision
        return decision

    def recheck(self, metrics: Sequence[MetricScores], suspects: Collection[str]) -> None:
        """Judge single cases by the suspects alone, which have been sampled again since the last look.

        Any of all cases could have become a suspect: their number times the smallest p-value is a p-value that none of
        them got worse. It takes the place of the one at the stop, so that single cases are judged once.
        """
        gate, last = self._gate, self._last
        if gate is None or last is None or not gate.case_share:
            return
        found = {scores.metric: scores for scores in metrics}
        p_cases = {name: self._suspects_p(found.get(name), suspects) for name in last.metrics}
        adjusted = holm([p_cases.get(name, 1.0) for name in gate.metrics]).tolist()
        together = dict(zip(gate.metrics, adjusted, strict=True))
        looks = {
            name: replace(look, p_cases=p_cases[name], p_cases_adjusted=together[name])
            for name, look in last.metrics.items()
        }
        self._last = replace(last, metrics=looks)

    def _suspects_p(self, scores: MetricScores | None, suspects: Collection[str]) -> float:
        first, second = _tested(scores)
        chosen = [{case_id: side[case_id] for case_id in suspects if case_id in side} for side in (first, second)]
        pairs = pair_runs(chosen[0], chosen[1], scores.tested_aggregate if scores else "mean").pairs
        if pairs is None:
            return 1.0
        smallest = float(single_case_p(pairs, seed=self._design.seed).min())
        return min(1.0, len(self._design.paired) * smallest)

    def is_decided(self) -> bool:
        """Return whether every metric has a verdict other than inconclusive."""
        verdicts = self.verdicts()
        return bool(verdicts) and "inconclusive" not in verdicts.values()

    def verdicts(self) -> dict[str, Verdict]:
        """Return the verdict of each metric as the last look left it."""
        return {metric.metric: metric.verdict for metric in self.stand("", "", {}).metrics}

    def without_margin(self) -> tuple[str, ...]:
        """Return the metrics that cannot pass early, for no margin says what "not worse" means."""
        names = () if self._gate is None else self._gate.metrics
        return tuple(
            name
            for name in names
            if name not in self._design.waived and name in self._scores and self._scores[name].margin is None
        )

    def stand(self, baseline: str, candidate: str, signatures: Mapping[str, str]) -> ArmStand:
        """Return how the last look left the two arms."""
        gate, last = self._gate, self._last
        if gate is None or last is None:
            return ArmStand(baseline=baseline, candidate=candidate)
        found = zip(last.metrics.items(), self._metric_p(gate, last), strict=True)
        stands = [
            self._metric_stand((gate, last), self._scores[name], look, p, signatures.get(name, ""))
            for (name, look), p in found
        ]
        return ArmStand(baseline=baseline, candidate=candidate, metrics=tuple(stands))

    def _open(self, metrics: Sequence[MetricScores]) -> SequentialGate | None:
        """Return the gate over the metrics that can be compared, None where none can, or no case is on both sides."""
        design = self._design
        compared = [scores for scores in metrics if not _refused(scores)]
        stored = [_most_samples(compared, case_id) for case_id in design.case_ids]
        if design.growing:
            stored = [design.samples if case_id in design.paired else 0 for case_id in design.case_ids]
        if not compared or not any(stored):
            return None
        numbers = cluster_numbers(design.case_ids, design.clusters)
        return SequentialGate(
            len(design.case_ids),
            stored,
            design.samples,
            [scores.metric for scores in compared],
            {scores.metric: _margin(scores) for scores in compared},
            alpha=design.alpha,
            looks=design.looks,
            seed=design.seed,
            width={scores.metric: scores.width for scores in compared},
            case_share=design.case_share,
            growing_baseline=design.growing,
            clusters=None if numbers is None else numbers.tolist(),
            n_comparisons=design.n_comparisons,
            aggregate={scores.metric: scores.tested_aggregate for scores in compared},
            deciding=[scores.metric for scores in compared if scores.metric not in design.waived],
            k_suspect=design.most_samples,
        )

    def _sides(self, name: str) -> tuple[list[Sequence[float | None]], list[Sequence[float | None]]]:
        """Return both sides' samples in the order of the cases, on the scale of the test."""
        first, second = _tested(self._scores.get(name))
        ids = self._design.case_ids
        return [first.get(case_id, ()) for case_id in ids], [second.get(case_id, ()) for case_id in ids]

    def _metric_p(self, gate: SequentialGate, last: LookDecision) -> Iterator[tuple[float, float, float, float]]:
        """Yield for each metric of the look the p-values of the whole design: p, adjusted p, worse, better."""
        look, n_pairs = last.look, self._design.n_comparisons
        for metric in last.metrics.values():
            worse, adjusted = (gate.overall_p(look, p) / n_pairs for p in (metric.p_worse, metric.p_adjusted))
            better = gate.overall_p(look, metric.p_better, share=1.0) / n_pairs
            single = (metric.p_cases, metric.p_cases_adjusted) if gate.case_share else (None, None)
            alone, together = (1.0 if p is None else p / gate.case_share for p in single)
            yield min(1.0, worse, alone), min(1.0, adjusted, together), worse, better

    def _metric_stand(
        self,
        looked: tuple[SequentialGate, LookDecision],
        scores: MetricScores,
        metric: MetricLook,
        p_values: tuple[float, float, float, float],
        signature: str,
    ) -> MetricStand:
        gate, last = looked
        p, p_adjusted, worse, better = p_values
        single = metric.p_cases_adjusted
        p_single = 1.0 if single is None or not gate.case_share else single / gate.case_share
        evidence = Evidence(p=p_adjusted, p_single=p_single, p_better=better, lower=metric.lower, upper=metric.upper)
        drops = self._visible(scores, last.level)
        return MetricStand(
            metric=scores.metric,
            signature=signature,
            verdict=decide(evidence, margin=_margin(scores), alpha=self._design.alpha),
            p=p,
            p_adjusted=p_adjusted,
            p_worse=worse,
            p_better=better,
            p_cases=1.0 if metric.p_cases is None else metric.p_cases,
            level=last.level,
            mde=in_drop_units(scores, drops.spread),
            mde_concentrated=in_drop_units(scores, drops.concentrated),
        )

    def _visible(self, scores: MetricScores, level: float) -> VisibleDrops:
        """Return the smallest drops that the last look alone could have found."""
        first, second = _tested(scores)
        pairing = pair_runs(first, second, scores.tested_aggregate)
        if pairing.pairs is None or not 0 < level < 1:
            return VisibleDrops(spread=None, concentrated=None)
        numbers = cluster_numbers(pairing.case_ids, self._design.clusters)
        units = unit_totals(pairing.pairs.deltas, None if numbers is None else numbers.tolist())
        return visible_drops(pairing.pairs, units, width=scores.width, alpha=level)


def _refused(scores: MetricScores) -> bool:
    return scores.note is not None and not scores.baseline and not scores.candidate


def _tested(scores: MetricScores | None) -> tuple[TestScores, TestScores]:
    """Return both sides on the scale of the test; nothing where that has no place for them."""
    if scores is None:
        return {}, {}
    try:
        return on_test_scale(scores)
    except ValueError:
        return {}, {}


def _margin(scores: MetricScores) -> float | None:
    return scores.margin if scores.margin is None or scores.scale == "linear" else log_margin(scores.margin)


def _most_samples(metrics: Sequence[MetricScores], case_id: str) -> int:
    counts = [sum(score is not None for score in scores.baseline.get(case_id, ())) for scores in metrics]
    return max(counts, default=0)
