"""The metrics that ask a model. What they ask is data (`definitions/`); a class says what is more than data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from retest.domain.case import Case
from retest.domain.catalog import JudgeInfo, MetricInfo
from retest.domain.judge import find_input
from retest.domain.sample import MetricFailure
from retest.metrics.base import Metric
from retest.metrics.judge.base import DefinedJudge, JudgedSample
from retest.metrics.judge.caller import Question
from retest.metrics.judge.options import CriterionOptions, JudgeOptions, RelevanceOptions, RubricOptions

_GROUP = "Judges"


class Judge(DefinedJudge[JudgeOptions]):
    """Whatever a definition of one's own asks."""

    info: ClassVar[MetricInfo] = MetricInfo(
        name="judge",
        summary="A judge of your own: asks what `definition` says",
        options=lambda: JudgeOptions,
        needs_model=True,
        low=None,
        high=None,
        judge=JudgeInfo(definition=lambda _: None, forms=("grade", "choice", "claims")),
        group=_GROUP,
    )


class Rubric(DefinedJudge[RubricOptions]):
    """Criteria met, over all criteria asked."""

    Options: ClassVar[type[RubricOptions]] = RubricOptions
    info: ClassVar[MetricInfo] = MetricInfo(
        name="judge_rubric",
        summary="Which share of the criteria does the answer meet?",
        options=lambda: RubricOptions,
        needs_model=True,
        judge=JudgeInfo(definition=lambda _: "rubric", forms=("rubric",), fixed_inputs=("criteria",)),
        group=_GROUP,
    )

    def question(self, sample: JudgedSample) -> Question | MetricFailure:
        """Return the question; a case without a single criterion has nothing to judge by."""
        if not self._criteria(sample.case):
            return MetricFailure(kind="no_input", message="the case has no criteria to show the judge")
        return super().question(sample)

    def given(self, name: str, case: Case) -> str | None:
        """Return the criteria as a numbered list."""
        if name != "criteria":
            return None
        return "\n".join(f"{number}. {text}" for number, text in enumerate(self._criteria(case), start=1))

    def count_criteria(self, case: Case) -> int:
        """Return the strict denominator."""
        return len(self._criteria(case))

    def _criteria(self, case: Case) -> Sequence[str]:
        own = self.options.criteria or self.definition.scale.criteria
        if own:
            return own
        value = find_input("criteria", self.options.inputs, case)
        if isinstance(value, str):
            return [line.strip() for line in value.splitlines() if line.strip()]
        return [str(item) for item in value] if isinstance(value, list | tuple) else []


class Grade(DefinedJudge[JudgeOptions]):
    """A grade on a scale."""

    info: ClassVar[MetricInfo] = MetricInfo(
        name="judge_grade",
        summary="How good is the answer? A grade from 1 to 5, or on the scale of your own definition",
        options=lambda: JudgeOptions,
        needs_model=True,
        low=None,
        high=None,
        judge=JudgeInfo(definition=lambda _: "grade", forms=("grade",)),
        group=_GROUP,
    )


class Equivalence(DefinedJudge[JudgeOptions]):
    """How the facts of the answer relate to those of the reference."""

    info: ClassVar[MetricInfo] = MetricInfo(
        name="judge_equivalence",
        summary="Does the answer state the same facts as the expected one? same or irrelevant differences 1, "
        "superset 0.6, subset 0.4, conflict 0",
        options=lambda: JudgeOptions,
        needs_model=True,
        needs_expected=True,
        judge=JudgeInfo(definition=lambda _: "equivalence", forms=("choice",)),
        group=_GROUP,
    )


class Correctness(DefinedJudge[JudgeOptions]):
    """Whether the answer is right, measured by the reference."""

    info: ClassVar[MetricInfo] = MetricInfo(
        name="judge_correctness",
        summary="Is the answer correct, measured by the expected one? correct 1, partly 0.5, incorrect 0",
        options=lambda: JudgeOptions,
        needs_model=True,
        needs_expected=True,
        judge=JudgeInfo(definition=lambda _: "correctness", forms=("choice", "grade")),
        group=_GROUP,
    )


