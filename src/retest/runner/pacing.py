"""When a failed call is tried again, and when a run has failed often enough to stop."""

from __future__ import annotations

import random
from dataclasses import dataclass

from retest.domain.sample import CallError


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Exponential back-off with full jitter (Brooker 2015, AWS Architecture Blog), Retry-After honoured.

    Attributes:
        attempts: tries of one call that fails for another reason than a rate limit.
        patience_s: how long one call may be kept waiting by rate limits before it counts as failed.
        turn_base_s: in place of `base_s` for refused calls whose turn is given anyway.
    """

    attempts: int = 5
    base_s: float = 0.5
    turn_base_s: float = 0.02
    cap_s: float = 30.0
    patience_s: float = 600.0
    longest_retry_after_s: float = 120.0

    def wait_before_retry(
        self, error: CallError, attempt: int, waited_s: float, rng: random.Random, *, paced: bool = False
    ) -> float | None:
        """Return the seconds to wait before attempt number `attempt + 1`; None where the error stands.

        Args:
            error: of the attempt that just failed.
            attempt: its number, from 1.
            waited_s: how long this call has waited so far.
            rng: for the jitter.
            paced: the call waits for its turn afterwards, so that refusals need little waiting of their own.
        """
        if not error.retryable or error.fatal:
            return None
        if error.kind == "rate_limit":
            if waited_s >= self.patience_s:
                return None
        elif attempt >= self.attempts:
            return None
        base_s = self.turn_base_s if paced and error.kind == "rate_limit" else self.base_s
        backoff = rng.uniform(base_s / 2, min(self.cap_s, base_s * 2 ** min(attempt, 16)))
        if error.retry_after_s is None:
            return backoff
        # A little jitter on top, else every waiting call returns in the same instant.
        return min(error.retry_after_s, self.longest_retry_after_s) + rng.uniform(0, self.base_s)


class FailureStreak:
    """Counts final failures in a row over a whole run: an endpoint that only fails is not worth the whole plan."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._in_a_row = 0

    def note(self, *, failed: bool) -> bool:
        """Record one finished call; return whether the run should stop."""
        self._in_a_row = self._in_a_row + 1 if failed else 0
        return self._in_a_row >= self.limit
