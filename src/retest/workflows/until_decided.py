"""Samples until decided: after each wave everybody who is sampled is looked at, and the verdicts say who goes on.

A `Watch` is for all runs that take place together: one candidate against a stored baseline, or several versions side
by side. Each run has a `SideWatch`, by which it takes its waves; the last to arrive at a look has it judged, in a
thread, and all go on or stop together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from retest.decision.sequential import ArmLooks, LookDesign
from retest.domain.comparison import Verdict
from retest.domain.json_value import content_hash
from retest.domain.sequential import ArmStand, LookOutcome, SequentialDecision, StopRule
from retest.domain.suite import GatePolicy
from retest.runner.waves import Wave, scheduled_waves
from retest.stats.sequential import LookDecision
from retest.stats.sequential_design import call_schedule, case_order
from retest.workflows.diff import DiffOptions, Side, align_runs, score_arms
from retest.workflows.gate import guarded_cases
from retest.workflows.review_columns import REVIEW
from retest.workflows.separate_imports import separate_imports
from retest.workflows.stored_decision import scores_digest

LOOKS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedSide:
    """One side of what is compared.

    Attributes:
        read: returns its scores so far.
        case_ids: in the order of its run; empty for a side that is not sampled.
        samples: per case of its plan; 0 for a side that is not sampled.
        arms: how many it has.
        never_fail: cases that take all their samples first.
    """

    read: Callable[[], Side]
    case_ids: tuple[str, ...] = ()
    samples: int = 0
    arms: int = 1
    never_fail: frozenset[str] = frozenset()


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
class _Looked:
    """What one look at a pair saw, by arms: None where there was nothing to compare yet."""

    arms: Mapping[tuple[str, str], LookDecision | None]
    guarded_fail: bool = False

    @property
    def fails(self) -> bool:
        return self.guarded_fail or any(arm is not None and arm.outcome == "fail" for arm in self.arms.values())

    @property
    def passes(self) -> bool:
        return bool(self.arms) and all(arm is not None and arm.outcome == "pass" for arm in self.arms.values())

    @property
    def n_cases(self) -> int:
        return min((arm.n_cases for arm in self.arms.values() if arm is not None), default=0)


class _PairLooks:
    """Looks at one pair of sides; remembers how its arms stand."""

    def __init__(self, pair: WatchedPair, design: LookDesign, rule: StopRule) -> None:
        self.pair = pair
        self._design, self._rule = design, rule
        self._arms: dict[tuple[str, str], ArmLooks] = {}
        self._signatures: dict[str, str] = {}
        self.digest = ""
        self.against = ""

    def look(self, number: int, baseline: Side, candidate: Side, *, final: bool) -> _Looked:
        """Judge what is there after a look, counted from 0."""
        with nullcontext() if self.pair.root is None else separate_imports(self.pair.root):
            return self._look(number, baseline, candidate, final=final)

    def _look(self, number: int, baseline: Side, candidate: Side, *, final: bool) -> _Looked:
        sides, arms = align_runs(baseline, candidate, self.pair.options, cwd=self.pair.cwd)
        self.against, self.digest = baseline.scores.label, scores_digest(baseline.scores)
        self._signatures = {plan.metric.name: plan.metric.signature for plan in sides.plans}
        looked_at = {plan.metric.name for plan in sides.plans if plan.metric.metric != REVIEW}
        several = len(arms.pairs) if self._rule == "gate" else 1
        found: dict[tuple[str, str], LookDecision | None] = {}
        for first, second in arms.pairs:
            scores = score_arms(sides, first, second, self.pair.options)
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
        return _Looked(arms=found, guarded_fail=any(case.failed for case in guarded))

    def is_decided(self) -> bool:
        """Return whether every metric of every arm has a verdict."""
        return bool(self._arms) and all(arm.is_decided() for arm in self._arms.values())

    def verdicts(self, metric: str) -> list[Verdict]:
        """Return the verdicts on one metric, one an arm; "inconclusive" where no look has seen it yet."""
        return [arm.verdicts().get(metric, "inconclusive") for arm in self._arms.values()]

    def stands(self) -> list[ArmStand]:
        """Return how the arms stand after the last look."""
        return [arm.stand(first, second, self._signatures) for (first, second), arm in self._arms.items()]

    def without_margin(self) -> list[str]:
        """Return the metrics that cannot pass early."""
        return list(dict.fromkeys(name for arm in self._arms.values() for name in arm.without_margin()))


@dataclass(slots=True)
class _Progress:
    """How far all sides have come: looks that were judged, and how it ended."""

    looks: int = 0
    outcome: LookOutcome = "undecided"
    arrived: int = 0
    aborted: bool = False
    enough: bool = False
    turn: asyncio.Event = field(default_factory=asyncio.Event)


class Watch:
    """Watches all sides of a comparison."""

    def __init__(
        self,
        sides: Sequence[WatchedSide],
        pairs: Sequence[WatchedPair],
        *,
        seed: int,
        rule: StopRule = "gate",
        metric: str | None = None,
    ) -> None:
        self._sides, self._rule, self._metric = tuple(sides), rule, metric
        case_ids = tuple(dict.fromkeys(case_id for side in sides for case_id in side.case_ids))
        samples = max(side.samples for side in sides)
        schedule = call_schedule(case_order(len(case_ids), seed), samples, LOOKS) if case_ids else ()
        self._pairs = [
            _PairLooks(
                pair,
                LookDesign(
                    case_ids=case_ids,
                    paired=frozenset(),
                    samples=samples,
                    looks=LOOKS,
                    seed=seed,
                    growing=sides[pair.baseline].samples > 0,
                    alpha=pair.policy.alpha,
                    case_share=pair.policy.case_share,
                    waived=pair.waived,
                ),
                rule,
            )
            for pair in pairs
        ]
        self._waves = [_waves(side, case_ids, schedule) for side in sides]
        self._parties = sum(bool(waves) for waves in self._waves)
        self._progress = _Progress()

    def side(self, number: int) -> SideWatch:
        """Return by what one side takes its waves."""
        return SideWatch(self, number)

    def waves(self, number: int) -> Sequence[Wave]:
        """Return one side's waves."""
        return self._waves[number]

    async def arrive(self, wave: int, *, stopped: bool) -> bool:
        """Wait until every side has taken a wave, have it looked at, and return whether that is enough."""
        progress = self._progress
        if stopped or progress.aborted:
            progress.aborted = True
            progress.turn.set()
            return True
        progress.arrived += 1
        turn = progress.turn
        if progress.arrived < self._parties:
            await turn.wait()
            return self._is_over
        progress.enough = await asyncio.to_thread(self._judge, wave)
        progress.arrived, progress.turn = 0, asyncio.Event()
        turn.set()
        return self._is_over

    @property
    def _is_over(self) -> bool:
        return self._progress.aborted or self._progress.enough

    def _judge(self, look: int) -> bool:
        last = look == LOOKS - 1
        read = {number: self._sides[number].read() for pair in self._pairs for number in _numbers(pair.pair)}
        found = self._look(look, read, final=last)
        self._progress.looks = look + 1
        outcome = self._outcome(found)
        if outcome is None and not last:
            return False
        if not last:  # single cases have their say once, at the stop
            outcome = self._outcome(self._look(look, read, final=True)) or outcome
        self._progress.outcome = outcome or "inconclusive"
        return True

    def _look(self, look: int, read: Mapping[int, Side], *, final: bool) -> list[_Looked]:
        return [
            pair.look(look, read[pair.pair.baseline], read[pair.pair.candidate], final=final) for pair in self._pairs
        ]

    def _outcome(self, found: Sequence[_Looked]) -> LookOutcome | None:
        """Return why to stop, None where everything is still open."""
        if not all(
            looked.n_cases >= pair.pair.policy.min_cases for looked, pair in zip(found, self._pairs, strict=True)
        ):
            return None
        if self._rule == "every_verdict":
            return "decided" if all(pair.is_decided() for pair in self._pairs) else None
        if self._rule == "search":
            return "decided" if self._is_found() else None
        if any(looked.fails for looked in found):
            return "fail"
        return "pass" if all(looked.passes for looked in found) else None

    def _is_found(self) -> bool:
        """Return whether the metric regressed between two neighbours, or has its verdicts on the first two."""
        verdicts = [pair.verdicts(self._metric or "") for pair in self._pairs]
        regressed = any("regressed" in of_pair for of_pair in verdicts)
        return regressed or bool(verdicts[0] and "inconclusive" not in verdicts[0])

    def decision(self, number: int, taken: int) -> SequentialDecision:
        """Return what one side's run keeps, after so many waves; NumPy works on it for a moment."""
        side, waves = self._sides[number], self._waves[number]
        own = [pair for pair in self._pairs if pair.pair.candidate == number]
        against, digest = self._compared_with(own[0]) if own else ("", "")
        return SequentialDecision(
            outcome="undecided" if self._progress.aborted else self._progress.outcome,
            looks=self._progress.looks,
            looks_planned=LOOKS,
            samples=side.arms * _samples(waves[:taken]),
            samples_planned=side.arms * _samples(waves),
            samples_per_case=side.samples,
            against=against,
            digest=digest,
            arms=tuple(stand for pair in own for stand in pair.stands()),
            notes=tuple(_notes(own)) if self._rule == "gate" else (),
        )

    def _compared_with(self, pair: _PairLooks) -> tuple[str, str]:
        """Return the name of what a run is judged against, none for another arm of its own, and what identifies it."""
        name, digest = pair.against, pair.digest
        if not digest:  # it was cut short before the first look
            scores = self._sides[pair.pair.baseline].read().scores
            name, digest = scores.label, scores_digest(scores)
        return ("" if pair.pair.baseline == pair.pair.candidate else name), digest


