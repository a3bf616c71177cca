"""How long an answer is."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from retest.domain.case import Case
from retest.domain.catalog import MetricInfo
from retest.domain.sample import MetricFailure, Response, Score, ScoreOutcome
from retest.metrics.base import Metric, MetricOptions
from retest.text.characters import grapheme_count
from retest.text.japanese import mecab_version
from retest.text.languages import AutoLanguage
from retest.text.sentences import sentences
from retest.text.thai import thai_segmenter
from retest.text.words import words


class LengthOptions(MetricOptions):
    """What `length` can be told."""

    unit: Literal["characters", "words", "sentences", "tokens"] = Field(
        default="characters",
        description="characters as a reader sees them (an emoji is one); words of the text's language; sentences; "
        "output tokens as the provider counted them",
    )
    language: AutoLanguage = Field(
        default="auto", description="ja reads Chinese characters as Japanese words also where there is no kana"
    )


class Length(Metric[LengthOptions]):
    """The length of the answer in the chosen unit.

    Neither long nor short is better in itself. The direction is `lower`, for growing answers are what costs money and
    time; `direction: higher` on the metric in the suite says otherwise, `pass_if: {min: ..., max: ...}` sets limits.
    """

    info: ClassVar[MetricInfo] = MetricInfo(
        name="length",
        summary="Length of the answer in characters, words, sentences or tokens",
        options=lambda: LengthOptions,
        high=None,
        direction="lower",
        scale="log",
        group="Text",
    )
    Options: ClassVar[type[MetricOptions]] = LengthOptions

    def score(self, case: Case, response: Response) -> ScoreOutcome:
        """Return the length; an empty answer has length 0."""
        del case
        match self.options.unit:
            case "characters":
                return Score(value=float(grapheme_count(response.output)))
            case "words":
                return Score(value=float(len(words(response.output, self.options.language))))
            case "sentences":
                return Score(value=float(len(sentences(response.output))))
            case "tokens":
                return _tokens(response)

    def signature_parts(self) -> tuple[str, ...]:
        """Return what cuts words where the language needs a dictionary."""
        if self.options.unit != "words":
            return ()
        return (mecab_version(), f"thai:{thai_segmenter()[0]}")


def _tokens(response: Response) -> ScoreOutcome:
    if response.usage.output_tokens is None:
        return MetricFailure(kind="no_usage", message="the provider did not report output tokens; try unit: words")
    return Score(value=float(response.usage.output_tokens))


METRICS: tuple[type[Metric[Any]], ...] = (Length,)
