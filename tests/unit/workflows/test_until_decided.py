"""Sides that are sampled in step: looks at the same time, one stop for all, what each run keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from retest.domain.scores import RunScores, ScoredCase
from retest.domain.suite import GatePolicy, MetricGate
from retest.workflows.diff import DiffOptions, Side
from retest.workflows.pair_looks import WatchedPair
from retest.workflows.until_decided import LOOKS, Watch, WatchedSide, look_seed
from support.store_data import START, make_arm, make_metric

CASES = tuple(f"c{number}" for number in range(30))
POLICY = GatePolicy(metrics={"exact_match": MetricGate(margin=0.3)})
ARM = make_arm("a")


def side(value: float, *, samples: int = 4, label: str = "r", cases: tuple[str, ...] = CASES) -> Side:
    """Return a run whose samples all have one score."""
    scores = RunScores(
        label=label,
        suite="s",
        suite_path="s.yaml",
        fingerprint=label,
        dataset_fingerprint="d",
        draw=0,
        samples_per_case=samples,
        started_at=START,
        arms=(ARM,),
        metrics=(replace(make_metric("exact_match"), binary=True),),
        cases={case_id: ScoredCase(content_hash=case_id, expected_hash=case_id) for case_id in CASES},
        scores={"a": {"exact_match": {case_id: [value] * samples for case_id in cases}}},
        calls={},
    )
    return Side(scores=scores)


def sampled(read: Callable[[], Side], **changes: object) -> WatchedSide:
    """Return a side that is being sampled."""
    made = WatchedSide(read=read, case_ids=CASES, samples=4)
    return replace(made, **changes)  # type: ignore[arg-type] # fields of the side


def watch(first: WatchedSide, second: WatchedSide, policy: GatePolicy = POLICY, **changes: object) -> Watch:
    """Return a watch over two sides."""
    pair = WatchedPair(baseline=0, candidate=1, policy=policy, options=DiffOptions(gate=policy), cwd=Path())
    return Watch([first, second], [replace(pair, **changes)], seed=3)  # type: ignore[arg-type] # fields of the pair


def stored(value: float) -> WatchedSide:
    """Return a side that is there already."""
    return WatchedSide(read=lambda: side(value, samples=10, label="base"))


def go(watched: Watch, number: int) -> int:
    """Take one side's waves until that is enough; return how many."""

    async def main() -> int:
        own = watched.side(number)
        for place in range(len(own.waves)):
            if await own.is_enough(place, stopped=False):
                return place + 1
        return len(own.waves)

    return asyncio.run(main())


def test_a_collapse_stops_at_the_first_look() -> None:
    """What the run keeps: how far it got, and against what."""
    watched = watch(stored(1.0), sampled(lambda: side(0.0)))
    assert go(watched, 1) == 1
    kept = watched.decision(1, 1)
    assert (kept.outcome, kept.samples, kept.samples_planned, kept.against) == ("fail", 20, 120, "base")
    assert kept.arms[0].metrics[0].verdict == "regressed"


def test_the_waves_hold_every_sample_once() -> None:
    """Breadth first: nobody gets a second sample before all have one."""
    waves = watch(stored(1.0), sampled(lambda: side(1.0))).waves(1)
    assert len(waves) == LOOKS
    taken = [
        (case_id, place)
        for wave in waves
        for case_id, (start, end) in wave.samples.items()
        for place in range(start, end)
    ]
    assert sorted(taken) == sorted((case_id, place) for case_id in CASES for place in range(4))
    assert {end for _, end in waves[0].samples.values()} == {1}


def test_cases_that_must_never_fail_come_first() -> None:
    """All their samples are in the first wave."""
    waves = watch(stored(1.0), sampled(lambda: side(1.0), never_fail=frozenset({"c7"}))).waves(1)
    assert waves[0].samples["c7"] == (0, 4)
    assert all("c7" not in wave.samples for wave in waves[1:])


def test_fewer_cases_than_the_gate_asks_for_decide_nothing() -> None:
    """The first look that may stop it is the first with all cases."""
    watched = watch(stored(1.0), sampled(lambda: side(0.0, cases=CASES[:20])), replace(POLICY, min_cases=30))
    assert go(watched, 1) == LOOKS
    assert watched.decision(1, LOOKS).outcome == "inconclusive"


def test_two_sides_go_in_step() -> None:
    """Neither takes its second wave before the other has its first; both stop together."""
    watched = watch(sampled(lambda: side(1.0)), sampled(lambda: side(1.0)))
    order: list[tuple[int, int]] = []

    async def one(number: int) -> int:
        own = watched.side(number)
        for place in range(len(own.waves)):
            order.append((place, number))
            if await own.is_enough(place, stopped=False):
                return place + 1
        return len(own.waves)

    async def main() -> tuple[int, int]:
        return await asyncio.gather(one(0), one(1))

    taken = asyncio.run(main())
    assert taken[0] == taken[1] < LOOKS
    assert [place for place, _ in order] == sorted(place for place, _ in order)
    assert watched.decision(0, taken[0]).arms == ()
    assert watched.decision(1, taken[1]).outcome == "pass"


def test_who_is_cut_short_lets_the_others_go() -> None:
    """No side waits at a look for one that never comes, and nothing is decided."""
    watched = watch(sampled(lambda: side(1.0)), sampled(lambda: side(0.0)))

    async def main() -> tuple[bool, bool]:
        waiting = asyncio.create_task(watched.side(0).is_enough(0, stopped=False))
        await asyncio.sleep(0)
        return await watched.side(1).is_enough(0, stopped=True), await waiting

    assert asyncio.run(main()) == (True, True)
    kept = watched.decision(1, 1)
    assert (kept.outcome, kept.looks, kept.against) == ("undecided", 0, "r")
    assert kept.digest


def test_a_case_that_must_never_fail_stops_the_run() -> None:
    """Whatever the metrics say: the gate has failed."""
    mixed = side(1.0)
    own = dict(mixed.scores.scores["a"]["exact_match"])
    own["c3"] = [0.0]
    failing = replace(mixed, scores=replace(mixed.scores, scores={"a": {"exact_match": own}}))
    watched = watch(stored(1.0), sampled(lambda: failing), replace(POLICY, never_fail=("c3",)))
    assert go(watched, 1) == 1
    assert watched.decision(1, 1).outcome == "fail"


def test_suspects_are_sampled_with_what_was_saved() -> None:
    """The case that fell, after the samples it has; at most eight more."""
    mixed = side(1.0, samples=1)
    own = dict(mixed.scores.scores["a"]["exact_match"])
    own["c3"] = [0.0]
    one_down = replace(mixed, scores=replace(mixed.scores, scores={"a": {"exact_match": own}}))
    watched = watch(stored(1.0), sampled(lambda: one_down), replace(POLICY, min_cases=30))
    taken = go(watched, 1)
    wave = watched.suspects(1, watched.decision(1, taken), taken)
    assert wave is not None
    start, end = wave.samples["c3"]
    assert (len(wave.samples), end - start) == (1, 8)
    assert start == max(
        end for own in watched.waves(1)[:taken] for name, (_, end) in own.samples.items() if name == "c3"
    )


def test_the_seed_is_that_of_the_same_command() -> None:
    """The same suite, samples and draw: the same order of cases; any other: another."""
    assert look_seed(["f"], 3, 0) == look_seed(["f"], 3, 0)
    assert len({look_seed(["f"], 3, 0), look_seed(["g"], 3, 0), look_seed(["f"], 4, 0), look_seed(["f"], 3, 1)}) == 4
