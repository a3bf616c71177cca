"""Which judges, of a run or of a suite before it, have not shown the agreement with people that the gate demands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from retest.decision.gate import UnmetJudge
from retest.decision.judge_demand import unmet_demand
from retest.domain.calibration import JudgeDemand
from retest.domain.judge import Judging, judging_from
from retest.domain.run import Run
from retest.domain.suite import GatePolicy, Suite
from retest.errors import UsageError


def unmet_judges(run: Run, policy: GatePolicy, cwd: Path) -> tuple[UnmetJudge, ...]:
    """Return a run's judging metrics whose judge may not gate; calibrations are read from files beside definitions."""
    if not policy.judges:
        return ()
    judged = {metric.name: judging_from(metric.judging, Path()) for metric in run.metrics if metric.judging is not None}
    return tuple(_unmet(judged, policy, cwd))


def unmet_suite_judges(suite: Suite, cwd: Path) -> tuple[UnmetJudge, ...]:
    """Return the same of a suite that has not been run: what the gate would say after every call is paid for."""
    judged = {spec.name: spec.judging for spec in suite.metrics if spec.judging is not None}
    return tuple(_unmet(judged, suite.gate, cwd)) if suite.gate.judges else ()


def _unmet(judged: Mapping[str, Judging], policy: GatePolicy, cwd: Path) -> Iterator[UnmetJudge]:
    for name, judging in judged.items():
        demand = _demand(name, judging, policy)
        message = None if demand is None else _why_not(name, judging, demand, cwd)
        if message is not None:
            yield UnmetJudge(metric=name, message=message)


def _demand(name: str, judging: Judging, policy: GatePolicy) -> JudgeDemand | None:
    """Return what is demanded of a metric by its own name, else the strictest of what is demanded of its judges."""
    if name in policy.judges:
        return policy.judges[name]
    own = [policy.judges[judge.name] for judge in judging.judges if judge.name in policy.judges]
    return max(own, key=lambda demand: demand.min_agreement, default=None)


def _why_not(name: str, judging: Judging, demand: JudgeDemand, cwd: Path) -> str | None:
    from retest.metrics.judge.base import judge_label
    from retest.workflows.calibration_files import calibration_path, find_calibration, read_calibrations

    path = calibration_path(judging.definition, cwd)
    try:
        known = read_calibrations(path, str(path))
    except UsageError as error:
        return f"its calibration cannot be read: {error.problems[0].message}"
    label = "+".join(sorted(judge_label(judge) for judge in judging.judges))
    found, reason = find_calibration(known, judging.definition, label)
    if found is None:
        return f"{reason}, and {demand.min_agreement:g} is demanded: retest judge calibrate {name}"
    return unmet_demand(found, demand)
