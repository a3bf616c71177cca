"""What an endpoint's ``x-ratelimit-*`` headers say about the calls and tokens that are left."""

from __future__ import annotations

import re
from collections.abc import Mapping

from retest.targets.base import RateLimits

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}
_LITTLE = 0.2  # of the limit: above it nothing has to be held back


def read_limits(headers: Mapping[str, str], own: RateLimits) -> RateLimits:
    """Return the suite's own limits with what the headers add to them.

    A limit of which little is left refills at (limit - remaining) / reset a second, which is then the most that can go.
    """
    if "x-ratelimit-remaining-requests" not in headers and "x-ratelimit-remaining-tokens" not in headers:
        return own
    return RateLimits(
        requests_per_minute=own.requests_per_minute,
        tokens_per_minute=own.tokens_per_minute,
        requests_per_s=_refill(headers, "requests"),
        tokens_per_s=_refill(headers, "tokens"),
    )


def _refill(headers: Mapping[str, str], what: str) -> float | None:
    limit = _number(headers.get(f"x-ratelimit-limit-{what}"))
    remaining = _number(headers.get(f"x-ratelimit-remaining-{what}"))
    reset_s = seconds(headers.get(f"x-ratelimit-reset-{what}"))
    if limit is None or remaining is None or reset_s is None or reset_s <= 0 or remaining > _LITTLE * limit:
        return None
    return (limit - remaining) / reset_s


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
