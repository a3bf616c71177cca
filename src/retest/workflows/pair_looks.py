"""Looks at one pair of sides while they are sampled; remembers how its arms stand, and which cases are suspected."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from retest.decision.changed_cases import find_changed_cases
from retest.decision.decide import JudgedMetric, Policy, judge_metrics
from retest.decision.sequential import ArmLooks, LookDesign
from retest.domain.comparison import Verdict
from retest.domain.pairwise import PAIRWISE
from retest.domain.run import RunMetric
from retest.domain.sequential import ArmStand, StopRule
from retest.domain.suite import GatePolicy
from retest.stats.sequential import LookDecision
from retest.workflows.diff import ArmScores, DiffOptions, Side, align_runs, score_arms
from retest.workflows.gate import guarded_cases
from retest.workflows.review_columns import REVIEW
from retest.workflows.separate_imports import separate_imports
from retest.workflows.stored_decision import scores_digest

SUSPECT_P = 0.2
"""Up to so small a p-value by its own samples a case is a suspect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedPair:
    """Two sides (by their numbers) to compare at each look.

    Attributes:
        options: which arms, by which policy, and who judges pairs or judges again.
        cwd: where the candidate's suite path starts.
        root: of the candidate's files, where they are a revision's own; code is imported from there for a look.
        waived: metrics whose regression blocks nothing.
    """

    baseline: int
    candidate: int
    policy: GatePolicy
    options: DiffOptions
    cwd: Path
    root: Path | None = None
    waived: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What one look at a pair saw, by arms: None where there was nothing to compare yet."""

    arms: Mapping[tuple[str, str], LookDecision | None]
    guarded_fail: bool = False

    @property
    def fails(self) -> bool:
        """Return whether anything blocks."""
        return self.guarded_fail or any(arm is not None and arm.outcome == "fail" for arm in self.arms.values())

    @property
    def passes(self) -> bool:
        """Return whether everything is shown not worse."""
        return bool(self.arms) and all(arm is not None and arm.outcome == "pass" for arm in self.arms.values())

    @property
    def n_cases(self) -> int:
        """Return how many cases the arm with the fewest has on both sides."""
        return min((arm.n_cases for arm in self.arms.values() if arm is not None), default=0)


class PairLooks:
    """Looks at one pair of sides; remembers how its arms stand."""

    def __init__(self, pair: WatchedPair, design: LookDesign, rule: StopRule) -> None:
        self.pair = pair
        self._design, self._rule = design, rule
        self._arms: dict[tuple[str, str], ArmLooks] = {}
        self._signatures: dict[str, str] = {}
        self._seen: list[tuple[ArmScores, list[RunMetric]]] = []
        self._guarded: list[str] = []
        self.digest = ""
        self.against = ""

    def look(self, number: int, baseline: Side, candidate: Side, *, final: bool) -> Looked:
        """Judge what is there after a look, counted from 0."""
        with nullcontext() if self.pair.root is None else separate_imports(self.pair.root):
            return self._look(number, baseline, candidate, final=final)

    def _look(self, number: int, baseline: Side, candidate: Side, *, final: bool) -> Looked:
        sides, arms = align_runs(baseline, candidate, self.pair.options, cwd=self.pair.cwd)
        self.against, self.digest = baseline.scores.label, scores_digest(baseline.scores)
        self._signatures = {plan.metric.name: plan.metric.signature for plan in sides.plans}
        looked_at = {plan.metric.name for plan in sides.plans if plan.metric.metric != REVIEW}
        several = len(arms.pairs) if self._rule == "gate" else 1
        found: dict[tuple[str, str], LookDecision | None] = {}
        self._seen = []
        for first, second in arms.pairs:
            scores = score_arms(sides, first, second, self.pair.options)
            self._seen.append((scores, [plan.metric for plan in sides.plans]))
            name = (first.name, second.name)
            if name not in self._arms:
                design = replace(
                    self._design,
                    paired=frozenset(sides.pairs.paired),
                    clusters=scores.clusters,
                    n_comparisons=max(1, several),
                )
                self._arms[name] = ArmLooks(design)
            metrics = [metric for metric in scores.metrics if metric.metric in looked_at]
            found[name] = self._arms[name].look(number, metrics, final=final)
        guarded = guarded_cases(candidate.scores, self.pair.policy.never_fail) if self._rule == "gate" else ()
        self._guarded = [case.case_id for case in guarded if case.failed]
        return Looked(arms=found, guarded_fail=bool(self._guarded))

    def suspects(self) -> list[str]:
        """Return the cases that may have got worse, the likeliest first: those that must not, the named, the unlikely.

        Few samples name hardly any case, so that one whose own samples are unlikely enough is a suspect too. A suspect
        more costs samples and no error: whichever cases are chosen, all of them are corrected for.
        """
        found: list[str] = []
        unlikely: dict[str, float] = {}
        for judged, definitions in self._judged():
            kept = [
                (metric, definition)
                for metric, definition in zip(judged, definitions, strict=True)
                if definition.metric != PAIRWISE
            ]
            found += [case.case_id for case in find_changed_cases(kept, seed=0).cases if case.is_worse]
            for metric, _ in kept:
                for case_id, p in metric.pair.case_p.items():
                    unlikely[str(case_id)] = min(p, unlikely.get(str(case_id), 1.0))
        ranked = sorted((p, case_id) for case_id, p in unlikely.items() if p <= SUSPECT_P)
        return list(dict.fromkeys([*self._guarded, *found, *(case_id for _, case_id in ranked)]))

    def _judged(self) -> Iterator[tuple[Sequence[JudgedMetric], list[RunMetric]]]:
        """Yield each arm's metrics as a test of fixed size sees them."""
        gate = self.pair.policy
        for scores, definitions in self._seen:
            policy = Policy(alpha=gate.alpha, case_share=gate.case_share, clusters=scores.clusters)
            yield judge_metrics(scores.metrics, policy), definitions

    def recheck(self, baseline: Side, candidate: Side, suspects: Collection[str]) -> None:
        """Judge single cases by what the suspects came to."""
        sides, arms = align_runs(baseline, candidate, self.pair.options, cwd=self.pair.cwd)
        for first, second in arms.pairs:
            scores = score_arms(sides, first, second, self.pair.options)
            self._arms[first.name, second.name].recheck(scores.metrics, suspects)

    def is_decided(self) -> bool:
        """Return whether every metric of every arm has a verdict."""
        return bool(self._arms) and all(arm.is_decided() for arm in self._arms.values())

    def verdicts(self, metric: str) -> list[Verdict]:
        """Return the verdicts on one metric, one an arm; "inconclusive" where no look has seen it yet."""
        return [arm.verdicts().get(metric, "inconclusive") for arm in self._arms.values()]

    def blocks(self) -> bool:
        """Return whether any metric that is not waived regressed, or a case that must never fail does."""
        n_arms = len(self._arms)
        regressed = any(
            metric.verdict == "regressed"
            and metric.p_adjusted * n_arms <= self.pair.policy.alpha
            and metric.metric not in self.pair.waived
            for stand in self.stands()
            for metric in stand.metrics
        )
        return regressed or bool(self._guarded)

    def stands(self) -> list[ArmStand]:
        """Return how the arms stand after the last look."""
        return [arm.stand(first, second, self._signatures) for (first, second), arm in self._arms.items()]

    def without_margin(self) -> list[str]:
        """Return the metrics that cannot pass early."""
        return list(dict.fromkeys(name for arm in self._arms.values() for name in arm.without_margin()))