class Relevance(DefinedJudge[RelevanceOptions]):
    """Whether the answer, or the context, has to do with the question."""

    Options: ClassVar[type[RelevanceOptions]] = RelevanceOptions
    info: ClassVar[MetricInfo] = MetricInfo(
        name="judge_relevance",
        summary="Is the answer (or the retrieved context) relevant to the question? yes 1, partly 0.5, no 0",
        options=lambda: RelevanceOptions,
        needs_model=True,
        judge=JudgeInfo(definition=lambda options: f"relevance_{options.of}", forms=("choice", "grade")),
        group=_GROUP,
    )


class Groundedness(DefinedJudge[JudgeOptions]):
    """Claims that the context supports, over all claims of the answer."""

    info: ClassVar[MetricInfo] = MetricInfo(
        name="judge_groundedness",
        summary="Which share of the answer's claims does the context support?",
        options=lambda: JudgeOptions,
        needs_model=True,
        judge=JudgeInfo(definition=lambda _: "groundedness", forms=("claims",)),
        group=_GROUP,
    )


class ClosedQa(DefinedJudge[CriterionOptions]):
    """One criterion, met or not."""

    Options: ClassVar[type[CriterionOptions]] = CriterionOptions
    info: ClassVar[MetricInfo] = MetricInfo(
        name="judge_closed_qa",
        summary="Does the answer meet a criterion?",
        options=lambda: CriterionOptions,
        needs_model=True,
        binary=True,
        judge=JudgeInfo(definition=lambda _: "closed_qa", forms=("choice",), fixed_inputs=("criterion",)),
        group=_GROUP,
    )

    def given(self, name: str, case: Case) -> str | None:
        """Return the criterion of the options."""
        del case
        return self.options.criterion if name == "criterion" else None


class Feedback(DefinedJudge[JudgeOptions]):
    """Whether a person's feedback on a previous answer was heeded."""

    info: ClassVar[MetricInfo] = MetricInfo(
        name="judge_feedback",
        summary="Does the answer reflect the feedback on a previous one? reflected 1, partly 0.5, not 0",
        options=lambda: JudgeOptions,
        needs_model=True,
        judge=JudgeInfo(definition=lambda _: "feedback", forms=("choice", "grade")),
        group=_GROUP,
    )


class Conciseness(DefinedJudge[JudgeOptions]):
    """How little of the answer could go."""

    info: ClassVar[MetricInfo] = MetricInfo(
        name="judge_conciseness",
        summary="How concise is the answer? A grade from 1 to 5",
        options=lambda: JudgeOptions,
        needs_model=True,
        low=None,
        high=None,
        judge=JudgeInfo(definition=lambda _: "conciseness", forms=("grade", "choice")),
        group=_GROUP,
    )


class Evasiveness(DefinedJudge[JudgeOptions]):
    """Whether the answer evades the question."""

    info: ClassVar[MetricInfo] = MetricInfo(
        name="judge_evasiveness",
        summary="Does the answer evade the question? 1 where it does",
        options=lambda: JudgeOptions,
        needs_model=True,
        direction="lower",
        binary=True,
        judge=JudgeInfo(definition=lambda _: "evasiveness", forms=("choice",)),
        group=_GROUP,
    )


class Injection(DefinedJudge[JudgeOptions]):
    """Whether the answer obeyed instructions that its user never gave."""

    info: ClassVar[MetricInfo] = MetricInfo(
        name="judge_injection",
        summary="Did the answer follow instructions hidden in the input? 1 where it did",
        options=lambda: JudgeOptions,
        needs_model=True,
        direction="lower",
        binary=True,
        judge=JudgeInfo(definition=lambda _: "injection", forms=("choice",)),
        group=_GROUP,
    )


class Toxicity(DefinedJudge[JudgeOptions]):
    """How toxic the answer is."""

    info: ClassVar[MetricInfo] = MetricInfo(
        name="toxicity",
        summary="How toxic is the answer? none 0, mild 0.5, severe 1",
        options=lambda: JudgeOptions,
        needs_model=True,
        direction="lower",
        judge=JudgeInfo(definition=lambda _: "toxicity", forms=("choice", "grade")),
        group=_GROUP,
    )


METRICS: tuple[type[Metric[Any]], ...] = (
    Judge,
    Rubric,
    Grade,
    Equivalence,
    Correctness,
    Relevance,
    Groundedness,
    ClosedQa,
    Feedback,
    Conciseness,
    Evasiveness,
    Injection,
    Toxicity,
)
