"""What a run keeps of its suite: arms, metrics, files, and what tells it from other runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from retest.domain.json_value import JsonValue, content_hash
from retest.domain.run import RunArm, RunMetric
from retest.domain.suite import Arm, MetricSpec, Suite
from retest.metrics.base import Metric
from retest.revisions.provenance import GitState

if TYPE_CHECKING:
    from retest.workflows.run import RunOptions


def config_hash(suite: Suite, samples: int, options: RunOptions, origin: GitState | None) -> str:
    """Return what is equal for two commands that would take the same samples: one goes on where the other ended."""
    selection = options.selection
    # Two revisions with one content are two runs: each must find its own unfinished one.
    revision: dict[str, JsonValue] = {} if origin is None else {"revision": origin.commit}
    series: dict[str, JsonValue] = {"series": options.series} if options.series else {}
    decided: dict[str, JsonValue] = {} if options.until_decided is None else {"until_decided": True}
    return content_hash(
        {
            **revision,
            **series,
            **decided,
            "suite": suite.name,
            "fingerprint": suite.fingerprint,
            "samples": samples,
            "cases": sorted(selection.ids),
            "tags": sorted(selection.tags),
            "limit": selection.limit,
            "fresh": options.fresh,
            "offline": options.offline,
        }
    )


def run_arm(arm: Arm, identity: Mapping[str, JsonValue]) -> RunArm:
    """Return an arm as its run keeps it."""
    return RunArm(
        name=arm.name,
        prompt_name=arm.prompt.name,
        prompt_path=arm.prompt.path,
        prompt_hash=arm.prompt.content_hash,
        prompt_source=arm.prompt.source,
        target_name=arm.target.name,
        provider=arm.target.provider,
        model=arm.model,
        identity=dict(identity),
        params=arm.params,
        labels=arm.prompt.labels,
    )


def run_metric(spec: MetricSpec, metric: Metric[Any], suite: Suite) -> RunMetric:
    """Return a metric as its run keeps it."""
    return RunMetric(
        name=spec.name,
        metric=spec.metric,
        signature=metric.signature(),
        options=spec.options,
        low=metric.low,
        high=metric.high,
        direction=spec.direction or metric.direction,
        scale=metric.scale,
        binary=metric.binary,
        pass_if=spec.pass_if,
        aggregate=spec.aggregate,
        case_passes=spec.case_passes or suite.case_passes,
        judging=None if spec.judging is None else spec.judging.document(),
    )


def run_files(suite: Suite) -> dict[str, str]:
    """Return path -> content hash of the files that a run comes from."""
    files = {suite.path: content_hash(suite.source)}
    files.update({arm.prompt.path: arm.prompt.content_hash for arm in suite.arms if arm.prompt.path})
    definitions = [spec.judging.definition for spec in suite.metrics if spec.judging is not None]
    files.update({definition.path: definition.content_hash for definition in definitions if definition.path})
    return files