class SideWatch:
    """One run's part in a `Watch`."""

    def __init__(self, watch: Watch, number: int) -> None:
        self._watch, self._number = watch, number

    @property
    def waves(self) -> Sequence[Wave]:
        """Return the run's waves."""
        return self._watch.waves(self._number)

    async def is_enough(self, wave: int, *, stopped: bool) -> bool:
        """Return whether no further wave is needed, once every side has arrived."""
        return await self._watch.arrive(wave, stopped=stopped)

    def decision(self, taken: int) -> SequentialDecision:
        """Return what the run keeps, after so many waves."""
        return self._watch.decision(self._number, taken)


def look_seed(fingerprints: Sequence[str], samples: int, draw: int) -> int:
    """Return the seed of the order of cases: the same command, taken up again, goes on in the same waves."""
    return int(content_hash(["until decided", *fingerprints, samples, draw])[:8], 16)


def nothing_to_decide(why: str, *, samples: int, samples_per_case: int) -> SequentialDecision:
    """Return the decision of a run that could not be looked at, and so took every sample."""
    return SequentialDecision(
        outcome="undecided",
        looks=0,
        looks_planned=0,
        samples=samples,
        samples_planned=samples,
        samples_per_case=samples_per_case,
        notes=(why,),
    )


def _waves(side: WatchedSide, case_ids: Sequence[str], schedule: Sequence[Sequence[int]]) -> list[Wave]:
    own = set(side.case_ids)
    if not own:
        return []
    places = [place for place, case_id in enumerate(case_ids) if case_id in own]
    counts = [[look[place] for place in places] for look in schedule]
    return scheduled_waves(
        [case_ids[place] for place in places], counts, most=side.samples, whole=side.never_fail & own
    )


def _samples(waves: Sequence[Wave]) -> int:
    return sum(end - start for wave in waves for start, end in wave.samples.values())


def _numbers(pair: WatchedPair) -> tuple[int, int]:
    return pair.baseline, pair.candidate


def _notes(pairs: Sequence[_PairLooks]) -> list[str]:
    names = list(dict.fromkeys(name for pair in pairs for name in pair.without_margin()))
    if not names:
        return []
    return [f"without a margin nothing can pass early: gate.metrics.{names[0]}.margin is not set"] + [
        f"gate.metrics.{name}.margin is not set either" for name in names[1:]
    ]
