"""Which judges of a run have not shown the agreement with people that the gate demands of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from retest.decision.gate import UnmetJudge
from retest.decision.judge_demand import unmet_demand
from retest.domain.calibration import JudgeDemand
from retest.domain.run import Run, RunMetric
from retest.domain.suite import GatePolicy
from retest.errors import UsageError


def unmet_judges(run: Run, policy: GatePolicy, cwd: Path) -> tuple[UnmetJudge, ...]:
    """Return the judging metrics whose judge may not gate; calibrations are read from the files beside definitions."""
    return tuple(_unmet(run, policy, cwd)) if policy.judges else ()


def _unmet(run: Run, policy: GatePolicy, cwd: Path) -> Iterator[UnmetJudge]:
    for metric in run.metrics:
        demand = _demand(metric, policy)
        if demand is not None:
            message = _why_not(metric, demand, cwd)
            if message is not None:
                yield UnmetJudge(metric=metric.name, message=message)


def _demand(metric: RunMetric, policy: GatePolicy) -> JudgeDemand | None:
    """Return what is demanded of a metric by its own name, else the strictest of what is demanded of its judges."""
    if metric.judging is None:
        return None
    if metric.name in policy.judges:
        return policy.judges[metric.name]
    from retest.domain.judge import judging_from

    names = [judge.name for judge in judging_from(metric.judging, Path()).judges]
    own = [policy.judges[name] for name in names if name in policy.judges]
    return max(own, key=lambda demand: demand.min_agreement, default=None)


def _why_not(metric: RunMetric, demand: JudgeDemand, cwd: Path) -> str | None:
    from retest.domain.judge import judging_from
    from retest.metrics.judge.base import judge_label
    from retest.workflows.calibration_files import calibration_path, find_calibration, read_calibrations

    judging = judging_from(metric.judging or {}, Path())
    path = calibration_path(judging.definition, cwd)
    try:
        known = read_calibrations(path, str(path))
    except UsageError as error:
        return f"its calibration cannot be read: {error.problems[0].message}"
    label = "+".join(sorted(judge_label(judge) for judge in judging.judges))
    found, reason = find_calibration(known, judging.definition, label)
    if found is None:
        return f"{reason}, and {demand.min_agreement:g} is demanded: retest judge calibrate {metric.name}"
    return unmet_demand(found, demand)
