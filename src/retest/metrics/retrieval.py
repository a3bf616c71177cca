"""Retrieval: does the list of ids in the output put the relevant ones first?

The output is a JSON list of ids (or of objects with an id), or one id a line. What is relevant stands in the case's
`expected`: a list of ids, or an object id -> grade. Values equal trec_eval's.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import Field, field_validator

from retest.domain.case import Case
from retest.domain.catalog import MetricInfo
from retest.domain.json_value import JsonValue
from retest.domain.sample import MetricFailure, Response, Score, ScoreOutcome
from retest.metrics.base import Metric, MetricContext, MetricOptions, no_expected
from retest.metrics.json_text import JsonOptions, JsonReader, NotJsonError
from retest.metrics.ranking import Ranking
from retest.metrics.references import BadExpectedError, quoted, shown

_LARGEST_GRADE = 1000.0  # 2**grade stays a number


class RetrievalOptions(MetricOptions):
    """Options of every retrieval metric."""

    ids: str | None = Field(
        None,
        description="Where the ids are in JSON output, such as `results` or `answer.sources`; "
        "omitted: the output is the list",
    )
    id_field: str = Field("id", description="The field that holds the id where the list has objects")
    relevant_from: float = Field(
        1.0, gt=0, allow_inf_nan=False, description="Least grade that counts as relevant where only yes or no matters"
    )

    @field_validator("ids")
    @classmethod
    def _names_fields(cls, ids: str | None) -> str | None:
        if ids is not None and not all(ids.split(".")):
            raise ValueError("a path is field names with dots between them, such as answer.sources")
        return ids


class CutOptions(RetrievalOptions):
    """Options of the metrics that may stop at a rank."""

    k: int | None = Field(None, ge=1, description="Look at the first k only; omitted: at all that were returned")


class PrecisionOptions(RetrievalOptions):
    """Options of precision_at_k."""

    k: int = Field(ge=1, description="How many of the first ranks count; fewer returned ids count as not relevant")


class NdcgOptions(CutOptions):
    """Options of ndcg."""

    gain: Literal["linear", "exponential"] = Field(
        "linear", description="A document is worth its grade (trec_eval), or 2^grade - 1"
    )


OptionsT = TypeVar("OptionsT", bound=RetrievalOptions)


class RetrievalMetric(Metric[OptionsT]):
    """Reads the ranked ids and the grades, and leaves the measure to `measure`."""

    def __init__(self, options: OptionsT, context: MetricContext) -> None:
        super().__init__(options, context)
        self._reader = JsonReader(JsonOptions(strict=False))

    def score(self, case: Case, response: Response) -> ScoreOutcome:
        """Score the output's ranked ids; output in which no list of ids is found scores 0."""
        try:
            grades = read_grades(case.expected)
        except BadExpectedError as error:
            return MetricFailure(kind="bad_expected", message=str(error))
        if grades is None:
            return no_expected()
        ranking = Ranking(returned=(), grades=grades, relevant_from=self.options.relevant_from)
        if ranking.n_relevant == 0:
            return MetricFailure(kind="not_applicable", message="no document is relevant to this case")
        try:
            returned = self._returned(response.output)
        except NotJsonError as error:
            return Score(value=0.0, reason=str(error))
        unique = list(dict.fromkeys(returned))
        ranking = Ranking(returned=unique, grades=grades, relevant_from=self.options.relevant_from)
        return self._explained(ranking, repeated=len(returned) - len(unique))

    def _explained(self, ranking: Ranking, *, repeated: int) -> Score:
        hits = ranking.hits()
        details: dict[str, JsonValue] = {
            "returned": len(hits),
            "relevant_returned": sum(hits),
            "relevant": ranking.n_relevant,
            "first_relevant_rank": hits.index(True) + 1 if True in hits else None,
        }
        if repeated:
            details["repeated_ids"] = repeated
        reason = None
        if not any(hits):
            reason = f"none of the {len(hits)} returned ids is relevant" if hits else "no id was returned"
        return Score(value=self.measure(ranking), reason=reason, details=details)

    @abstractmethod
    def measure(self, ranking: Ranking) -> float:
        """Return the value of a ranking with at least one relevant document."""

    def _returned(self, output: str) -> list[str]:
        """Return the ids of an output in their order.

        Raises:
            NotJsonError: a path is given and the output has nothing there; or the JSON is no list of ids.
        """
        try:
            value = self._reader.read(output)
        except NotJsonError:
            if self.options.ids is not None:
                raise
            return [line.strip() for line in output.split("\n") if line.strip()]
        return list(self._ids(self._found_at(value)))

    def _found_at(self, value: JsonValue) -> JsonValue:
        for name in self.options.ids.split(".") if self.options.ids else ():
            if not isinstance(value, Mapping) or name not in value:
                raise NotJsonError(f"the output has no field {quoted(name)} (path {self.options.ids})")
            value = value[name]
        return value

    def _ids(self, value: JsonValue) -> Iterator[str]:
        if isinstance(value, str | int) and not isinstance(value, bool):
            yield str(value)  # a lone id is a list of one
            return
        if isinstance(value, Mapping) or not isinstance(value, Sequence):
            raise NotJsonError(f"expected a list of ids, got {shown(value)}")
        for item in value:
            found = item.get(self.options.id_field) if isinstance(item, Mapping) else item
            if isinstance(found, bool) or not isinstance(found, str | int):
                raise NotJsonError(
                    f"expected an id (or an object with {quoted(self.options.id_field)}), got {shown(item)}"
                )
            yield str(found)


