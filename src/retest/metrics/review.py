"""What people say of an answer, as a metric: the scores are put in from the store's reviews when a run is read."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from retest.domain.case import Case
from retest.domain.catalog import MetricInfo
from retest.domain.review import LABEL
from retest.domain.sample import MetricFailure, Response, ScoreOutcome
from retest.metrics.base import Metric, MetricOptions


class ReviewOptions(MetricOptions):
    """What `review` can be told."""

    dimension: str = Field(
        default=LABEL,
        min_length=1,
        description="what people scored, on the scale they gave it; label: good is 1, bad is 0; preference: 1 where "
        "the answer was preferred to another, 0.5 for a tie",
    )


class Review(Metric[ReviewOptions]):
    """What people said of the answer in one dimension, several reviewers averaged.

    Nobody can have reviewed an answer when it has just been given, so a new answer is not applicable; reviews count
    whenever the run is read: by `show`, `diff`, `gate`. An answer that comes from the ledger again keeps its reviews.
    """

    info: ClassVar[MetricInfo] = MetricInfo(
        name="review",
        summary="What people said of the answer: retest review, or the forms of retest view",
        options=lambda: ReviewOptions,
        low=None,
        high=None,
        group="People",
    )
    Options: ClassVar[type[MetricOptions]] = ReviewOptions

    def score(self, case: Case, response: Response) -> ScoreOutcome:
        """Return that nobody has looked at it yet."""
        del case, response
        return MetricFailure(kind="not_applicable", message="nobody has reviewed this answer")

    def signature(self) -> str:
        """Return the dimension: what people meant by it is theirs to say."""
        return f"{self.info.name}|dimension:{self.options.dimension}"


METRICS: tuple[type[Metric[Any]], ...] = (Review,)
