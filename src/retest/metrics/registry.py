"""Every metric by name. A metric's module is imported when the metric is first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

from retest.domain.catalog import MetricInfo, OnDemand
from retest.domain.suite import MetricSpec
from retest.metrics.base import Metric, MetricContext

# Module -> the metrics in its `METRICS`, in the order in which they are documented.
_MODULES: dict[str, tuple[str, ...]] = {
    "match": (
        "exact_match",
        "contains",
        "contains_all",
        "contains_any",
        "not_contains",
        "starts_with",
        "ends_with",
        "regex",
        "numeric",
    ),
    "classification": ("classification",),
    "text_similarity": ("similarity",),
    "structured": ("json_valid", "json_schema", "json_fields"),
    "tool_calls": ("tool_calls",),
    "rouge": ("rouge",),
    "translation": ("bleu", "chrf", "ter"),
    "readability": ("readability",),
    "length": ("length",),
    "language": ("language", "refusal"),
    "retrieval": (
        "precision_at_k",
        "recall_at_k",
        "hit_rate",
        "reciprocal_rank",
        "average_precision",
        "ndcg",
    ),
    "budget": ("latency", "tokens", "cost"),
    "review": ("review",),
    "judge.kinds": (
        "judge",
        "judge_rubric",
        "judge_grade",
        "judge_equivalence",
        "judge_correctness",
        "judge_relevance",
        "judge_groundedness",
        "judge_closed_qa",
        "judge_feedback",
        "judge_conciseness",
        "judge_evasiveness",
        "judge_injection",
        "toxicity",
    ),
    "judge.pairwise": ("judge_pairwise",),
    "judge.moderation": ("moderation",),
    "judge.embedding": ("embedding_similarity",),
    "python_metric": ("python",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def _load(name: str) -> type[Metric[Any]]:
    module = import_module(f"retest.metrics.{_MODULE_OF[name]}")
    found: type[Metric[Any]] = next(cls for cls in module.METRICS if cls.info.name == name)
    return found


@cache
def metric_classes() -> Mapping[str, type[Metric[Any]]]:
    """Return metric name -> class, in the order in which they are documented."""
    return OnDemand(_MODULE_OF, _load)


def metric_infos() -> Mapping[str, MetricInfo]:
    """Return metric name -> description, for the catalog."""
    classes = metric_classes()
    return OnDemand(classes, lambda name: classes[name].info)


def build_metric(spec: MetricSpec) -> Metric[Any]:
    """Return the metric that a checked spec describes.

    Raises:
        SuiteError: a file it needs cannot be read or loaded.
    """
    cls = metric_classes()[spec.metric]
    options = cls.Options.model_validate(dict(spec.options))
    return cls(options, MetricContext(name=spec.name, base_dir=spec.base_dir, judging=spec.judging, within=spec.within))
