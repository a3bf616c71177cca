"""Sums up a run: samples within a case first, then cases. The one place where a run's aggregates are computed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from retest.domain.figures import ConfusionMatrix, MetricFigures
from retest.domain.pairwise import PAIRWISE
from retest.domain.run import Run, RunMetric
from retest.domain.summary import ArmSummary, MetricSummary, RunSummary, SliceSummary
from retest.report.numbers import plural
from retest.runner.table import ArmCells, MetricCells, RunTable
from retest.stats.case_values import Matrix, Vector, aggregate_cases, pass_shares, pooled_within_sd
from retest.stats.intervals import mean_interval
from retest.stats.spread import quantiles
from retest.workflows.judge_spread import judge_spread

_BINS = 10
_MAX_SLICES = 40  # per metric: a cluster per case would be a table nobody reads


def summarise(run: Run, table: RunTable) -> RunSummary:
    """Return every aggregate of a run, its limits not yet judged."""
    arms = [_summarise_arm(arm.name, cells, run, table) for arm, cells in zip(run.arms, table.arms, strict=True)]
    notes = (*_notes(run, table), *table.remarks, *label_notes(run.metrics, arms))
    return RunSummary(arms=mark_pareto(arms), notes=notes)


def _summarise_arm(name: str, cells: ArmCells, run: Run, table: RunTable) -> ArmSummary:
    # A pairwise metric says nothing of one arm alone: its numbers stand in the comparison.
    metrics = [metric for metric in run.metrics if metric.metric != PAIRWISE]
    by_metric = {metric.name: case_values(metric, cells.metrics[metric.name], table) for metric in metrics}
    latencies = np.frombuffer(cells.latencies_ms) if len(cells.latencies_ms) else None
    tokens_known = cells.counted_tokens > 0
    answered = cells.samples - sum(cells.errors.values())
    return ArmSummary(
        name=name,
        metrics=tuple(
            summarise_metric(metric, cells.metrics[metric.name], by_metric[metric.name], table) for metric in metrics
        ),
        slices=tuple(_slices(metrics, by_metric, table)),
        cases=sum(cells.seen_cases),
        samples=cells.samples,
        errors=sum(cells.errors.values()),
        errors_by_kind=dict(cells.errors),
        latency_p50_ms=None if latencies is None else float(np.quantile(latencies, 0.5)),
        latency_p95_ms=None if latencies is None else float(np.quantile(latencies, 0.95)),
        input_tokens=cells.input_tokens if tokens_known else None,
        output_tokens=cells.output_tokens if tokens_known else None,
        cost_usd=cells.cost_usd if answered and not cells.unpriced else None,
        identical_repeats=cells.repeats.all_identical,
        models=tuple(sorted(cells.models)),
    )


class CaseValues:
    """One metric on one arm: the samples' scores and what they come to per case.

    Attributes:
        samples: cases x samples.
        passed: the same shape, 1 and 0; all NaN where nothing says what passes.
        per_case: one value per case.
    """

    def __init__(self, samples: Matrix, passed: Matrix, per_case: Vector) -> None:
        self.samples, self.passed, self.per_case = samples, passed, per_case


def case_values(metric: RunMetric, cells: MetricCells, table: RunTable) -> CaseValues:
    """Return a metric's scores as arrays."""
    size = len(table.case_ids) * table.samples
    flat = np.full(size, math.nan)
    known = np.frombuffer(cells.values)[:size] if len(cells.values) else flat[:0]
    flat[: len(known)] = known
    samples = flat.reshape(len(table.case_ids), table.samples)
    passed = _passed(metric, samples)
    return CaseValues(samples, passed, aggregate_cases(samples, passed, metric.aggregate))


def _passed(metric: RunMetric, samples: Matrix) -> Matrix:
    """Return 1 where a sample passes: by `pass_if`, else a binary metric passes at 1 (at 0 where lower is better)."""
    missing = np.isnan(samples)
    if metric.pass_if is not None:
        low = -math.inf if metric.pass_if.min is None else metric.pass_if.min
        high = math.inf if metric.pass_if.max is None else metric.pass_if.max
        holds = (samples >= low) & (samples <= high)
    elif metric.binary:
        holds = samples <= 0 if metric.direction == "lower" else samples >= 1
    else:
        return np.full_like(samples, math.nan)
    return np.where(missing, math.nan, holds.astype(np.float64))


