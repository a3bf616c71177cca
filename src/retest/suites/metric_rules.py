"""Rules of a metric that cannot work: limits outside its range, counts of passing samples where nothing passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from retest.domain.catalog import MetricInfo
from retest.domain.suite import CasePasses, MetricSpec
from retest.errors import Location
from retest.suites.scope import SuiteScope
from retest.suites.spec import MetricEntry
from retest.suites.spec_base import pass_k
from retest.suites.yaml_nodes import NodePath, ScalarNode

_VALUE_AGGREGATES = frozenset({None, "mean", "min", "max"})


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedEntry:
    """A metric entry, what it is called, what the metric says of itself, and where its keys stand."""

    what: str
    entry: MetricEntry
    info: MetricInfo
    place: Callable[[NodePath], NodePath]


def check_judging(scope: SuiteScope, judged: JudgedEntry) -> None:
    """Note limits that no value can reach, and rules that have nothing to count."""
    _check_pass_if(scope, judged)
    entry = judged.entry
    if entry.pass_if is not None or judged.info.binary or judged.info.runs_code:  # code may well return booleans
        return
    rules = {"aggregate": entry.aggregate not in _VALUE_AGGREGATES, "case_passes": entry.case_passes is not None}
    for key in (key for key, counts in rules.items() if counts):
        scope.error(
            "suite-rule-without-pass",
            f"{key} of {judged.what} counts passing samples, and nothing says what passes",
            scope.at(*judged.place((key,))),
            fix="add `pass_if: {min: ...}`",
        )


def _check_pass_if(scope: SuiteScope, judged: JudgedEntry) -> None:
    limits, path = judged.entry.pass_if, judged.place(("pass_if",))
    if limits is None:
        return
    lower_is_better = (judged.entry.direction or judged.info.direction) == "lower"
    if isinstance(scope.node(*path), ScalarNode) and lower_is_better:
        scope.error(
            "suite-threshold",
            f"pass_if: {limits.min:g} is a minimum, and for {judged.what} lower is better",
            scope.at(*path),
            fix=f"write pass_if: {{max: {limits.min:g}}}",
        )
    else:
        warn_unreachable(scope, f"pass_if of {judged.what}", (limits.min, limits.max), judged.info, scope.at(*path))


def warn_unreachable(
    scope: SuiteScope, what: str, limits: tuple[float | None, float | None], info: MetricInfo, where: Location
) -> None:
    """Warn of limits outside the metric's range; the user's own code may declare another range, so it is left out."""
    low, high = limits
    too_high = low is not None and info.high is not None and low > info.high
    too_low = high is not None and info.low is not None and high < info.low
    if (too_high or too_low) and not info.runs_code:
        span = f"{_bound(info.low)} to {_bound(info.high)}"
        scope.warn("suite-threshold", f"{what} can never hold: values of '{info.name}' go from {span}", where)


def _bound(value: float | None) -> str:
    return "anything" if value is None else f"{value:g}"


def check_sample_counts(scope: SuiteScope, metrics: Sequence[MetricSpec], samples: int) -> None:
    """Note pass@k and ``at least k`` rules that ask for more samples than there are."""
    for metric in metrics:
        k = pass_k(metric.aggregate) or 0
        if k > samples:
            _too_few(scope, f"{metric.aggregate} of metric '{metric.name}'", k, samples, metric.where)
        check_rule_count(scope, f"case_passes of metric '{metric.name}'", metric.case_passes, samples, metric.where)


def check_rule_count(
    scope: SuiteScope, what: str, rule: CasePasses | None, samples: int, where: Location | None
) -> None:
    """Note a rule that wants more passing samples than there are."""
    wanted = (rule.at_least or 0) if rule is not None else 0
    if wanted > samples:
        _too_few(scope, what, wanted, samples, where)


def _too_few(scope: SuiteScope, what: str, wanted: int, samples: int, where: Location | None) -> None:
    message = f"{what} needs {wanted} samples, and `samples` is {samples}"
    scope.error("suite-too-few-samples", message, where, fix=f"set samples: {wanted}")
