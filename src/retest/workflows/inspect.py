"""Looks at stored runs: their aggregates again, their cases, their samples."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from retest.decision.limits import judge_limits
from retest.domain.run import Run, RunMetric
from retest.domain.sample import CallError, MetricFailure, Score
from retest.domain.sequential import read_decision
from retest.domain.summary import CaseSummary, LimitResult, RunSummary
from retest.errors import Problem, UsageError
from retest.runner.table import NOT_APPLICABLE, RunTable
from retest.stats.case_values import case_spreads
from retest.workflows.finish import arm_comparisons, worst_cases
from retest.workflows.review_columns import ReviewColumns, review_columns
from retest.workflows.run_pairwise import rank_run, stored_pairs
from retest.workflows.stored_gate import read_stored_gate
from retest.workflows.summarise import CaseValues, case_values, summarise

if TYPE_CHECKING:
    from retest.store.database import Store
    from retest.store.records import StoredSample


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A stored run with what it adds up to."""

    run: Run
    table: RunTable
    summary: RunSummary


def load_view(store: Store, run: Run) -> RunView:
    """Return a stored run with its aggregates, computed again from its samples and what people said of them."""
    columns = review_columns(store, run)
    run = columns.run
    table = load_table(store, run, columns)
    summary = summarise(run, table)
    pairwise = stored_pairs(run)
    summary = replace(
        summary,
        limits=_limits(run, summary, columns),
        worst=tuple(worst_cases(store, run, summary, table)),
        comparisons=arm_comparisons(run, table, lambda: read_stored_gate(run), pairwise, read_decision(run.summary)),
        pairwise=pairwise,
        rankings=rank_run(run, pairwise),
    )
    return RunView(run=run, table=table, summary=summary)


def _limits(run: Run, summary: RunSummary, columns: ReviewColumns) -> tuple[LimitResult, ...]:
    """Return the limits as the run judged them; those on reviews are judged anew, for reviews come after the run."""
    stored = cast("Sequence[Mapping[str, Any]]", run.summary.get("limits") or ())
    kept = [LimitResult(**limit) for limit in stored if limit["metric"] not in columns.scores]
    anew = judge_limits(summary.arms, read_stored_gate(run)) if columns.scores else ()
    return (*kept, *(limit for limit in anew if limit.metric in columns.scores))


def load_table(store: Store, run: Run, reviewed: ReviewColumns | None = None) -> RunTable:
    """Return a stored run's scores in arrays; those of `reviewed` take the place of stored ones."""
    decision = read_decision(run.summary)
    table = RunTable(
        arms=len(run.arms),
        metrics=[metric.name for metric in run.metrics],
        samples=max(1, run.samples_per_case if decision is None else decision.most_samples),
        kinds={metric.name: metric.metric for metric in run.metrics},
    )
    # All cases first: a run that was cut short may lack every sample of a case in the middle.
    table.add_cases(list(store.iter_cases(run.run_id)))
    for sample in store.iter_samples(run.run_id):
        if sample.sample_index >= table.samples:
            continue  # of a suspect, in a run that was killed before it could say so
        place = (sample.arm_index, sample.case_index, sample.sample_index)
        scores = sample.scores if reviewed is None else {**sample.scores, **reviewed.of(place)}
        table.add_sample(place, sample.outcome, scores)
    return table


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRow:
    """One case of one arm in a list of cases."""

    arm: str
    case: CaseSummary


def list_cases(view: RunView, *, arm: str | None = None, sort: str | None = None) -> list[CaseRow]:
    """Return the cases of a run: in the dataset's order, or the worst first by a metric.

    Raises:
        UsageError: there is no such arm or metric.
    """
    _check_arm(view.run, arm)
    rows = [row for index, name in enumerate(_arm_names(view.run)) if arm in {None, name} for row in _rows(view, index)]
    if sort is None:
        return rows
    metric = find_metric(view.run, sort)
    sign = 1.0 if metric.direction == "higher" else -1.0
    return sorted(rows, key=lambda row: _sort_key(row.case.values.get(metric.name), sign))


