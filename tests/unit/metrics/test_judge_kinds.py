"""The kinds of judges: what each is shown, and what its answer is worth."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import pytest

from retest.domain.case import Case
from retest.domain.judge import JudgeLanguage, JudgeSpec, Judging, judging_from
from retest.domain.sample import MetricFailure, Response, Score, ScoreOutcome
from retest.domain.suite import MetricSpec
from retest.domain.target import TargetSpec
from retest.metrics.judge.base import JudgedSample, JudgeMetric
from retest.metrics.judge.caller import JUDGE_ERROR, BadVerdictError, Question
from retest.metrics.registry import build_metric, metric_classes
from retest.suites.judge_files import packaged_definition

T = TypeVar("T")
FULL = {
    "question": "Where is it?",
    "context": ["It is in Nara.", "奈良にある。"],
    "feedback": "Shorter!",
    "previous": "A long answer",
    "criteria": ["names the town", "is short"],
    "criterion": "names the town",
}


class _Answers:
    """A judge that says the same to everything, and keeps what it was asked."""

    def __init__(self, text: str, name: str = "grader") -> None:
        self.text, self._name = text, name
        self.asked: list[Question] = []

    @property
    def name(self) -> str:
        return self._name

    async def ask(self, question: Question, read: Callable[[Response], T]) -> T | MetricFailure:
        self.asked.append(question)
        try:
            return read(Response(output=self.text))
        except BadVerdictError as error:
            return MetricFailure(kind=JUDGE_ERROR, message=str(error))


def build(name: str, language: JudgeLanguage = "en", **options: Any) -> JudgeMetric[Any]:
    """Return a metric as a suite with one judge would."""
    info = metric_classes()[name].info
    assert info.judge is not None
    checked = info.options().model_validate(options)
    definition = info.judge.definition(checked)
    assert definition is not None
    judging = Judging(
        definition=packaged_definition(definition, language),
        judges=(JudgeSpec(target=TargetSpec(name="grader", provider="openai", model="m")),),
    )
    built = build_metric(MetricSpec(name=name, metric=name, options=options, judging=judging))
    assert isinstance(built, JudgeMetric)
    return built


def ask(metric: JudgeMetric[Any], said: str, **changes: Any) -> tuple[ScoreOutcome, list[Question]]:
    """Return the score of an answer, and what the judge was asked."""
    values: dict[str, Any] = {"case_id": "c1", "vars": FULL, "content_hash": "0", "expected": "Nara", **changes}
    judge = _Answers(said)
    sample = JudgedSample(case=Case(**values), response=Response(output="It is in Nara."), key="k")
    return asyncio.run(metric.judge(sample, {"grader": judge})), judge.asked


def chosen(choice: str) -> str:
    return json.dumps({"justification": "so", "choice": choice})


CHOICES: Mapping[str, Mapping[str, float]] = {
    "judge_equivalence": {"same": 1, "irrelevant_differences": 1, "superset": 0.6, "subset": 0.4, "conflict": 0},
    "judge_correctness": {"correct": 1, "partly_correct": 0.5, "incorrect": 0},
    "judge_relevance": {"relevant": 1, "partly_relevant": 0.5, "irrelevant": 0},
    "judge_closed_qa": {"yes": 1, "no": 0},
    "judge_feedback": {"reflected": 1, "partly_reflected": 0.5, "not_reflected": 0},
    "judge_evasiveness": {"yes": 1, "no": 0},
    "judge_injection": {"yes": 1, "no": 0},
    "toxicity": {"none": 0, "mild": 0.5, "severe": 1},
}


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize(("name", "choices"), CHOICES.items())
def test_choices_are_worth_what_the_documentation_says(
    name: str, choices: Mapping[str, float], language: JudgeLanguage
) -> None:
    """In both languages, and no other word is one."""
    metric = build(name, language)
    for choice, value in choices.items():
        outcome, _ = ask(metric, chosen(choice))
        assert isinstance(outcome, Score), outcome
        assert (outcome.value, outcome.reason) == (value, f"{choice}: so")
    assert isinstance(ask(metric, chosen("perhaps"))[0], MetricFailure)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("judge_grade", ["Where is it?", "It is in Nara."]),
        ("judge_equivalence", ["Where is it?", "Nara", "It is in Nara."]),
        ("judge_groundedness", ["It is in Nara.\n\n奈良にある。"]),
        ("judge_feedback", ["A long answer", "Shorter!"]),
        ("judge_rubric", ["1. names the town\n2. is short"]),
        ("judge_closed_qa", ["names the town"]),
        ("judge_conciseness", ["Where is it?"]),
    ],
)
def test_the_judge_is_shown_what_the_case_holds(name: str, shown: list[str]) -> None:
    """Each under the field where it usually stands."""
    _, (asked,) = ask(build(name), "{}")
    text = str(asked.messages[1]["content"])
    assert all(f"]]\n{part}\n[[/" in text for part in shown), text


def test_relevance_of_the_context_leaves_the_answer_out() -> None:
    """It is the retrieval that is judged."""
    _, (asked,) = ask(build("judge_relevance", of="context"), "{}")
    text = str(asked.messages[1]["content"])
    assert "[[context " in text
    assert "[[answer " not in text


def test_inputs_stand_where_the_suite_says() -> None:
    """Under another name, or beside the variables."""
    metric = build("judge_groundedness", inputs={"context": "passage_ja"})
    _, (asked,) = ask(metric, "{}", meta={"passage_ja": "奈良の文章"})
    assert "]]\n奈良の文章\n[[/" in str(asked.messages[1]["content"])


def test_a_case_of_one_variable_is_a_question() -> None:
    """Whatever it is called; of two, neither is taken."""
    metric = build("judge_grade")
    assert "]]\nWo?\n[[/" in str(ask(metric, "{}", vars={"frage": "Wo?"})[1][0].messages[1]["content"])
    outcome, asked = ask(metric, "{}", vars={"frage": "Wo?", "ort": "hier"})
    assert isinstance(outcome, MetricFailure)
    assert (outcome.kind, asked) == ("no_input", [])


def test_options_stand_before_the_case() -> None:
    """Criteria of the metric are asked of every answer."""
    metric = build("judge_rubric", criteria=["is polite"])
    said = json.dumps({"criteria": [{"number": 1, "justification": "ok", "met": True}]})
    outcome, (asked,) = ask(metric, said)
    assert isinstance(outcome, Score)
    assert outcome.value == 1.0
    assert "1. is polite" in str(asked.messages[1]["content"])


def test_without_a_reference_there_is_nothing_to_measure_by() -> None:
    """Nobody is asked."""
    outcome, asked = ask(build("judge_correctness"), chosen("correct"), expected=None)
    assert isinstance(outcome, MetricFailure)
    assert (outcome.kind, asked) == ("no_expected", [])


def test_an_answer_without_claims_is_not_applicable() -> None:
    """Neither grounded nor ungrounded."""
    outcome, _ = ask(build("judge_groundedness"), '{"claims": []}')
    assert isinstance(outcome, MetricFailure)
    assert outcome.kind == "not_applicable"


def test_one_missing_vote_is_no_score() -> None:
    """The others are not taken for the whole."""
    metric = build("judge_grade", judge_samples=3)
    outcome, asked = ask(metric, "prose")
    assert isinstance(outcome, MetricFailure)
    assert (outcome.kind, [question.vote for question in asked]) == (JUDGE_ERROR, [0, 1, 2])


def test_the_range_is_the_definitions() -> None:
    """A grade goes from 1 to 5, a choice from its lowest value to its highest."""
    grade, toxicity = build("judge_grade"), build("toxicity")
    assert (grade.low, grade.high, grade.direction, grade.binary) == (1.0, 5.0, "higher", False)
    assert (toxicity.low, toxicity.high, toxicity.direction) == (0.0, 1.0, "lower")
    assert build("judge_closed_qa").binary


@pytest.mark.parametrize("name", [*CHOICES, "judge_rubric", "judge_grade", "judge_groundedness", "judge_conciseness"])
def test_signatures_name_definition_version_hash_model_and_parameters(name: str) -> None:
    """Whatever changes a score changes its signature; what the suite calls a judge does not."""
    metric = build(name)
    assert f"definition:{metric.definition.name}@1:{metric.definition.content_hash[:12]}" in metric.signature()
    assert "judge:openai/m" in metric.signature()
    assert build(name, "ja").signature() != metric.signature()
    assert build(name, judge_samples=2).signature() != metric.signature()
    assert build(name, judge="grader").signature() == metric.signature()


def test_what_a_run_keeps_judges_the_same_again() -> None:
    """Definition, judges and parameters come back from their JSON."""
    judging = build("judge_grade", "ja").judging
    again = judging_from(json.loads(json.dumps(judging.document())), judging.judges[0].target.base_dir)
    assert again == judging


def moderated(result: Mapping[str, Any], **options: Any) -> ScoreOutcome:
    return ask(build("moderation", **options), json.dumps(result))[0]


FLAGGED = {
    "flagged": True,
    "categories": {"hate": True, "violence": False},
    "category_scores": {"hate": 0.8, "violence": 0.3},
}


@pytest.mark.parametrize(
    ("options", "value"),
    [
        ({}, 1.0),
        ({"categories": ["violence"]}, 0.0),
        ({"categories": ["hate", "violence"]}, 1.0),
        ({"measure": "score"}, 0.8),
        ({"measure": "score", "categories": ["violence"]}, 0.3),
    ],
)
def test_moderation_counts_the_categories_that_matter(options: Mapping[str, Any], value: float) -> None:
    """What the endpoint flags, or only some of it, or the highest score."""
    outcome = moderated(FLAGGED, **options)
    assert isinstance(outcome, Score)
    assert outcome.value == value


@pytest.mark.parametrize("result", [{}, {"flagged": "yes"}, [], "text"])
def test_moderation_without_a_result_is_a_judge_error(result: Any) -> None:
    """Never unflagged."""
    outcome = moderated(result)
    assert isinstance(outcome, MetricFailure)
    assert outcome.kind == JUDGE_ERROR


def test_moderation_without_the_category_is_a_judge_error() -> None:
    """A mistyped category never passes every answer."""
    outcome = moderated(FLAGGED, categories=["violense"])
    assert isinstance(outcome, MetricFailure)
    assert "no category violense" in outcome.message
