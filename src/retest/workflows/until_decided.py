"""Samples until decided: after each wave everybody who is sampled is looked at, and the verdicts say who goes on.

A `Watch` is for all runs that take place together: one candidate against a stored baseline, or several versions side
by side. Each run has a `SideWatch`, by which it takes its waves; the last to arrive at a look has it judged, in a
thread, and all go on or stop together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from retest.decision.sequential import LookDesign
from retest.domain.json_value import content_hash
from retest.domain.sequential import RECHECK_SAMPLES, LookOutcome, SequentialDecision, StopRule
from retest.runner.waves import Wave, scheduled_waves
from retest.stats.sequential_design import call_schedule, case_order
from retest.workflows.diff import Side
from retest.workflows.pair_looks import Looked, PairLooks, WatchedPair
from retest.workflows.stored_decision import scores_digest

LOOKS = 6
_MOST_SUSPECTS = 10
"""Where more cases look worse, the mean says so, and sampling them all again would spend what was saved."""
_FEWEST_EXTRA = 4
"""Fewer samples more tell little of a suspect: rather fewer suspects."""


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
        recheck: bool = False,
    ) -> None:
        self._sides, self._rule, self._metric = tuple(sides), rule, metric
        case_ids = tuple(dict.fromkeys(case_id for side in sides for case_id in side.case_ids))
        samples = max(side.samples for side in sides)
        schedule = call_schedule(case_order(len(case_ids), seed), samples, LOOKS) if case_ids else ()
        self._pairs = [
            PairLooks(
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
                    most_samples=samples + RECHECK_SAMPLES if recheck else None,
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
        compared = {number for pair in self._pairs for number in (pair.pair.baseline, pair.pair.candidate)}
        read = {number: self._sides[number].read() for number in compared}
        found = self._look(look, read, final=last)
        self._progress.looks = look + 1
        outcome = self._outcome(found)
        if outcome is None and not last:
            return False
        if not last:  # single cases have their say once, at the stop
            outcome = self._outcome(self._look(look, read, final=True)) or outcome
        self._progress.outcome = outcome or "inconclusive"
        return True

    def _look(self, look: int, read: Mapping[int, Side], *, final: bool) -> list[Looked]:
        return [
            pair.look(look, read[pair.pair.baseline], read[pair.pair.candidate], final=final) for pair in self._pairs
        ]

    def _outcome(self, found: Sequence[Looked]) -> LookOutcome | None:
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

    def suspects(self, number: int, decision: SequentialDecision, taken: int) -> Wave | None:
        """Return the wave that samples one run's suspected cases again, with what its early stop saved; None for none.

        Args:
            number: of the side.
            decision: of its run.
            taken: waves before.
        """
        side = self._sides[number]
        found = [case_id for pair in self._pairs if pair.pair.candidate == number for case_id in pair.suspects()]
        affordable = (decision.samples_planned - decision.samples) // side.arms if decision.stopped_early else 0
        chosen = list(dict.fromkeys(found))[: min(_MOST_SUSPECTS, affordable // _FEWEST_EXTRA)]
        if not chosen:
            return None
        extra = min(RECHECK_SAMPLES, affordable // len(chosen))
        ends = {case_id: end for wave in self._waves[number][:taken] for case_id, (_, end) in wave.samples.items()}
        return Wave(samples={case_id: (ends.get(case_id, 0), ends.get(case_id, 0) + extra) for case_id in chosen})

    def rechecked(self, number: int, decision: SequentialDecision, wave: Wave) -> SequentialDecision:
        """Return a run's decision with single cases judged by the suspects that were sampled again."""
        own = [pair for pair in self._pairs if pair.pair.candidate == number]
        for pair in own:
            sides = self._sides[pair.pair.baseline].read(), self._sides[number].read()
            pair.recheck(*sides, wave.samples.keys())
        taken = self._sides[number].arms * _samples([wave])
        stands = tuple(stand for pair in own for stand in pair.stands())
        blocking = any(pair.blocks() for pair in own)
        # What single cases had stopped alone, and what the suspects do not bear out, is decided, and fails nothing.
        kept: LookOutcome = "decided" if decision.outcome == "fail" else decision.outcome
        return replace(
            decision,
            outcome="fail" if blocking else kept,
            arms=stands,
            rechecked=len(wave.samples),
            rechecked_samples=taken,
        )

    def _compared_with(self, pair: PairLooks) -> tuple[str, str]:
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

    def suspects(self, decision: SequentialDecision, taken: int) -> Wave | None:
        """Return the wave that samples suspected cases again, None where there is none or nothing was saved."""
        return self._watch.suspects(self._number, decision, taken)

    def rechecked(self, decision: SequentialDecision, wave: Wave) -> SequentialDecision:
        """Return the decision with single cases judged by the suspects that were sampled again."""
        return self._watch.rechecked(self._number, decision, wave)


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


def _notes(pairs: Sequence[PairLooks]) -> list[str]:
    names = list(dict.fromkeys(name for pair in pairs for name in pair.without_margin()))
    if not names:
        return []
    return [f"without a margin nothing can pass early: gate.metrics.{names[0]}.margin is not set"] + [
        f"gate.metrics.{name}.margin is not set either" for name in names[1:]
    ]
