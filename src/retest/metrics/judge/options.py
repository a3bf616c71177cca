"""The options of metrics that ask a model."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from retest.domain.judge import Combine, JudgeLanguage
from retest.metrics.base import MetricOptions


class JuryOptions(MetricOptions):
    """Options of every metric that asks a model."""

    judge: str | None = Field(
        None, description="Which of the suite's `judges` is asked; omitted: the only one that fits"
    )
    judges: tuple[str, ...] = Field((), description="Several judges, in place of `judge`: a jury, each with a vote")
    judge_samples: int = Field(1, ge=1, le=100, description="How often each judge is asked about each answer")
    combine: Combine | None = Field(
        None,
        description="How votes become one score; omitted: `majority` for choices, else `mean`. A tie is the mean of "
        "what is tied",
    )

    @model_validator(mode="after")
    def _one_way_to_name(self) -> JuryOptions:
        if self.judge is not None and self.judges:
            raise ValueError("a metric has either `judge` or `judges`")
        if len(set(self.judges)) < len(self.judges):
            raise ValueError("`judges` names a judge twice; `judge_samples` asks one several times")
        return self


class JudgeOptions(JuryOptions):
    """Options of metrics whose judge follows a definition."""

    definition: str | None = Field(
        None,
        description="A judge definition of your own, relative to the suite; omitted: the one that comes with retest",
    )
    language: JudgeLanguage = Field("en", description="Language of the definition that comes with retest")
    inputs: dict[str, str] = Field(
        default_factory=dict,
        description="Input of the definition to the case's field that holds it, such as `{question: query}`",
    )


class RubricOptions(JudgeOptions):
    """Options of judge_rubric."""

    criteria: tuple[str, ...] = Field(
        (), description="What is asked of each answer; omitted: the definition's, else the case's field `criteria`"
    )


class CriterionOptions(JudgeOptions):
    """Options of judge_closed_qa."""

    criterion: str | None = Field(
        None, min_length=1, description="What is asked of each answer; omitted: the case's field `criterion`"
    )


class RelevanceOptions(JudgeOptions):
    """Options of judge_relevance."""

    of: Literal["answer", "context"] = Field(
        "answer", description="What must be relevant to the question: the answer, or the context that was retrieved"
    )


class ModerationOptions(JuryOptions):
    """Options of moderation."""

    categories: tuple[str, ...] = Field(
        (), description="Categories that count, such as `hate`; omitted: whatever the endpoint flags"
    )
    measure: Literal["flagged", "score"] = Field(
        "flagged", description="1 where something is flagged, or the highest score of the categories"
    )


class EmbeddingOptions(JuryOptions):
    """Options of embedding_similarity."""

    judge_samples: Literal[1] = Field(1, description="An embedding is the same each time, so it is asked for once")
    field: str | None = Field(
        None,
        min_length=1,
        description="The case's field to compare with in place of `expected`; a list is several references",
    )
    prefix: str = Field("", description='Written before each text, as some models want it: "query: "')

    @property
    def inputs(self) -> dict[str, str]:
        """Return which field of the case holds the reference, where it is not `expected`."""
        return {} if self.field is None else {"reference": self.field}
