"""What an endpoint's ``x-ratelimit-*`` headers say about the calls and tokens that are left."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import BaseModel, Field

from retest.targets.base import RateLimits

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}
_USED_UP_IN_S = 10.0  # what is left is spread over so long
_RESERVE, _RESERVE_S = 0.1, 1.0  # of the limit, or what refills in so long: the less is left of it, the less goes,
_COARSE = 20.0  # a limit of fewer says little by what is left of it
_LOW = 0.3  # down to this part of what refills: so processes that share a key share what refills


class RateOptions(BaseModel):
    """Options of a provider whose endpoint may refuse calls for their rate."""

    requests_per_minute: float | None = Field(default=None, gt=0, description="at most so many calls a minute")
    tokens_per_minute: float | None = Field(default=None, gt=0, description="at most so many tokens a minute, about")

    @property
    def rate_limits(self) -> RateLimits:
        """Return the limits that the suite sets."""
        return RateLimits(requests_per_minute=self.requests_per_minute, tokens_per_minute=self.tokens_per_minute)


def read_limits(headers: Mapping[str, str], own: RateLimits) -> RateLimits:
    """Return the suite's own limits with what the headers add to them.

    A limit refills at (limit - remaining) / reset a second; that can go, and what is left besides, little by little.
    """
    if "x-ratelimit-remaining-requests" not in headers and "x-ratelimit-remaining-tokens" not in headers:
        return own
    return RateLimits(
        requests_per_minute=own.requests_per_minute,
        tokens_per_minute=own.tokens_per_minute,
        requests_per_s=_allowed(headers, "requests"),
        tokens_per_s=_allowed(headers, "tokens"),
    )


def _allowed(headers: Mapping[str, str], what: str) -> float | None:
    limit = _number(headers.get(f"x-ratelimit-limit-{what}"))
    remaining = _number(headers.get(f"x-ratelimit-remaining-{what}"))
    reset_s = seconds(headers.get(f"x-ratelimit-reset-{what}"))
    if limit is None or remaining is None or reset_s is None or reset_s <= 0 or remaining >= limit:
        return None
    refill = (limit - remaining) / reset_s
    reserve = min(max(_RESERVE * limit, _RESERVE_S * refill), limit / 2)
    low = max(_LOW, 1 - limit / _COARSE)
    return refill * (low + (1 - low) * min(1.0, remaining / reserve)) + max(0.0, remaining - reserve) / _USED_UP_IN_S


def seconds(text: str | None) -> float | None:
    """Return a duration such as ``6m0s``, ``20ms`` or ``1.5``; None where it is none."""
    parts = [] if text is None else _PART.findall(text.strip())
    if not parts or "".join(number + unit for number, unit in parts) != (text or "").strip():
        return None
    return sum(float(number) * _SECONDS[unit or None] for number, unit in parts)


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else -1.0
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None
