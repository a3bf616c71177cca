"""The history of a prompt as JSON."""

from __future__ import annotations

import dataclasses

from retest.domain.prompt_log import LoggedVersion, MetricResult, PromptLog, VersionResult


def log_document(log: PromptLog) -> dict[str, object]:
    """Return the versions with their results, the newest first."""
    return {
        "prompt": log.path,
        "versions": [_version(version) for version in log.versions],
        "older_versions": log.left_out,
        "runs_of_other_texts": log.elsewhere,
    }


def _version(version: LoggedVersion) -> dict[str, object]:
    return {
        "commit": version.commit,
        "date": None if version.date is None else version.date.isoformat(),
        "author": version.author,
        "message": version.message,
        "path": version.path,
        "renamed_from": version.renamed_from,
        "added": version.added,
        "removed": version.removed,
        "labels": list(version.labels),
        "prompt_hash": version.prompt_hash,
        "runs": version.runs,
        "same_as": version.same_as,
        "results": [_result(result) for result in version.results],
    }


def _result(result: VersionResult) -> dict[str, object]:
    return {
        "suite": result.suite,
        "run": result.run_id,
        "arm": result.arm,
        "target": result.target,
        "started_at": result.started_at.isoformat(),
        "against": result.against,
        "note": result.note,
        "metrics": {metric.metric: _metric(metric) for metric in result.metrics},
    }


def _metric(metric: MetricResult) -> dict[str, object]:
    found = metric.comparison
    return {
        "mean": metric.mean,
        "low": metric.low,
        "high": metric.high,
        "verdict": None if found is None else found.verdict,
        "comparison": None if found is None else dataclasses.asdict(found),
    }
