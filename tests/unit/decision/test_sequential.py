"""Looks at two arms: which metrics have a say, what stands at the end, what a recheck changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from retest.decision.decide import MetricScores
from retest.decision.sequential import ArmLooks, LookDesign

CASES = tuple(f"件{number}" for number in range(20))
DESIGN = LookDesign(case_ids=CASES, paired=frozenset(CASES), samples=3, looks=6, seed=1)
LAST = 5


def scores(before: float, after: float, **changes: object) -> MetricScores:
    """Return a metric whose samples are all alike on either side."""
    made = MetricScores(
        metric="m",
        baseline={case_id: [before] * 10 for case_id in CASES},
        candidate={case_id: [after] * 3 for case_id in CASES},
        margin=0.3,
    )
    return replace(made, **changes)  # type: ignore[arg-type] # fields of the metric


def verdict(looks: ArmLooks) -> str:
    """Return the verdict of the only metric."""
    return looks.stand("a", "b", {}).metrics[0].verdict


def test_a_collapse_fails_at_the_first_look() -> None:
    """The p-values of the whole design say so too: below alpha, and above the look's own p."""
    looks = ArmLooks(DESIGN)
    found = looks.look(0, [scores(1, 0)], final=True)
    assert found is not None
    stand = looks.stand("a", "b", {"m": "v1"}).metrics[0]
    assert (found.outcome, stand.verdict, stand.signature) == ("fail", "regressed", "v1")
    assert found.metrics["m"].p_adjusted < stand.p_adjusted <= 0.05
    assert stand.level == found.level


def test_no_change_is_unchanged_within_the_margin() -> None:
    """Both bounds lie inside."""
    looks = ArmLooks(DESIGN)
    found = looks.look(LAST, [scores(1, 1)], final=True)
    assert found is not None
    assert (found.outcome, verdict(looks)) == ("pass", "unchanged")


def test_a_rise_is_an_improvement() -> None:
    """It passes, and says what it is."""
    looks = ArmLooks(DESIGN)
    looks.look(LAST, [scores(0, 1)], final=True)
    assert verdict(looks) == "improved"


@pytest.mark.parametrize(("before", "after", "expected"), [(100.0, 300.0, "regressed"), (300.0, 100.0, "improved")])
def test_ratios_are_compared_as_logarithms(before: float, after: float, expected: str) -> None:
    """A latency that triples regressed, whatever its scale; the margin is a share."""
    looks = ArmLooks(DESIGN)
    metric = scores(before, after, direction="lower", scale="log", low=0.0, high=None, margin=0.2)
    looks.look(LAST, [metric], final=True)
    assert verdict(looks) == expected


def test_a_metric_that_cannot_be_compared_has_no_say() -> None:
    """The others pass without it."""
    refused = MetricScores(metric="gone", baseline={}, candidate={}, note="only in the baseline")
    looks = ArmLooks(DESIGN)
    found = looks.look(LAST, [scores(1, 1), refused], final=True)
    assert found is not None
    assert (found.outcome, list(found.metrics)) == ("pass", ["m"])


def test_a_metric_without_a_case_yet_keeps_the_others_from_passing() -> None:
    """It may still regress: nothing passes before it was seen."""
    later = scores(1, 1, metric="later", candidate={})
    looks = ArmLooks(DESIGN)
    found = looks.look(LAST - 1, [scores(1, 1), later], final=False)
    assert found is not None
    assert found.outcome == "continue"


def test_a_waived_metric_neither_fails_nor_holds_up() -> None:
    """Its verdict is judged all the same."""
    looks = ArmLooks(replace(DESIGN, waived=frozenset({"m"})))
    found = looks.look(LAST, [scores(1, 0), scores(1, 1, metric="other")], final=True)
    assert found is not None
    assert (found.outcome, verdict(looks)) == ("pass", "regressed")


def test_scores_without_a_place_on_the_scale_are_not_seen() -> None:
    """A negative latency is nothing to compare, and no crash."""
    looks = ArmLooks(DESIGN)
    assert looks.look(0, [scores(1, -1, scale="log", low=0.0, high=None)]) is None


def test_without_any_case_there_is_nothing_to_see() -> None:
    """An empty side decides nothing."""
    looks = ArmLooks(DESIGN)
    assert looks.look(LAST, [scores(1, 1, baseline={})], final=True) is None
    assert looks.stand("a", "b", {}).metrics == ()


def test_metrics_without_a_margin_are_named() -> None:
    """They are why nothing passed early; waived ones are not waited for."""
    looks = ArmLooks(DESIGN)
    looks.look(0, [scores(1, 1), scores(1, 1, metric="bare", margin=None)])
    assert looks.without_margin() == ("bare",)


def test_a_recheck_finds_a_dead_case() -> None:
    """Eight samples more say what two could not; the others' samples stay as they were."""
    looks = ArmLooks(replace(DESIGN, most_samples=11))
    passed = scores(1, 1)
    found = looks.look(LAST, [passed], final=True)
    assert found is not None
    assert (found.outcome, verdict(looks)) == ("pass", "unchanged")
    dead = {**passed.candidate, CASES[4]: [0.0] * 11}
    looks.recheck([replace(passed, candidate=dead)], [CASES[4]])
    stand = looks.stand("a", "b", {}).metrics[0]
    assert stand.verdict == "regressed"
    assert stand.p_cases == pytest.approx(len(CASES) / 352_716)


def test_a_recheck_clears_what_single_cases_alone_had_failed() -> None:
    """Single cases are judged once: by the samples after, not by those before."""
    looks = ArmLooks(replace(DESIGN, most_samples=11))
    one_down = scores(1, 1)
    one_down = replace(one_down, candidate={**one_down.candidate, CASES[4]: [0.0] * 3})
    found = looks.look(LAST, [one_down], final=True)
    assert found is not None
    assert found.outcome == "fail"
    looks.recheck([scores(1, 1)], [CASES[4]])
    assert verdict(looks) == "unchanged"
