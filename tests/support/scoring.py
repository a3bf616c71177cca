"""Metrics built and asked as a run does, in one line each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from retest.domain.case import Case
from retest.domain.json_value import JsonValue
from retest.domain.sample import MetricFailure, Response, Score
from retest.metrics.base import Metric, MetricContext

MetricT = TypeVar("MetricT", bound=Metric[Any])


def built(cls: type[MetricT], base_dir: Path = Path(), **options: Any) -> MetricT:
    """Return a metric with options as a suite gives them."""
    return cls(cls.Options.model_validate(options), MetricContext(name=cls.info.name, base_dir=base_dir))


def case(expected: Any = None, **variables: JsonValue) -> Case:
    """Return a case with an expected answer."""
    return Case(case_id="c1", vars=variables, content_hash="0", expected=expected)


def scored(metric: Metric[Any], output: str, expected: Any = None) -> Score:
    """Return the score of an output; fails where there is none."""
    outcome = metric.score(case(expected), Response(output=output))
    assert isinstance(outcome, Score), outcome
    return outcome


def value(metric: Metric[Any], output: str, expected: Any = None) -> float:
    """Return the value of an output's score."""
    return scored(metric, output, expected).value


def failed(metric: Metric[Any], output: str, expected: Any = None) -> MetricFailure:
    """Return the failure to score an output; fails where there is a score."""
    outcome = metric.score(case(expected), Response(output=output))
    assert isinstance(outcome, MetricFailure), outcome
    return outcome


def calling(*calls: Any, output: str = "") -> Response:
    """Return a response that calls tools."""
    return Response(output=output, tool_calls=calls)


def json_lines(path: Path) -> Sequence[Mapping[str, Any]]:
    """Return the rows of a JSON Lines file; only a line feed ends a line."""
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]
