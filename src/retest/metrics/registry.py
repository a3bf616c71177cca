"""Every metric by name. The modules import no heavy library, so that `retest check` stays quick."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from retest.domain.catalog import MetricInfo
from retest.domain.suite import MetricSpec
from retest.metrics.base import Metric, MetricContext

_MODULES = (
    "match",
    "text_similarity",
    "structured",
    "tool_calls",
    "rouge",
    "translation",
    "readability",
    "length",
    "language",
    "budget",
    "python_metric",
)


@cache
def metric_classes() -> dict[str, type[Metric[Any]]]:
    """Return metric name -> class, in the order in which they are documented."""
    modules = (import_module(f"retest.metrics.{name}") for name in _MODULES)
    return {cls.info.name: cls for module in modules for cls in module.METRICS}


def metric_infos() -> dict[str, MetricInfo]:
    """Return metric name -> description, for the catalog."""
    return {name: cls.info for name, cls in metric_classes().items()}


def build_metric(spec: MetricSpec) -> Metric[Any]:
    """Return the metric that a checked spec describes.

    Raises:
        SuiteError: a file it needs cannot be read or loaded.
    """
    cls = metric_classes()[spec.metric]
    options = cls.Options.model_validate(dict(spec.options))
    return cls(options, MetricContext(name=spec.name, base_dir=spec.base_dir))
