"""Samples and scores: what came back, and what it is worth. A failure is data, never a zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from retest.domain.json_value import JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Token counts as the provider reported them; None where it did not."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One answer.

    Attributes:
        output: the text ("" where the model only called tools or refused).
        tool_calls: each ``{"name": str, "arguments": object or the raw string, "id": str | None}``.
        refusal: the provider's refusal text, where it reports one separately.
        model: the model id the provider returned, which may differ from the one asked for.
        latency_ms: of the successful attempt alone; None where a recording does not say.
        cost_usd: None where the price is unknown, never 0 for unknown.
        meta: anything else worth keeping (JSON).
    """

    output: str
    tool_calls: tuple[JsonValue, ...] = ()
    refusal: str | None = None
    finish_reason: str | None = None
    model: str | None = None
    fingerprint: str | None = None
    usage: Usage = field(default_factory=Usage)
    latency_ms: float | None = None
    cost_usd: float | None = None
    meta: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallError:
    """Why there is no answer.

    Attributes:
        kind: ``authentication``, ``permission``, ``not_found``, ``bad_request``, ``content_filter``, ``rate_limit``,
            ``server_error``, ``timeout``, ``connection``, ``bad_response``, ``target_error`` (user code raised),
            ``missing_recording``, ``offline``.
        retryable: trying the same call again may succeed.
        fatal: every other call to this target would fail the same way (a revoked key): the run stops.
        retry_after_s: what the server asked for, seconds.
        attempts: how often the call was tried.
    """

    kind: str
    message: str
    status: int | None = None
    retryable: bool = False
    fatal: bool = False
    retry_after_s: float | None = None
    attempts: int = 1


CallOutcome: TypeAlias = Response | CallError


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A metric's value for one sample; booleans are 1.0 and 0.0."""

    value: float
    reason: str | None = None
    details: Mapping[str, JsonValue] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricFailure:
    """A metric could not score a sample.

    Attributes:
        kind: ``raised``, ``no_expected``, ``bad_expected``, ``timeout``, ``judge_error`` ..., or ``not_applicable``,
            which is not counted as a failure (the metric has nothing to say on this case).
    """

    kind: str
    message: str


ScoreOutcome: TypeAlias = Score | MetricFailure
