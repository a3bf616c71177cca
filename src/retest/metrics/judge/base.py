"""What every metric that asks a model has in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from retest.domain.case import Case
from retest.domain.json_value import content_hash
from retest.domain.judge import ANSWER, EXPECTED, Combine, JudgeDefinition, JudgeSpec, Judging, find_input
from retest.domain.sample import MetricFailure, Response, ScoreOutcome
from retest.metrics.base import Metric, MetricContext, no_expected
from retest.metrics.judge.caller import Caller, Question
from retest.metrics.judge.options import JudgeOptions, JuryOptions
from retest.metrics.judge.prompt import WORDING_VERSION, as_shown, judge_messages
from retest.metrics.judge.together import ask_together
from retest.metrics.judge.verdict import Verdict, read_verdict
from retest.metrics.judge.votes import Vote, cast, score_votes

JuryT = TypeVar("JuryT", bound=JuryOptions)
JudgeT = TypeVar("JudgeT", bound=JudgeOptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedSample:
    """What is judged: the answer to a case, under the ledger key that tells it from every other sample."""

    case: Case
    response: Response
    key: str


class JudgeMetric(Metric[JuryT]):
    """A metric that asks judges about an answer, and makes one score of their votes.

    It is asked through `judge`, which needs callers; `score` alone has none.
    """

    Options: ClassVar[type[JuryOptions]] = JuryOptions

    def __init__(self, options: JuryT, context: MetricContext) -> None:
        super().__init__(options, context)
        if context.judging is None:
            raise ValueError(f"{self.info.name} needs a judge: it is built from a suite that names one")
        self.judging: Judging = context.judging
        scale = self.definition.scale
        self.low, self.high = scale.low, scale.high
        self.direction, self.binary = scale.better, scale.binary
        if scale.choices:
            self.low, self.high = min(scale.choices.values()), max(scale.choices.values())

    @property
    def definition(self) -> JudgeDefinition:
        """Return what the judges are asked."""
        return self.judging.definition

    @property
    def combine(self) -> Combine:
        """Return how votes become one score."""
        return self.options.combine or ("majority" if self.definition.scale.form == "choice" else "mean")

    def score(self, case: Case, response: Response) -> ScoreOutcome:
        """Return a failure: without callers nobody can be asked."""
        del case, response
        return MetricFailure(kind="no_judge", message="a judge is asked in a run only")

    async def judge(self, sample: JudgedSample, callers: Mapping[str, Caller]) -> ScoreOutcome:
        """Return the score that the judges give; every vote must be there, else there is none.

        Raises:
            JudgingStoppedError: the run stops before all votes are in.
        """
        question = self.question(sample)
        if isinstance(question, MetricFailure):
            return question
        votes = await self._votes(question, callers)
        failed = next((vote for vote in votes if isinstance(vote, MetricFailure)), None)
        if failed is not None:
            return failed
        given = [vote for vote in votes if isinstance(vote, Vote)]
        if len(given) < len(votes):
            return MetricFailure(kind="not_applicable", message="the judge found nothing to judge in the answer")
        return score_votes(given, self.combine)

    @abstractmethod
    def question(self, sample: JudgedSample) -> Question | MetricFailure:
        """Return what the judges are asked about a sample, or why they cannot be."""

    @abstractmethod
    def read(self, question: Question, response: Response) -> Verdict:
        """Return the verdict in a judge's answer.

        Raises:
            BadVerdictError: there is none.
        """

    async def _votes(self, question: Question, callers: Mapping[str, Caller]) -> Sequence[Vote | MetricFailure | None]:
        wanted = [(judge, n) for judge in self.judging.judges for n in range(self.options.judge_samples)]
        return await ask_together([self._vote(question, callers[judge.name], n) for judge, n in wanted])

    async def _vote(self, question: Question, caller: Caller, number: int) -> Vote | MetricFailure | None:
        asked = Question(
            messages=question.messages,
            case=question.case,
            judged=question.judged,
            vote=number,
            schema=question.schema,
            name=question.name,
            extra=question.extra,
        )
        verdict = await caller.ask(asked, lambda response: self.read(asked, response))
        return verdict if isinstance(verdict, MetricFailure) else cast(caller.name, number, verdict)

    def signature(self) -> str:
        """Return what pins the values: definition, version, hash, models, parameters, and how votes are joined."""
        changed = self.options.model_dump(mode="json", exclude_defaults=True, exclude={"judge", "judges", "definition"})
        options = "|".join(f"{key}:{value}" for key, value in sorted(changed.items()))
        parts = (self.info.name, options, *self.signature_parts())
        return "|".join(part for part in parts if part)

    def signature_parts(self) -> tuple[str, ...]:
        """Return definition and judges."""
        judges = "+".join(sorted(judge_label(judge) for judge in self.judging.judges))
        return (f"definition:{self.definition.label}", f"judge:{judges}", f"wording:{WORDING_VERSION}")


def judge_label(judge: JudgeSpec) -> str:
    """Return what tells one judge from another in a signature: model, parameters, and the kind of endpoint."""
    target = judge.target
    params = ",".join(f"{name}={target.params[name]}" for name in sorted(target.params))
    named = f"{target.provider}/{target.model}" if target.model else f"{target.provider}/{_place(judge)}"
    return f"{named}({params})" if params else named


def _place(judge: JudgeSpec) -> str:
    return content_hash(dict(judge.target.options))[:8]


class DefinedJudge(JudgeMetric[JudgeT]):
    """A judge that follows a definition: shown the inputs that it names, answering on its scale."""

    Options: ClassVar[type[JudgeOptions]] = JudgeOptions

    def question(self, sample: JudgedSample) -> Question | MetricFailure:
        """Return the definition's question about a sample."""
        shown: dict[str, str] = {}
        for name in self.definition.inputs:
            value = self._input(name, sample)
            if isinstance(value, MetricFailure):
                return value
            shown[name] = value
        return Question(
            messages=judge_messages(self.definition, shown),
            case=sample.case,
            judged=sample.key,
            schema=self.definition.schema,
            name=self.definition.name,
            extra={"criteria": self.count_criteria(sample.case)},
        )

    def read(self, question: Question, response: Response) -> Verdict:
        """Return the verdict on the definition's scale."""
        asked = question.extra["criteria"]
        return read_verdict(self.definition, response, criteria=asked if isinstance(asked, int) else 0)

    def given(self, name: str, case: Case) -> str | None:
        """Return an input that the options or the definition give; None for what a field of the case holds."""
        del name, case
        return None

    def count_criteria(self, case: Case) -> int:
        """Return how many criteria a rubric asks about; 0 for the other forms."""
        del case
        return 0

    def _input(self, name: str, sample: JudgedSample) -> str | MetricFailure:
        if name == ANSWER:
            return sample.response.output or sample.response.refusal or ""
        if name == EXPECTED:
            if sample.case.expected is None:
                return no_expected()
            return as_shown(sample.case.expected)
        given = self.given(name, sample.case)
        if given is not None:
            return given
        value = find_input(name, self.options.inputs, sample.case)
        if value is None:
            return MetricFailure(kind="no_input", message=f"the case has no {name} to show the judge")
        return as_shown(value)
