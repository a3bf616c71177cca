"""Which of two answers is better: asked in both orders, where the answers of both arms are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from retest.domain.case import Case
from retest.domain.catalog import JudgeInfo, MetricInfo
from retest.domain.judge import ANSWER, EXPECTED, SECOND_ANSWER, find_input
from retest.domain.pairwise import PAIRWISE, OrderVerdict, PairVote, Place
from retest.domain.sample import MetricFailure, Response, ScoreOutcome
from retest.metrics.base import Metric, no_expected
from retest.metrics.judge.base import JudgedSample, JudgeMetric
from retest.metrics.judge.caller import Caller, Question
from retest.metrics.judge.options import JudgeOptions
from retest.metrics.judge.prompt import as_shown, judge_messages
from retest.metrics.judge.together import ask_together
from retest.metrics.judge.verdict import Verdict, read_verdict

_EVEN = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class PairAnswer:
    """One of the two answers, under the ledger key (or the content hash) that tells it from every other."""

    text: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerPair:
    """What is compared: the baseline's and the candidate's answer to one case."""

    case: Case
    baseline: PairAnswer
    candidate: PairAnswer


class PairwiseJudge(JudgeMetric[JudgeOptions]):
    """A judge that is shown two answers and says which is better.

    It says nothing of a single sample; `compare` is called once both arms' answers are there.
    """

    Options: ClassVar[type[JudgeOptions]] = JudgeOptions
    info: ClassVar[MetricInfo] = MetricInfo(
        name=PAIRWISE,
        summary="Is the answer better than the baseline's (or the other prompt's)? Asked in both orders: win 1, tie or "
        "flip 0.5, loss 0",
        options=lambda: JudgeOptions,
        needs_model=True,
        judge=JudgeInfo(definition=lambda _: "pairwise", forms=("choice",)),
        group="Judges",
    )

    def score(self, case: Case, response: Response) -> ScoreOutcome:
        """Return that there is nothing to say of one answer alone."""
        del case, response
        return _ALONE

    async def judge(self, sample: JudgedSample, callers: Mapping[str, Caller]) -> ScoreOutcome:
        """Return that there is nothing to say of one answer alone; nobody is asked."""
        del sample, callers
        return _ALONE

    def question(self, sample: JudgedSample) -> Question | MetricFailure:
        """Return that there is nothing to ask about one answer alone."""
        del sample
        return _ALONE

    def read(self, question: Question, response: Response) -> Verdict:
        """Return the verdict on the definition's scale."""
        del question
        return read_verdict(self.definition, response)

    async def compare(self, pair: AnswerPair, callers: Mapping[str, Caller]) -> tuple[PairVote, ...]:
        """Return every judge's votes on a pair, each asked in both orders.

        Raises:
            JudgingStoppedError: the run stops before all verdicts are in.
        """
        wanted = [(judge.name, n) for judge in self.judging.judges for n in range(self.options.judge_samples)]
        return tuple(await ask_together([self._vote_on(pair, callers[name], n) for name, n in wanted]))

    async def _vote_on(self, pair: AnswerPair, caller: Caller, number: int) -> PairVote:
        orders = ((pair.baseline, pair.candidate), (pair.candidate, pair.baseline))
        one, two = await ask_together([self._ask(pair.case, shown, caller, number) for shown in orders])
        failures = [found.message for found in (one, two) if isinstance(found, MetricFailure)]
        return PairVote(
            judge=caller.name,
            vote=number,
            baseline_first=None if isinstance(one, MetricFailure) else one,
            candidate_first=None if isinstance(two, MetricFailure) else two,
            failure=failures[0] if failures else None,
        )

    async def _ask(
        self, case: Case, shown: tuple[PairAnswer, PairAnswer], caller: Caller, number: int
    ) -> OrderVerdict | MetricFailure:
        question = self.pair_question(case, shown, number)
        if isinstance(question, MetricFailure):
            return question
        verdict = await caller.ask(question, lambda response: self.read(question, response))
        if isinstance(verdict, MetricFailure):
            return verdict
        return OrderVerdict(place=place_of(verdict), justification=verdict.justification)

    def pair_question(
        self, case: Case, shown: tuple[PairAnswer, PairAnswer], number: int = 0
    ) -> Question | MetricFailure:
        """Return what a judge is asked about two answers in the order in which it is shown them."""
        texts = {ANSWER: shown[0].text, SECOND_ANSWER: shown[1].text}
        inputs: dict[str, str] = {}
        for name in self.definition.inputs:
            value = texts[name] if name in texts else self._input(name, case)
            if isinstance(value, MetricFailure):
                return value
            inputs[name] = value
        return Question(
            messages=judge_messages(self.definition, inputs),
            case=case,
            judged=f"{shown[0].key}>{shown[1].key}",
            vote=number,
            schema=self.definition.schema,
            name=self.definition.name,
        )

    def _input(self, name: str, case: Case) -> str | MetricFailure:
        if name == EXPECTED:
            return no_expected() if case.expected is None else as_shown(case.expected)
        value = find_input(name, self.options.inputs, case)
        if value is None:
            return MetricFailure(kind="no_input", message=f"the case has no {name} to show the judge")
        return as_shown(value)


_ALONE = MetricFailure(kind="not_applicable", message="two answers are compared, not one: see the comparison")


def place_of(verdict: Verdict) -> Place:
    """Return which place won: a choice worth more than a half is the first answer's."""
    if verdict.value is None or verdict.value == _EVEN:
        return "tie"
    return "first" if verdict.value > _EVEN else "second"


METRICS: Sequence[type[Metric[Any]]] = (PairwiseJudge,)