def summarise_metric(metric: RunMetric, cells: MetricCells, values: CaseValues, table: RunTable) -> MetricSummary:
    """Return one metric's aggregates over one arm."""
    low, high = value_scale(metric)
    scored = ~np.isnan(values.per_case)
    per_case = values.per_case[scored]
    interval = mean_interval(
        per_case,
        clusters=_clusters(table, scored),
        low=low,
        high=high,
    )
    p10, median, p90 = quantiles(per_case) if len(per_case) else (None, None, None)
    histogram, edges = _histogram(per_case, metric)
    sample_passes = values.passed[~np.isnan(values.passed)]
    return MetricSummary(
        name=metric.name,
        metric=metric.metric,
        signature=metric.signature,
        direction=metric.direction if _of_scores(metric) else "higher",  # a pass is always better
        mean=interval.mean,
        low=interval.low,
        high=interval.high,
        median=median,
        p10=p10,
        p90=p90,
        sd=float(per_case.std(ddof=1)) if len(per_case) > 1 else None,
        within_sd=pooled_within_sd(values.samples),
        pass_rate=_case_pass_rate(metric, values.passed),
        sample_pass_rate=float(sample_passes.mean()) if len(sample_passes) else None,
        n_cases=len(per_case),
        n_samples=int((~np.isnan(values.samples)).sum()),
        failures=cells.failures,
        not_applicable=cells.not_applicable,
        range_low=low,
        range_high=high,
        histogram=histogram,
        histogram_low=edges[0],
        histogram_high=edges[1],
        judges=judge_spread(metric, cells, table.samples),
        figures=_figures(metric, cells, table),
    )


def _figures(metric: RunMetric, cells: MetricCells, table: RunTable) -> MetricFigures | None:
    if cells.facts is None:
        return None
    from retest.workflows.figures import metric_figures  # what most metrics do without

    every = np.ones(len(table.case_ids), dtype=np.bool_)
    return metric_figures(metric, cells.facts, table.samples, _clusters(table, every))


def value_scale(metric: RunMetric) -> tuple[float | None, float | None]:
    """Return the scale of the case values: what passes is 0 or 1, whatever the scores' own scale."""
    return (metric.low, metric.high) if _of_scores(metric) else (0.0, 1.0)


def _of_scores(metric: RunMetric) -> bool:
    """Return whether the case values are scores; else they are of passes, or chances that something passes."""
    return metric.aggregate in {"mean", "min", "max"}


def _clusters(table: RunTable, scored: NDArray[np.bool_]) -> list[str] | None:
    """Return one label per scored case where clusters are declared; a case without one stands for itself."""
    if not any(cluster is not None for cluster in table.clusters):
        return None
    return [
        f"cluster {table.clusters[i]}" if table.clusters[i] is not None else f"case {table.case_ids[i]}"
        for i in np.flatnonzero(scored)
    ]


def _case_pass_rate(metric: RunMetric, passed: Matrix) -> float | None:
    shares = pass_shares(passed)
    known = ~np.isnan(shares)
    if not known.any():
        return None
    counts = (~np.isnan(passed)).sum(axis=1)
    hits = np.nansum(passed, axis=1).astype(np.int64)
    alike = Counter(zip(hits[known].tolist(), counts[known].tolist(), strict=True))
    passing = sum(cases for (hit, count), cases in alike.items() if metric.case_passes.accepts(hit, count))
    return passing / int(known.sum())


def _histogram(values: Vector, metric: RunMetric) -> tuple[tuple[int, ...], tuple[float, float]]:
    if len(values) == 0:
        return (), (0.0, 1.0)
    ends = value_scale(metric)
    lowest, highest = float(values.min()), float(values.max())
    low, high = (lowest, highest) if ends[0] is None or ends[1] is None else (ends[0], ends[1])
    low, high = min(low, lowest), max(high, highest)
    if high <= low:
        high = low + 1.0
    counts, _ = np.histogram(values, bins=_BINS, range=(low, high))
    return tuple(int(count) for count in counts), (low, high)


def _slices(metrics: Sequence[RunMetric], by_metric: dict[str, CaseValues], table: RunTable) -> Iterator[SliceSummary]:
    """Yield each metric's mean on the cases of each tag and each cluster of more than one case."""
    members = _slice_members(table)
    for metric in metrics:
        values = by_metric[metric.name].per_case
        for (kind, name), indices in members.items():
            part = values[indices]
            part = part[~np.isnan(part)]
            if len(part):
                interval = mean_interval(part, low=value_scale(metric)[0], high=value_scale(metric)[1])
                yield SliceSummary(
                    kind=kind,
                    name=name,
                    metric=metric.name,
                    mean=float(part.mean()),
                    low=interval.low,
                    high=interval.high,
                    n_cases=len(part),
                )


