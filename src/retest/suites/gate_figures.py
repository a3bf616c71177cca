"""Limits of the gate on figures: ``intent.f1_macro`` must be a figure that the metric ``intent`` has."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from retest.domain.figures import FigureKind, figure_names, split_name
from retest.suites.metric_rules import warn_unreachable
from retest.suites.scope import SuiteScope
from retest.suites.spec import MetricGateEntry
from retest.suites.suggestions import did_you_mean, listing

if TYPE_CHECKING:  # a stored gate is read where neither prompts nor metrics are
    from retest.suites.metric_entries import BuiltMetric


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedFigure:
    """An entry of gate.metrics that is no metric's name."""

    name: str
    limits: MetricGateEntry


def check_figure(scope: SuiteScope, entry: NamedFigure, metrics: Sequence[BuiltMetric], names: Collection[str]) -> None:
    """Note what is wrong with a limit on a figure.

    Args:
        scope: the suite.
        entry: what the gate names.
        metrics: of the suite, those without mistakes.
        names: of all metrics, those with mistakes too.
    """
    split = split_name(entry.name, names)
    if split is None:
        _unknown_metric(scope, entry.name, metrics, names)
        return
    metric = next((metric for metric in metrics if metric.spec.name == split[0]), None)
    if metric is None:  # its mistake is told already
        return
    if split[1] not in figure_names(metric.info.figures, metric.spec.options):
        _unknown_figure(scope, entry.name, split[1], metric)
        return
    _check_limits(scope, entry, metric, split[1])


def _unknown_metric(scope: SuiteScope, name: str, metrics: Sequence[BuiltMetric], names: Collection[str]) -> None:
    known = {*names, *(key for metric in metrics for key in _keys(metric))}
    scope.error(
        "gate-unknown-metric",
        f"the gate names '{name}', and the suite has no metric of that name",
        scope.key("gate", "metrics", name),
        details=(f"metrics of this suite: {listing(names)}",),
        fix=did_you_mean(name, known) or f"add it to `metrics`, or remove gate.metrics.{name}",
    )


def _keys(metric: BuiltMetric) -> Iterator[str]:
    for figure in figure_names(metric.info.figures, metric.spec.options):
        yield f"{metric.spec.name}.{figure}"


def _unknown_figure(scope: SuiteScope, name: str, figure: str, metric: BuiltMetric) -> None:
    kinds = {kind.name: kind for kind in metric.info.figures}
    kind = kinds.get(figure)
    own = list(figure_names(metric.info.figures, metric.spec.options))
    shown = listing([key for key in own if "." not in key]) or "none"
    fix = did_you_mean(figure, own)
    if kind is not None and kind.needs is not None:
        fix = f"give the metric the option `{kind.needs}`"
    elif kind is not None and kind.per_label:
        fix = f"name the label too: {next(key for key in own if key.startswith(f'{figure}.'))}"
    scope.error(
        "gate-unknown-figure",
        f"the gate names '{name}', and the metric '{metric.spec.name}' has no figure '{figure}'",
        scope.key("gate", "metrics", name),
        details=(f"figures of {metric.spec.name}: {shown}{_of_labels(metric.info.figures)}",),
        fix=fix or f"remove gate.metrics.{name}",
    )


def _of_labels(kinds: Sequence[FigureKind]) -> str:
    names = [f"{kind.name}.LABEL" for kind in kinds if kind.per_label]
    return f"; of each label: {', '.join(names)}" if names else ""


def _check_limits(scope: SuiteScope, entry: NamedFigure, metric: BuiltMetric, figure: str) -> None:
    where, limits = scope.key("gate", "metrics", entry.name), entry.limits
    if limits.margin is not None:
        scope.error(
            "gate-figure-margin",
            f"gate.metrics.{entry.name} has a margin, and no test compares figures with a baseline",
            scope.at("gate", "metrics", entry.name, "margin"),
            fix=f"give the margin to gate.metrics.{metric.spec.name}; a figure takes min and max",
        )
    elif limits.min is None and limits.max is None:
        scope.error("suite-empty-set", f"gate.metrics.{entry.name} sets nothing", where, fix="give it min or max")
    kind = next(kind for kind in metric.info.figures if kind.name == figure.split(".", 1)[0])
    ranged = replace(metric.info, name=entry.name, low=kind.low, high=kind.high)
    warn_unreachable(scope, f"gate.metrics.{entry.name}", (limits.min, limits.max), ranged, where)
