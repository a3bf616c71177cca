"""Results as JSON, for scripts: names and shapes that stay."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from retest.domain.run import Run
from retest.domain.sequential import decision_document, read_decision
from retest.domain.summary import ArmSummary, MetricSummary, RunSummary
from retest.errors import ExitCode, Problem
from retest.report.figure_documents import change_document, figures_document
from retest.report.pairwise_text import pairwise_documents

if TYPE_CHECKING:  # a run of one arm is written without them
    from retest.domain.comparison import ArmComparison, ComparedRun, MetricComparison, RunComparison

_METRIC_FIELDS = (
    "mean",
    "low",
    "high",
    "median",
    "p10",
    "p90",
    "sd",
    "within_sd",
    "pass_rate",
    "sample_pass_rate",
    "n_cases",
    "n_samples",
    "not_applicable",
    "direction",
    "signature",
)
_ARM_FIELDS = (
    "cases",
    "samples",
    "errors",
    "errors_by_kind",
    "latency_p50_ms",
    "latency_p95_ms",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "identical_repeats",
    "models",
    "pareto",
)


def run_document(run: Run, summary: RunSummary) -> dict[str, object]:
    """Return one run: counts, and metrics per arm (at the top level too where there is one arm)."""
    arms = {arm.name: arm_document(arm) for arm in summary.arms}
    document: dict[str, object] = {
        "run": run.run_id,
        "suite": run.suite,
        "status": run.status,
        "cases": run.counts.cases,
        "samples": run.counts.samples,
        "errors": run.counts.errors,
        "calls": run.counts.calls,
        "ledger_hits": run.counts.ledger_hits,
        "cost_usd": run.counts.cost_usd,
        "input_tokens": run.counts.input_tokens,
        "output_tokens": run.counts.output_tokens,
        "judges": {name: dataclasses.asdict(counts) for name, counts in run.counts.judges.items()},
        "planned": run.planned,
        "draw": run.draw,
        "exit_code": run.exit_code,
        "started_at": run.started_at.isoformat(),
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        "arms": arms,
        "limits": [dataclasses.asdict(limit) for limit in summary.limits],
        "comparisons": [comparison_document(comparison) for comparison in summary.comparisons],
        "rankings": [dataclasses.asdict(ranking) for ranking in summary.rankings],
        "notes": list(summary.notes),
        "until_decided": decision_json(run),
    }
    if len(summary.arms) == 1:
        document["metrics"] = arms[summary.arms[0].name]["metrics"]
    return document


def decision_json(run: Run | None) -> dict[str, object] | None:
    """Return how a run was sampled until decided, None for one that was sampled in one go."""
    decision = None if run is None else read_decision(run.summary)
    return None if decision is None else decision_document(decision)


def header_document(run: Run) -> dict[str, object]:
    """Return a run's header for a list: identity, provenance, counts, stored means."""
    return {
        "run": run.run_id,
        "suite": run.suite,
        "status": run.status,
        "started_at": run.started_at.isoformat(),
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        "counts": dataclasses.asdict(run.counts),
        "provenance": dataclasses.asdict(run.provenance),
        "arms": [
            {"name": arm.name, "prompt_hash": arm.prompt_hash, "model": arm.model, "labels": list(arm.labels)}
            for arm in run.arms
        ],
        "tags": list(run.tags),
        "metadata": dict(run.metadata),
        "exit_code": run.exit_code,
        "summary": dict(run.summary),
    }


def arm_document(arm: ArmSummary) -> dict[str, object]:
    """Return one arm with its metrics by name."""
    document: dict[str, object] = {name: getattr(arm, name) for name in _ARM_FIELDS}
    document["metrics"] = {metric.name: metric_document(metric) for metric in arm.metrics}
    document["slices"] = [dataclasses.asdict(part) for part in arm.slices]
    return document


def metric_document(metric: MetricSummary) -> dict[str, object]:
    """Return one metric's numbers."""
    document: dict[str, object] = {name: getattr(metric, name) for name in _METRIC_FIELDS}
    document["metric_failures"] = metric.failures
    if metric.figures is not None:
        document["figures"] = figures_document(metric.figures)
    if metric.judges is not None:
        document["judges"] = dataclasses.asdict(metric.judges)
    return document


