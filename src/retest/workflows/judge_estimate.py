"""What judging a plan would take at most, before any spending."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from retest.domain.judge import JudgeSpec
from retest.domain.sample import Usage
from retest.metrics.base import Metric
from retest.metrics.judge.base import DefinedJudge, JudgeMetric
from retest.metrics.judge.pairwise import PairwiseJudge
from retest.metrics.judge.prompt import instruction_text
from retest.targets.prices import PriceTable, target_price
from retest.targets.registry import providers
from retest.workflows.estimate import PlanEstimate, count_tokens

_VERDICT_TOKENS = 150  # a justification of one to three sentences, and the verdict
_ASSUMED_SHOWN_TOKENS = 300  # question and answer, where no call of a target was estimated


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgingEstimate:
    """Calls and tokens if nothing is in the ledger; `cost_usd` is None as soon as one judge's price is unknown.

    `call_usd` is of the dearest call.
    """

    calls: int = 0
    tokens: int = 0
    cost_usd: float | None = 0.0
    call_usd: float = 0.0


def estimate_judging(metrics: Mapping[str, Metric[Any]], plan: PlanEstimate, prices: PriceTable) -> JudgingEstimate:
    """Return what judging every sample of a plan would take at most."""
    calls = tokens = 0
    costs: list[float | None] = []
    call_usd = 0.0
    for judge, votes, usage in _asked(metrics, plan):
        calls += votes * plan.planned
        tokens += votes * plan.planned * ((usage.input_tokens or 0) + (usage.output_tokens or 0))
        price = _price(judge, usage, prices)
        costs.append(None if price is None else price * votes * plan.planned)
        call_usd = max(call_usd, price or 0.0)
    known = [cost for cost in costs if cost is not None]
    return JudgingEstimate(
        calls=calls, tokens=tokens, cost_usd=sum(known) if len(known) == len(costs) else None, call_usd=call_usd
    )


def _asked(metrics: Mapping[str, Metric[Any]], plan: PlanEstimate) -> Iterator[tuple[JudgeSpec, int, Usage]]:
    """Yield each judge of each metric with its votes on a sample and what one call takes."""
    shown = _shown_tokens(plan)
    for metric in metrics.values():
        if isinstance(metric, JudgeMetric):
            asked = 0
            if isinstance(metric, DefinedJudge | PairwiseJudge):
                asked = count_tokens([{"role": "system", "content": instruction_text(metric.definition)}])
            pairwise = isinstance(metric, PairwiseJudge)
            written = 0 if metric.info.judge is not None and metric.info.judge.api is not None else _VERDICT_TOKENS
            usage = Usage(input_tokens=asked + shown * (1 + pairwise), output_tokens=written)
            for judge in metric.judging.judges:
                yield judge, metric.options.judge_samples * (_orders(len(plan.arms)) if pairwise else 1), usage


def _orders(arms: int) -> int:
    """Return how often a pairwise judge is asked for each sample: every two arms, both orders.

    One arm alone is compared with a baseline later: both orders again.
    """
    return arms - 1 if arms > 1 else 2


def _shown_tokens(plan: PlanEstimate) -> int:
    calls = sum(arm.calls for arm in plan.arms)
    return plan.tokens // calls if calls else _ASSUMED_SHOWN_TOKENS


def _price(judge: JudgeSpec, usage: Usage, prices: PriceTable) -> float | None:
    if not providers()[judge.target.provider].info.paid:
        return 0.0
    price = target_price(judge.target.options, judge.target.model, prices)
    return None if price is None else price.cost(usage)
