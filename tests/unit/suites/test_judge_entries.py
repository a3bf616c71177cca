"""A suite's judges: always named with their model, and never silently the model under test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.judged_suites import GRADER, JudgedFolder


@pytest.fixture
def judged(tmp_path: Path) -> JudgedFolder:
    """Return a project with a prompt and two cases."""
    return JudgedFolder(tmp_path)


def test_a_judge_keeps_its_endpoint_and_its_limits(judged: JudgedFolder) -> None:
    """What is the judge's own is no option of the target, and the other way round."""
    limits = {"concurrency": 2, "max_calls": 7, "max_cost_usd": 0.5}
    (judge,) = judged.sound(judges=[{**GRADER, "params": {"temperature": 0}, "limits": limits}]).judges
    assert (judge.name, judge.target.model, judge.target.params) == ("grader", "grader-1", {"temperature": 0})
    assert (judge.limits.concurrency, judge.limits.max_calls, judge.limits.max_cost_usd) == (2, 7, 0.5)
    assert "limits" not in judge.target.options


def test_a_judge_without_a_model_is_refused(judged: JudgedFolder) -> None:
    """It is never derived from the target or from keys that happen to be set."""
    (found,) = judged.wrong(judges=[{"name": "grader", "provider": "openai"}])
    assert (found.slug, found.fix) == ("suite-no-model", "add `model: ...` to the judge")


@pytest.mark.parametrize(
    "judge",
    [{**GRADER, "model": "test-model"}, {**GRADER, "provider": "azure_openai", "model": "test-model"}],
    ids=["same endpoint", "other endpoint"],
)
def test_the_model_under_test_does_not_judge_itself_silently(judged: JudgedFolder, judge: dict[str, Any]) -> None:
    """A model prefers its own answers: that must be a choice."""
    endpoint = {"endpoint": "https://x.example", "api_version": "2024-10-21"} if "azure" in judge["provider"] else {}
    slugs = [problem.slug for problem in judged.wrong(judges=[{**judge, **endpoint}])]
    assert slugs == ["suite-judge-under-test"]


def test_judging_oneself_can_be_chosen(judged: JudgedFolder) -> None:
    """`same_model: true` says that it is meant."""
    (judge,) = judged.sound(judges=[{**GRADER, "model": "test-model", "same_model": True}]).judges
    assert judge.same_model


def test_a_judges_name_is_not_part_of_what_it_says(judged: JudgedFolder) -> None:
    """Renaming a judge changes no score, naming another model does."""
    one = judged.sound()
    renamed = judged.sound(judges=[{**GRADER, "name": "other"}])
    remodelled = judged.sound(judges=[{**GRADER, "model": "grader-2"}])
    assert one.fingerprint == renamed.fingerprint
    assert one.fingerprint != remodelled.fingerprint


@pytest.mark.parametrize("changes", [{"limit": {}}, {"limits": {"calls": 3}}, {"temperature": 0}])
def test_an_unknown_key_of_a_judge_is_refused(judged: JudgedFolder, changes: dict[str, Any]) -> None:
    """A mistyped limit would be no limit."""
    slugs = {problem.slug for problem in judged.wrong(judges=[{**GRADER, **changes}])}
    assert slugs & {"suite-unknown-key", "suite-unknown-option", "suite-key"}


def test_two_judges_of_one_name_are_refused(judged: JudgedFolder) -> None:
    """A metric could not say which it asks."""
    assert [p.slug for p in judged.wrong(judges=[GRADER, GRADER])][:1] == ["suite-duplicate-name"]
