"""A suite's gate, and whether the suite asserts anything at all."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from retest.domain.calibration import JudgeDemand
from retest.domain.catalog import MetricInfo
from retest.domain.suite import GatePolicy, MetricGate
from retest.suites.gate_figures import NamedFigure, check_figure
from retest.suites.metric_rules import warn_unreachable
from retest.suites.scope import SuiteScope
from retest.suites.spec import GateEntry, MetricGateEntry
from retest.suites.suggestions import did_you_mean, listing

if TYPE_CHECKING:  # a stored gate is read where neither prompts nor metrics are
    from retest.suites.metric_entries import BuiltMetric

# Writing one of these says on purpose what fails; the others only tune it.
_ASSERTING = ("block", "metrics", "max_cost_usd", "max_latency_ms", "never_fail")


def build_gate(
    scope: SuiteScope,
    entry: GateEntry | None,
    metrics: Sequence[BuiltMetric],
    names: Collection[str],
    judges: Collection[str] = (),
) -> GatePolicy:
    """Return the policy; `names` are the names of all metrics, those with mistakes too, `judges` of all judges."""
    if entry is None:
        return GatePolicy()
    for name, limits in entry.metrics.items():
        if name not in names:
            check_figure(scope, NamedFigure(name=name, limits=limits), metrics, names)
    _check_demands(scope, entry, {metric.spec.name: metric for metric in metrics}, {*names, *judges})
    for metric in metrics:
        if metric.spec.name in entry.metrics:
            _check_limits(scope, metric.spec.name, entry.metrics[metric.spec.name], metric.info)
    values = {
        key: getattr(entry, key)
        for key in GateEntry.model_fields
        if key not in {"metrics", "judges", "require_same", "never_fail"}
    }
    return GatePolicy(
        **values,
        metrics={
            name: MetricGate(margin=policy.margin, min=policy.min, max=policy.max)
            for name, policy in entry.metrics.items()
        },
        judges={
            name: JudgeDemand(
                min_agreement=demand.min_agreement, coefficient=demand.coefficient, min_items=demand.min_items
            )
            for name, demand in entry.judges.items()
        },
        require_same=tuple(dict.fromkeys(entry.require_same)),
        never_fail=tuple(dict.fromkeys(entry.never_fail)),
    )


def _check_demands(
    scope: SuiteScope, entry: GateEntry, metrics: Mapping[str, BuiltMetric], names: Collection[str]
) -> None:
    for name in entry.judges:
        where = scope.key("gate", "judges", name)
        metric = metrics.get(name)
        if name not in names:
            scope.error(
                "gate-unknown-judge",
                f"gate.judges names '{name}', and the suite has neither a metric nor a judge of that name",
                where,
                details=(f"metrics and judges of this suite: {listing(sorted(names))}",),
                fix=did_you_mean(name, names) or "name a metric that asks a model, or one of `judges`",
            )
        elif metric is not None and metric.spec.judging is None:
            scope.error(
                "gate-unknown-judge",
                f"gate.judges names '{name}', and that metric asks no model",
                where,
                fix="name a metric that asks a model, or one of `judges`",
            )


def _check_limits(scope: SuiteScope, name: str, policy: MetricGateEntry, info: MetricInfo) -> None:
    where = scope.key("gate", "metrics", name)
    if policy.margin is None and policy.min is None and policy.max is None:
        scope.error("suite-empty-set", f"gate.metrics.{name} sets nothing", where, fix="give it margin, min or max")
    warn_unreachable(scope, f"gate.metrics.{name}", (policy.min, policy.max), info, where)
    if info.low is None or info.high is None or policy.margin is None or info.runs_code:
        return
    if policy.margin >= info.high - info.low:
        scope.warn(
            "suite-threshold",
            f"gate.metrics.{name}: a margin of {policy.margin:g} covers the whole range of '{info.name}'",
            scope.at("gate", "metrics", name, "margin"),
            details=(f"values go from {info.low:g} to {info.high:g}, so that no drop can ever matter",),
            fix=f"did you mean {policy.margin / 100:g}?" if policy.margin >= 1 and info.high <= 1 else None,
        )


def warn_without_assertion(scope: SuiteScope, metrics: Sequence[BuiltMetric]) -> None:
    """Warn of a suite that nothing can fail: no threshold, no limit, and no word on regressions."""
    asserted = any(scope.has("gate", key) for key in _ASSERTING)
    if asserted or any(metric.spec.pass_if is not None for metric in metrics):
        return
    scope.warn(
        "suite-asserts-nothing",
        "the suite asserts nothing: whatever the answers are, a run passes",
        scope.tree.where,
        details=("no metric has `pass_if`, and `gate` sets neither a limit nor what blocks",),
        fix="add `gate: {block: regression}` to fail on a drop against the baseline, or limits under gate.metrics",
    )