def find_metric(run: Run, name: str) -> RunMetric:
    """Return a run's metric by name; ``value`` is the first.

    Raises:
        UsageError: the run has no such metric.
    """
    found = next((metric for metric in run.metrics if metric.name == name), None)
    if found is None and name == "value" and run.metrics:
        return run.metrics[0]
    if found is None:
        known = ", ".join(metric.name for metric in run.metrics)
        raise UsageError(
            Problem(slug="metric-not-in-run", message=f"the run has no metric '{name}'", details=(f"it has: {known}",))
        )
    return found


def _check_arm(run: Run, arm: str | None) -> None:
    if arm is not None and arm not in _arm_names(run):
        raise UsageError(
            Problem(
                slug="arm-unknown",
                message=f"the run has no arm '{arm}'",
                details=(f"it has: {', '.join(_arm_names(run))}",),
            )
        )


def _arm_names(run: Run) -> list[str]:
    return [arm.name for arm in run.arms]


def _sort_key(value: float | None, sign: float) -> float:
    return math.inf if value is None else sign * value


def _rows(view: RunView, arm_index: int) -> Iterator[CaseRow]:
    cells = view.table.arms[arm_index]
    values = {metric.name: case_values(metric, cells.metrics[metric.name], view.table) for metric in view.run.metrics}
    spreads = {name: case_spreads(own.samples).tolist() for name, own in values.items()}
    for index, case_id in enumerate(view.table.case_ids):
        yield CaseRow(
            arm=view.run.arms[arm_index].name,
            case=CaseSummary(
                case_id=case_id,
                values={name: _known(float(own.per_case[index])) for name, own in values.items()},
                passed={metric.name: _case_passes(metric, values[metric.name], index) for metric in view.run.metrics},
                spread={name: _known(spread[index]) or 0.0 for name, spread in spreads.items()},
            ),
        )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _case_passes(metric: RunMetric, values: CaseValues, index: int) -> bool | None:
    """Return whether a case passes by the case rule; None where nothing says what passes."""
    marks = [mark for mark in values.passed[index].tolist() if not math.isnan(mark)]
    return metric.case_passes.accepts(int(sum(marks)), len(marks)) if marks else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleWish:
    """Which samples of a run to show."""

    arm: str | None = None
    case_id: str | None = None
    failures: bool = False
    errors: bool = False


def pick_samples(store: Store, run: Run, wish: SampleWish) -> Iterator[StoredSample]:
    """Yield the samples that are asked for, in a stream.

    Raises:
        UsageError: there is no such arm or case.
    """
    from retest.store.records import SampleFilter

    _check_arm(run, wish.arm)
    wanted = SampleFilter(arm=wish.arm, case_id=wish.case_id, only_errors=wish.errors)
    columns = review_columns(store, run)
    run = columns.run
    found = False
    for stored in store.iter_samples(run.run_id, wanted):
        found = True
        said = columns.of((stored.arm_index, stored.case_index, stored.sample_index))
        sample = replace(stored, scores={**stored.scores, **said}) if said else stored
        if not wish.failures or has_failed(sample, run):
            yield sample
    if not found and wish.case_id is not None and not wish.errors:
        raise UsageError(
            Problem(
                slug="case-not-in-run",
                message=f"the run has no case '{wish.case_id}'",
                fix=f"`retest show {run.run_id} --sort value` lists its cases",
            )
        )


def sample_rows(store: Store, run: Run, wish: SampleWish) -> Iterator[dict[str, object]]:
    """Yield the samples that are asked for as `export` and ``--json`` write them.

    Raises:
        UsageError: there is no such arm or case.
    """
    from retest.report.export import export_row

    run = review_columns(store, run).run
    classified = [metric.name for metric in run.metrics if metric.metric == "classification"]
    for sample in pick_samples(store, run, wish):
        scores = {metric.name: sample.scores.get(metric.name) for metric in run.metrics}
        arm = run.arms[sample.arm_index]
        yield export_row(sample.case, arm, sample.sample_index, sample.outcome, scores, classified)


def has_failed(sample: StoredSample, run: Run) -> bool:
    """Return whether a sample is an error, has a metric failure, or fails a metric that says what passes."""
    if isinstance(sample.outcome, CallError):
        return True
    return any(_score_failed(sample.scores.get(metric.name), metric) for metric in run.metrics)


def _score_failed(score: Score | MetricFailure | None, metric: RunMetric) -> bool:
    if score is None:
        return False
    if isinstance(score, MetricFailure):
        return score.kind not in NOT_APPLICABLE
    return metric.passes(score.value) is False
