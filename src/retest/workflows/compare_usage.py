"""Latency, tokens and cost of two arms over the same cases."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from retest.domain.comparison import Usage
from retest.domain.scores import ArmCalls, CallFigures


def compare_usage(
    before: ArmCalls, after: ArmCalls, compared: Sequence[str], common: Sequence[str]
) -> tuple[Usage, Usage]:
    """Return what both arms took per answer.

    Args:
        before: calls of the baseline's arm.
        after: calls of the candidate's arm.
        compared: the cases with scores on both sides, whose answers count.
        common: the cases that both runs have, whose errors count: a case without any answer is one of them.
    """
    return _usage(before, compared, common), _usage(after, compared, common)


def _usage(calls: ArmCalls, case_ids: Sequence[str], common: Sequence[str]) -> Usage:
    figures = [one for case_id in case_ids for one in calls.answers.get(case_id, ())]
    latencies = [one.latency_ms for one in figures if one.latency_ms is not None]
    p50, p95 = np.quantile(latencies, (0.5, 0.95)).tolist() if latencies else (None, None)
    return Usage(
        answers=len(figures),
        errors=sum(calls.errors.get(case_id, 0) for case_id in common),
        latency_p50_ms=p50,
        latency_p95_ms=p95,
        input_tokens=_mean([one.input_tokens for one in figures]),
        output_tokens=_mean([one.output_tokens for one in figures]),
        cost_usd=_cost(figures),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _cost(figures: Sequence[CallFigures]) -> float | None:
    """Return the mean cost; None where the price of any answer is unknown, for an unknown price is not zero."""
    costs = [one.cost_usd for one in figures]
    return None if None in costs else _mean(costs)
