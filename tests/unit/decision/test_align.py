"""What pairs, what differs, and what forbids a comparison: decided before any statistic."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from retest.decision.align import (
    ArmSide,
    CasePairs,
    arm_differences,
    blocked_by,
    pair_arms,
    pair_cases,
    plan_metrics,
    run_differences,
    unsampled,
)
from retest.domain.run import RunArm, RunMetric
from retest.domain.scores import ArmCalls, RunScores, ScoredCase
from retest.errors import UsageError
from support.store_data import make_arm, make_metric


def run_scores(*arms: RunArm, **changes: object) -> RunScores:
    run = RunScores(
        label="r1",
        suite="support",
        suite_path="evals/support.yaml",
        fingerprint="f",
        dataset_fingerprint="d",
        draw=0,
        samples_per_case=3,
        started_at=datetime(2026, 3, 1, tzinfo=UTC),
        arms=arms or (make_arm(),),
        metrics=(make_metric("exact_match"),),
        cases={},
        scores={},
        calls={},
    )
    return replace(run, **changes)  # type: ignore[arg-type] # fields by name


def case(content: str = "a", expected: str = "x") -> ScoredCase:
    return ScoredCase(content_hash=content, expected_hash=expected)


def names(run_a: RunScores, run_b: RunScores, chosen: tuple[str, str] | None = None) -> list[tuple[str, str]]:
    return [(first.name, second.name) for first, second in pair_arms(run_a, run_b, chosen).pairs]


def test_arms_of_equal_name_pair_and_the_rest_is_named() -> None:
    """An arm that one side lacks is left out with the reason."""
    before = run_scores(make_arm("p/a"), make_arm("p/b"))
    after = run_scores(make_arm("p/b"), make_arm("p/c"))
    paired = pair_arms(before, after)
    assert [first.name for first, _ in paired.pairs] == ["p/b"]
    assert paired.unpaired == ("arm p/a: only in the baseline", "arm p/c: only in the candidate")


def test_one_arm_on_each_side_pairs_whatever_the_names() -> None:
    """A prompt that was renamed is still the prompt under test."""
    assert names(run_scores(make_arm("v1/a")), run_scores(make_arm("v2/a"))) == [("v1/a", "v2/a")]


def test_named_arms_pair_as_told() -> None:
    """`--arm A B` takes A of the baseline and B of the candidate."""
    both = run_scores(make_arm("p/a"), make_arm("p/b"))
    assert names(both, both, ("p/a", "p/b")) == [("p/a", "p/b")]


def test_an_unknown_arm_is_refused_with_the_nearest_name() -> None:
    """A typing mistake never compares something else."""
    with pytest.raises(UsageError, match="did you mean 'intent/small'"):
        pair_arms(run_scores(), run_scores(), ("intent/smal", "intent/small"))


@pytest.mark.parametrize(
    ("before", "after", "paired", "reason"),
    [
        ({"c": case()}, {"c": case()}, ("c",), None),
        ({"c": case()}, {"c": case("b")}, (), "edited: its variables differ"),
        ({"c": case()}, {}, (), "only in the baseline"),
        ({}, {"c": case()}, (), "only in the candidate"),
        ({}, {}, (), None),
    ],
)
def test_cases_pair_by_content(
    before: dict[str, ScoredCase], after: dict[str, ScoredCase], paired: tuple[str, ...], reason: str | None
) -> None:
    """Equal id and equal content pair; everything else has its reason."""
    found = pair_cases(before, after)
    assert found.paired == paired
    assert [item.reason for item in found.unpaired] == ([] if reason is None else [reason])


def test_a_changed_expected_answer_still_pairs_and_is_marked() -> None:
    """Its scores must be made anew before they compare."""
    found = pair_cases({"c": case(), "d": case()}, {"c": case(expected="y"), "d": case()})
    assert found.paired == ("c", "d")
    assert found.reworded == {"c"}


def test_a_case_without_a_score_is_named_with_the_side() -> None:
    """A side on which every call failed leaves the case out."""
    pairs = CasePairs(paired=("a", "b", "c"))
    found = unsampled(pairs, {"baseline": {"a", "b"}, "candidate": {"a"}})
    assert [(item.case_id, item.reason) for item in found] == [
        ("b", "no sample in the candidate"),
        ("c", "no sample in the baseline and the candidate"),
    ]


@pytest.mark.parametrize(
    ("before", "after", "rescoring", "refusal"),
    [
        (("m", "1"), ("m", "1"), "none", None),
        (("m", "1"), ("m", "2"), "baseline", None),
        (("other", "1"), ("m", "1"), "baseline", None),
    ],
)
def test_a_changed_or_new_metric_needs_scoring_anew(
    before: tuple[str, str], after: tuple[str, str], rescoring: str, refusal: str | None
) -> None:
    """Equal signatures compare as they are; another definition, or none, needs the stored outputs."""
    first, second = run_scores(metrics=(make_metric(*before),)), run_scores(metrics=(make_metric(*after),))
    plan = next(plan for plan in plan_metrics(first, second, CasePairs(paired=("c",))) if plan.metric.name == "m")
    assert (plan.rescoring, plan.refusal) == (rescoring, refusal)


def test_a_metric_that_the_candidate_dropped_is_not_comparable() -> None:
    """There is no definition to judge the candidate by."""
    plans = plan_metrics(run_scores(), run_scores(metrics=()), CasePairs(paired=("c",)))
    assert [plan.refusal for plan in plans] == ["only in the baseline"]


def test_changed_expected_answers_need_scoring_anew_on_their_cases() -> None:
    """Also where the metric itself is the same."""
    pairs = CasePairs(paired=("c",), reworded=frozenset({"c"}))
    assert [plan.rescoring for plan in plan_metrics(run_scores(), run_scores(), pairs)] == ["changed_cases"]


def test_an_unknown_metric_is_refused() -> None:
    """A typing mistake never compares nothing."""
    with pytest.raises(UsageError, match="did you mean 'exact_match'"):
        plan_metrics(run_scores(), run_scores(), CasePairs(paired=()), ["exactmatch"])


def what(before: RunArm, after: RunArm) -> dict[str, tuple[str, str]]:
    differences, _ = arm_differences(ArmSide(arm=before), ArmSide(arm=after))
    return {item.what: (item.before, item.after) for item in differences}


def test_every_difference_of_two_arms_is_declared() -> None:
    """Prompt, model, single parameters and the changed part of the target's identity."""
    after = make_arm(
        prompt_hash="other",
        model="gpt-4.1",
        params={"temperature": 0.2, "seed": 1},
        identity={"base_url": "http://127.0.0.2/v1"},
    )
    assert what(make_arm(), after) == {
        "prompt": ("hash-of-inte", "other"),
        "model": ("gpt-4o-mini", "gpt-4.1"),
        "target base_url": ("http://127.0.0.1/v1", "http://127.0.0.2/v1"),
        "parameter temperature": ("0.7", "0.2"),
        "parameter seed": ("not set", "1"),
    }


