"""What answers: one Protocol, and the registry of providers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from retest.domain.case import Case
from retest.domain.json_value import JsonValue
from retest.domain.prompt import Message
from retest.domain.sample import CallOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call: the rendered prompt, the effective model and parameters, and the case for targets that want it.

    `params` already has a fixed `seed` varied by `sample_index`.
    """

    messages: Sequence[Message]
    model: str | None
    params: Mapping[str, JsonValue]
    case: Case
    sample_index: int
    prompt_name: str = ""
    extra: Mapping[str, JsonValue] = field(default_factory=dict)


class Target(Protocol):
    """Answers requests. One call is one attempt: retries, pacing and the ledger are the runner's."""

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """What makes two targets the same for the ledger: endpoint, code or recording hash; never a credential."""
        ...

    async def call(self, request: Request) -> CallOutcome:
        """Return the response, or the error as data; raises only on cancellation."""
        ...

    async def aclose(self) -> None:
        """Release connections and processes; may be called twice."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """How many calls and tokens may go to an endpoint; None is no limit.

    The first two are what the suite sets; the others what the endpoint last said that it lets through, as far as
    little of its limits was left.
    """

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    requests_per_s: float | None = None
    tokens_per_s: float | None = None


@runtime_checkable
class RateLimited(Protocol):
    """A target that may refuse calls for their rate: the runner gives its calls turns."""

    @property
    def rate_limits(self) -> RateLimits:
        """What is known of the limits by now."""
        ...
