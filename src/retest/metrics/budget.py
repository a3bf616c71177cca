"""What an answer costs: time, tokens, money. What is not known is a failure to score, never a zero."""

from __future__ import annotations

from math import isfinite
from typing import Any, ClassVar, Literal

from pydantic import Field

from retest.domain.case import Case
from retest.domain.catalog import MetricInfo
from retest.domain.sample import MetricFailure, Response, Score, ScoreOutcome, Usage
from retest.metrics.base import Metric, MetricOptions

_GROUP = "Budget"


def _amount(value: float | None, what: str) -> ScoreOutcome:
    if value is None:
        return MetricFailure(kind="unknown", message=f"{what} of this sample is unknown")
    if not isfinite(value) or value < 0:
        return MetricFailure(kind="unknown", message=f"{what} of this sample is recorded as {value!r}")
    return Score(value=float(value))


class Latency(Metric[MetricOptions]):
    """Milliseconds of the successful attempt."""

    info: ClassVar[MetricInfo] = MetricInfo(
        name="latency",
        summary="Time to the whole answer in milliseconds, of the successful attempt alone",
        options=lambda: MetricOptions,
        high=None,
        direction="lower",
        scale="log",
        group=_GROUP,
    )

    def score(self, case: Case, response: Response) -> ScoreOutcome:  # noqa: ARG002 - the cost does not depend on the case
        """Return the latency in milliseconds."""
        if response.latency_ms is None and "batch" in response.meta:
            return MetricFailure(kind="not_applicable", message="answered in a batch, where nobody waits for a call")
        return _amount(response.latency_ms, "the latency")


class TokensOptions(MetricOptions):
    """Options of tokens."""

    count: Literal["total", "input", "output", "cached", "reasoning"] = Field(
        "total", description="Which tokens, as the provider counted them; `total` is input plus output"
    )


class Tokens(Metric[TokensOptions]):
    """Tokens as the provider counted them."""

    Options: ClassVar[type[TokensOptions]] = TokensOptions
    info: ClassVar[MetricInfo] = MetricInfo(
        name="tokens",
        summary="Tokens of the call as the provider counted them",
        options=lambda: TokensOptions,
        high=None,
        direction="lower",
        scale="log",
        group=_GROUP,
    )

    def score(self, case: Case, response: Response) -> ScoreOutcome:  # noqa: ARG002 - the cost does not depend on the case
        """Return the number of tokens."""
        count = self.options.count
        what = "the number of tokens" if count == "total" else f"the number of {count} tokens"
        return _amount(_tokens(response.usage, count), what)


def _tokens(usage: Usage, count: str) -> int | None:
    if count == "total":
        known = usage.input_tokens is not None and usage.output_tokens is not None
        return (usage.input_tokens or 0) + (usage.output_tokens or 0) if known else None
    by_count = {
        "input": usage.input_tokens,
        "output": usage.output_tokens,
        "cached": usage.cached_tokens,
        "reasoning": usage.reasoning_tokens,
    }
    return by_count[count]


class Cost(Metric[MetricOptions]):
    """US dollars."""

    info: ClassVar[MetricInfo] = MetricInfo(
        name="cost",
        summary="Price of the call in US dollars",
        options=lambda: MetricOptions,
        high=None,
        direction="lower",
        scale="log",
        group=_GROUP,
    )

    def score(self, case: Case, response: Response) -> ScoreOutcome:  # noqa: ARG002 - the cost does not depend on the case
        """Return the cost in US dollars."""
        return _amount(response.cost_usd, "the cost")


METRICS: tuple[type[Metric[Any]], ...] = (Latency, Tokens, Cost)
