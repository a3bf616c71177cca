"""What a run that was sampled until decided says of itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from retest.domain.sequential import (
    ArmStand,
    MetricStand,
    SequentialDecision,
    decision_document,
    read_decision,
)
from retest.report.decided_text import decided_lines, verdict_lines

STAND = MetricStand(
    metric="正解",
    signature="v1",
    verdict="regressed",
    p=0.002,
    p_adjusted=0.004,
    p_worse=0.002,
    p_better=1.0,
    p_cases=1.0,
    level=0.01,
)
EARLY = SequentialDecision(
    outcome="fail",
    looks=3,
    looks_planned=6,
    samples=500,
    samples_planned=1000,
    samples_per_case=5,
    calls_saved=500,
    against="r1",
    digest="d",
    arms=(ArmStand(baseline="a", candidate="b", metrics=(STAND,)),),
    notes=("no margin",),
)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "decided after 2.5 of 5 samples a case (look 3): 500 of 1,000 calls saved"),
        (
            {"samples": 600, "calls_saved": 400},
            "decided after 3 of 5 samples a case (look 3): 400 of 1,000 calls saved",
        ),
        (
            {"calls_saved": 3},
            "decided after 2.5 of 5 samples a case (look 3): "  # noqa: ISC004 - one sentence
            "500 of 1,000 samples not needed; 3 calls saved, the ledger has the others",
        ),
        ({"looks": 6}, "decided at the last look: every sample was taken, no call saved"),
        ({"outcome": "undecided"}, "undecided: cut short after 3 of 6 looks"),
        (
            {"outcome": "inconclusive", "looks": 6},
            "not decided after 6 of 6 looks: every sample was taken, no call saved",
        ),
        (
            {"outcome": "undecided", "looks_planned": 0, "looks": 0},
            "not decided while it was sampled: every sample was taken",
        ),
    ],
    ids=["early", "whole", "ledger", "last", "cut", "inconclusive", "nothing"],
)
def test_how_far_it_was_sampled(changes: dict[str, object], line: str) -> None:
    """The first line: what was taken, and what that saved."""
    assert decided_lines(replace(EARLY, **changes))[0] == line  # type: ignore[arg-type] # fields of the decision


def test_why_it_could_not_stop_is_said_only_where_it_did_not() -> None:
    """A run that stopped early has nothing to explain."""
    assert decided_lines(EARLY) == decided_lines(EARLY)[:1]
    assert decided_lines(replace(EARLY, outcome="inconclusive", looks=6))[1:] == ["no margin"]


def test_suspects_that_were_sampled_again_are_counted() -> None:
    """With the samples that they took."""
    again = replace(EARLY, rechecked=2, rechecked_samples=16, calls_saved=484)
    assert decided_lines(again) == [
        "decided after 2.5 of 5 samples a case (look 3): 484 of 1,000 calls saved",
        "2 suspected cases sampled again with what was saved: 16 samples",
    ]
    assert again.most_samples == 13


def test_each_verdict_has_a_line() -> None:
    """Against what, and the p of the whole design."""
    assert list(verdict_lines(EARLY)) == ["正解: regressed against r1 (p .004 over all looks)"]


def test_a_decision_is_read_as_it_was_written() -> None:
    """The store keeps it in the run's summary; other runs have none."""
    assert read_decision({"sequential": decision_document(EARLY)}) == EARLY
    assert read_decision({}) is None