def comparison_document(comparison: ArmComparison) -> dict[str, object]:
    """Return two compared arms with their metrics by name."""
    return {
        "baseline": comparison.baseline,
        "candidate": comparison.candidate,
        "metrics": {metric.metric: dataclasses.asdict(metric) for metric in comparison.metrics},
        "pairwise": pairwise_documents(comparison.pairwise),
    }


def run_comparison_document(comparison: RunComparison, code: ExitCode) -> dict[str, object]:
    """Return two compared runs: everything per pair of arms, and `metrics` at the top level where there is one pair.

    Pairs of arms stand under the candidate's name.
    """
    document: dict[str, object] = {
        "baseline": _side_document(comparison.baseline),
        "candidate": _side_document(comparison.candidate),
        "exit_code": int(code),
        "comparable": comparison.is_comparable,
        "age_days": comparison.age_days,
        "warnings": list(comparison.warnings),
        "differences": [dataclasses.asdict(difference) for difference in comparison.differences],
        "unpaired_arms": list(comparison.unpaired_arms),
        "prompts": [dataclasses.asdict(prompt) for prompt in comparison.prompts],
        "arms": {arm.candidate: _arm_comparison_document(arm) for arm in comparison.arms},
    }
    if len(comparison.arms) == 1:
        document["metrics"] = _arm_comparison_document(comparison.arms[0])["metrics"]
    return document


def _side_document(run: ComparedRun) -> dict[str, object]:
    return {
        "run": run.label,
        "suite": run.suite,
        "status": run.status,
        "started_at": run.started_at.isoformat(),
        "git_commit": run.revision,
        "oldest_answer": run.oldest_answer.isoformat() if run.oldest_answer else None,
    }


def _arm_comparison_document(arm: ArmComparison) -> dict[str, object]:
    usage = (arm.baseline_usage, arm.candidate_usage)
    return {
        "baseline": arm.baseline,
        "candidate": arm.candidate,
        "metrics": {metric.metric: _verdict_document(metric) for metric in arm.metrics},
        "n_cases": arm.n_cases,
        "differences": [dataclasses.asdict(difference) for difference in arm.differences],
        "slices": [dataclasses.asdict(part) for part in arm.slices],
        "n_worse": arm.n_worse,
        "n_better": arm.n_better,
        "changed": [dataclasses.asdict(case) for case in arm.changed],
        "flaky": list(arm.flaky),
        "usage": [None if side is None else dataclasses.asdict(side) for side in usage],
        "unpaired": [dataclasses.asdict(case) for case in arm.unpaired],
        "notes": list(arm.notes),
        "pairwise": pairwise_documents(arm.pairwise),
        "figures": {change.key: change_document(change) for change in arm.figures},
    }


def _verdict_document(metric: MetricComparison) -> dict[str, object]:
    document = dataclasses.asdict(metric)
    del document["metric"]
    return document


def plan_document(plan: object) -> dict[str, object]:
    """Return a plan (any dataclass of the runner's) as a dry run prints it."""
    document = dataclasses.asdict(plan)  # type: ignore[call-overload] # a dataclass by contract
    return {**document, "dry_run": True, "exit_code": 0}


def problem_document(problems: Iterable[Problem], code: ExitCode) -> dict[str, object]:
    """Return why nothing was run."""
    return {
        "exit_code": int(code),
        "problems": [
            {
                "slug": problem.slug,
                "severity": problem.severity,
                "message": problem.message,
                "where": None if problem.where is None else dataclasses.asdict(problem.where),
                "details": list(problem.details),
                "fix": problem.fix,
            }
            for problem in problems
        ],
    }


def dump_json(document: object) -> str:
    """Return strict JSON: no NaN, non-ASCII as it is, lone surrogates escaped."""
    text = json.dumps(_strict(document), ensure_ascii=False, indent=2)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _strict(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    return value