def _slice_members(table: RunTable) -> dict[tuple[str, str], list[int]]:
    members: dict[tuple[str, str], list[int]] = {}
    for index, (tags, cluster) in enumerate(zip(table.tags, table.clusters, strict=True)):
        for tag in tags:
            members.setdefault(("tag", tag), []).append(index)
        if cluster is not None:
            members.setdefault(("cluster", cluster), []).append(index)
    large = {key: indices for key, indices in members.items() if key[0] == "tag" or len(indices) > 1}
    largest = sorted(large, key=lambda key: (key[0] != "tag", -len(large[key]), key))[:_MAX_SLICES]
    return {key: large[key] for key in largest}


def mark_pareto(arms: Sequence[ArmSummary]) -> tuple[ArmSummary, ...]:
    """Mark the arms that no other arm beats in quality (the first metric), latency and cost together."""
    if len(arms) < 2:  # noqa: PLR2004 - a choice needs two
        return tuple(arms)
    points = [_costs(arm) for arm in arms]
    return tuple(_marked(arm, _is_dominated(point, points)) for arm, point in zip(arms, points, strict=True))


def _marked(arm: ArmSummary, dominated: bool) -> ArmSummary:  # noqa: FBT001 - the only thing it says
    from dataclasses import replace

    return replace(arm, pareto=not dominated and arm.samples > arm.errors)


def _costs(arm: ArmSummary) -> tuple[float | None, ...]:
    """Return what should be small: minus the quality, latency, cost."""
    quality = next((metric for metric in arm.metrics if metric.mean is not None), None)
    loss = math.inf
    if quality is not None and quality.mean is not None:
        loss = quality.mean if quality.direction == "lower" else -quality.mean
    return loss, arm.latency_p50_ms, arm.cost_usd


def _is_dominated(point: tuple[float | None, ...], points: Sequence[tuple[float | None, ...]]) -> bool:
    return any(_dominates(other, point) for other in points)


def _dominates(theirs: tuple[float | None, ...], ours: tuple[float | None, ...]) -> bool:
    """Return whether the first is nowhere worse and somewhere better, as far as both are known."""
    known = [(a, b) for a, b in zip(theirs, ours, strict=True) if a is not None and b is not None]
    return all(a <= b for a, b in known) and any(a < b for a, b in known)


def _notes(run: Run, table: RunTable) -> Iterator[str]:
    for arm, cells in zip(run.arms, table.arms, strict=True):
        yield from _trouble(arm.name, cells)
        temperature = arm.params.get("temperature")
        if cells.repeats.all_identical and temperature != 0:
            yield f"{arm.name}: every repeat of every case is the same answer: is something caching?"
        if len(cells.models) > 1:
            yield f"{arm.name}: the provider answered with several models: {', '.join(sorted(cells.models))}"


def _trouble(arm: str, cells: ArmCells) -> Iterator[str]:
    """Yield what went wrong with calls and metrics: how often, and the first message of each kind."""
    for kind, message in cells.first_errors.items():
        yield f"{arm}: {cells.errors[kind]:,} of {cells.samples:,} samples have no answer ({kind}): {message[:300]}"
    for name, metric in cells.metrics.items():
        if metric.failures:
            yield f"{arm}: {name} failed on {plural(metric.failures, 'sample')}: {metric.first_failure[:300]}"


def label_notes(metrics: Sequence[RunMetric], arms: Sequence[ArmSummary]) -> Iterator[str]:
    """Yield what may be amiss where a metric of labels found none in any answer of an arm."""
    options = {metric.name: metric.options for metric in metrics}
    for arm in arms:
        for metric in arm.metrics:
            if metric.figures is None or not _names_no_label(metric.figures.confusion):
                continue
            inside = options[metric.name].get("find", "whole") != "whole"
            advice = "`aliases` take other spellings" if inside else "`find: last` looks inside the text"
            yield f"{arm.name}: {metric.name} found none of its labels in any answer: {advice}"


def _names_no_label(confusion: ConfusionMatrix | None) -> bool:
    """Return whether answers were looked at, and all of them stand in the last column."""
    rows = () if confusion is None else confusion.counts
    return any(row[-1] for row in rows) and not any(any(row[:-1]) for row in rows)