def test_equal_arms_do_not_differ() -> None:
    """Nothing is declared where nothing differs."""
    assert what(make_arm(), make_arm()) == {}


def test_differences_block_only_where_the_gate_requires_the_same() -> None:
    """Model and parameters are what people compare."""
    before, after = ArmSide(arm=make_arm()), ArmSide(arm=make_arm(model="gpt-4.1", params={"temperature": 0.2}))
    assert blocked_by(arm_differences(before, after)[0]) is None
    reason = blocked_by(arm_differences(before, after, ["model", "params"])[0])
    assert reason == "gate.require_same forbids it: model, parameter temperature differ"


def test_another_model_behind_the_same_name_is_pointed_out() -> None:
    """What the provider returned is compared under one name only."""
    old, new = (
        ArmCalls(models=("m-0314",), fingerprints=("fp_1",)),
        ArmCalls(models=("m-0613",), fingerprints=("fp_1",)),
    )
    same_name = arm_differences(ArmSide(arm=make_arm(), calls=old), ArmSide(arm=make_arm(), calls=new))[1]
    other_name = arm_differences(ArmSide(arm=make_arm(), calls=old), ArmSide(arm=make_arm(model="x"), calls=new))[1]
    assert same_name == ("model gpt-4o-mini answered as m-0314 in the baseline and m-0613 in the candidate",)
    assert other_name == ()


def test_runs_differ_in_suite_samples_and_dataset() -> None:
    """Runs as wholes: what is not of one arm."""
    before = run_scores(cases={"a": case(), "b": case()})
    after = run_scores(suite="other", samples_per_case=5, dataset_fingerprint="e", cases={"a": case()})
    found = run_differences(before, after, pair_cases(before.cases, after.cases))
    assert {item.what: (item.before, item.after) for item in found} == {
        "suite": ("support", "other"),
        "dataset": ("2 cases", "1 cases, 1 in common"),
        "samples per case": ("3", "5"),
    }


def test_a_metric_whose_signature_changed_is_declared() -> None:
    """The two definitions stand side by side."""
    changed: tuple[RunMetric, ...] = (make_metric("exact_match", "exact_match|casefold:True"),)
    found = run_differences(run_scores(), run_scores(metrics=changed), CasePairs(paired=()))
    assert [(item.what, item.after) for item in found] == [("metric exact_match", "exact_match|casefold:True")]
