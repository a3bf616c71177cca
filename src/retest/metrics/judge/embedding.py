"""The `embedding_similarity` metric: how close the answer's meaning is to the reference's, by a model of meaning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from retest.domain.case import Case
from retest.domain.catalog import JudgeInfo, MetricInfo
from retest.domain.embedding import BadVectorError, cosine, unpack_vectors
from retest.domain.json_value import JsonValue
from retest.domain.judge import find_input
from retest.domain.prompt import Message
from retest.domain.sample import MetricFailure, Response, Score, ScoreOutcome
from retest.metrics.base import Metric, no_expected
from retest.metrics.judge.base import JudgedSample, JudgeMetric
from retest.metrics.judge.caller import BadVerdictError, Caller, Question
from retest.metrics.judge.options import EmbeddingOptions
from retest.metrics.judge.verdict import Verdict
from retest.metrics.references import BadExpectedError, quoted, reference_text


class EmbeddingSimilarity(JudgeMetric[EmbeddingOptions]):
    """Cosine between the embeddings of the answer and of the reference that is closest to it."""

    Options: ClassVar[type[EmbeddingOptions]] = EmbeddingOptions
    info: ClassVar[MetricInfo] = MetricInfo(
        name="embedding_similarity",
        summary="How close in meaning is the answer to the reference? Cosine of their embeddings, "
        "-1 to 1; needs a judge with `api: embeddings`",
        options=lambda: EmbeddingOptions,
        needs_model=True,
        low=-1.0,
        judge=JudgeInfo(
            definition=lambda options: "embedding_field" if options.field else "embedding",
            forms=("grade",),
            api="embeddings",
        ),
        group="Text",
    )

    async def judge(self, sample: JudgedSample, callers: Mapping[str, Caller]) -> ScoreOutcome:
        """Return the cosine; an empty answer means nothing, so it is like no reference: 0.

        Raises:
            JudgingStoppedError: the run stops before all embeddings are in.
        """
        outcome = await super().judge(sample, callers)
        if isinstance(outcome, MetricFailure) and outcome.kind == _EMPTY:
            return Score(value=0.0, reason=outcome.message)
        return outcome

    def question(self, sample: JudgedSample) -> Question | MetricFailure:
        """Return the texts to embed: the answer, then each reference."""
        try:
            references = self._references(sample.case)
        except BadExpectedError as error:
            return MetricFailure(kind="bad_expected", message=str(error))
        if not references:
            return no_expected() if self.options.field is None else _no_field(self.options.field)
        answer = sample.response.output or sample.response.refusal or ""
        if not answer.strip():
            return MetricFailure(kind=_EMPTY, message="the answer is empty")
        return Question(
            messages=[self._message(text) for text in (answer, *references)],
            case=sample.case,
            judged=sample.key,
            extra={"references": list(references)},
        )

    def read(self, question: Question, response: Response) -> Verdict:
        """Return the cosine with the closest reference."""
        try:
            answer, *others = unpack_vectors(response.output)
            values = [cosine(answer, other) for other in others]
        except BadVectorError as error:
            raise BadVerdictError(str(error)) from None
        best = max(range(len(values)), key=values.__getitem__)
        references: Any = question.extra["references"]
        details: dict[str, JsonValue] = {"cosines": list(values)} if len(values) > 1 else {}
        return Verdict(value=values[best], justification=f"closest to {quoted(references[best])}", details=details)

    def signature_parts(self) -> tuple[str, ...]:
        """Return definition and embedding models; no wording, for nothing is said to them."""
        return tuple(part for part in super().signature_parts() if not part.startswith("wording:"))

    def _references(self, case: Case) -> list[str]:
        """Return the texts to compare with, without those that are empty.

        Raises:
            BadExpectedError: one of them is no text.
        """
        if self.options.field is None:
            values = list(case.references)
        else:
            value = find_input("reference", self.options.inputs, case)
            values = list(value) if isinstance(value, list | tuple) else [] if value is None else [value]
        return [text for text in map(reference_text, values) if text.strip()]

    def _message(self, text: str) -> Message:
        return {"role": "user", "content": f"{self.options.prefix}{text}"}


_EMPTY = "empty_answer"


def _no_field(field: str) -> MetricFailure:
    return MetricFailure(kind="no_input", message=f"the case has no {field} to compare with")


METRICS: tuple[type[Metric[Any]], ...] = (EmbeddingSimilarity,)
