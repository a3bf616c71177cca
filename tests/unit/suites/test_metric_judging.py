"""Which judges and which definition a metric asks: named, found, and fitting each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.judged_suites import GRADER, JudgedFolder

OTHER = {**GRADER, "name": "other", "model": "grader-2"}
MODERATOR = {"name": "moderator", "provider": "openai", "api": "moderations", "model": "omni-moderation-latest"}


@pytest.fixture
def judged(tmp_path: Path) -> JudgedFolder:
    """Return a project with a prompt and two cases."""
    return JudgedFolder(tmp_path)


def judges_of(judged: JudgedFolder, metric: Any, judges: list[dict[str, Any]]) -> list[str]:
    """Return the names of the judges that a metric asks."""
    (spec,) = judged.sound(metrics=[metric], judges=judges).metrics
    assert spec.judging is not None
    return [judge.name for judge in spec.judging.judges]


def test_an_only_judge_needs_no_naming(judged: JudgedFolder) -> None:
    """There is no doubt which is meant."""
    assert judges_of(judged, "judge_grade", [GRADER]) == ["grader"]


def test_a_jury_is_named_in_its_order(judged: JudgedFolder) -> None:
    """Several judges vote on each answer."""
    metric = {"metric": "judge_grade", "judges": ["other", "grader"]}
    assert judges_of(judged, metric, [GRADER, OTHER]) == ["other", "grader"]


def test_of_several_judges_the_fitting_one_is_taken(judged: JudgedFolder) -> None:
    """A moderation endpoint grades nothing, and a chat model is no moderation endpoint."""
    assert judges_of(judged, "judge_grade", [GRADER, MODERATOR]) == ["grader"]
    assert judges_of(judged, "moderation", [GRADER, MODERATOR]) == ["moderator"]


def test_of_several_fitting_judges_one_must_be_named(judged: JudgedFolder) -> None:
    """None is taken by its place in the list."""
    (found,) = judged.wrong(judges=[GRADER, OTHER])
    assert (found.slug, found.fix) == ("suite-no-judge", "add `judge: NAME` to the metric")


def test_without_judges_the_suite_says_how_to_add_one(judged: JudgedFolder) -> None:
    """A metric that asks a model cannot do without."""
    (found,) = judged.wrong(judges=None)
    assert found.slug == "suite-no-judge"
    assert found.fix is not None
    assert "judges: [{name: NAME" in found.fix


def test_a_mistyped_judge_gets_a_suggestion(judged: JudgedFolder) -> None:
    """The closest name of the suite's judges."""
    (found,) = judged.wrong(metrics=[{"metric": "judge_grade", "judge": "gradr"}])
    assert (found.slug, found.fix) == ("suite-unknown-judge", "did you mean 'grader'?")


def test_a_broken_judge_brings_no_second_error(judged: JudgedFolder) -> None:
    """Its own mistake is told, and not that the metric's judge is missing."""
    broken = {"name": "grader", "provider": "opnai", "model": "m"}
    slugs = [p.slug for p in judged.wrong(judges=[broken], metrics=[{"metric": "judge_grade", "judge": "grader"}])]
    assert len(slugs) == 1
    assert slugs[0] != "suite-unknown-judge"


def test_the_definition_speaks_the_language_asked_for(judged: JudgedFolder) -> None:
    """English unless the metric says otherwise."""
    metrics = ["judge_grade", {"metric": "judge_grade", "name": "ja", "language": "ja"}]
    first, second = judged.sound(metrics=metrics).metrics
    assert first.judging is not None
    assert second.judging is not None
    assert first.judging.definition.instructions.isascii()
    assert not second.judging.definition.instructions.isascii()


def test_a_definition_of_ones_own_must_be_named(judged: JudgedFolder) -> None:
    """`judge` has none that comes with retest."""
    (found,) = judged.wrong(metrics=["judge"])
    assert (found.slug, found.fix) == ("suite-missing-key", "add `definition: ../judges/NAME.yaml`")


def test_a_definition_that_is_not_there_is_an_error(judged: JudgedFolder) -> None:
    """With the place where the suite names it."""
    (found,) = judged.wrong(metrics=[{"metric": "judge", "definition": "../judges/tone.yaml"}])
    assert found.where is not None
    assert str(found.where).startswith("evals/judged.yaml:")
    assert "judges/tone.yaml" in found.message


def test_a_judge_without_the_interface_is_refused(judged: JudgedFolder) -> None:
    """Moderation needs the moderation endpoint."""
    (found,) = judged.wrong(metrics=[{"metric": "moderation", "judge": "grader"}])
    assert found.slug == "suite-judge-api"
    assert "`api: moderations`" in found.message


def test_what_a_metric_asks_is_part_of_the_suites_identity(judged: JudgedFolder) -> None:
    """Another judge, another language: other scores, so another fingerprint."""
    judges = [GRADER, OTHER]
    found = {
        judged.sound(metrics=[{"metric": "judge_grade", **metric}], judges=judges).fingerprint
        for metric in ({"judge": "grader"}, {"judge": "other"}, {"judge": "grader", "language": "ja"})
    }
    assert len(found) == 3
