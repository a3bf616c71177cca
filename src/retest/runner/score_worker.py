"""A process that scores: builds metrics as it is told, then scores batches until its parent is gone.

Run as ``python -m retest.runner.score_worker``. Nothing of a user's code runs here, and nothing that asks a model.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass

from retest.errors import RetestError
from retest.metrics.base import Metric, MetricContext, MetricOptions
from retest.metrics.registry import metric_classes
from retest.metrics.worker_pipes import Parent
from retest.runner.score import score_rules

PROTOCOL = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What builds a metric again, and the signature that it must have then.

    The signature differs where a file that it reads was changed meanwhile: scores by two definitions must not mix.
    """

    metric: str
    options: MetricOptions
    context: MetricContext
    signature: str


def recipe(metric: Metric[MetricOptions]) -> Recipe:
    """Return what builds a metric of the registry again."""
    return Recipe(metric=metric.info.name, options=metric.options, context=metric.context, signature=metric.signature())


def main() -> None:
    """Serve the parent process until it is gone."""
    parent = Parent()
    metrics, problem = _built(pickle.loads(parent.receive()))  # noqa: S301 - from the process that started this one
    parent.send(problem.encode())
    while True:
        parent.send(_scored(parent.receive(), metrics))


def _built(recipes: dict[str, Recipe]) -> tuple[dict[str, Metric[MetricOptions]], str]:
    """Return the metrics by name, and what is wrong with one."""
    metrics: dict[str, Metric[MetricOptions]] = {}
    for name, made in recipes.items():
        try:
            metric = metrics[name] = metric_classes()[made.metric](made.options, made.context)
        except RetestError as error:
            return {}, f"metric '{name}': {error.problems[0].message}"
        if metric.signature() != made.signature:
            return {}, f"metric '{name}' has changed since the run began"
    return metrics, ""


def _scored(message: bytes, metrics: dict[str, Metric[MetricOptions]]) -> bytes:
    """Return the rows of a batch; nothing where it cannot be read or sent, and the parent scores it itself."""
    try:
        return pickle.dumps(score_rules(pickle.loads(message), metrics), PROTOCOL)  # noqa: S301 - as above
    except Exception:  # noqa: BLE001 - of any kind: the parent meets it again, in its own process
        return b""


if __name__ == "__main__":
    main()
