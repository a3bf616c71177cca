"""What a suite may name: metrics and providers, described without importing their libraries.

`suites` validates against a `Catalog` that `workflows` hands it, so that it need not import metrics or targets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Scale = Literal["linear", "log"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricInfo:
    """One registered metric.

    Attributes:
        options: its options as a pydantic model class (loaded on demand; ``extra="forbid"``).
        needs_expected: it cannot judge a case without `expected`.
        instead_of_expected: options any of which, when given, stands in for `expected`.
        needs_model: it makes paid calls.
        runs_code: it runs the user's own code (refused for untrusted suites).
        low, high: the range of its values; None where unbounded.
        scale: ``log`` for ratio-like values (latency, cost, length), which are compared on the log scale.
        binary: its values are 0 or 1, so a sample passes at 1 without a `pass_if`.
    """

    name: str
    summary: str
    options: Callable[[], Any]
    needs_expected: bool = False
    instead_of_expected: tuple[str, ...] = ()
    needs_model: bool = False
    runs_code: bool = False
    low: float | None = 0.0
    high: float | None = 1.0
    direction: Literal["higher", "lower"] = "higher"
    scale: Scale = "linear"
    binary: bool = False
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderInfo:
    """One registered provider of targets; `options` as for a metric.

    Attributes:
        needs_model: it cannot be called without a model's name.
        paid: its calls may cost money, so estimates and budgets count them.
    """

    name: str
    summary: str
    options: Callable[[], Any]
    needs_model: bool = False
    paid: bool = False
    runs_code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Everything a suite may name."""

    metrics: Mapping[str, MetricInfo] = field(default_factory=dict)
    providers: Mapping[str, ProviderInfo] = field(default_factory=dict)
