"""What a drift between equal runs means for a verdict: a change within it may not be the prompt's doing."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from retest.decision.decide import JudgedMetric, Policy
from retest.domain.self_test import MeasuredDrift
from retest.stats.drift import Drift, alarm_limit
from retest.stats.intervals import unit_totals
from retest.stats.scales import relative_change


def mark_drift(
    judged: Sequence[JudgedMetric], drifts: Mapping[str, MeasuredDrift], policy: Policy
) -> tuple[JudgedMetric, ...]:
    """Return the metrics with the limit that a measured drift sets, and whether a regression stays within it.

    Args:
        judged: of one pair of arms.
        drifts: metric -> what `retest aa` measured for this arm.
        policy: its alpha and clusters.
    """
    return tuple(_marked(metric, drifts.get(metric.scores.metric), policy) for metric in judged)


def _marked(judged: JudgedMetric, drift: MeasuredDrift | None, policy: Policy) -> JudgedMetric:
    delta = judged.pair.delta
    limit = None if drift is None or delta is None else _limit(judged, drift, policy)
    if limit is None or delta is None:
        return judged
    sign = -1.0 if delta < 0 else 1.0
    flipped = judged.scores.direction == "lower"
    own = sign * limit * (-1.0 if flipped else 1.0)
    marked = replace(
        judged.comparison,
        drift_limit=abs(relative_change(own)) if judged.scores.scale == "log" else limit,
        within_drift=judged.comparison.verdict == "regressed" and abs(delta) <= limit,
    )
    return replace(judged, comparison=marked)


def _limit(judged: JudgedMetric, drift: MeasuredDrift, policy: Policy) -> float | None:
    """Return how far the mean must move to say more than drift, on the scale of the test; None without a drift."""
    deltas = judged.pair.deltas
    units = unit_totals(np.array(list(deltas.values())), _clusters(deltas, policy))
    if drift.tau2 <= 0 or len(units.totals) < 2:  # noqa: PLR2004 - one unit has no standard error
        return None
    measured = Drift(tau2=drift.tau2, n_runs=drift.n_runs, expected_variance=0.0, observed_variance=drift.tau2)
    return alarm_limit(units.standard_error(), measured, n_units=len(units.totals), alpha=policy.alpha)


def _clusters(deltas: Mapping[Hashable, float], policy: Policy) -> list[Hashable] | None:
    if policy.clusters is None:
        return None
    known = policy.clusters
    return [("cluster", known[str(case)]) if str(case) in known else ("case", case) for case in deltas]