def read_grades(expected: JsonValue) -> dict[str, float] | None:
    """Return id -> grade; None where the case says nothing. A list, or one id alone, has grade 1 throughout.

    Raises:
        BadExpectedError: it is neither ids nor grades.
    """
    if expected is None:
        return None
    if isinstance(expected, Mapping):
        return {str(doc): _grade(doc, grade) for doc, grade in expected.items()}
    items = expected if isinstance(expected, list | tuple) else (expected,)
    for item in items:
        if isinstance(item, bool) or not isinstance(item, str | int):
            raise BadExpectedError(f"expected must be a list of ids or an object id -> grade, not {shown(item)}")
    return dict.fromkeys(map(str, items), 1.0)


def _grade(doc: str, grade: JsonValue) -> float:
    if isinstance(grade, bool) or not isinstance(grade, int | float) or not math.isfinite(grade):
        raise BadExpectedError(f"the grade of {quoted(doc)} must be a number, not {shown(grade)}")
    if grade > _LARGEST_GRADE:
        raise BadExpectedError(f"the grade of {quoted(doc)} is above {_LARGEST_GRADE:g}")
    return float(grade)


def _info(name: str, summary: str, options: type[RetrievalOptions], *, binary: bool = False) -> MetricInfo:
    return MetricInfo(
        name=name, summary=summary, options=lambda: options, needs_expected=True, binary=binary, group="Retrieval"
    )


class PrecisionAtK(RetrievalMetric[PrecisionOptions]):
    """Precision@k."""

    Options: ClassVar[type[PrecisionOptions]] = PrecisionOptions
    info: ClassVar[MetricInfo] = _info(
        "precision_at_k", "Precision@k: the share of the first k returned ids that is relevant", PrecisionOptions
    )

    def measure(self, ranking: Ranking) -> float:
        """Return precision@k."""
        return ranking.precision(self.options.k)


class RecallAtK(RetrievalMetric[CutOptions]):
    """Recall@k."""

    Options: ClassVar[type[CutOptions]] = CutOptions
    info: ClassVar[MetricInfo] = _info(
        "recall_at_k", "Recall@k: the share of the relevant ids among the first k returned", CutOptions
    )

    def measure(self, ranking: Ranking) -> float:
        """Return recall@k."""
        return ranking.recall(self.options.k)


class HitRate(RetrievalMetric[CutOptions]):
    """Success@k."""

    Options: ClassVar[type[CutOptions]] = CutOptions
    info: ClassVar[MetricInfo] = _info(
        "hit_rate",
        "Hit rate (success@k): at least one of the first k returned ids is relevant",
        CutOptions,
        binary=True,
    )

    def measure(self, ranking: Ranking) -> float:
        """Return 1 or 0."""
        return ranking.hit_rate(self.options.k)


class ReciprocalRank(RetrievalMetric[CutOptions]):
    """Reciprocal rank; its mean over cases is MRR."""

    Options: ClassVar[type[CutOptions]] = CutOptions
    info: ClassVar[MetricInfo] = _info(
        "reciprocal_rank", "1 / rank of the first relevant id; the mean over cases is MRR", CutOptions
    )

    def measure(self, ranking: Ranking) -> float:
        """Return the reciprocal rank."""
        return ranking.reciprocal_rank(self.options.k)


class AveragePrecision(RetrievalMetric[CutOptions]):
    """Average precision; its mean over cases is MAP."""

    Options: ClassVar[type[CutOptions]] = CutOptions
    info: ClassVar[MetricInfo] = _info(
        "average_precision", "Average precision of the ranking; the mean over cases is MAP", CutOptions
    )

    def measure(self, ranking: Ranking) -> float:
        """Return average precision."""
        return ranking.average_precision(self.options.k)


class Ndcg(RetrievalMetric[NdcgOptions]):
    """NDCG@k."""

    Options: ClassVar[type[NdcgOptions]] = NdcgOptions
    info: ClassVar[MetricInfo] = _info(
        "ndcg", "nDCG@k: gain of graded relevance, less the further down, over that of the best order", NdcgOptions
    )

    def measure(self, ranking: Ranking) -> float:
        """Return nDCG@k."""
        return ranking.ndcg(self.options.k, self.options.gain)


METRICS: tuple[type[Metric[Any]], ...] = (PrecisionAtK, RecallAtK, HitRate, ReciprocalRank, AveragePrecision, Ndcg)
