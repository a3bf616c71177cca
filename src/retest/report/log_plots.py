"""What is plotted of a prompt's history, and of a list of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from retest.domain.prompt_log import PromptLog
from retest.domain.run import Run
from retest.report.plot import Plot, PlotPoint, PlotSeries


def log_plot(log: PromptLog, metric: str) -> Plot:
    """Return a metric's means along the versions, the oldest first: a series for each suite and target."""
    versions = list(reversed(log.versions))
    series: dict[str, list[PlotPoint]] = {}
    for at, version in enumerate(versions):
        for result in version.results:
            for own in result.metrics:
                if own.metric == metric and own.mean is not None:
                    point = PlotPoint(at=at, mean=own.mean, low=own.low, high=own.high)
                    series.setdefault(f"{result.suite} · {result.target}", []).append(point)
    return _plot(f"{metric}, {log.path}", [version.name for version in versions], series)


def log_metrics(log: PromptLog) -> tuple[str, ...]:
    """Return the metrics that some version has results of, the newest version's first."""
    found = [own.metric for version in log.versions for result in version.results for own in result.metrics]
    return tuple(dict.fromkeys(found))


def runs_plot(runs: Sequence[Run], metric: str) -> Plot:
    """Return a metric's stored means along the runs, the oldest first: a series for each suite and arm."""
    ordered = list(reversed(runs))
    series: dict[str, list[PlotPoint]] = {}
    for at, run in enumerate(ordered):
        arms = cast("Mapping[str, Any]", run.summary.get("arms") or {})
        for name, arm in arms.items():
            own = arm.get("metrics", {}).get(metric)
            if own is not None and own.get("mean") is not None:
                point = PlotPoint(at=at, mean=own["mean"], low=own.get("low"), high=own.get("high"))
                series.setdefault(f"{run.suite} · {name}", []).append(point)
    return _plot(metric, [run.run_id for run in ordered], series)


def _plot(title: str, labels: Sequence[str], series: Mapping[str, Sequence[PlotPoint]]) -> Plot:
    return Plot(
        title=title,
        labels=tuple(labels),
        series=tuple(PlotSeries(name=name, points=tuple(points)) for name, points in series.items()),
    )
